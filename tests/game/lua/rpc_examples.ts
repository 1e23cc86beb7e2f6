import assert from "node:assert/strict";
import { encodePlayer, encodeRoom, encodeTask } from "../../../src/game/lua/rpc_facts.ts";
import type { RulesNotice } from "../../../src/game/lua/rpc_rules.ts";
import type { CborValue } from "../../../src/wire/cbor.ts";
import { rulesTable, tablePlayer } from "./rpc_table.ts";

const bytes = (text: string) => new TextEncoder().encode(text);
const json = bytes("{}");

/** One call, its answer, and what it wants done. */
export interface Example {
  readonly params: readonly CborValue[];
  readonly result: CborValue;
  readonly notice?: RulesNotice;
}

/** A right call of every method, its answer, and what it wants done. */
export function examples(): Record<string, Example> {
  const table = rulesTable();
  const room = table.room(1);
  const task = table.task(-1000);
  assert.ok(room && task && table.npc);
  const save = { key: "k", json: "{}" };
  const log = (level: "debug" | "info" | "warn" | "error"): Example => ({
    params: [bytes("hm")],
    result: 0,
    notice: { kind: "log", level, text: "hm" },
  });
  const command = bytes("Cmd");
  return {
    qDebug: log("debug"),
    qInfo: log("info"),
    qWarning: log("warn"),
    qCritical: log("error"),
    print: {
      params: ["a", "b", "c", "d", "e", "f"].map(bytes),
      result: 0,
      notice: { kind: "log", level: "info", text: "a\tb\tc\td\te\tf" },
    },
    ServerPlayer_doRequest: {
      params: [1000, command, json, 15, 1_795_291_914_441],
      result: 0,
      notice: {
        kind: "do_request",
        connId: 1000,
        command: "Cmd",
        data: json,
        timeout: 15,
        timestamp: 1_795_291_914_441,
      },
    },
    ServerPlayer_waitForReply: { params: [1000, 0], result: bytes("__notready") },
    ServerPlayer_doNotify: {
      params: [1000, command, json],
      result: 0,
      notice: { kind: "do_notify", connId: 1000, command: "Cmd", data: json },
    },
    ServerPlayer_thinking: { params: [1000], result: false },
    ServerPlayer_setThinking: {
      params: [1000, true],
      result: 0,
      notice: { kind: "set_thinking", connId: 1000, thinking: true },
    },
    ServerPlayer_setDied: {
      params: [1000, true],
      result: 0,
      notice: { kind: "set_died", connId: 1000, died: true },
    },
    ServerPlayer_emitKick: {
      params: [1000],
      result: 0,
      notice: { kind: "emit_kick", connId: 1000 },
    },
    ServerPlayer_saveState: {
      params: [1000, json],
      result: true,
      notice: { kind: "save_state", connId: 1000, json: "{}" },
    },
    ServerPlayer_getSaveState: {
      params: [1000],
      result: true,
      notice: { kind: "get_save_state", connId: 1000 },
    },
    ServerPlayer_saveGlobalState: {
      params: [1000, bytes("k"), json],
      result: true,
      notice: { kind: "save_global_state", connId: 1000, ...save },
    },
    ServerPlayer_getGlobalSaveState: {
      params: [1000, bytes("k")],
      result: true,
      notice: { kind: "get_global_save_state", connId: 1000, key: "k" },
    },
    Room_delay: { params: [1, 798], result: 0, notice: { kind: "delay", roomId: 1, ms: 798 } },
    Room_updatePlayerWinRate: {
      params: [1, 9, bytes("mode"), bytes("lord"), 1],
      result: 0,
      notice: {
        kind: "player_result",
        roomId: 1,
        playerId: 9,
        mode: "mode",
        role: "lord",
        result: 1,
      },
    },
    Room_updateGeneralWinRate: {
      params: [1, bytes("liubei"), bytes("mode"), bytes("lord"), 3],
      result: 0,
      notice: {
        kind: "general_result",
        roomId: 1,
        general: "liubei",
        mode: "mode",
        role: "lord",
        result: 3,
      },
    },
    Room_gameOver: { params: [1], result: 0, notice: { kind: "game_over", roomId: 1 } },
    Room_setRequestTimer: {
      params: [1, 15_500],
      result: 0,
      notice: { kind: "set_request_timer", roomId: 1, ms: 15_500 },
    },
    Room_destroyRequestTimer: {
      params: [1],
      result: 0,
      notice: { kind: "destroy_request_timer", roomId: 1 },
    },
    Room_decreaseRefCount: {
      params: [1],
      result: 0,
      notice: { kind: "decrease_ref_count", roomId: 1 },
    },
    Room_getSessionId: { params: [1], result: 1 },
    Room_getSessionData: { params: [1], result: json },
    Room_setSessionData: {
      params: [1, json],
      result: 0,
      notice: { kind: "set_session_data", roomId: 1, json: "{}" },
    },
    Room_addNpc: { params: [1], result: encodePlayer(table.npc) },
    Room_removeNpc: {
      params: [1, 1000],
      result: 0,
      notice: { kind: "remove_npc", roomId: 1, connId: 1000 },
    },
    Room_saveGlobalState: {
      params: [1, bytes("k"), json],
      result: true,
      notice: { kind: "save_room_state", roomId: 1, ...save },
    },
    Room_getGlobalSaveState: {
      params: [1, bytes("k")],
      result: true,
      notice: { kind: "get_room_state", roomId: 1, key: "k" },
    },
    RoomThread_getRoom: { params: [1], result: encodeRoom(room) },
    Task_delay: {
      params: [-1000, 5],
      result: 0,
      notice: { kind: "task_delay", taskId: -1000, ms: 5 },
    },
    Task_decreaseRefCount: {
      params: [-1000],
      result: 0,
      notice: { kind: "task_decrease_ref_count", taskId: -1000 },
    },
    Task_saveGlobalState: {
      params: [-1000, bytes("k"), json],
      result: true,
      notice: { kind: "task_save_state", taskId: -1000, of: "server", ...save },
    },
    Task_getGlobalSaveState: {
      params: [-1000, bytes("k")],
      result: true,
      notice: { kind: "task_get_state", taskId: -1000, of: "server", key: "k" },
    },
    Task_savePlayerGlobalState: {
      params: [-1000, bytes("k"), json],
      result: true,
      notice: { kind: "task_save_state", taskId: -1000, of: "player", ...save },
    },
    Task_getPlayerGlobalSaveState: {
      params: [-1000, bytes("k")],
      result: true,
      notice: { kind: "task_get_state", taskId: -1000, of: "player", key: "k" },
    },
    Task_getPlayer: { params: [-1000], result: encodePlayer(tablePlayer(1000)) },
    Server_getTask: { params: [-1000], result: encodeTask(task) },
  };
}
