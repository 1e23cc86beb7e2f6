import type { Clock } from "../../ports/clock.ts";
import type { WorkersPort } from "../../ports/workers.ts";
import { RulesQueue, type RulesQueueOptions } from "./rules_queue.ts";
import { WorkerRun, type WorkerRunOptions } from "./worker_run.ts";

export type EmbeddedRulesOptions = WorkerRunOptions & RulesQueueOptions;

/** The rules of a group of rooms in the embedded Lua, in a worker of their own. */
export class EmbeddedRules extends RulesQueue {
  constructor(
    ports: { readonly workers: WorkersPort; readonly clock: Clock },
    options: EmbeddedRulesOptions,
  ) {
    super(ports.clock, options, (events) => new WorkerRun(ports, options, events));
  }
}
