import { CborWriter } from "../../wire/cbor_encode.ts";
import type { LuaPlayer, LuaRoom, LuaTask } from "./lua_host.ts";

/** The CBOR that `Room_addNpc` and `Task_getPlayer` answer with and `AddObserver` carries. */
export function encodePlayer(player: LuaPlayer): Uint8Array {
  const writer = new CborWriter();
  writePlayer(writer, player);
  return writer.take();
}

/**
 * The CBOR that `RoomThread_getRoom` answers with. Keys and names are text, in the order of the trace
 * lua_rpc; two things differ from it: `settings` is a byte string, since it holds CBOR and no text, and
 * `observers`, which newer cores read, is there.
 */
export function encodeRoom(room: LuaRoom): Uint8Array {
  const writer = new CborWriter();
  writer.map(6);
  writer.text("id").integer(room.id);
  writePlayers(writer.text("observers"), room.observers);
  writer.text("ownerId").integer(room.ownerId);
  writePlayers(writer.text("players"), room.players);
  writer.text("settings").bytes(room.settings);
  writer.text("timeout").integer(room.timeout);
  return writer.take();
}

/** The CBOR that `Server_getTask` answers with. */
export function encodeTask(task: LuaTask): Uint8Array {
  return new CborWriter().map(3)
    .text("data").bytes(task.data)
    .text("id").integer(task.id)
    .text("taskType").text(task.taskType)
    .take();
}

function writePlayers(writer: CborWriter, players: readonly LuaPlayer[]): void {
  writer.array(players.length);
  for (const player of players) writePlayer(writer, player);
}

function writePlayer(writer: CborWriter, player: LuaPlayer): void {
  writer.map(7);
  writer.text("avatar").text(player.avatar);
  writer.text("connId").integer(player.connId);
  writer.text("gameData").array(3);
  for (const count of player.gameData) writer.integer(count);
  writer.text("id").integer(player.id);
  writer.text("screenName").text(player.screenName);
  writer.text("state").integer(player.state);
  writer.text("totalGameTime").integer(player.totalGameTime);
}
