import assert from "node:assert/strict";
import { defaultGameConfig, type GameConfig } from "../../src/config/game_config.ts";
import { BanView } from "../../src/game/accounts/ban_view.ts";
import { GameServer } from "../../src/game/game_server.ts";
import { LobbyStore } from "../../src/game/lobby_store.ts";
import { RulesQueue } from "../../src/game/lua/rules_queue.ts";
import type { Zlib } from "../../src/ports/zlib.ts";
import { type FakeClock, fakeClock } from "../fakes/clock.ts";
import { FakeConnection } from "../fakes/fake_tcp_connection.ts";
import { fakeLog } from "../fakes/log.ts";
import { FakeNetwork } from "../fakes/network.ts";
import { Dice } from "./dice.ts";
import { cipherBytes, FakeAccounts } from "./fake_accounts.ts";
import { Invariants, type Link } from "./invariants.ts";
import { Operator } from "./operator.ts";
import { ScriptedRun } from "./scripted_run.ts";
import { serverAddress, type SimClient } from "./sim_client.ts";
import { SimPlayer } from "./sim_player.ts";
import { WatchedSocket } from "./watched_socket.ts";

export interface SimulationParts {
  readonly seed: number;
  readonly players: number;
  readonly minutes: number;
  /** Mean time between two things that a player does, in milliseconds. */
  readonly pauseMs: number;
  readonly zlib: Zlib;
}

/** How often everything is looked at. */
const checkMs = 3_000;
/** Players share addresses, as families do. */
const addressesMax = 30;
/** Seven heartbeats of half a minute find the dead; rooms and rules get another minute. */
const windDownMs = 300_000;

/** One server with all its players for a while; the seed is all there is to it. */
export class Simulation {
  readonly #parts: SimulationParts;
  readonly #dice: Dice;
  readonly #clock: FakeClock = fakeClock();
  readonly #log = fakeLog();
  readonly #server: GameServer;
  readonly #accounts: FakeAccounts;
  readonly #bans = new BanView([]);
  readonly #links = new Map<number, Link>();
  readonly #network: FakeNetwork;
  readonly #players: SimPlayer[] = [];
  readonly #invariants: Invariants;
  readonly #requestIds = new Set<number>();
  readonly #stubborn = { count: 0 };
  #complaint: string | undefined;
  /** What was done how often. */
  readonly done = new Map<string, number>();
  readonly #config: GameConfig;

  constructor(parts: SimulationParts) {
    const { seed, players, zlib } = parts;
    this.#parts = parts;
    const dice = new Dice(seed);
    const clock = this.#clock;
    this.#dice = dice;
    this.#config = {
      ...defaultGameConfig,
      banWords: ["badword"],
      capacity: players + 5,
      setupTimeoutSeconds: 20,
      tempBanTime: 1,
      loginsPerMinutePerIp: 30,
    };
    this.#network = new FakeNetwork({
      clock,
      travel: () => {
        const usual = dice.between(1, 120);
        return () => dice.chance(0.02) ? dice.between(200, 3_000) : usual + dice.below(30);
      },
      segmentBytes: () => dice.chance(0.9) ? 16_384 : dice.between(1, 40),
    });
    this.#accounts = new FakeAccounts({ clock, dice });
    const store = this.#accounts;
    this.#server = new GameServer({
      clock,
      zlib,
      logger: this.#log.logger,
      users: store,
      crypto: store,
      keys: { publicPem: "a key\n", modulusBytes: cipherBytes, notes: [] },
      bans: this.#bans,
      config: this.#config,
      packages: { md5: "md5-1", updateList: [] },
      openStore: (event) =>
        new LobbyStore({ store, crypto: store, clock, keepLegacyHash: () => false, event }),
      makeRules: (hooks, host) =>
        new RulesQueue(
          clock,
          { ...hooks, log: this.#log.logger },
          (events) => new ScriptedRun({ clock, dice, host, stubborn: this.#stubborn }, events),
        ),
    });
    this.#invariants = new Invariants(this.#server, this.#links);
  }

  async run(): Promise<void> {
    this.#server.start();
    await this.#listen();
    const operator = new Operator({
      server: this.#server,
      bans: this.#bans,
      accounts: this.#accounts,
      clock: this.#clock,
      dice: this.#dice,
      config: this.#config,
      did: (what) => this.#did(what),
    });
    this.#comePlayers(() => operator.md5);
    for (let left = this.#parts.minutes * 60_000; left > 0; left -= checkMs) await this.#step();
    operator.stop();
    this.#server.configure(this.#config);
    for (const player of this.#players) player.stop();
    if (this.#parts.seed % 4 === 0) await this.#server.stop();
    else await this.#leave();
    await this.#checkEnd();
  }

  async #step(): Promise<void> {
    await this.#clock.advanceAsync(checkMs);
    await this.#network.idle();
    if (this.#complaint !== undefined) throw new Error(this.#complaint);
    try {
      this.#invariants.check(this.#clock.monotonic());
    } catch (error) {
      const errors = this.#log.lines.filter(({ level }) => level === "error").slice(-3);
      const shown = errors.map(({ message, fields }) => `${message} ${JSON.stringify(fields)}`);
      const at = `${this.#clock.monotonic() / 1_000} s`;
      throw new Error([`after ${at}: ${String(error)}`, ...shown].join("\n"), { cause: error });
    }
  }

  /** Each in his way: orderly, at once, or without a word. */
  async #leave(): Promise<void> {
    for (const { clients } of this.#players) {
      for (const client of clients) client.close(this.#dice.one(["end", "fail", "cut"] as const)!);
    }
    for (let left = windDownMs; left > 0; left -= checkMs) await this.#step();
  }

  async #checkEnd(): Promise<void> {
    const server = this.#server;
    await this.#clock.advanceAsync(60_000);
    if (this.#parts.seed % 4 === 0) {
      assert.equal(this.#links.size, 0, "a stopped server has no connection");
      assert.equal(server.metrics.disconnects.total, server.metrics.counters.connections);
    } else {
      this.#invariants.checkEmpty();
      const load = server.rules.states.reduce((sum, state) => sum + state.load, 0);
      assert.equal(load, 0, `the rules hold ${load} rooms that are gone`);
      for (const { clients } of this.#players) for (const one of clients) one.close("destroy");
      await this.#clock.advanceAsync(60_000);
    }
    assert.equal(this.#clock.waiting, 0, "no timer is left");
    assert.equal(this.#complaint, undefined);
  }

  async #listen(): Promise<void> {
    const links = this.#links;
    const ended = (link: Link) => {
      links.delete(link.peer.id);
      try {
        this.#invariants.closed(link);
      } catch (error) {
        this.#complaint ??= String(error);
      }
    };
    await this.#network.machine(serverAddress.host).tcp.listen<Link | undefined>({
      ...serverAddress,
      limits: { outboundBytesMax: 4 * 2 ** 20, lingerMs: 5_000 },
      handlers: {
        open: (connection) => {
          connection.data = undefined;
          if (!(connection instanceof FakeConnection)) return;
          const socket = new WatchedSocket(connection, (text) => this.#complaint ??= text);
          const peer = this.#server.adopt(socket, { bytes: undefined, giveBack: undefined });
          if (peer === undefined) return;
          const link: Link = {
            peer,
            socket,
            // Its end opens after ours.
            get client() {
              return connection.peer.data as SimClient;
            },
          };
          connection.data = link;
          links.set(peer.id, link);
        },
        data: ({ data: link }, bytes) => link?.peer.data(bytes),
        end: ({ data: link }) => link?.peer.end(),
        drain: ({ data: link }) => link?.peer.drain(),
        close: ({ data: link }, reason) => {
          if (link === undefined) return;
          link.socket.isOver = true;
          link.peer.closed(reason);
          ended(link);
        },
      },
    });
  }

  #comePlayers(md5: () => string): void {
    const world = {
      clock: this.#clock,
      dice: this.#dice,
      pauseMs: this.#parts.pauseMs,
      md5,
      did: (what: string) => this.#did(what),
      asked: (id: number) => {
        if (this.#requestIds.has(id)) this.#complaint ??= `request ${id} was sent twice`;
        this.#requestIds.add(id);
      },
      complain: ({ name }: SimPlayer, text: string) => {
        this.#complaint ??= `after ${this.#clock.monotonic() / 1_000} s, ${name}: ${text}`;
      },
    };
    for (let i = 1; i <= this.#parts.players; i++) {
      const address = `10.0.0.${1 + i % addressesMax}`;
      const machine = this.#network.machine(address);
      this.#players.push(new SimPlayer(world, { name: `p${i}`, machine }));
    }
  }

  #did(what: string): void {
    this.done.set(what, (this.done.get(what) ?? 0) + 1);
  }

  /** Why connections were closed, how often. */
  get disconnects(): Iterable<[string, number]> {
    return this.#server.metrics.disconnects.entries;
  }

  /** For whoever looks at a run. */
  get facts(): Record<string, unknown> {
    const { counters, disconnects, refusals, ignored } = this.#server.metrics;
    return {
      ...counters,
      viewsCompared: this.#invariants.viewsCompared,
      disconnects: Object.fromEntries(disconnects.entries),
      refusals: Object.fromEntries(refusals.entries),
      ignored: Object.fromEntries(ignored.entries),
      done: Object.fromEntries(this.done),
    };
  }
}
