import type { Clock } from "../../ports/clock.ts";
import type { LuaCall, LuaHost } from "./lua_host.ts";
import type { RulesLoss, RulesQueue, RulesTurn } from "./rules_queue.ts";

/** Rooms of one state share its memory and take turns: with so many in each of them, one more state
 * than there are cores is better. */
export const roomsPerStateMax = 50;

export interface RulesGroupOptions {
  /** States that may run at a time unless they are full: one less than there are cores, at least 1. */
  readonly statesMax: number;
  /** As in `RulesQueueOptions`. */
  turnDone(turn: RulesTurn): void;
  stateLost(loss: RulesLoss): void;
  unheard?(call: LuaCall): void;
  /** A host of its own, not started. */
  open(told: RulesGroupEvents): RulesQueue;
}

export type RulesGroupEvents = Required<
  Pick<RulesGroupOptions, "turnDone" | "stateLost" | "unheard">
>;

/**
 * Rules of many rooms, spread over several states. A room stays where its game began. One state is
 * ready beforehand where there may be a further one, so that a game does not wait for Lua to load.
 */
export class RulesGroup implements LuaHost {
  readonly #clock: Clock;
  readonly #options: RulesGroupOptions;
  readonly #states = new Set<RulesQueue>();
  /** Where rooms and tasks are, by their ids. */
  readonly #places = new Map<number, RulesQueue>();
  #isClosed = false;

  constructor(clock: Clock, options: RulesGroupOptions) {
    this.#clock = clock;
    this.#options = options;
  }

  /** Rooms and tasks that are in its hands. */
  get load(): number {
    return this.#places.size;
  }

  /** The states that run, with what each has. */
  get parts(): readonly RulesQueue[] {
    return [...this.#states];
  }

  /** How many of them. */
  get states(): number {
    return this.#states.size;
  }

  get waitingCalls(): number {
    return [...this.#states].reduce((sum, { waitingCalls }) => sum + waitingCalls, 0);
  }

  /** Starts the first state; calls may be made before it is ready. */
  start(): void {
    this.#open();
  }

  /** As `RulesQueue.call`. */
  call(call: LuaCall): boolean {
    if (this.#isClosed) return false;
    const id = "taskId" in call ? call.taskId : call.roomId;
    const isNew = call.kind === "new_room" || call.kind === "new_task";
    const state = this.#places.get(id) ?? (isNew ? this.#emptiest() : undefined);
    if (state === undefined) {
      this.#options.unheard?.(call);
      return true;
    }
    if (isNew) this.#places.set(id, state);
    const isTaken = state.call(call);
    if (isNew) this.#warmUp();
    return isTaken;
  }

  /** As `RulesQueue.forget`. */
  forget(id: number): void {
    const state = this.#places.get(id);
    if (state === undefined) return;
    this.#places.delete(id);
    state.forget(id);
    this.#closeIfSpare(state);
  }

  /** Whether all states answer. */
  async ping(): Promise<boolean> {
    const alive = await Promise.all([...this.#states].map((state) => state.ping()));
    return alive.length > 0 && alive.every((one) => one);
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    this.#places.clear();
    const states = [...this.#states];
    this.#states.clear();
    await Promise.all(states.map((state) => state.close()));
  }

  #open(): RulesQueue {
    const state: RulesQueue = this.#options.open({
      turnDone: (turn) => this.#turnDone(state, turn),
      stateLost: (loss) => this.#stateLost(state, loss),
      unheard: (call) => this.#options.unheard?.(call),
    });
    this.#states.add(state);
    state.start();
    return state;
  }

  #emptiest(): RulesQueue {
    const [first = this.#open(), ...others] = this.#takers();
    return others.reduce((best, one) => one.load < best.load ? one : best, first);
  }

  /** Where further rooms may begin. */
  #takers(): RulesQueue[] {
    return [...this.#states].filter(({ isSpent }) => !isSpent);
  }

  /** The next game finds a state that has nothing to do, as long as there may be more of them. */
  #warmUp(): void {
    const takers = this.#takers();
    const fewest = Math.min(...takers.map(({ load }) => load));
    const mayOpen = takers.length < this.#options.statesMax;
    if (fewest >= roomsPerStateMax || (fewest > 0 && mayOpen)) this.#open();
  }

  #turnDone(state: RulesQueue, turn: RulesTurn): void {
    const { call, notices } = turn;
    const isAbandoned = call?.kind === "resume" && call.reason === "abandon";
    let hasEnded = isAbandoned;
    for (const notice of notices) {
      const isOver = notice.kind === "decrease_ref_count" ||
        notice.kind === "task_decrease_ref_count";
      if (!isOver) continue;
      hasEnded = true;
      this.#places.delete("taskId" in notice ? notice.taskId : notice.roomId);
    }
    this.#options.turnDone(turn);
    if (hasEnded) this.#closeIfSpare(state);
  }

  #stateLost(state: RulesQueue, loss: RulesLoss): void {
    for (const id of [...loss.roomIds, ...loss.taskIds]) this.#places.delete(id);
    this.#options.stateLost(loss);
    this.#closeIfSpare(state);
  }

  #closeIfSpare(state: RulesQueue): void {
    // Not within what it is telling, behind which it lets go of the room.
    this.#clock.after(0, () => {
      if (!this.#isSpare(state)) return;
      this.#states.delete(state);
      void state.close();
    });
  }

  /** Idle beside another idle one. */
  #isSpare(state: RulesQueue): boolean {
    if (state.load > 0 || !this.#states.has(state)) return false;
    return [...this.#states].some((one) => one !== state && one.load === 0);
  }
}
