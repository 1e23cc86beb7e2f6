import type { LuaCall } from "./lua_host.ts";
import type { RulesLoss } from "./rules_queue.ts";

/** What waits for the rules. */
export type Work =
  | LuaCall
  | { readonly kind: "ping"; readonly answer: (alive: boolean) => void };

/** The id that is there most often; undefined when there is none. */
export function mostFrequent(ids: readonly number[]): number | undefined {
  const counts = new Map<number, number>();
  for (const id of ids) counts.set(id, (counts.get(id) ?? 0) + 1);
  let worst: number | undefined;
  for (const [id, count] of counts) {
    if (worst === undefined || count > (counts.get(worst) ?? 0)) worst = id;
  }
  return worst;
}

/** Bytes that a client has pushed with it. */
export function pushedBytesOf(work: Work): number {
  return work.kind === "push_request" ? work.request.length : 0;
}

/** Of the room (from 1) or task (below 0). */
export function idOf(call: LuaCall): number {
  return "taskId" in call ? call.taskId : call.roomId;
}

/** Rooms and tasks by their ids. */
export function lossOf(reason: string, ids: readonly number[]): RulesLoss {
  return { reason, roomIds: ids.filter((id) => id > 0), taskIds: ids.filter((id) => id < 0) };
}
