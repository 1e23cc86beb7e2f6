import type { Clock } from "../../ports/clock.ts";
import type { WorkerHandle, WorkersPort } from "../../ports/workers.ts";
import { RestartPause } from "./restart_pause.ts";
import type { LoadedScript, ScriptHost, ScriptHostOptions, ScriptOutcome } from "./script_host.ts";
import { tooLong } from "./script_state.ts";
import type { ScriptWorkerIn, ScriptWorkerOut } from "./script_worker.ts";

/** How much longer than a turn a caller waits: the worker's own guard needs a moment to speak. */
const answerGraceMs = 400;
/** Added to the two turns after which the worker's guard gives a state up, before the worker is
 * taken for lost. */
const lostGraceMs = 1_000;
/** For a thread to start and to compile Lua on a machine that is busy; usually 50–300 ms. */
const startMsMax = 15_000;
const stopping = "the server is stopping";

interface Waiting {
  /** To be loaded; undefined for a greeting. */
  readonly script: LoadedScript | undefined;
  readonly settle: (outcome: ScriptOutcome) => void;
  /** undefined until the worker was ready once. */
  stopTimer: (() => void) | undefined;
}

/** What a running worker is known by. */
interface Running {
  readonly handle: WorkerHandle<ScriptWorkerIn>;
  /** See `ScriptWorkerIn`. */
  readonly stop: SharedArrayBuffer;
  ready: boolean;
  /** Posted and not answered, including what its caller no longer waits for. */
  unanswered: number;
  stopTimer: () => void;
}

/**
 * A script in the embedded Lua. The worker starts at the first `load`.
 *
 * Guards, from the inside out: an error in the script after `turnMs`; its state given up after twice
 * that (`wasmoon_engine.ts`); here the caller is answered after `turnMs` and a grace even though the
 * worker is still busy; and a worker that answers nothing for two turns and a second is abandoned.
 * Tried on Bun 1.4 and Deno 2.9: `terminate()` returns at once, yet neither runtime stops a loop inside
 * WebAssembly by it (Bun stops one in JavaScript, Deno did not within 8 s), and the thread keeps its
 * core. So the guard inside must win, and abandoning says so through shared memory as well.
 *
 * A worker whose state was lost, or has grown and failed, is ended and the next call gets a fresh one:
 * thrown away inside a worker, the memory would stay until its next garbage collection.
 */
export class EmbeddedScript implements ScriptHost {
  readonly #workers: WorkersPort;
  readonly #clock: Clock;
  readonly #options: ScriptHostOptions;
  readonly #pause = new RestartPause();
  readonly #waiting = new Map<number, Waiting>();
  #running: Running | undefined;
  #script: LoadedScript | undefined;
  #nextId = 1;
  #closed = false;

  constructor(ports: { workers: WorkersPort; clock: Clock }, options: ScriptHostOptions) {
    this.#workers = ports.workers;
    this.#clock = ports.clock;
    this.#options = options;
  }

  async load(script: LoadedScript): Promise<ScriptOutcome> {
    const outcome = await this.#request(script);
    if (outcome.outcome === "ok") this.#script = script;
    return outcome;
  }

  async hello(): Promise<ScriptOutcome> {
    if (this.#running === undefined && this.#script !== undefined) {
      const remaining = this.#pause.remaining(this.#clock.monotonic());
      if (remaining > 0) {
        return failed(`Lua is started again in ${Math.ceil(remaining)} ms: it was lost too often`);
      }
      // A fresh worker knows nothing; what is posted is done in order.
      void this.#request(this.#script);
    }
    return await this.#request();
  }

  close(): void {
    this.#closed = true;
    this.#abandon(stopping);
  }

  /** Loads `script`, or greets without one. */
  #request(script?: LoadedScript): Promise<ScriptOutcome> {
    if (this.#closed) return Promise.resolve(failed(stopping));
    const id = this.#nextId++;
    return new Promise((settle) => {
      this.#waiting.set(id, { script, settle, stopTimer: undefined });
      this.#post(id, script);
    });
  }

  #post(id: number, script: LoadedScript | undefined): void {
    const running = this.#running ??= this.#start();
    running.unanswered++;
    running.handle.post(this.#message(id, running, script));
    if (!running.ready) return;
    this.#startTimer(id);
    if (running.unanswered === 1) this.#watch(running);
  }

  #message(id: number, running: Running, script: LoadedScript | undefined): ScriptWorkerIn {
    if (script === undefined) return { kind: "hello", id };
    const { turnMs, memoryMb } = this.#options;
    const memoryBytesMax = memoryMb * 1_048_576;
    return { kind: "load", id, script, turnMs, memoryBytesMax, stop: running.stop };
  }

  #start(): Running {
    const current = () => running === this.#running;
    const running: Running = {
      handle: this.#workers.start<ScriptWorkerIn, ScriptWorkerOut>({
        entry: "lua_worker",
        name: "script",
        handlers: {
          message: (message) => {
            if (current()) this.#receive(running, message);
          },
          error: (error) => {
            if (current()) this.#lose(error.message);
          },
        },
      }),
      stop: new SharedArrayBuffer(4),
      ready: false,
      unanswered: 0,
      stopTimer: this.#clock.after(
        startMsMax,
        () => this.#lose(`the Lua worker did not start in ${startMsMax} ms`),
      ),
    };
    return running;
  }

  #receive(running: Running, message: ScriptWorkerOut): void {
    switch (message.kind) {
      case "printed":
        return this.#options.printed(message.text);
      case "broken":
        return this.#lose(`the Lua worker could not start: ${message.reason}`);
      case "ready":
        running.ready = true;
        for (const id of this.#waiting.keys()) this.#startTimer(id);
        return this.#watch(running);
      case "answer":
        return this.#receiveAnswer(running, message);
    }
  }

  #receiveAnswer(running: Running, message: ScriptWorkerOut & { kind: "answer" }): void {
    const { id, answer, usable } = message;
    const wasLoad = this.#waiting.get(id)?.script !== undefined;
    running.unanswered--;
    if (answer.outcome !== "failed") this.#pause.worked();
    this.#settle(id, answer);
    if (usable) return this.#watch(running);
    // Without its script there is nothing to greet: who waits for that is told why.
    if (wasLoad) return this.#lose(answer.text);
    this.#replace();
  }

  /** Ends the worker. What waits, through no fault of its own, goes to a fresh one. */
  #replace(): void {
    this.#endWorker();
    const waiting = [...this.#waiting];
    if (waiting.length === 0) return;
    if (this.#script !== undefined) void this.#request(this.#script);
    for (const [id, { script }] of waiting) this.#post(id, script);
  }

  #startTimer(id: number): void {
    const waiting = this.#waiting.get(id);
    if (waiting === undefined || waiting.stopTimer !== undefined) return;
    const { turnMs } = this.#options;
    waiting.stopTimer = this.#clock.after(
      turnMs + answerGraceMs,
      () => this.#settle(id, failed(tooLong(turnMs))),
    );
  }

  /** Starts anew the time in which the worker must give its next answer. */
  #watch(running: Running): void {
    running.stopTimer();
    running.stopTimer = () => {};
    if (running.unanswered === 0) return;
    running.stopTimer = this.#clock.after(
      this.#options.turnMs * 2 + lostGraceMs,
      () => this.#lose("the Lua worker does not answer"),
    );
  }

  #lose(reason: string): void {
    this.#pause.lost(this.#clock.monotonic());
    this.#abandon(reason);
  }

  #abandon(reason: string): void {
    this.#endWorker();
    for (const id of [...this.#waiting.keys()]) this.#settle(id, failed(reason));
  }

  #endWorker(): void {
    const running = this.#running;
    if (running !== undefined) {
      running.stopTimer();
      new Int32Array(running.stop)[0] = 1;
      running.handle.terminate();
    }
    this.#running = undefined;
  }

  #settle(id: number, outcome: ScriptOutcome): void {
    const waiting = this.#waiting.get(id);
    if (waiting === undefined) return;
    this.#waiting.delete(id);
    waiting.stopTimer?.();
    waiting.settle(outcome);
  }
}

function failed(text: string): ScriptOutcome {
  return { outcome: "failed", text };
}
