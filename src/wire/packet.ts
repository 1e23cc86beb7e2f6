import { CborWriter } from "./cbor_encode.ts";
import { notificationId, type Packet, packetTypes } from "./packet_types.ts";

/** A server's request to one player. */
export interface ServerRequest {
  readonly requestId: number;
  readonly command: string;
  readonly data: Uint8Array;
  readonly timeoutSeconds: number;
  /** Epoch milliseconds. */
  readonly timestampMs: number;
}

/** The bytes of a server's notification: `[-2, 0x421, command, data]`. */
export function encodeNotification(command: string, data: Uint8Array): Uint8Array {
  return encodePacket({
    requestId: notificationId,
    type: packetTypes.serverNotification,
    command,
    data,
  });
}

/** The bytes of a server's request: `[id, 0x121, command, data, timeout, timestamp]`. */
export function encodeRequest(request: ServerRequest): Uint8Array {
  return encodePacket({ ...request, type: packetTypes.serverRequest });
}

/** The bytes of a client's notification, as our own clients send it. */
export function encodeClientNotification(command: string, data: Uint8Array): Uint8Array {
  return encodePacket({
    requestId: notificationId,
    type: packetTypes.clientNotification,
    command,
    data,
  });
}

/** The bytes of a client's reply to the request of that id. */
export function encodeReply(
  reply: { readonly requestId: number; readonly command: string; readonly data: Uint8Array },
): Uint8Array {
  return encodePacket({ ...reply, type: packetTypes.clientReply });
}

/** The bytes of any packet: 6 items when it has a timeout, else 4. */
export function encodePacket(packet: Packet): Uint8Array {
  const timed = packet.timeoutSeconds !== undefined;
  const writer = new CborWriter()
    .array(timed ? 6 : 4)
    .integer(packet.requestId)
    .integer(packet.type)
    .textAsBytes(packet.command)
    .bytes(packet.data);
  if (timed) writer.integer(packet.timeoutSeconds).integer(packet.timestampMs ?? 0);
  return writer.take();
}
