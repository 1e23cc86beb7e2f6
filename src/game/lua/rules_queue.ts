import type { Clock } from "../../ports/clock.ts";
import type { Logger } from "../../ports/log.ts";
import type { LuaCall, LuaHost } from "./lua_host.ts";
import type { RulesNotice } from "./rpc_rules.ts";
import { RestartPause } from "./restart_pause.ts";
import type { RulesRun, RulesRunEvents, TurnOutcome } from "./rules_run.ts";
import { idOf, lossOf, mostFrequent, pushedBytesOf, type Work } from "./rules_work.ts";

/**
 * Calls that wait for the rules. A turn takes a few milliseconds, so these are minutes of a busy
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

export interface RulesQueueOptions {
  readonly log: Logger;
  /** To be carried out before it returns: what the next turn reads is asked for after that. */
  turnDone(turn: RulesTurn): void;
  /** Not told at `close`. With empty lists when nobody played. */
  stateLost(loss: RulesLoss): void;
  /** The call came too late: the rules had let go of its room in the turn before. */
  unheard?(call: LuaCall): void;
}

/** `queued`: the rules do not know of it yet, so a new state will do as well. */
type Held = "queued" | "told";

/**
 * The rules of a group of rooms. They are told one thing at a time. When their state is lost, its
 * rooms are reported and another one is started, after a pause if that happens often.
 */
export class RulesQueue implements LuaHost {
  readonly #clock: Clock;
  readonly #options: RulesQueueOptions;
  readonly #open: (events: RulesRunEvents) => RulesRun;
  readonly #pause = new RestartPause();
  readonly #waiting: Work[] = [];
  /** Bytes of clients' requests in `#waiting`. */
  #pushedBytes = 0;
  /** Rooms by their ids, from 1, and tasks by theirs, below 0. */
  readonly #held = new Map<number, Held>();
  /** Told that they are over: after that turn nothing of them is left. */
  readonly #abandoned = new Set<number>();
  #run: RulesRun | undefined;
  #wasReady = false;
  #starts = 0;
  #cannotStart: string | undefined;
  readonly #pings = new Set<(alive: boolean) => void>();
  #stopTimer: () => void = () => {};
  #isClosed = false;

  /** `open` makes a new state, which is started here. */
  constructor(
    clock: Clock,
    options: RulesQueueOptions,
    open: (events: RulesRunEvents) => RulesRun,
  ) {
    this.#clock = clock;
    this.#options = options;
    this.#open = open;
  }

  /** Rooms and tasks that are in its hands. */
  get load(): number {
    return this.#held.size;
  }

  /** How many states were started so far. */
  get starts(): number {
    return this.#starts;
  }

  get pid(): number | undefined {
    return this.#run?.pid;
  }

  /** Memory of the present state, where it is known: of the embedded Lua, behind its last turn. */
  get memoryBytes(): number | undefined {
    return this.#run?.memoryBytes;
  }

  /** Its present state is to get no further rooms; it is replaced once it holds none. */
  get isSpent(): boolean {
    return this.#run?.isSpent === true;
  }

  get waitingCalls(): number {
    return this.#waiting.length;
  }

  /** Starts the first state; calls may be made before it is ready. */
  start(): void {
    const run = this.#open({
      ready: (notices) => {
        this.#wasReady = true;
        this.#cannotStart = undefined;
        if (notices.length > 0) this.#options.turnDone({ call: undefined, notices });
        this.#next();
      },
      ended: (reason, notices) => this.#lose(reason, notices),
    });
    this.#run = run;
    this.#wasReady = false;
    this.#starts++;
    run.start();
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
    else if (this.#waiting.length > waitingCallsMax.all) this.#shedSoon();
    else this.#next();
    return true;
  }

  /** The room has ended without the rules: they are told so, and hold it no more. */
  forget(id: number): void {
    const held = this.#held.get(id);
    // What waits for a room that they never heard of is passed over.
    if (held === "queued") this.#held.delete(id);
    if (held !== "told" || this.#abandoned.has(id)) return;
    this.#abandoned.add(id);
    this.call({ kind: "resume", roomId: id, reason: "abandon" });
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

  /** Ends the state, politely when it is idle; what waits is dropped. */
  async close(): Promise<void> {
    this.#isClosed = true;
    this.#stopTimer();
    this.#dropPings();
    this.#waiting.length = 0;
    this.#pushedBytes = 0;
    this.#held.clear();
    await this.#run?.stop();
  }

  #mayPush(bytes: number): boolean {
    const { pushed, pushedBytes } = waitingCallsMax;
    return this.#waiting.length < pushed && this.#pushedBytes + bytes <= pushedBytes;
  }

  #next(): void {
    const run = this.#run;
    while (run?.isIdle === true) {
      const work = this.#waiting.shift();
      if (work === undefined) return;
      this.#pushedBytes -= pushedBytesOf(work);
      if (work.kind === "ping") {
        run.ping(({ outcome }) => {
          this.#pings.delete(work.answer);
          work.answer(outcome === "done");
          this.#recycle();
          this.#next();
        });
        continue;
      }
      // It ended while the call waited.
      if (!this.#held.has(idOf(work))) {
        this.#options.unheard?.(work);
        continue;
      }
      this.#held.set(idOf(work), "told");
      run.tell(work, (outcome) => this.#finish(work, outcome));
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
    if (call.kind === "resume" && call.reason === "abandon") this.#letGo(call.roomId);
    if (outcome.ends !== undefined) this.#endOne(idOf(call), outcome.ends);
    else if (outcome.outcome === "refused") this.#refused(call, outcome.reason);
    this.#recycle();
    this.#next();
  }

  #letGo(id: number): void {
    if (!this.#abandoned.delete(id) || !this.#held.delete(id)) return;
    this.#run?.forget(id);
  }

  /** Memory of a state may never shrink: one that nobody needs makes room for a fresh one. */
  #recycle(): void {
    const run = this.#run;
    const isWorn = run?.isBloated === true || run?.isSpent === true;
    if (this.#isClosed || !isWorn || this.load > 0 || this.#waiting.length > 0) return;
    void run.stop();
    this.start();
  }

  /** A room that the rules would not begin has none, and one that they fail to give up is over all
   * the same. Other refusals are normal after its end. */
  #refused(call: LuaCall, reason: string): void {
    this.#options.log.debug({ call: call.kind, reason }, "the rules refused a call");
    const isGivenUp = call.kind === "resume" && call.reason === "abandon";
    const isBeginning = call.kind === "new_room" || call.kind === "new_task";
    if (isBeginning || isGivenUp) this.#endOne(idOf(call), reason);
  }

  #endOne(id: number, reason: string): void {
    if (!this.#held.delete(id)) return;
    this.#run?.forget(id);
    this.#options.stateLost(lossOf(reason, [id]));
  }

  #lose(reason: string, notices: readonly RulesNotice[]): void {
    const clock = this.#clock;
    this.#run = undefined;
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
    this.#clock.after(0, () => {
      if (this.#run === undefined && this.load > 0) this.#report(reason, "all");
    });
  }

  /** Whoever has brought the most calls pays for all of them: the other rooms go on. Not within
   * `call`, as a room must not end while it is telling us something. */
  #shedSoon(): void {
    this.#clock.after(0, () => {
      if (this.#waiting.length <= waitingCallsMax.all) return;
      const worst = mostFrequent(
        this.#waiting.flatMap((work) => work.kind === "ping" ? [] : [idOf(work)]),
      );
      if (worst === undefined) return;
      const kept = this.#waiting.filter((work) => work.kind === "ping" || idOf(work) !== worst);
      this.#keepWaiting(kept);
      const reason = `more than ${waitingCallsMax.all} calls wait for the rules`;
      this.#options.log.error({ reason, room: worst }, "a room is ended");
      this.#endOne(worst, reason);
    });
  }

  #keepWaiting(kept: readonly Work[]): void {
    this.#waiting.length = 0;
    for (const work of kept) this.#waiting.push(work);
    this.#pushedBytes = kept.reduce((sum, work) => sum + pushedBytesOf(work), 0);
  }

  #report(reason: string, which: "told" | "all"): void {
    const ids = [...this.#held.keys()].filter((id) =>
      which === "all" || this.#held.get(id) === which
    );
    for (const id of ids) {
      this.#held.delete(id);
      this.#abandoned.delete(id);
    }
    this.#dropPings();
    this.#keepWaiting(
      this.#waiting.filter((work) => work.kind !== "ping" && this.#held.has(idOf(work))),
    );
    const loss = lossOf(reason, ids);
    this.#options.log.error({ reason, rooms: loss.roomIds.length }, "the rules' state is lost");
    this.#options.stateLost(loss);
  }

  #dropPings(): void {
    for (const answer of this.#pings) answer(false);
    this.#pings.clear();
  }
}
