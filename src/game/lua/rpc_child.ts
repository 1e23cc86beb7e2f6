import type { Clock } from "../../ports/clock.ts";
import type { ProcessPort } from "../../ports/process.ts";
import { RpcProcess, type RpcProcessOptions } from "./rpc_process.ts";
import { RulesQueue, type RulesQueueOptions } from "./rules_queue.ts";

export type { RulesLoss, RulesTurn } from "./rules_queue.ts";

export type RulesChildOptions = RpcProcessOptions & RulesQueueOptions;

/** The rules of a group of rooms in a child process that speaks CBOR JSON-RPC (lua-host contract). */
export class RulesChild extends RulesQueue {
  constructor(
    ports: { readonly process: ProcessPort; readonly clock: Clock },
    options: RulesChildOptions,
  ) {
    super(ports.clock, options, (events) => new RpcProcess(ports, options, events));
  }
}
