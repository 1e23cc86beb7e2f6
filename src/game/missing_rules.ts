import type { Clock } from "../ports/clock.ts";
import type { LuaCall } from "./lua/lua_host.ts";
import type { RulesHooks, RulesState } from "./rules_pool.ts";

/** Stands where no rules can be run: a game that is started ends at once, and the log says why. */
export class MissingRules implements RulesState {
  readonly load = 0;
  readonly #clock: Clock;
  readonly #reason: string;
  readonly #hooks: RulesHooks;

  constructor(parts: { clock: Clock; reason: string; hooks: RulesHooks }) {
    this.#clock = parts.clock;
    this.#reason = parts.reason;
    this.#hooks = parts.hooks;
  }

  start(): void {}

  call(call: LuaCall): boolean {
    if (call.kind !== "new_room" && call.kind !== "new_task") return true;
    const roomIds = call.kind === "new_room" ? [call.roomId] : [];
    const taskIds = call.kind === "new_task" ? [call.taskId] : [];
    // Not within the call: a room must not end while it is telling us something.
    this.#clock.after(
      0,
      () => this.#hooks.stateLost({ reason: this.#reason, roomIds, taskIds }),
    );
    return true;
  }

  forget(): void {}

  close(): Promise<void> {
    return Promise.resolve();
  }
}
