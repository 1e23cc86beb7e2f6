import { unreachable } from "../base/assert.ts";
import { cborNull, CborWriter } from "./cbor_encode.ts";
import { encodeNotification } from "./packet.ts";
import type { ServerMessage } from "./server_messages.ts";
import { encodeUtf8 } from "./utf8.ts";

/** The packet that notifies a client: encode once, send to many. */
export function encodeServerPacket(message: ServerMessage): Uint8Array {
  const { command, data } = encodeServerMessage(message);
  return encodeNotification(command, data);
}

/** Command and data field of a message: text or bytes per field as existing clients expect it. */
export function encodeServerMessage(
  message: ServerMessage,
): { readonly command: string; readonly data: Uint8Array } {
  if (message.command === "raw") {
    return { command: message.name, data: message.data.length > 0 ? message.data : cborNull() };
  }
  return { command: message.command, data: encodeData(message) };
}

function encodeData(message: Exclude<ServerMessage, { command: "raw" }>): Uint8Array {
  const out = new CborWriter();
  switch (message.command) {
    case "NetworkDelayTest":
      return out.textAsBytes(message.publicKey).take();
    case "Setup":
      return encodeSetup(message);
    case "SetServerSettings":
      out.array(3).text(message.motd);
      return texts(texts(out, message.hiddenPacks), message.enabledFeatures).take();
    case "AddTotalGameTime":
      return out.array(2).integer(message.id).integer(message.seconds).take();
    case "EnterLobby":
    case "Heartbeat":
      return cborNull();
    case "UpdatePlayerNum":
      return out.array(2).integer(message.inLobby).integer(message.online).take();
    case "UpdateRoomList":
      return encodeRoomList(message.rooms);
    case "Chat":
      return encodeChat(message);
    case "EnterRoom":
      return out.array(3).integer(message.capacity).integer(message.timeoutSeconds)
        .raw(message.settings).take();
    case "AddPlayer":
      return encodeAddPlayer(message);
    case "RemovePlayer":
    case "RoomOwner":
      return out.array(1).integer(message.id).take();
    case "ReadyChanged":
      return out.array(2).integer(message.id).boolean(message.ready).take();
    case "UpdateGameData":
      return out.array(4).integer(message.id).integer(message.total).integer(message.win)
        .integer(message.run).take();
    case "NetStateChanged":
      return out.array(2).integer(message.id).textAsBytes(message.state).take();
    case "ChangeSelf":
      return out.integer(message.id).take();
    case "ChangeRoom":
      return message.data;
    case "ErrorDlg":
    case "ErrorMsg":
    case "ServerMessage":
      return encodeUtf8(message.text);
    case "UpdateAvatar":
      return encodeUtf8(message.avatar);
    case "UpdatePassword":
      return encodeUtf8(message.changed ? "1" : "0");
    case "UpdatePackage":
      return out.value(message.packages.map(({ hash, name, url }) => ({ hash, name, url }))).take();
    case "ReadGlobalSaveState":
      return out.text(message.json).take();
    case "GameLog":
      return encodeGameLog(message.log);
  }
  unreachable(message);
}

type MessageOf<Command extends ServerMessage["command"]> = Extract<
  ServerMessage,
  { command: Command }
>;

function encodeSetup(message: MessageOf<"Setup">): Uint8Array {
  const { id, name, avatar, nowMs } = message;
  const out = new CborWriter();
  if (nowMs !== undefined) {
    return out.array(4).integer(id).text(name).text(avatar).integer(nowMs).take();
  }
  return out.array(3).integer(id).textAsBytes(name).textAsBytes(avatar).take();
}

function encodeRoomList(rooms: MessageOf<"UpdateRoomList">["rooms"]): Uint8Array {
  const out = new CborWriter().array(rooms.length);
  for (const room of rooms) {
    out.array(7).integer(room.id).text(room.name).text(room.gameMode).integer(room.players)
      .integer(room.capacity).boolean(room.hasPassword).boolean(room.outdated);
  }
  return out.take();
}

function encodeChat({ msg, sender, type, userName }: MessageOf<"Chat">): Uint8Array {
  const out = new CborWriter().map(userName === undefined ? 3 : 4);
  out.text("msg").text(msg).text("sender").integer(sender).text("type").integer(type);
  if (userName !== undefined) out.text("userName").text(userName);
  return out.take();
}

function encodeAddPlayer(message: MessageOf<"AddPlayer">): Uint8Array {
  const out = new CborWriter().array(5).integer(message.id);
  if (message.strings === "text") out.text(message.name).text(message.avatar);
  else out.textAsBytes(message.name).textAsBytes(message.avatar);
  return out.boolean(message.ready).integer(message.totalGameTimeSeconds).take();
}

function encodeGameLog(log: MessageOf<"GameLog">["log"]): Uint8Array {
  const entries = Object.entries(log);
  const out = new CborWriter().map(entries.length);
  for (const [key, value] of entries) {
    out.textAsBytes(key);
    if (typeof value === "string") out.textAsBytes(value);
    else out.value(value);
  }
  return out.take();
}

function texts(out: CborWriter, list: readonly string[]): CborWriter {
  out.array(list.length);
  for (const text of list) out.text(text);
  return out;
}
