import { unreachable } from "../base/assert.ts";
import type { Logger } from "../ports/log.ts";
import {
  type HostCommands,
  type HostTask,
  rollbackAlertCount,
  type TaskOutcome,
} from "./host_commands.ts";
import type { HostMetrics } from "./host_metrics.ts";
import type { ScriptBridge } from "./script_bridge.ts";
import type { HostStore } from "./store.ts";

/** Takes the work of commands to the store and the script, and their outcome back to a reply. */
export class TaskRunner {
  readonly #parts: {
    commands: HostCommands;
    metrics: HostMetrics;
    store: HostStore;
    script: ScriptBridge;
    logger: Logger;
  };

  constructor(parts: {
    commands: HostCommands;
    metrics: HostMetrics;
    store: HostStore;
    script: ScriptBridge;
    logger: Logger;
  }) {
    this.#parts = parts;
  }

  /** Calls `reply` once, later. The number of tasks at a time is bounded by the task budget. */
  run(task: HostTask, reply: (text: string) => void): void {
    const { commands, metrics, logger } = this.#parts;
    this.#outcome(task).then((outcome) => reply(commands.finish(outcome))).catch(
      (error: unknown) => {
        metrics.error_count++;
        logger.error({ error: String(error), task: task.kind }, "host task failed");
      },
    );
  }

  async #outcome(task: HostTask): Promise<TaskOutcome> {
    const { store, script } = this.#parts;
    switch (task.kind) {
      case "store": {
        const result = await store.perform(task.operation);
        this.#takeCounters();
        return { kind: "store", operation: task.operation, result };
      }
      case "hello":
        return { kind: "hello", path: task.path, result: await script.hello() };
      case "reload":
        return { kind: "reload", result: await script.reload() };
      default:
        return unreachable(task);
    }
  }

  #takeCounters(): void {
    const { metrics, store } = this.#parts;
    const { begins, commits, rollbacks, states } = store.counters;
    metrics.db_transaction_begin_count = begins;
    metrics.db_commit_count = commits;
    metrics.db_rollback_count = rollbacks;
    metrics.persisted_state_count = states;
    metrics.db_alert_active = rollbacks >= rollbackAlertCount ? 1 : 0;
  }
}
