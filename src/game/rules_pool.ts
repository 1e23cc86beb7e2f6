import type { LuaCall, LuaHost } from "./lua/lua_host.ts";
import type { RulesLoss, RulesTurn } from "./lua/rpc_child.ts";

/** One state of Lua with its rooms. */
export interface RulesPart {
  /** Rooms and tasks that are in its hands. */
  readonly load: number;
  /** Of a child process. */
  readonly pid?: number | undefined;
  /** Behind its last turn, where it is known. */
  readonly memoryBytes?: number | undefined;
}

/** The rules on one version of the packages: a child process or workers with their rooms. */
export interface RulesState {
  /** Rooms and tasks that are in its hands. */
  readonly load: number;
  /** Of a child process. */
  readonly pid?: number | undefined;
  readonly memoryBytes?: number | undefined;
  /** Its states of Lua, where it may have several. */
  readonly parts?: readonly RulesPart[];
  start(): void;
  /** False when the call is dropped: too much waits. */
  call(call: LuaCall): boolean;
  /** The room has ended without the rules. */
  forget(id: number): void;
  close(): Promise<void>;
}

/** What a state tells; see `RulesChildOptions`. */
export interface RulesHooks {
  turnDone(turn: RulesTurn): void;
  stateLost(loss: RulesLoss): void;
  /** The call came too late: the rules have let go of its room already. */
  unheard(call: LuaCall): void;
}

/** What is shown of a state. */
export interface RulesStateFacts {
  readonly pid?: number;
  readonly load: number;
  readonly memoryBytes?: number;
  readonly isOutdated: boolean;
}

/**
 * The states that run the rules. New rooms go to the newest one; a state that is on an old version of
 * the packages keeps its rooms until the last of them has ended.
 */
export class RulesPool implements LuaHost {
  readonly #make: (hooks: RulesHooks) => RulesState;
  readonly #hooks: RulesHooks;
  readonly #places = new Map<number, RulesState>();
  readonly #draining = new Set<RulesState>();
  #current: RulesState | undefined;
  /** Calls that were dropped because too many wait. */
  dropped = 0;

  /** `make` is asked for a state at the start and whenever the packages have changed. */
  constructor(make: (hooks: RulesHooks) => RulesState, hooks: RulesHooks) {
    this.#make = make;
    this.#hooks = hooks;
  }

  get states(): readonly RulesStateFacts[] {
    const states = this.#current === undefined ? [] : [this.#current];
    return [...states, ...this.#draining].flatMap((state) =>
      (state.parts ?? [state]).map(({ pid, load, memoryBytes }) => ({
        ...(pid === undefined ? {} : { pid }),
        ...(memoryBytes === undefined ? {} : { memoryBytes }),
        load,
        isOutdated: state !== this.#current,
      }))
    );
  }

  /** Starts a state for all rooms to come. */
  renew(): void {
    const old = this.#current;
    this.#current = this.#newState();
    if (old === undefined) return;
    this.#draining.add(old);
    this.#closeIfDrained(old);
  }

  call(call: LuaCall): void {
    const id = "taskId" in call ? call.taskId : call.roomId;
    const isNew = call.kind === "new_room" || call.kind === "new_task";
    const state = isNew ? this.#current : this.#places.get(id);
    if (state === undefined) return this.#hooks.unheard(call);
    if (isNew) this.#places.set(id, state);
    if (!state.call(call)) this.dropped++;
  }

  /** The room has ended without the rules: they are told, and hold it no more. */
  forget(id: number): void {
    const state = this.#places.get(id);
    this.#places.delete(id);
    if (state === undefined) return;
    state.forget(id);
    // A room that waited to be told goes without a turn of its own.
    this.#closeIfDrained(state);
  }

  async close(): Promise<void> {
    const states = [...this.#draining, ...(this.#current === undefined ? [] : [this.#current])];
    this.#current = undefined;
    this.#draining.clear();
    this.#places.clear();
    await Promise.all(states.map((state) => state.close()));
  }

  #newState(): RulesState {
    const state: RulesState = this.#make({
      turnDone: (turn) => {
        this.#hooks.turnDone(turn);
        for (const notice of turn.notices) {
          if (notice.kind === "decrease_ref_count") this.#places.delete(notice.roomId);
          else if (notice.kind === "task_decrease_ref_count") this.#places.delete(notice.taskId);
        }
        this.#closeIfDrained(state);
      },
      stateLost: (loss) => {
        for (const id of [...loss.roomIds, ...loss.taskIds]) this.#places.delete(id);
        this.#hooks.stateLost(loss);
        this.#closeIfDrained(state);
      },
      unheard: (call) => this.#hooks.unheard(call),
    });
    state.start();
    return state;
  }

  #closeIfDrained(state: RulesState): void {
    if (!this.#draining.has(state) || state.load > 0) return;
    this.#draining.delete(state);
    void state.close();
  }
}
