import type { LuaCall } from "../../src/game/lua/lua_host.ts";
import type { RulesHost, RulesNotice } from "../../src/game/lua/rpc_rules.ts";
import type { RulesRun, RulesRunEvents, TurnOutcome } from "../../src/game/lua/rules_run.ts";
import { encodeCbor } from "../../src/wire/cbor_encode.ts";
import type { FakeClock } from "../fakes/clock.ts";
import type { Dice } from "./dice.ts";
import { ScriptedGame, type Stubborn } from "./scripted_game.ts";

/** As the real states are given up when a turn takes too long. */
const hangMs = 10_000;

export interface RunParts {
  readonly clock: FakeClock;
  readonly dice: Dice;
  readonly host: RulesHost;
  readonly stubborn: Stubborn;
}

/** A state of scripted rules on a fake clock: takes its time, hangs, dies. */
export class ScriptedRun implements RulesRun {
  readonly #parts: RunParts;
  readonly #events: RulesRunEvents;
  readonly #games = new Map<number, ScriptedGame>();
  #phase: "loading" | "idle" | "busy" | "gone" = "loading";
  #cancel = () => {};

  constructor(parts: RunParts, events: RulesRunEvents) {
    this.#parts = parts;
    this.#events = events;
  }

  get isIdle(): boolean {
    return this.#phase === "idle";
  }

  start(): void {
    const { dice } = this.#parts;
    const dies = dice.chance(0.05);
    this.#later(dice.between(5, 800), () => {
      if (dies) return this.kill("it died while loading");
      this.#phase = "idle";
      this.#events.ready([]);
    });
  }

  tell(call: LuaCall, done: (outcome: TurnOutcome) => void): void {
    this.#phase = "busy";
    const { dice } = this.#parts;
    const fate = dice.below(8_000);
    if (fate === 0) return this.#later(hangMs, () => this.kill("it hangs"));
    const ms = dice.chance(0.97) ? dice.below(4) : dice.below(400);
    this.#later(ms, () => {
      if (fate === 1) return this.kill("it died");
      this.#phase = "idle";
      done({ outcome: "done", reason: "", notices: this.#turn(call) });
    });
  }

  ping(done: (outcome: Pick<TurnOutcome, "outcome">) => void): void {
    done({ outcome: "done" });
  }

  forget(id: number): void {
    this.#games.delete(id);
  }

  kill(reason: string): void {
    if (this.#phase === "gone") return;
    this.#phase = "gone";
    this.#cancel();
    this.#events.ended(reason, []);
  }

  async stop(): Promise<void> {
    this.#phase = "gone";
    this.#cancel();
  }

  #later(ms: number, call: () => void): void {
    this.#cancel = this.#parts.clock.after(ms, call);
  }

  #turn(call: LuaCall): RulesNotice[] {
    if (call.kind === "new_task") return this.#task(call.taskId);
    if (call.roomId < 0) return this.#resumeTask(call);
    if (call.kind === "new_room") {
      const { roomId } = call;
      this.#games.set(roomId, new ScriptedGame({ ...this.#parts, roomId }));
    }
    const notices = this.#games.get(call.roomId)?.turn(call) ?? [];
    if (notices.some(({ kind }) => kind === "decrease_ref_count")) this.#games.delete(call.roomId);
    return notices;
  }

  #task(taskId: number): RulesNotice[] {
    const { host, dice } = this.#parts;
    const task = host.task(taskId);
    const over: RulesNotice = { kind: "task_decrease_ref_count", taskId };
    if (task === undefined) return [over];
    const { connId } = task.player;
    const data = encodeCbor(null);
    const told: RulesNotice = { kind: "do_notify", connId, command: "TaskStarted", data };
    const next = dice.one<RulesNotice | undefined>([
      over,
      // It goes on until its player leaves the lobby.
      undefined,
      { kind: "task_delay", taskId, ms: dice.between(0, 20_000) },
      { kind: "task_save_state", taskId, of: "player", key: "t", json: "{}" },
      { kind: "task_get_state", taskId, of: "server", key: "t" },
    ]);
    return next === undefined ? [told] : [told, next];
  }

  #resumeTask({ roomId: taskId }: LuaCall & { readonly roomId: number }): RulesNotice[] {
    return [{ kind: "task_decrease_ref_count", taskId }];
  }
}
