import type { LobbyEvent } from "../../../src/game/lobby_events.ts";
import type { LuaAnswers, PlayerResult } from "../../../src/game/lua/lua_host.ts";
import type { RulesLoss, RulesQueue, RulesTurn } from "../../../src/game/lua/rules_queue.ts";
import type { ClientRequest, Effect, StoreOperation } from "../../../src/game/outbox.ts";
import type { ClientCommand } from "../../../src/wire/client_packet.ts";
import { type CborItem, type CborRead, CborReader, encode } from "../../client/cbor.ts";
import { LobbyStage } from "../lobby_stage.ts";

/** Something that a client was told; `question` has the id that an answer needs. */
export interface Told {
  readonly command: string;
  readonly value: CborRead;
  readonly question?: ClientRequest;
}

/** How a client answers; undefined for not at all. */
export type Answers = (told: Told) => CborItem | undefined;

/** What the room's settings say of the game; see room.lua. */
export interface FerrySettings {
  readonly seed?: number;
  readonly pace?: number;
  readonly goal?: number;
}

/** How a game is opened. */
export interface FerryOpening extends FerrySettings {
  readonly robots?: number;
  readonly timeoutSeconds?: number;
  /** The bytes of the room's settings, instead of those that hold the rest. */
  readonly settings?: Uint8Array;
}

/** However long a game takes, it is over after so many wakes. */
const wakesMax = 20_000;
const mode = "night_ferry";

/**
 * A lobby with the built-in game behind it, in whichever host. Accounts play by `answers`, and time
 * jumps to whatever comes next as soon as the rules have nothing to do.
 */
export class FerryStage {
  readonly lobby = new LobbyStage();
  readonly rules: RulesQueue;
  readonly answers = new Map<number, Answers>();
  readonly told = new Map<number, Told[]>();
  readonly losses: RulesLoss[] = [];
  /** What the rules wrote: `level text`. */
  readonly log: string[] = [];
  readonly results: PlayerResult[] = [];
  /** Saves of players, as JSON. */
  readonly saves = new Map<number, string>();
  /** What ended games were made of, in order: notices of GameOver, results, and the last two words. */
  readonly endings: string[] = [];
  /** In how many turns of the rules that was. */
  endingTurns = 0;
  /** The store takes everything and answers nothing, but for ends of games. */
  isStoreSilent = false;
  readonly closed = new Set<number>();
  #turns = 0;
  #wakes: number[] = [];
  #events: LobbyEvent[] = [];
  #isPerforming = false;

  /** `rules` must tell its `turnDone` and `stateLost` here, and read from `reads`. */
  constructor(rules: RulesQueue) {
    this.rules = rules;
  }

  get reads(): LuaAnswers {
    return this.lobby.lobby.reads;
  }

  get now(): number {
    return this.lobby.now;
  }

  get roomId(): number {
    return [...this.lobby.lobby.rooms.all()].at(-1)?.id ?? 0;
  }

  get isPlaying(): boolean {
    return this.rules.load > 0;
  }

  give(event: LobbyEvent): void {
    this.#events.push(event);
    this.#settle();
  }

  say(id: number, command: ClientCommand): void {
    this.give({ kind: "command", connection: this.lobby.connection(id), command });
  }

  login(id: number): void {
    this.#carryOut(this.lobby.login(id));
  }

  drop(id: number): void {
    this.#carryOut(this.lobby.close(id));
  }

  /** The answer of a client whose `answers` gave none. */
  reply(id: number, question: ClientRequest, data: Uint8Array): void {
    const connection = this.lobby.connection(id);
    this.give({ kind: "reply", connection, id: question.id, data });
  }

  observe(id: number): void {
    this.login(id);
    this.say(id, { command: "ObserveRoom", roomId: this.roomId, password: "" });
  }

  /** A new room of `ids` and so many robots, its game on. */
  open(ids: readonly number[], given: FerryOpening = {}): void {
    const { robots = 0, timeoutSeconds = 15, seed, pace, goal } = given;
    const own = JSON.parse(JSON.stringify({ seed, pace, goal }));
    const settings = { gameMode: mode, roomName: "r", password: "", _game: own };
    const bytes = given.settings ?? encode(settings);
    const [owner = 0, ...guests] = ids;
    for (const id of ids) {
      if (this.lobby.lobby.online.byId(id) === undefined) this.login(id);
    }
    this.say(owner, {
      command: "CreateRoom",
      name: "r",
      capacity: ids.length + robots,
      timeoutSeconds,
      settings: { bytes, gameMode: mode, password: "" },
    });
    for (const id of guests) {
      this.say(id, { command: "EnterRoom", roomId: this.roomId, password: "" });
      this.say(id, { command: "Ready" });
    }
    for (let at = 0; at < robots; at++) this.say(owner, { command: "AddRobot" });
    this.say(owner, { command: "StartGame" });
  }

  /** The next game of the same room, which its robots have left. */
  again([owner = 0, ...guests]: readonly number[], { robots = 0 } = {}): void {
    for (const id of guests) this.say(id, { command: "Ready" });
    for (let at = 0; at < robots; at++) this.say(owner, { command: "AddRobot" });
    this.say(owner, { command: "StartGame" });
  }

  /** Lets the rules work and time pass until it holds; rejects when that never comes. */
  async until(what: string, holds: () => boolean): Promise<void> {
    for (let wakes = 0; wakes < wakesMax;) {
      const before = this.#turns;
      if (!await this.rules.ping()) break;
      if (holds()) return;
      // What these turns have brought about may still be under way.
      if (this.#turns > before) continue;
      const next = Math.min(...this.#wakes);
      if (next === Infinity) break;
      wakes++;
      this.#wakes = this.#wakes.filter((at) => at > next);
      this.lobby.now = Math.max(this.now, next);
      this.give({ kind: "wake" });
    }
    const seen = { losses: this.losses, log: this.log, endings: this.endings.slice(-20) };
    throw new Error(`${what} did not come: ${JSON.stringify(seen)}`);
  }

  async toTheEnd(): Promise<void> {
    await this.until("the end of the game", () => !this.isPlaying);
  }

  /** Until this account is asked something that its `answers` leave open. */
  async question(id: number, command: string): Promise<Told & { question: ClientRequest }> {
    const open = () => {
      const last = this.heard(id).findLast((told) => told.question !== undefined);
      return last?.command === command ? last : undefined;
    };
    await this.until(`${command} for ${id}`, () => open() !== undefined);
    return open() as Told & { question: ClientRequest };
  }

  heard(id: number): readonly Told[] {
    return this.told.get(id) ?? [];
  }

  /** The values of all that an account was told by this command. */
  values<Value = CborRead>(id: number, command: string): Value[] {
    return this.heard(id).flatMap((told) => told.command === command ? [told.value as Value] : []);
  }

  turnDone({ notices }: RulesTurn): void {
    this.#turns++;
    const before = this.endings.length;
    for (const notice of notices) {
      if (notice.kind === "log") {
        this.log.push(`${notice.level} ${notice.text}`);
        continue;
      }
      if (notice.kind === "do_notify" && notice.command === "GameOver") this.endings.push("told");
      if (notice.kind === "player_result") {
        this.results.push(notice);
        this.endings.push("result");
      }
      if (notice.kind === "game_over" || notice.kind === "decrease_ref_count") {
        this.endings.push(notice.kind);
      }
      this.#events.push({ kind: "lua", request: notice });
    }
    if (this.endings.length > before) this.endingTurns++;
    this.#settle();
  }

  stateLost(loss: RulesLoss): void {
    this.losses.push(loss);
    const { roomIds, taskIds } = loss;
    this.give({ kind: "lua_lost", roomIds, taskIds });
  }

  /** Has the rules give up what is still played. */
  async abandonAll(): Promise<void> {
    for (const { id } of this.lobby.lobby.rooms.all()) {
      this.rules.call({ kind: "resume", roomId: id, reason: "abandon" });
    }
    await this.rules.ping();
  }

  #carryOut(effects: readonly Effect[]): void {
    this.#perform(effects);
    this.#settle();
  }

  #settle(): void {
    if (this.#isPerforming) return;
    this.#isPerforming = true;
    for (let event = this.#events.shift(); event !== undefined; event = this.#events.shift()) {
      this.#perform(this.lobby.lobby.handle(event, this.now));
    }
    this.#isPerforming = false;
  }

  #perform(effects: readonly Effect[]): void {
    for (const effect of effects) {
      if (effect.kind === "wake") this.#wakes.push(effect.at);
      else if (effect.kind === "lua") this.rules.call(effect.call);
      else if (effect.kind === "store") this.#store(effect.operation);
      else if (effect.kind === "request") this.#ask(effect.to, effect.request);
      else if (effect.kind === "close") this.#closed(effect.connection);
      else if (effect.kind === "send") this.#send(effect);
    }
  }

  #send({ to, message }: Extract<Effect, { kind: "send" }>): void {
    for (const connection of to) {
      if (message.command === "Heartbeat") {
        // Everybody is well.
        this.#events.push({ kind: "command", connection, command: { command: "Heartbeat" } });
      } else if (message.command === "raw") {
        this.#tell(connection, { command: message.name, value: read(message.data) });
      }
    }
  }

  #ask(connection: number, question: ClientRequest): void {
    const told = { command: question.command, value: read(question.data), question };
    const id = this.#tell(connection, told);
    const answer = this.answers.get(id)?.(told);
    if (answer === undefined) return;
    this.#events.push({ kind: "reply", connection, id: question.id, data: encode(answer) });
  }

  #tell(connection: number, told: Told): number {
    // The connections of account 5 are 105, 205, …
    const id = connection % 100;
    const list = this.told.get(id) ?? [];
    list.push(told);
    this.told.set(id, list);
    return id;
  }

  #closed(connection: number): void {
    this.closed.add(connection % 100);
    this.#events.push({ kind: "closed", connection });
  }

  #store(operation: StoreOperation): void {
    if (operation.kind === "end_of_game") this.#events.push({ ...operation, kind: "stored" });
    else if (this.isStoreSilent) return;
    else if (operation.kind === "save_state") {
      this.saves.set(operation.playerId, operation.json);
      this.#events.push({ kind: "query_done", roomId: operation.roomId });
    } else if (operation.kind === "get_state") {
      const { roomId, playerId } = operation;
      const text = this.saves.get(playerId) ?? "{}";
      this.#events.push({ kind: "query_done", roomId, text });
    }
  }
}

function read(data: Uint8Array): CborRead {
  return new CborReader(data).read();
}
