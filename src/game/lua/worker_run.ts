import type { Clock } from "../../ports/clock.ts";
import type { WorkerHandle, WorkersPort } from "../../ports/workers.ts";
import type { LuaCall } from "./lua_host.ts";
import type { LuaProgram } from "./lua_wasm.ts";
import type { PackageChunks } from "./package_chunks.ts";
import type { PackageTree } from "./package_tree.ts";
import type { RulesNotice } from "./rpc_rules.ts";
import { type FactsHost, npcStock, turnFacts } from "./rules_facts.ts";
import type { RulesRun, RulesRunEvents, TurnOutcome } from "./rules_run.ts";
import type { RulesWorkerIn, RulesWorkerOut } from "./rules_worker.ts";
import type { ScriptWorkerOut } from "./script_worker.ts";

/** The worker's own guard ends the loading of a core after 60 s, and speaks of it. */
const startMsMax = 65_000;
/** Added to the three turns within which the worker's guard ends a call and has cleaned up behind it,
 * or gives the state up. */
const lostGraceMs = 1_000;

/** What all workers of a server share. */
export interface SharedLua {
  /** Lua as the first worker has compiled it: the next are ready in half the time. */
  program?: LuaProgram;
  /** The scripts of the last tree as the first worker that loaded them has compiled them. */
  compiled?: { readonly tree: PackageTree; readonly chunks: PackageChunks };
}

export interface WorkerRunOptions {
  /** The packages as they are now. What it rejects with is why the rules cannot run. */
  tree(): Promise<PackageTree>;
  /** The core's folder below the data directory: `packages/freekill-core`. */
  readonly directory: string;
  /** Folders of packages that the rules are to leave out. */
  readonly disabledPacks: readonly string[];
  /** After so long the room whose turn it is ends; after twice that the whole state. */
  readonly turnMs: number;
  /** Memory of the state, in MiB; the rules see "not enough memory". */
  readonly memoryMb: number;
  /** A state that holds nothing and has grown over so many MiB is to be replaced. */
  readonly recycleMb: number;
  readonly host: FactsHost;
  /** Absent: each worker compiles Lua for itself. */
  readonly shared?: SharedLua;
}

/**
 * One state of the embedded Lua in a worker. A turn's facts go with its call and its notices come
 * back together, so that neither side ever waits for the other in the middle of one.
 *
 * A worker that does not answer is abandoned: `terminate()` does not stop a loop inside WebAssembly on
 * every runtime, so shared memory tells the guard in there to give up as well.
 */
export class WorkerRun implements RulesRun {
  readonly #ports: { readonly workers: WorkersPort; readonly clock: Clock };
  readonly #options: WorkerRunOptions;
  readonly #events: RulesRunEvents;
  readonly #stop = new SharedArrayBuffer(4);
  #worker: WorkerHandle<RulesWorkerIn> | undefined;
  #state: "starting" | "open" | "ended" = "starting";
  #turn: ((outcome: TurnOutcome) => void) | undefined;
  #memoryBytes = 0;
  #isSpent = false;
  #npcsUsed = npcStock;
  #stopTimer: () => void = () => {};
  /** What was loaded as text, if other workers shall have it compiled. */
  #uncompiled: PackageTree | undefined;

  constructor(
    ports: { readonly workers: WorkersPort; readonly clock: Clock },
    options: WorkerRunOptions,
    events: RulesRunEvents,
  ) {
    this.#ports = ports;
    this.#options = options;
    this.#events = events;
  }

  get isIdle(): boolean {
    return this.#state === "open" && this.#turn === undefined;
  }

  get memoryBytes(): number {
    return this.#memoryBytes;
  }

  get isBloated(): boolean {
    return this.#memoryBytes > this.#options.recycleMb * 1_048_576;
  }

  get isSpent(): boolean {
    return this.#isSpent;
  }

  start(): void {
    this.#setDeadline(startMsMax, `the rules' worker did not start in ${startMsMax} ms`);
    this.#options.tree().then(
      (tree) => this.#start(tree),
      (fault) => this.kill(fault instanceof Error ? fault.message : String(fault)),
    );
  }

  tell(call: LuaCall, done: (outcome: TurnOutcome) => void): void {
    const facts = turnFacts(this.#options.host, call, this.#npcsUsed);
    this.#npcsUsed = 0;
    this.#begin({ kind: "turn", call, facts }, done);
  }

  ping(done: (outcome: TurnOutcome) => void): void {
    this.#begin({ kind: "ping" }, done);
  }

  forget(id: number): void {
    this.#worker?.post({ kind: "forget", roomId: id });
  }

  kill(reason: string): void {
    this.#end(reason, []);
  }

  stop(): Promise<void> {
    this.#close();
    return Promise.resolve();
  }

  #start(tree: PackageTree): void {
    if (this.#state !== "starting") return;
    const { directory, disabledPacks, turnMs, memoryMb, shared } = this.#options;
    const chunks = shared?.compiled?.tree === tree ? shared.compiled.chunks : undefined;
    if (shared !== undefined && chunks === undefined) this.#uncompiled = tree;
    this.#worker = this.#ports.workers.start<RulesWorkerIn, RulesWorkerOut | ScriptWorkerOut>({
      entry: "lua_worker",
      name: "rules",
      handlers: {
        message: (message) => this.#receive(message),
        error: (error) => this.kill(error.message),
      },
    });
    this.#worker.post({
      kind: "open_rules",
      tree,
      directory,
      disabledPacks,
      turnMs,
      memoryBytesMax: memoryMb * 1_048_576,
      stop: this.#stop,
      ...(shared?.program === undefined ? {} : { program: shared.program }),
      ...(chunks === undefined ? {} : { chunks }),
    });
  }

  #begin(request: RulesWorkerIn, done: (outcome: TurnOutcome) => void): void {
    this.#turn = done;
    this.#setDeadline(this.#options.turnMs * 3 + lostGraceMs, "the rules' worker does not answer");
    this.#worker?.post(request);
  }

  #receive(message: RulesWorkerOut | ScriptWorkerOut): void {
    if (this.#state === "ended") return;
    const { shared } = this.#options;
    switch (message.kind) {
      case "ready":
        if (shared !== undefined && message.program !== undefined) shared.program = message.program;
        return;
      case "opened":
        this.#stopTimer();
        this.#state = "open";
        this.#memoryBytes = message.memoryBytes;
        this.#events.ready(message.notices);
        // Behind the first turn, for which someone may be waiting.
        if (this.#uncompiled !== undefined) this.#worker?.post({ kind: "compile" });
        return;
      case "compiled":
        return this.#share(message.chunks);
      case "turn_over":
        this.#memoryBytes = message.memoryBytes;
        return this.#over(message);
      case "pong":
        return this.#finish({ outcome: "done", reason: "", notices: [] });
      case "broken":
        return this.#end(message.reason, "notices" in message ? message.notices ?? [] : []);
    }
  }

  #share(chunks: PackageChunks): void {
    const { shared } = this.#options;
    const tree = this.#uncompiled;
    if (shared !== undefined && tree !== undefined) shared.compiled = { tree, chunks };
  }

  #over({ end }: RulesWorkerOut & { kind: "turn_over" }): void {
    const { outcome, reason, notices, addedNpcs, ends } = end;
    this.#npcsUsed = addedNpcs.length;
    this.#isSpent = end.isSpent;
    if (outcome === "dead") return this.#end(reason, notices);
    for (const { roomId, npc } of addedNpcs) this.#options.host.seatNpc(roomId, npc);
    this.#finish({ outcome, reason, notices, ...(ends === undefined ? {} : { ends }) });
  }

  #finish(outcome: TurnOutcome): void {
    const done = this.#turn;
    this.#turn = undefined;
    this.#stopTimer();
    done?.(outcome);
  }

  #setDeadline(ms: number, reason: string): void {
    this.#stopTimer();
    this.#stopTimer = this.#ports.clock.after(ms, () => this.kill(reason));
  }

  #end(reason: string, notices: readonly RulesNotice[]): void {
    if (this.#state === "ended") return;
    this.#close();
    this.#events.ended(reason, notices);
  }

  #close(): void {
    this.#state = "ended";
    this.#turn = undefined;
    this.#stopTimer();
    new Int32Array(this.#stop)[0] = 1;
    this.#worker?.terminate();
  }
}
