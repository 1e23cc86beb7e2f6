import { decodeUtf8Lossy, encodeUtf8 } from "../../wire/utf8.ts";
import type { CborValue } from "../../wire/cbor.ts";
import type {
  LuaEngine,
  LuaEngineFactory,
  LuaFunction,
  LuaOutcome,
  LuaValue,
} from "./lua_engine.ts";
import type { LuaCall } from "./lua_host.ts";
import { ChunkReader, type LoadedFiles, type PackageChunks } from "./package_chunks.ts";
import type { PackageTree } from "./package_tree.ts";
import { RpcDispatcher } from "./rpc_dispatcher.ts";
import type { RulesNotice } from "./rpc_rules.ts";
import { rulesCall } from "./rules_call.ts";
import { type AddedNpc, type TurnFacts, WorkerFacts } from "./rules_facts.ts";
import { RulesFiles } from "./rules_files.ts";
import { rulesMethodNames, rulesOperations, rulesSandbox } from "./rules_sandbox.ts";
import { reasonLine } from "./script_text.ts";
import type { TurnTimes } from "./turn_guard.ts";

/** For loading: a core with many packages takes some seconds on a slow machine. */
const loadMsMax = 60_000;
/** Of the memory: kept back for the rooms that play on in a state that cannot be cleaned any more. */
const reserveShare = 0.2;
/** Of the memory without the reserve, in use behind a collection: what grows by doubling fails with
 * half of the memory in its hands. Rooms take a few MiB each, so a healthy state never has as much. */
const fullShare = 0.5;
/** As the rules know it: nobody plays on behind it. */
const offline = 6;

export interface RulesStateOptions {
  readonly tree: PackageTree;
  /** Scripts of this very tree as they were compiled for an earlier state. */
  readonly chunks?: PackageChunks;
  /** The core's folder below the data directory, `packages/freekill-core`. */
  readonly directory: string;
  readonly disabledPacks: readonly string[];
  readonly turnMs: number;
  readonly memoryBytesMax: number;
  /** Monotonic milliseconds; what it returns may jump to Infinity to have the state given up. */
  now(): number;
  /** Seconds since 1970, with fractions. */
  time(): number;
}

/** How a turn ended. */
export interface RulesTurnEnd {
  /** `dead`: the state is lost; only the log is left of the turn's notices. */
  readonly outcome: "done" | "refused" | "dead";
  /** "" for `done`. */
  readonly reason: string;
  readonly notices: readonly RulesNotice[];
  readonly addedNpcs: readonly AddedNpc[];
  /** Why the turn's room or task must end all the same: it ran or told too long, or holds too much. */
  readonly ends: string | undefined;
  /** The state is to take no further rooms: its memory is full of what no room lets go of. */
  readonly isSpent: boolean;
}

/** A core's rules in a state of the embedded Lua. */
export class RulesState {
  readonly #engine: LuaEngine;
  readonly #options: RulesStateOptions;
  readonly #facts = new WorkerFacts();
  readonly #dispatcher = new RpcDispatcher(this.#facts);
  readonly #files: RulesFiles;
  readonly #chunks: ChunkReader | undefined;
  readonly #loaded = new Map<number, string>();
  readonly #run: LuaFunction;
  /** Bytes in use that are too many for a state to go on with. */
  readonly #fullBytes: number;
  #isLoading = true;
  #isSpent = false;

  /** Prepares the state; `start` loads the core. Throws when the memory is too little. */
  constructor(engines: LuaEngineFactory, options: RulesStateOptions) {
    this.#options = options;
    this.#files = new RulesFiles(options.tree, options.directory);
    this.#chunks = options.chunks === undefined ? undefined : new ChunkReader(options.chunks);
    const { turnMs, memoryBytesMax } = options;
    const reserveBytes = memoryBytesMax * reserveShare;
    this.#fullBytes = (memoryBytesMax - reserveBytes) * fullShare;
    this.#engine = engines.open({
      limits: { turnMs, giveUpMs: turnMs * 2, memoryBytesMax, reserveBytes, ends: "coroutine" },
      host: (call) => this.#answer(call),
      now: options.now,
    });
    this.#run = this.#prepare();
  }

  get memoryBytes(): number {
    return this.#engine.memoryBytes;
  }

  /** The scripts that `start` has loaded as text. */
  get loadedTexts(): LoadedFiles {
    return this.#loaded;
  }

  /** Loads the core; once, first. */
  start(): RulesTurnEnd {
    const within = { turnMs: loadMsMax, giveUpMs: loadMsMax };
    const outcome = this.#engine.call(this.#run, [encodeUtf8("start")], within);
    this.#isLoading = false;
    if (outcome.kind === "ok" && !this.#engine.wasLate) return this.#end("done", "");
    return this.#end("dead", `the rules could not be loaded: ${this.#explain(outcome, loadMsMax)}`);
  }

  /** Takes up to three times `turnMs`: twice for the call, once to clean up behind it. */
  run(call: LuaCall, facts: TurnFacts): RulesTurnEnd {
    const id = "taskId" in call ? call.taskId : call.roomId;
    this.#facts.begin(id, facts);
    const { method, params } = rulesCall(call);
    const operation = call.kind === "new_room" ? ["begin", call.roomId] : ["call"];
    const end = this.#judge(this.#tell([...operation, method, ...params]));
    const needsCleaning = this.#engine.wasShort || end.ends !== undefined;
    return needsCleaning && end.outcome !== "dead" ? this.#cleanUp(id, end) : end;
  }

  /** A room has ended without the rules. */
  forget(roomId: number): void {
    this.#facts.forget(roomId);
  }

  #tell(
    operation: readonly (string | number | Uint8Array)[],
    within?: TurnTimes,
  ): LuaOutcome {
    const values = operation.map((one) => typeof one === "string" ? encodeUtf8(one) : one);
    return this.#engine.call(this.#run, values, within);
  }

  #judge(outcome: LuaOutcome): RulesTurnEnd {
    if (outcome.kind === "dead") return this.#end("dead", this.#explain(outcome));
    if (outcome.kind === "error") return this.#end("refused", this.#explain(outcome));
    const [isDone, reason] = outcome.values;
    if (isDone === true) return this.#end("done", "");
    return this.#end("refused", reason instanceof Uint8Array ? decodeUtf8Lossy(reason) : "");
  }

  /**
   * So that a turn costs no room but its own: the memory that it has filled is emptied before another
   * one needs it. A room that holds on to it ends, and so does one that ran too long: the rules let go
   * of it. If the memory is full all the same the others play on with the reserve.
   */
  #cleanUp(id: number, end: RulesTurnEnd): RulesTurnEnd {
    const until = this.#options.now() + this.#options.turnMs;
    const isFull = this.#engine.wasShort && this.#isFull(until);
    const ends = end.ends ?? (isFull ? this.#tooMuch() : undefined);
    if (ends !== undefined) {
      this.#giveUp(id, until);
    }
    if (isFull && !this.#isSpent && this.#isFull(until)) {
      this.#isSpent = true;
      this.#engine.useReserve();
    }
    const { death } = this.#engine;
    if (death === undefined) return { ...end, ends, isSpent: this.#isSpent };
    const reason = this.#explain({ kind: "dead", cause: death });
    const notices = end.notices.filter((notice) => notice.kind === "log");
    return { ...end, outcome: "dead", reason, notices };
  }

  /** Has the rules let go of a room or task; nobody is to hear from it any more. */
  #giveUp(id: number, until: number): void {
    for (const player of this.#facts.room(id)?.players ?? []) {
      this.#tell(["call", "SetPlayerState", id, player.id, offline], this.#rest(until));
    }
    this.#tell(["call", "ResumeRoom", id, id > 0 ? "abandon" : "abort"], this.#rest(until));
    this.#dispatcher.take();
    this.#facts.forget(id);
  }

  /** Behind a collection of all garbage. */
  #isFull(until: number): boolean {
    return (this.#engine.collect(this.#rest(until)) ?? 0) > this.#fullBytes;
  }

  #rest(until: number): TurnTimes {
    const ms = Math.max(0, until - this.#options.now());
    return { turnMs: ms / 2, giveUpMs: ms };
  }

  #end(outcome: RulesTurnEnd["outcome"], reason: string): RulesTurnEnd {
    const flood = this.#dispatcher.flood;
    const taken = this.#dispatcher.take();
    const ends = flood ?? (this.#engine.wasLate ? tooLong(this.#options.turnMs) : undefined);
    const isCutShort = outcome === "dead" || flood !== undefined;
    const notices = isCutShort ? taken.filter((notice) => notice.kind === "log") : taken;
    const addedNpcs = this.#facts.end(notices);
    return { outcome, reason, notices, addedNpcs, ends, isSpent: this.#isSpent };
  }

  #prepare(): LuaFunction {
    const source = encodeUtf8("local sandbox, packs = ... return sandbox(host, packs)");
    const packs = encodeUtf8(JSON.stringify(this.#options.disabledPacks));
    const sandbox = this.#onlyFunction(this.#engine.load(encodeUtf8(rulesSandbox), "=sandbox"));
    const prepare = this.#onlyFunction(this.#engine.load(source, "=prepare"));
    const run = this.#onlyFunction(this.#engine.call(prepare, [sandbox, packs]));
    this.#engine.release(sandbox);
    this.#engine.release(prepare);
    return run;
  }

  #onlyFunction(outcome: LuaOutcome): LuaFunction {
    const value = outcome.kind === "ok" ? outcome.values[0] : undefined;
    if (typeof value === "object" && "luaReference" in value) return value;
    throw new Error(`Cannot prepare a Lua state: ${this.#explain(outcome)}`);
  }

  #explain(outcome: LuaOutcome, turnMs = this.#options.turnMs): string {
    if (outcome.kind === "ok") return tooLong(turnMs);
    if (outcome.cause === "time") return tooLong(outcome.kind === "dead" ? turnMs * 2 : turnMs);
    if (outcome.cause === "memory") return this.#tooMuch();
    if (outcome.kind === "dead") return "the rules broke their Lua state";
    return reasonLine(decodeUtf8Lossy(outcome.message));
  }

  #tooMuch(): string {
    const mebibytes = Math.floor(this.#options.memoryBytesMax / 1_048_576);
    return `the rules used more than ${mebibytes} MiB of memory`;
  }

  #answer([operation, ...params]: readonly LuaValue[]): readonly LuaValue[] {
    const number = typeof operation === "number" ? operation : rulesOperations.unknown;
    if (number < 0) return this.#environment(number, params[0]);
    const method = rulesMethodNames[number - 1] ?? textOf(params[0]);
    const answer = this.#dispatcher.answer({
      kind: "call",
      id: 1,
      method,
      params: number === rulesOperations.unknown ? [] : params.map(asCbor),
    });
    const { flood } = this.#dispatcher;
    if (flood !== undefined) throw new Error(flood);
    if (answer?.kind === "result") return [answer.result as LuaValue];
    return [undefined, answer?.code, answer?.data as LuaValue];
  }

  #environment(operation: number, given: LuaValue): readonly LuaValue[] {
    const files = this.#files;
    const path = textOf(given);
    switch (operation) {
      case rulesOperations.read:
        return [files.read(path)];
      case rulesOperations.compiled:
        return [this.#compiled(path)];
      case rulesOperations.kind:
        return [asBytes(files.kind(path))];
      case rulesOperations.list:
        return [asBytes(files.list(path)?.join("/"))];
      case rulesOperations.change:
        return [files.change(path)];
      case rulesOperations.current:
        return [encodeUtf8(files.currentDirectory)];
      default:
        return [this.#options.time()];
    }
  }

  #compiled(path: string): Uint8Array | undefined {
    const index = this.#files.indexOf(path);
    if (index === undefined) return undefined;
    const chunk = this.#chunks?.read(index, path);
    if (chunk !== undefined || !this.#isLoading) return chunk;
    if (!this.#loaded.has(index)) this.#loaded.set(index, path);
    return undefined;
  }
}

function tooLong(ms: number): string {
  return `the rules took longer than ${ms} ms`;
}

function textOf(value: LuaValue): string {
  return value instanceof Uint8Array ? decodeUtf8Lossy(value) : "";
}

function asBytes(text: string | undefined): Uint8Array | undefined {
  return text === undefined ? undefined : encodeUtf8(text);
}

/** Lua's nil, functions and tables are all of no use to the server. */
function asCbor(value: LuaValue): CborValue {
  return value === undefined || (typeof value === "object" && "luaReference" in value)
    ? null
    : value;
}
