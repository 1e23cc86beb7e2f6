import type { GameConfig } from "../../src/config/game_config.ts";
import type { BanView } from "../../src/game/accounts/ban_view.ts";
import type { GameServer } from "../../src/game/game_server.ts";
import type { FakeClock } from "../fakes/clock.ts";
import type { Dice } from "./dice.ts";
import type { FakeAccounts } from "./fake_accounts.ts";

export interface OperatorParts {
  readonly server: GameServer;
  readonly bans: BanView;
  readonly accounts: FakeAccounts;
  readonly clock: FakeClock;
  readonly dice: Dice;
  readonly config: GameConfig;
  did(what: string): void;
}

/** Mean time between two orders, in milliseconds. */
const pauseMs = 20_000;
const banMs = 30_000;

/** Whoever runs the server: kicks, bans, mutes, ends rooms, changes configuration and packages. */
export class Operator {
  readonly #parts: OperatorParts;
  #cancel = () => {};
  #packages = 1;
  /** Games that were ended without their rules, which hold them for as long as they run. */
  killed = 0;

  constructor(parts: OperatorParts) {
    this.#parts = parts;
    this.#later();
  }

  /** Of the packages that everybody must have. */
  get md5(): string {
    return `md5-${this.#packages}`;
  }

  stop(): void {
    this.#cancel();
  }

  #later(): void {
    const { clock, dice } = this.#parts;
    this.#cancel = clock.after(dice.pause(pauseMs), () => {
      this.#later();
      this.#act();
    });
  }

  #act(): void {
    const { server, bans, clock, dice, accounts } = this.#parts;
    const rooms = [...server.lobby.rooms.all()];
    const player = dice.one([...server.lobby.online.all])?.player;
    const playerId = player?.id ?? 1;
    const roomId = dice.one(rooms)?.id ?? 1;
    const what = dice.weighted({
      kick: 6,
      kill_room: 4,
      reload: 6,
      packages: 0.7,
      mute: 5,
      ban: 3,
      ban_ip: 3,
      announce: 6,
    });
    this.#parts.did(what);
    switch (what) {
      case "kick":
        return server.handle({ kind: "kick", playerId });
      case "kill_room":
        if (server.lobby.rooms.room(roomId)?.state.kind === "playing") this.killed++;
        return server.handle({ kind: "kill_room", roomId });
      case "reload":
        return this.#reload();
      case "packages":
        this.#packages++;
        return server.replacePackages({ md5: this.md5, updateList: [] });
      case "mute": {
        const until = clock.monotonic() + banMs;
        return server.handle({ kind: "mute", playerId, ...(dice.chance(0.7) ? { until } : {}) });
      }
      case "ban": {
        const row = accounts.rows.get(player?.name ?? "");
        if (row === undefined) return;
        row.banned = true;
        clock.after(banMs, () => row.banned = false);
        return server.handle({ kind: "kick", playerId });
      }
      case "ban_ip": {
        const ip = player?.origin.address ?? "10.0.0.1";
        bans.apply([{ kind: "ip_banned", ip }]);
        clock.after(banMs, () => bans.apply([{ kind: "ip_unbanned", ip }]));
        return;
      }
      case "announce":
        return server.handle({
          kind: "announce",
          text: "hear me",
          ...(dice.chance(0.5) ? { roomId } : {}),
        });
    }
  }

  #reload(): void {
    const { dice, server, config } = this.#parts;
    const online = server.lobby.online.size;
    server.configure({
      ...config,
      motd: dice.one(["Welcome!", "Again!"])!,
      capacity: dice.chance(0.15) ? Math.max(5, online - 2) : config.capacity,
      tempBanTime: dice.one([0, 1])!,
      disabledFeatures: dice.chance(0.2) ? ["AddRobot", "ChangeRoom"] : [],
      setupTimeoutSeconds: dice.between(10, 60),
    });
  }
}
