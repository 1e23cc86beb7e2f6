import { type CompressionFault, decompress, type Inflate } from "./compression.ts";
import { decodeLobbyCommand, type LobbyCommand } from "./lobby_commands.ts";
import { type Packet, packetBits } from "./packet_types.ts";
import { stringBytes } from "./payload.ts";
import { decodeRoomCommand, type RoomCommand } from "./room_commands.ts";
import { equalsAscii } from "./utf8.ts";

/** Why a well-formed packet of a player was ignored; the connection lives on. */
export type IgnoredPacket =
  | CompressionFault
  /** A type that is neither reply nor notification. */
  | "packet_kind_unknown"
  | "command_unknown"
  /** Ill-formed CBOR in the data, or not what this command carries. */
  | "payload_invalid";

/** What a player who has logged in can say. */
export type ClientCommand = LobbyCommand | RoomCommand | { readonly command: "Heartbeat" };

export type ClientPacket =
  | { readonly kind: "command"; readonly command: ClientCommand }
  /** `data` may be empty; see `isCancelReply`. */
  | { readonly kind: "reply"; readonly requestId: number; readonly data: Uint8Array }
  /** `command` as the packet spells it. */
  | { readonly kind: "ignored"; readonly reason: IgnoredPacket; readonly command: string };

/**
 * Reads a packet that came after login. Ids and direction bits of notifications, and the command of
 * a reply, are not looked at: existing clients rely on it. `plainBytesMax` bounds what compressed
 * data may become.
 */
export function decodeClientPacket(
  packet: Packet,
  options: { readonly plainBytesMax: number; readonly inflate: Inflate },
): ClientPacket {
  const { type, command } = packet;
  const notification = hasBits(type, packetBits.notification);
  if (!notification && !hasBits(type, packetBits.reply)) {
    return { kind: "ignored", reason: "packet_kind_unknown", command };
  }
  const data = hasBits(type, packetBits.compressed)
    ? decompress(packet.data, options)
    : packet.data;
  if (typeof data === "string") return { kind: "ignored", reason: data, command };
  if (!notification) return { kind: "reply", requestId: packet.requestId, data };
  const decoded = decodeClientCommand(command, data);
  if (typeof decoded === "string") return { kind: "ignored", reason: decoded, command };
  return { kind: "command", command: decoded };
}

/** Reads the data of a notification. Commands without a payload take any data, and none. */
export function decodeClientCommand(
  command: string,
  data: Uint8Array,
): ClientCommand | "command_unknown" | "payload_invalid" {
  switch (command) {
    case "Heartbeat":
      return { command };
    case "UpdateAvatar":
    case "UpdatePassword":
    case "CreateRoom":
    case "EnterRoom":
    case "ObserveRoom":
    case "RefreshRoomList":
    case "LobbyTask":
    case "Chat":
    case "ReadGlobalSaveState":
      return decodeLobbyCommand(command, data) ?? "payload_invalid";
    case "QuitRoom":
    case "AddRobot":
    case "KickPlayer":
    case "Ready":
    case "StartGame":
    case "Trust":
    case "ChangeRoom":
    case "PushRequest":
      return decodeRoomCommand(command, data) ?? "payload_invalid";
  }
  return "command_unknown";
}

/** Whether a reply says "no answer": the string `__cancel`, as text or bytes. */
export function isCancelReply(data: Uint8Array): boolean {
  if (data.length > CANCEL_BYTES_MAX) return false;
  const content = stringBytes(data);
  return content !== undefined && equalsAscii(content, "__cancel");
}

/** `__cancel` in the longest heads, with room for chunks. */
const CANCEL_BYTES_MAX = 64;

/** Bits of a type that fits into 16 bits; a larger one has none that mean anything. */
function hasBits(type: number, bits: number): boolean {
  return type >= 0 && type <= 0xffff && (type & bits) !== 0;
}
