import { bytesOf, type CborValue } from "../../wire/cbor.ts";
import { cborNull } from "../../wire/cbor_encode.ts";
import { decodeUtf8Lossy } from "../../wire/utf8.ts";
import type { GameResult } from "./lua_host.ts";
import { encodePlayer, encodeRoom, encodeTask } from "./rpc_facts.ts";
import { type Method, type MethodAnswer, missing, nothing, takes } from "./rpc_parameters.ts";
import type { RulesNotice } from "./rpc_rules.ts";
import type { RulesTurnView } from "./rpc_turn_view.ts";

/** The log is for people: what a script writes beyond this in one line is cut. */
const logCharsMax = 4_000;

/** Every method that Lua may call, by its name on the wire. */
export const rulesMethods: ReadonlyMap<string, Method> = new Map<string, Method>([
  ["qDebug", logs("debug")],
  ["qInfo", logs("info")],
  ["qWarning", logs("warn")],
  ["qCritical", logs("error")],
  ["print", print],

  [
    "ServerPlayer_doRequest",
    takes(
      ["player", "text", "bytes", "int", "whole"],
      (view, connId, command, data, timeout, timestamp) =>
        view.note({ kind: "do_request", connId, command, data, timeout, timestamp }),
    ),
  ],
  [
    "ServerPlayer_waitForReply",
    takes(["player", "int"], (view, connId) => found(view.reply(connId), missing.player)),
  ],
  [
    "ServerPlayer_doNotify",
    takes(["player", "text", "bytes"], (view, connId, command, given) => {
      const data = given.length === 0 ? cborNull() : given;
      view.note({ kind: "do_notify", connId, command, data });
    }),
  ],
  [
    "ServerPlayer_thinking",
    takes(["player"], (view, connId) => found(view.thinking(connId), missing.player)),
  ],
  [
    "ServerPlayer_setThinking",
    takes(
      ["player", "bool"],
      (view, connId, thinking) => view.note({ kind: "set_thinking", connId, thinking }),
    ),
  ],
  [
    "ServerPlayer_setDied",
    takes(
      ["player", "bool"],
      (view, connId, died) => view.note({ kind: "set_died", connId, died }),
    ),
  ],
  ["ServerPlayer_emitKick", notes("player", (connId) => ({ kind: "emit_kick", connId }))],
  [
    "ServerPlayer_saveState",
    takes(
      ["player", "text"],
      (view, connId, json) => underWay(view, { kind: "save_state", connId, json }),
    ),
  ],
  [
    "ServerPlayer_getSaveState",
    takes(["player"], (view, connId) => underWay(view, { kind: "get_save_state", connId })),
  ],
  [
    "ServerPlayer_saveGlobalState",
    saves("player", (connId, key, json) => ({ kind: "save_global_state", connId, key, json })),
  ],
  [
    "ServerPlayer_getGlobalSaveState",
    loads("player", (connId, key) => ({ kind: "get_global_save_state", connId, key })),
  ],

  ["Room_delay", waits("room", (roomId, ms) => ({ kind: "delay", roomId, ms }))],
  [
    "Room_setRequestTimer",
    waits("room", (roomId, ms) => ({ kind: "set_request_timer", roomId, ms })),
  ],
  [
    "Room_destroyRequestTimer",
    notes("room", (roomId) => ({ kind: "destroy_request_timer", roomId })),
  ],
  [
    "Room_updatePlayerWinRate",
    takes(["room", "int", "text", "text", "int"], (view, roomId, playerId, mode, role, given) => {
      const result = gameResult(given);
      if (result === undefined) return wrongResult(given);
      view.note({ kind: "player_result", roomId, playerId, mode, role, result });
    }),
  ],
  [
    "Room_updateGeneralWinRate",
    takes(["room", "text", "text", "text", "int"], (view, roomId, general, mode, role, given) => {
      const result = gameResult(given);
      if (result === undefined) return wrongResult(given);
      view.note({ kind: "general_result", roomId, general, mode, role, result });
    }),
  ],
  ["Room_gameOver", notes("room", (roomId) => ({ kind: "game_over", roomId }))],
  ["Room_decreaseRefCount", notes("room", (roomId) => ({ kind: "decrease_ref_count", roomId }))],
  [
    "Room_getSessionId",
    takes(["room"], (view, roomId) => found(view.sessionId(roomId), missing.room)),
  ],
  [
    "Room_getSessionData",
    takes(["room"], (view, roomId) => found(view.sessionData(roomId), missing.room)),
  ],
  [
    "Room_setSessionData",
    takes(
      ["room", "text"],
      (view, roomId, json) => view.note({ kind: "set_session_data", roomId, json }),
    ),
  ],
  [
    "Room_addNpc",
    takes(["room"], (view, roomId) => {
      const npc = view.host.addNpc(roomId);
      return found(npc && encodePlayer(npc), "the room takes no robot");
    }),
  ],
  [
    "Room_removeNpc",
    takes(
      ["room", "player"],
      (view, roomId, connId) => view.note({ kind: "remove_npc", roomId, connId }),
    ),
  ],
  [
    "Room_saveGlobalState",
    saves("room", (roomId, key, json) => ({ kind: "save_room_state", roomId, key, json })),
  ],
  [
    "Room_getGlobalSaveState",
    loads("room", (roomId, key) => ({ kind: "get_room_state", roomId, key })),
  ],
  [
    "RoomThread_getRoom",
    takes(["room"], (view, roomId) => {
      const room = view.host.room(roomId);
      return found(room && encodeRoom(room), missing.room);
    }),
  ],

  ["Task_delay", waits("task", (taskId, ms) => ({ kind: "task_delay", taskId, ms }))],
  [
    "Task_decreaseRefCount",
    notes("task", (taskId) => ({ kind: "task_decrease_ref_count", taskId })),
  ],
  [
    "Task_saveGlobalState",
    saves(
      "task",
      (taskId, key, json) => ({ kind: "task_save_state", taskId, of: "server", key, json }),
    ),
  ],
  [
    "Task_getGlobalSaveState",
    loads("task", (taskId, key) => ({ kind: "task_get_state", taskId, of: "server", key })),
  ],
  [
    "Task_savePlayerGlobalState",
    saves(
      "task",
      (taskId, key, json) => ({ kind: "task_save_state", taskId, of: "player", key, json }),
    ),
  ],
  [
    "Task_getPlayerGlobalSaveState",
    loads("task", (taskId, key) => ({ kind: "task_get_state", taskId, of: "player", key })),
  ],
  [
    "Task_getPlayer",
    takes(["task"], (view, taskId) => {
      const player = view.host.task(taskId)?.player;
      return found(player && encodePlayer(player), missing.player);
    }),
  ],
  [
    "Server_getTask",
    takes(["task"], (view, taskId) => {
      const task = view.host.task(taskId);
      return found(task && encodeTask(task), missing.task);
    }),
  ],
]);

function notes(kind: "room" | "player" | "task", notice: (id: number) => RulesNotice): Method {
  return takes([kind], (view, id) => view.note(notice(id)));
}

/** A wait of 0 ms or less is an error, and yet over at once: Lua has yielded. */
function waits(kind: "room" | "task", notice: (id: number, ms: number) => RulesNotice): Method {
  return takes([kind, "int"], (view, id, ms) => {
    view.note(notice(id, Math.max(0, ms)));
    return ms > 0 ? undefined : { wrong: `parameter 2 must be over 0 ms, got ${ms}` };
  });
}

/** State calls answer `true` at once; what they ask for comes with a resume. */
function underWay(view: RulesTurnView, notice: RulesNotice): MethodAnswer {
  view.note(notice);
  return { result: true };
}

function saves(
  kind: "room" | "player" | "task",
  notice: (id: number, key: string, json: string) => RulesNotice,
): Method {
  return takes(
    [kind, "text", "text"],
    (view, id, key, json) => underWay(view, notice(id, key, json)),
  );
}

function loads(
  kind: "room" | "player" | "task",
  notice: (id: number, key: string) => RulesNotice,
): Method {
  return takes([kind, "text"], (view, id, key) => underWay(view, notice(id, key)));
}

function logs(level: "debug" | "info" | "warn" | "error"): Method {
  return takes(["text"], (view, text) => view.note({ kind: "log", level, text: cut(text) }));
}

/** The only one of any number of parameters. */
function print(view: RulesTurnView, params: readonly CborValue[]): MethodAnswer {
  const texts: string[] = [];
  for (const [at, given] of params.entries()) {
    const bytes = bytesOf(given);
    if (bytes === undefined) return { wrong: `parameter ${at + 1} must be a string` };
    texts.push(decodeUtf8Lossy(bytes));
  }
  view.note({ kind: "log", level: "info", text: cut(texts.join("\t")) });
  return { result: nothing };
}

function cut(text: string): string {
  return text.length > logCharsMax ? `${text.slice(0, logCharsMax)}…` : text;
}

function found(value: number | boolean | Uint8Array | undefined, otherwise: string): MethodAnswer {
  return value === undefined ? { wrong: otherwise } : { result: value };
}

function gameResult(given: number): GameResult | undefined {
  return given === 1 || given === 2 || given === 3 ? given : undefined;
}

function wrongResult(given: number): MethodAnswer {
  return { wrong: `parameter 5 must be 1 (win), 2 (lose) or 3 (draw), got ${given}` };
}
