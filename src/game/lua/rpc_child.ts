import type { Clock } from "../../ports/clock.ts";
import type { ProcessPort } from "../../ports/process.ts";
import type { CborInput } from "../../wire/cbor_encode.ts";
import { encodeUtf8 } from "../../wire/utf8.ts";
import type { LuaCall, LuaHost } from "./lua_host.ts";
import { encodePlayer } from "./rpc_facts.ts";
import { RpcProcess, type RpcProcessOptions, type TurnOutcome } from "./rpc_process.ts";
import type { RulesNotice } from "./rpc_rules.ts";
import { RestartPause } from "./restart_pause.ts";

/**
 * Calls that wait for the child. A turn takes a few milliseconds, so these are minutes of a busy
 * server; what clients push in is refused first, what rooms need to go on has as much again.
 */
export const waitingCallsMax = { pushed: 10_000, pushedBytes: 16 * 1_024 * 1_024, all: 20_000 };

/** A turn that is over: what was told, and what the rules want done, in order. */
export interface RulesTurn {
  /** undefined: the rules were loading, or died in a turn and left their log. */
  readonly call: LuaCall | undefined;
  readonly notices: readonly RulesNotice[];
}

/** State that is gone: these rooms and tasks have ended without the rules. */
export interface RulesLoss {
  readonly reason: string;
  readonly roomIds: readonly number[];
  readonly taskIds: readonly number[];
}

export interface RulesChildOptions extends RpcProcessOptions {
  /** To be carried out before it returns: what the next turn reads is asked for after that. */
  turnDone(turn: RulesTurn): void;
  /** Not told at `close`. With empty lists when nobody played. */
  stateLost(loss: RulesLoss): void;
}

type Work = LuaCall | { readonly kind: "ping"; readonly answer: (alive: boolean) => void };

/** `queued`: the rules do not know of it yet, so a new process will do as well. */
type Held = "queued" | "told";

/**
 * The rules of a group of rooms in a child process that speaks CBOR JSON-RPC (lua-host contract). It
 * is told one thing at a time. When it dies, its rooms are reported and another one is started, after
 * a pause if that happens often.
 */
export class RulesChild implements LuaHost {
  readonly #ports: { readonly process: ProcessPort; readonly clock: Clock };
  readonly #options: RulesChildOptions;
  readonly #pause = new RestartPause();
  readonly #waiting: Work[] = [];
  /** Bytes of clients' requests in `#waiting`. */
  #pushedBytes = 0;
  /** Rooms by their ids, from 1, and tasks by theirs, below 0. */
  readonly #held = new Map<number, Held>();
  #process: RpcProcess | undefined;
  #wasReady = false;
  #starts = 0;
  #cannotStart: string | undefined;
  readonly #pings = new Set<(alive: boolean) => void>();
  #stopTimer: () => void = () => {};
  #isClosed = false;

  constructor(
    ports: { readonly process: ProcessPort; readonly clock: Clock },
    options: RulesChildOptions,
  ) {
    this.#ports = ports;
    this.#options = options;
  }

  /** Rooms and tasks that are in its hands. */
  get load(): number {
    return this.#held.size;
  }

  /** How many processes were started so far. */
  get starts(): number {
    return this.#starts;
  }

  get pid(): number | undefined {
    return this.#process?.pid;
  }

  get waitingCalls(): number {
    return this.#waiting.length;
  }

  /** Starts the first process; calls may be made before it is ready. */
  start(): void {
    const process = new RpcProcess(this.#ports, this.#options, {
      ready: (notices) => {
        this.#wasReady = true;
        this.#cannotStart = undefined;
        if (notices.length > 0) this.#options.turnDone({ call: undefined, notices });
        this.#next();
      },
      ended: (reason, notices) => this.#lose(reason, notices),
    });
    this.#process = process;
    this.#wasReady = false;
    this.#starts++;
    void process.start();
  }

  /**
   * Tells the rules; false when the call is dropped: too much waits. Calls of rooms and tasks that the
   * rules do not hold are done at once, as Lua itself has nothing to say to them.
   */
  call(call: LuaCall): boolean {
    if (this.#isClosed) return false;
    const id = idOf(call);
    const isNew = call.kind === "new_room" || call.kind === "new_task";
    if (!isNew && !this.#held.has(id)) return true;
    if (call.kind === "push_request" && !this.#mayPush(call.request.length)) {
      return false;
    }
    if (isNew && !this.#held.has(id)) this.#held.set(id, "queued");
    this.#waiting.push(call);
    this.#pushedBytes += pushedBytesOf(call);
    if (this.#cannotStart !== undefined) this.#refuseSoon(this.#cannotStart);
    else if (this.#waiting.length > waitingCallsMax.all) this.#killSoon();
    else this.#next();
    return true;
  }

  /** Whether the rules answer; false when they die or are closed meanwhile. */
  ping(): Promise<boolean> {
    if (this.#isClosed || this.#cannotStart !== undefined) return Promise.resolve(false);
    return new Promise((answer) => {
      this.#pings.add(answer);
      this.#waiting.push({ kind: "ping", answer });
      this.#next();
    });
  }

  /** Ends the process, politely when it is idle; what waits is dropped. */
  async close(): Promise<void> {
    this.#isClosed = true;
    this.#stopTimer();
    this.#dropPings();
    this.#waiting.length = 0;
    this.#pushedBytes = 0;
    this.#held.clear();
    await this.#process?.stop();
  }

  #mayPush(bytes: number): boolean {
    const { pushed, pushedBytes } = waitingCallsMax;
    return this.#waiting.length < pushed && this.#pushedBytes + bytes <= pushedBytes;
  }

  #next(): void {
    const process = this.#process;
    while (process?.isIdle === true) {
      const work = this.#waiting.shift();
      if (work === undefined) return;
      this.#pushedBytes -= pushedBytesOf(work);
      if (work.kind === "ping") {
        process.begin("ping", [], (outcome) => {
          this.#pings.delete(work.answer);
          work.answer(outcome.outcome === "done");
          this.#next();
        });
        continue;
      }
      // It ended while the call waited.
      if (!this.#held.has(idOf(work))) continue;
      this.#held.set(idOf(work), "told");
      const { method, params } = wireCall(work);
      process.begin(method, params, (outcome) => this.#finish(work, outcome));
    }
  }

  #finish(call: LuaCall, outcome: TurnOutcome): void {
    this.#pause.worked();
    const { notices } = outcome;
    for (const notice of notices) {
      if (notice.kind === "decrease_ref_count") this.#held.delete(notice.roomId);
      else if (notice.kind === "task_decrease_ref_count") this.#held.delete(notice.taskId);
    }
    this.#options.turnDone({ call, notices });
    if (outcome.outcome === "refused") this.#refused(call, outcome.reason);
    this.#next();
  }

  /** A room that the rules would not begin has none. Other refusals are normal after its end. */
  #refused(call: LuaCall, reason: string): void {
    this.#options.log.debug({ call: call.kind, reason }, "the rules refused a call");
    if (call.kind !== "new_room" && call.kind !== "new_task") return;
    const id = idOf(call);
    if (this.#held.delete(id)) this.#options.stateLost(lossOf(reason, [id]));
  }

  #lose(reason: string, notices: readonly RulesNotice[]): void {
    const { clock } = this.#ports;
    this.#process = undefined;
    if (notices.length > 0) this.#options.turnDone({ call: undefined, notices });
    this.#pause.lost(clock.monotonic());
    if (!this.#wasReady) this.#cannotStart = reason;
    this.#report(reason, this.#wasReady ? "told" : "all");
    if (this.#isClosed) return;
    this.#stopTimer();
    this.#stopTimer = clock.after(Math.ceil(this.#pause.remaining(clock.monotonic())), () => {
      this.#cannotStart = undefined;
      this.start();
    });
  }

  /** Not within `call`: a room must not end while it is telling us something. */
  #refuseSoon(reason: string): void {
    this.#ports.clock.after(0, () => {
      if (this.#process === undefined && this.load > 0) this.#report(reason, "all");
    });
  }

  #killSoon(): void {
    const reason = `more than ${waitingCallsMax.all} calls wait for the rules`;
    this.#ports.clock.after(0, () => this.#process?.kill(reason));
  }

  #report(reason: string, which: "told" | "all"): void {
    const ids = [...this.#held.keys()].filter((id) =>
      which === "all" || this.#held.get(id) === which
    );
    for (const id of ids) this.#held.delete(id);
    this.#dropPings();
    const kept = this.#waiting.splice(0).filter((work) =>
      work.kind !== "ping" && this.#held.has(idOf(work))
    );
    this.#waiting.push(...kept);
    this.#pushedBytes = kept.reduce((sum, work) => sum + pushedBytesOf(work), 0);
    const loss = lossOf(reason, ids);
    this.#options.log.error({ reason, rooms: loss.roomIds.length }, "the rules' state is lost");
    this.#options.stateLost(loss);
  }

  #dropPings(): void {
    for (const answer of this.#pings) answer(false);
    this.#pings.clear();
  }
}

function pushedBytesOf(work: Work): number {
  return work.kind === "push_request" ? work.request.length : 0;
}

function idOf(call: LuaCall): number {
  return "taskId" in call ? call.taskId : call.roomId;
}

function lossOf(reason: string, ids: readonly number[]): RulesLoss {
  return { reason, roomIds: ids.filter((id) => id > 0), taskIds: ids.filter((id) => id < 0) };
}

/** How a call is written; strings of Lua are bytes. */
function wireCall(call: LuaCall): { method: string; params: CborInput[] } {
  const handle = (text: Uint8Array) => ({ method: "HandleRequest", params: [text] });
  switch (call.kind) {
    case "new_room":
      return handle(encodeUtf8(`-1,${call.roomId},newroom`));
    case "new_task":
      return handle(encodeUtf8(`-1,${call.taskId},newtask`));
    case "request":
      return handle(encodeUtf8(`${call.roomId},${call.playerId},${call.command}`));
    case "push_request": {
      const head = encodeUtf8(`${call.roomId},${call.playerId},`);
      const text = new Uint8Array(head.length + call.request.length);
      text.set(head);
      text.set(call.request, head.length);
      return handle(text);
    }
    case "resume":
      return { method: "ResumeRoom", params: [call.roomId, encodeUtf8(call.reason)] };
    case "set_player_state":
      return { method: "SetPlayerState", params: [call.roomId, call.playerId, call.state] };
    case "add_observer":
      return { method: "AddObserver", params: [call.roomId, encodePlayer(call.player)] };
    case "remove_observer":
      return { method: "RemoveObserver", params: [call.roomId, call.playerId] };
  }
}
