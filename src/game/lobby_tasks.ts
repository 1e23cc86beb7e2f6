import { DeadlineQueue } from "../base/deadline_queue.ts";
import type { LuaTask, LuaTaskRequest } from "./lua/lua_host.ts";
import type { Outbox } from "./outbox.ts";
import { type LuaPlayerId, type Player } from "./player.ts";
import type { GameIds } from "./request_slot.ts";
import { foundState, serverAccount } from "./room_queries.ts";
import { luaPlayer } from "./room_seats.ts";

/** Tasks that one player may have under way: each is a coroutine in Lua. */
export const tasksPerPlayerMax = 8;

interface Task {
  readonly player: Player;
  readonly taskType: string;
  readonly data: Uint8Array;
  /** Its player has left the lobby; it is the rules' to end, and they still ask about it. */
  isAborted: boolean;
}

/** What players in the lobby let the rules do for them; Lua treats a task like a small room. */
export class LobbyTasks {
  readonly #ids: GameIds;
  readonly #tasks = new Map<number, Task>();
  readonly #delays = new DeadlineQueue<number>();

  constructor(ids: GameIds) {
    this.#ids = ids;
  }

  /** Tasks that somebody waits for. */
  get size(): number {
    return [...this.#tasks.values()].filter(({ isAborted }) => !isAborted).length;
  }

  get nextAt(): number | undefined {
    return this.#delays.next;
  }

  /** What the rules read of a task; undefined for "Task not found". */
  view(taskId: number): LuaTask | undefined {
    const task = this.#tasks.get(taskId);
    if (task === undefined) return undefined;
    const { taskType, data, player } = task;
    return { id: taskId, taskType, data, player: luaPlayer(player, "", "online") };
  }

  /** The state that it ran in is lost. */
  forget(taskId: number): void {
    this.#tasks.delete(taskId);
  }

  /** The player that Lua knows by this name, while he has a task. */
  player(connId: LuaPlayerId): Player | undefined {
    for (const { player } of this.#tasks.values()) if (player.luaId === connId) return player;
    return undefined;
  }

  begin(
    player: Player,
    wish: { readonly taskType: string; readonly data: Uint8Array },
    out: Outbox,
  ): void {
    let own = 0;
    for (const task of this.#tasks.values()) if (task.player.id === player.id) own++;
    if (own >= tasksPerPlayerMax) return;
    const taskId = this.#ids.nextTask();
    const { taskType, data } = wish;
    this.#tasks.set(taskId, { player, taskType, data, isAborted: false });
    out.lua({ kind: "new_task", taskId });
  }

  /** He has left the lobby. */
  abortAllOf(player: Player, out: Outbox): void {
    for (const [taskId, task] of this.#tasks) {
      if (task.player !== player || task.isAborted) continue;
      task.isAborted = true;
      out.lua({ kind: "resume", roomId: taskId, reason: "abort" });
    }
  }

  wake(out: Outbox, now: number): void {
    for (;;) {
      const taskId = this.#delays.take(now);
      if (taskId === undefined) return;
      this.#resume(taskId, "delay_done", out);
    }
  }

  queryDone(taskId: number, text: string | undefined, out: Outbox): void {
    this.#resume(taskId, text === undefined ? "query_done" : foundState(text), out);
  }

  lua(request: LuaTaskRequest, out: Outbox, now: number): void {
    const { taskId: roomId } = request;
    const task = this.#tasks.get(roomId);
    if (task === undefined) return;
    switch (request.kind) {
      case "task_delay":
        if (request.ms <= 0) this.#resume(roomId, "delay_done", out);
        else this.#delays.add(now + request.ms, roomId);
        return;
      case "task_decrease_ref_count":
        this.#tasks.delete(roomId);
        return;
      case "task_save_state": {
        const playerId = request.of === "player" ? task.player.id : serverAccount;
        const { key, json } = request;
        return out.store({ kind: "save_global_state", roomId, playerId, key, json });
      }
      case "task_get_state": {
        const playerId = request.of === "player" ? task.player.id : serverAccount;
        return out.store({ kind: "get_global_state", roomId, playerId, key: request.key });
      }
    }
  }

  #resume(taskId: number, reason: string, out: Outbox): void {
    const task = this.#tasks.get(taskId);
    if (task?.isAborted === false) out.lua({ kind: "resume", roomId: taskId, reason });
  }
}
