import type {
  AccountChange,
  AccountOutcome,
  ChangeOutcome,
  GameStat,
  LobbyCheck,
  OnlinePlayer,
  OperatedGame,
  PackagesChange,
  PackagesOutcome,
  PasswordOutcome,
  RoomDetails,
  RoomSummary,
} from "../admin/operated_game.ts";
import type { Visitor } from "../game/lobby_players.ts";
import type { Room } from "../game/room.ts";
import type { Runtime } from "../ports/runtime.ts";
import type { GamePart } from "./game_part.ts";
import { carryOutChange } from "./package_change.ts";
import { progressLines } from "./package_progress.ts";
import { version } from "./version.ts";

/** A password that somebody has to read out: no characters that look alike; 50 bits. */
const passwordLetters = "abcdefghjkmnpqrstuvwxyz23456789";
const passwordLength = 10;

/** The running game as operators' commands see it. */
export class RunningGame implements OperatedGame {
  readonly #runtime: Runtime;
  readonly #game: GamePart;
  readonly #requestStop: () => void;
  readonly #startedAt: number;

  constructor(parts: { runtime: Runtime; game: GamePart; requestStop: () => void }) {
    this.#runtime = parts.runtime;
    this.#game = parts.game;
    this.#requestStop = parts.requestStop;
    this.#startedAt = parts.runtime.clock.monotonic();
  }

  stat(): GameStat {
    const { server, store, facts } = this.#game;
    const { lobby } = server;
    const rooms = [...lobby.rooms.all()];
    return {
      version,
      uptimeMs: this.#runtime.clock.monotonic() - this.#startedAt,
      players: lobby.online.size,
      playersInLobby: lobby.online.lobby.size,
      capacity: server.config.capacity,
      pendingLogins: server.pending.size,
      rooms: rooms.length,
      roomsPlaying: rooms.filter(isPlaying).length,
      residentBytes: this.#runtime.process.usage().residentBytes,
      luaStates: server.rules.states.map(({ pid, load, memoryBytes, isOutdated }, i) => ({
        name: `rules-${i + 1}`,
        ...(pid === undefined ? {} : { pid }),
        ...(memoryBytes === undefined ? {} : { bytes: memoryBytes }),
        rooms: load,
        isOutdated,
      })),
      storeQueue: store.pending,
      packagesMd5: facts.md5,
    };
  }

  players(): readonly OnlinePlayer[] {
    const { lobby } = this.#game.server;
    return [...lobby.online.all].map((visitor) => this.#player(visitor));
  }

  rooms(): readonly RoomSummary[] {
    return [...this.#game.server.lobby.rooms.all()].map(summary);
  }

  room(id: number): RoomDetails | undefined {
    const room = this.#game.server.lobby.rooms.room(id);
    if (room === undefined) return undefined;
    return {
      ...summary(room),
      ownerId: room.seats.owner?.id,
      timeoutSeconds: room.config.timeoutSeconds,
      players: room.seats.taken.map(({ player, state, ready }) => ({
        id: player.id,
        name: player.name,
        state,
        isReady: ready,
      })),
      watchers: room.seats.observers.map(({ id, name }) => ({
        id,
        name,
        state: "online",
        isReady: false,
      })),
    };
  }

  announce(text: string, roomId?: number): number | undefined {
    const { server } = this.#game;
    const room = roomId === undefined ? undefined : server.lobby.rooms.room(roomId);
    if (roomId !== undefined && room === undefined) return undefined;
    const told = room?.seats.allConnections() ?? server.lobby.online.connections();
    server.handle({ kind: "announce", text, ...(roomId === undefined ? {} : { roomId }) });
    return told.length;
  }

  kick(playerId: number): boolean {
    const { server } = this.#game;
    const isHere = server.lobby.online.byId(playerId)?.player.connection !== undefined;
    if (isHere) server.handle({ kind: "kick", playerId });
    return isHere;
  }

  killRoom(roomId: number): boolean {
    const { server } = this.#game;
    const exists = server.lobby.rooms.room(roomId) !== undefined;
    if (exists) server.handle({ kind: "kill_room", roomId });
    return exists;
  }

  checkLobby(): LobbyCheck {
    const { server } = this.#game;
    const lost = [...server.lobby.online.lobby].filter(({ player: { connection } }) =>
      connection === undefined || !server.isConnected(connection)
    );
    for (const { player: { connection } } of lost) {
      if (connection !== undefined) server.handle({ kind: "closed", connection });
    }
    return {
      connected: server.lobby.online.lobby.size,
      removed: lost.map(({ player: { id, name } }) => ({ id, name })),
    };
  }

  async changeAccount(change: AccountChange): Promise<AccountOutcome> {
    const { store, bans, server } = this.#game;
    const stored = await store.users(change);
    if (!stored.ok) return stored;
    const { player, changes } = stored.value;
    const { clock } = this.#runtime;
    // What a run-away cost is in memory alone, where the store does not see it.
    const changed = stored.value.changed ||
      changes.some((change) =>
        change.kind === "temporary_ip_ban_lifted" &&
        bans.isIpTemporarilyBanned(change.ip, clock.now())
      );
    bans.apply(changes);
    for (const made of changes) {
      if (made.kind !== "muted" && made.kind !== "unmuted") continue;
      const until = made.kind === "muted"
        ? { until: clock.monotonic() + made.expireAt * 1_000 - clock.now() }
        : {};
      server.handle({ kind: "mute", playerId: made.uid, ...until });
    }
    return { ok: true, value: { player, changed } };
  }

  async resetPassword(name: string): Promise<PasswordOutcome> {
    const { store, crypto, server } = this.#game;
    const found = await store.users({ kind: "find_player", name });
    if (!found.ok) return found;
    if (found.value === null) return { ok: false, reason: `There is no player "${name}"` };
    const password = this.#randomPassword();
    const made = await crypto.run({
      kind: "new_password",
      password: new TextEncoder().encode(password),
    });
    if (!made.ok) return made;
    const { keepLegacyHash } = server.config;
    const stored = await store.users({
      kind: "set_password",
      uid: found.value.uid,
      password: made.value,
      keepLegacyHash,
    });
    return stored.ok ? { ok: true, password } : stored;
  }

  reloadConfig(): Promise<{ ok: boolean; lines: readonly string[] }> {
    return this.#game.reload();
  }

  async packages(): Promise<PackagesOutcome> {
    const listed = await this.#game.packages.list();
    if (!listed.ok) return listed;
    return {
      ok: true,
      packages: listed.packages.map(({ name, url, hash, enabled: isEnabled }) => ({
        name,
        url,
        hash,
        isEnabled,
      })),
    };
  }

  async changePackages(
    change: PackagesChange,
    tell: (line: string) => void,
  ): Promise<ChangeOutcome> {
    const watch = { progress: progressLines(tell) };
    const outcome = await carryOutChange(this.#game.packages, change, watch);
    // Also after a failure: one of several may have been done.
    const { ok, lines } = await this.#game.rescan();
    if (!outcome.ok) return { ok: false, reason: [outcome.reason, ...ok ? [] : lines].join(" ") };
    const said = [...outcome.lines, ...lines];
    return ok ? { ok, lines: said } : { ok, reason: said.join(" ") };
  }

  collectGarbage(): Promise<{ bytesBefore: number; bytesAfter: number }> {
    const { process } = this.#runtime;
    const bytesBefore = process.usage().residentBytes;
    this.#runtime.collectGarbage();
    return Promise.resolve({ bytesBefore, bytesAfter: process.usage().residentBytes });
  }

  quit(): void {
    this.#requestStop();
  }

  crash(): void {
    const { process } = this.#runtime;
    process.kill(process.pid, "SIGKILL");
  }

  #player({ player, roomId }: Visitor): OnlinePlayer {
    const room = roomId === undefined ? undefined : this.#game.server.lobby.rooms.room(roomId);
    return {
      id: player.id,
      name: player.name,
      state: room?.seats.seatOf(player)?.state ?? "online",
      roomId,
      isObserver: room?.seats.observes(player) ?? false,
      address: player.origin.address,
      device: player.origin.device,
    };
  }

  #randomPassword(): string {
    let password = "";
    while (password.length < passwordLength) {
      // Bytes past the last whole round would make the first letters likelier.
      const byte = this.#runtime.random.bytes(1)[0] as number;
      const round = 256 - (256 % passwordLetters.length);
      if (byte < round) password += passwordLetters[byte % passwordLetters.length] as string;
    }
    return password;
  }
}

function isPlaying({ state }: Room): boolean {
  return state.kind === "playing";
}

function summary(room: Room): RoomSummary {
  const { id, config, seats } = room;
  return {
    id,
    name: config.name,
    gameMode: config.settings.gameMode,
    seats: seats.taken.length,
    capacity: config.capacity,
    observers: seats.observers.length,
    hasPassword: config.settings.password !== "",
    isPlaying: isPlaying(room),
    isOutdated: room.isOutdated,
  };
}
