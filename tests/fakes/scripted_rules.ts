import process from "node:process";
import type { RpcCall } from "../../src/game/lua/rpc_message.ts";
import {
  bytesOf,
  CborMap,
  type CborValue,
  decodeCbor,
  integerOf,
  textOf,
} from "../../src/wire/cbor.ts";
import { type CborInput, cborNull, encodeCbor } from "../../src/wire/cbor_encode.ts";
import { encodeUtf8 } from "../../src/wire/utf8.ts";
import { ScriptedRpc } from "./scripted_rpc.ts";
import { listOf, type Room, ScriptedTable, type Seat, seatOf } from "./scripted_table.ts";

/**
 * A stand-in for a game core: a program that speaks the lua-host contract and plays no rules, but
 * does what its players order with `PushRequest "<order>,<argument>,…"` (see `orders`). It is run as
 * `<runtime> scripted_rules.ts [<start>…]`, where a start is `never_hello`, `die`, `garbage` or
 * `chatty`.
 *
 * A question (`ask`) is over when all who were asked have answered, are not online, or time is up;
 * everybody is then told by `Answered` [playerId, answer]. Whoever lets the third question in a row
 * pass is kicked. State 1 is online.
 */

const results: Readonly<Record<string, number>> = { win: 1, lose: 2, draw: 3 };

const rpc = new ScriptedRpc();
const table = new ScriptedTable(rpc);
const tasks = new Map<number, string>();
let runsOn = true;

type Order = (room: Room, seat: Seat | undefined, given: readonly string[]) => void;

const orders: Readonly<Record<string, Order>> = {
  /** `ask,<playerId or all>,<seconds>,<command>` */
  ask(room, _seat, [whom = "all", seconds = "15", command = "AskForUseActiveSkill"]) {
    const timeout = Number(seconds);
    rpc.call("Room_setRequestTimer", room.id, timeout * 1_000 + 500);
    for (const seat of room.seats) {
      if (whom !== "all" && seat.id !== Number(whom)) continue;
      const data = encodeCbor([command, timeout]);
      rpc.call("ServerPlayer_doRequest", seat.connId, command, data, timeout, 1_700_000_000_000);
      rpc.call("ServerPlayer_setThinking", seat.connId, true);
      room.asked.add(seat);
    }
    table.collect(room, { isOver: false });
  },
  /** `notify,<command>,<text>`: to everybody; without a text the data is empty. */
  notify: (room, _seat, [command = "Note", ...text]) =>
    table.tell(room, command, text.length === 0 ? new Uint8Array(0) : encodeCbor(text.join(","))),
  /** `delay,<ms>`, then `Delayed` */
  delay(room, _seat, [ms = "1"]) {
    room.pending = "Delayed";
    rpc.call("Room_delay", room.id, Number(ms));
  },
  save: (room, seat, json) =>
    table.query(room, "Saved", "ServerPlayer_saveState", connId(seat), text(json)),
  load: (room, seat) => table.query(room, "Loaded", "ServerPlayer_getSaveState", connId(seat)),
  save_global: (room, seat, [key = "", ...json]) =>
    table.query(room, "Saved", "ServerPlayer_saveGlobalState", connId(seat), key, text(json)),
  load_global: (room, seat, [key = ""]) =>
    table.query(room, "Loaded", "ServerPlayer_getGlobalSaveState", connId(seat), key),
  save_room: (room, _seat, [key = "", ...json]) =>
    table.query(room, "Saved", "Room_saveGlobalState", room.id, key, text(json)),
  load_room: (room, _seat, [key = ""]) =>
    table.query(room, "Loaded", "Room_getGlobalSaveState", room.id, key),
  /** `set_session,<json>`, then `Session` [id, data] of what is read back */
  set_session(room, _seat, json) {
    rpc.call("Room_setSessionData", room.id, text(json));
    orders.session?.(room, undefined, []);
  },
  session(room) {
    const id = integerOf(rpc.call("Room_getSessionId", room.id)) ?? -1;
    const data = textOf(rpc.call("Room_getSessionData", room.id)) ?? "";
    table.tell(room, "Session", encodeCbor([id, data]));
  },
  died: (_room, seat) => void rpc.call("ServerPlayer_setDied", connId(seat), true),
  kick: (_room, seat) => void rpc.call("ServerPlayer_emitKick", connId(seat)),
  /** Seats a robot; everybody gets `NpcAdded` id. */
  add_npc(room) {
    const facts = bytesOf(rpc.call("Room_addNpc", room.id));
    const player = facts && decodeCbor(facts);
    if (player?.ok !== true) return;
    const npc = seatOf(player.value);
    room.seats.push(npc);
    table.tell(room, "NpcAdded", encodeCbor(npc.id));
  },
  log: (_room, _seat, [level = "qInfo", ...words]) => void rpc.call(level, text(words)),
  print: (_room, _seat, words) => void rpc.call("print", ...words),
  /** `call,<method>,<parameter>…`: whole numbers and `true` are no strings. `Called` has the answer. */
  call(room, _seat, [method = "", ...params]) {
    const answer = rpc.call(method, ...params.map(literal));
    table.tell(room, "Called", encodeCbor(textOf(answer) ?? String(answer)));
  },
  /** `end,<win, lose or draw of each seat>…`: results, `GameOver`, and the room is gone. */
  end(room, _seat, outcomes) {
    table.tell(room, "GameOver", encodeCbor(outcomes.join("+")));
    for (const [at, seat] of room.seats.entries()) {
      const result = results[outcomes[at] ?? "draw"] ?? 3;
      if (seat.id < 0) continue;
      rpc.call("Room_updatePlayerWinRate", room.id, seat.id, "scripted", `seat${at + 1}`, result);
      rpc.call("Room_updateGeneralWinRate", room.id, "liubei", "scripted", `seat${at + 1}`, result);
    }
    table.leave(room);
  },
  /** Reads whether its player is thinking, so that a test sees it begin, and never ends. */
  loop(_room, seat) {
    rpc.call("ServerPlayer_thinking", connId(seat));
    for (;;);
  },
  crash: () => process.exit(7),
  complain(_room, _seat, words) {
    process.stderr.write(`${words.join(",")}\n`);
    process.exit(7);
  },
  garbage: () => rpc.write(encodeUtf8("hello from io.write\n")),
  /** Calls on and on and never reads an answer. */
  flood(room) {
    const params: CborInput[] = [
      room.seats[0]?.connId ?? 0,
      encodeUtf8("Flood"),
      new Uint8Array(999),
    ];
    for (let id = 1;; id++) {
      rpc.send({ kind: "call", id, method: "ServerPlayer_doNotify", params });
    }
  },
  /** A message whose head announces 4 GiB. */
  huge: () => rpc.write(Uint8Array.of(0xa1, 0x18, 0x65, 0x5a, 0xff, 0xff, 0xff, 0xff)),
  /** Answers a call that was never made. */
  answer_wrongly: () => rpc.send({ kind: "result", id: 9_999, result: true }),
  raise() {
    throw new Error("an error of the script");
  },
};

/** `between`, after which the turn is answered and a call follows it. */
let callAfterTurn = false;

function handleRequest(call: RpcCall<CborValue>, line: string): void {
  const [first = "", second = "", command = "", ...given] = line.split(",");
  if (command === "newroom") return newRoom(call, Number(second));
  if (command === "newtask") return newTask(call, Number(second));
  const room = table.rooms.get(Number(first));
  if (room === undefined) return rpc.refuse(call, "Room not found");
  const playerId = Number(second);
  const seat = [...room.seats, ...room.observers].find((one) => one.id === playerId);
  if (command === "between") callAfterTurn = true;
  else if (command === "reconnect" || command === "observe") {
    const name = command === "reconnect" ? "Reconnect" : "Observe";
    const players = encodeCbor({ players: room.seats.map((one) => one.id) });
    if (seat !== undefined) rpc.call("ServerPlayer_doNotify", seat.connId, name, players);
  } else if (command !== "leave") {
    try {
      orders[command]?.(room, seat, given);
    } catch (error) {
      return rpc.refuse(call, String(error));
    }
  }
  rpc.answer(call, true);
  if (callAfterTurn) rpc.call("qInfo", "between turns");
}

function newRoom(call: RpcCall<CborValue>, id: number): void {
  const bytes = bytesOf(rpc.call("RoomThread_getRoom", id));
  const facts = bytes && decodeCbor(bytes);
  if (facts?.ok !== true || !(facts.value instanceof CborMap)) {
    return rpc.refuse(call, "Room not found");
  }
  const { value } = facts;
  const room: Room = {
    id,
    seats: listOf(value.get("players")).map(seatOf),
    observers: listOf(value.get("observers")).map(seatOf),
    asked: new Set(),
    pending: undefined,
  };
  table.rooms.set(id, room);
  table.tell(room, "StartGame", new Uint8Array(0));
  const settings = bytesOf(value.get("settings")) ?? cborNull();
  table.tell(room, "Settings", settings);
  rpc.answer(call, true);
}

/** A task tells its player `TaskStarted` [type, data], waits for `data` ms if those are a number. */
function newTask(call: RpcCall<CborValue>, id: number): void {
  const bytes = bytesOf(rpc.call("Server_getTask", id));
  const facts = bytes && decodeCbor(bytes);
  if (facts?.ok !== true || !(facts.value instanceof CborMap)) {
    return rpc.refuse(call, "Task not found");
  }
  const type = textOf(facts.value.get("taskType")) ?? "";
  const data = decodeCbor(bytesOf(facts.value.get("data")) ?? cborNull());
  tasks.set(id, type);
  tellTask(id, "TaskStarted", encodeUtf8(type));
  const ms = data.ok ? integerOf(data.value) : undefined;
  if (ms === undefined) endTask(id);
  else rpc.call("Task_delay", id, ms);
  rpc.answer(call, true);
}

function resume(call: RpcCall<CborValue>, id: number, reason: string): void {
  if (tasks.has(id)) {
    if (reason !== "abort") tellTask(id, "TaskDone", encodeUtf8(reason));
    endTask(id);
    return rpc.answer(call, true);
  }
  const room = table.rooms.get(id);
  if (room === undefined) return rpc.refuse(call, "Room not found");
  if (reason === "abandon") table.leave(room);
  else if (room.asked.size > 0) table.collect(room, { isOver: reason === "request_timer" });
  else if (room.pending !== undefined) {
    const command = room.pending;
    room.pending = undefined;
    table.tell(room, command, encodeCbor(reason));
  }
  rpc.answer(call, !table.rooms.has(id));
}

function tellTask(id: number, command: string, data: Uint8Array): void {
  const bytes = bytesOf(rpc.call("Task_getPlayer", id));
  const player = bytes && decodeCbor(bytes);
  if (player?.ok !== true || !(player.value instanceof CborMap)) return;
  rpc.call("ServerPlayer_doNotify", seatOf(player.value).connId, command, data);
}

function endTask(id: number): void {
  tasks.delete(id);
  rpc.call("Task_decreaseRefCount", id);
}

function connId(seat: Seat | undefined): number {
  return seat?.connId ?? 0;
}

/** What was split at commas. */
function text(parts: readonly string[]): string {
  return parts.join(",");
}

function literal(given: string): CborInput {
  if (/^-?\d+$/.test(given)) return Number(given);
  return given === "true" || given === "false" ? given === "true" : given;
}

function handle(call: RpcCall<CborValue>): void {
  const [first, second, third] = call.params ?? [];
  const id = integerOf(first) ?? 0;
  switch (call.method) {
    case "HandleRequest":
      return handleRequest(call, textOf(first) ?? "");
    case "ResumeRoom":
      return resume(call, id, textOf(second) ?? "");
    case "ping":
      return rpc.answer(call, encodeUtf8("PONG"));
    case "bye":
      runsOn = false;
      return rpc.answer(call, encodeUtf8("Goodbye"));
  }
  const room = table.rooms.get(id);
  if (room === undefined) return rpc.refuse(call, "Room not found");
  if (call.method === "SetPlayerState") {
    const seat = room.seats.find((one) => one.id === second);
    if (seat !== undefined) seat.state = integerOf(third) ?? seat.state;
  } else if (call.method === "AddObserver") {
    const player = decodeCbor(bytesOf(second) ?? cborNull());
    if (player.ok) room.observers.push(seatOf(player.value));
  } else if (call.method === "RemoveObserver") {
    const at = room.observers.findIndex((one) => one.id === second);
    if (at >= 0) room.observers.splice(at, 1);
  }
  rpc.answer(call, true);
}

function run(starts: readonly string[]): void {
  if (starts.includes("die")) process.exit(7);
  if (starts.includes("garbage")) orders.garbage?.({} as Room, undefined, []);
  if (starts.includes("chatty")) {
    rpc.call(
      "print",
      "loading",
      process.env.FK_RPC_MODE ?? "",
      process.env.FK_DISABLED_PACKS ?? "",
    );
    rpc.call("qInfo", process.cwd());
    rpc.call("qDebug", Object.keys(process.env).sort().join(" "));
  }
  if (!starts.includes("never_hello")) {
    rpc.send({ kind: "notification", method: "hello", params: [encodeUtf8("world")] });
  }
  while (runsOn) {
    const message = rpc.receive();
    if (message.kind === "call") handle(message);
  }
}

run(process.argv.slice(2));
