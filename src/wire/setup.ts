import { splitArray } from "./cbor_scan.ts";
import { notificationId, type Packet, packetTypes } from "./packet_types.ts";
import { stringBytes, stringText } from "./payload.ts";

/** What a client says of itself in its first packet. */
export interface SetupRequest {
  readonly name: string;
  /** The RSA ciphertext, of whatever length it came. */
  readonly cipher: Uint8Array;
  /** md5 of the client's packages, in hex. */
  readonly packagesMd5: string;
  readonly version: string;
  readonly deviceId: string;
}

const SETUP_ITEMS = 5;

/**
 * Reads the first packet of a client: 4 items, id −2, type exactly 0x412, command `Setup`, and an
 * array of 5 strings, each text or bytes. Undefined for anything else ("INVALID SETUP STRING").
 */
export function decodeSetup(packet: Packet): SetupRequest | undefined {
  if (packet.requestId !== notificationId || packet.type !== packetTypes.clientNotification) {
    return undefined;
  }
  if (packet.command !== "Setup" || packet.timeoutSeconds !== undefined) return undefined;
  const items = splitArray(packet.data, SETUP_ITEMS);
  if (items?.length !== SETUP_ITEMS) return undefined;
  const name = stringText(items[0]!);
  const cipher = stringBytes(items[1]!);
  const packagesMd5 = stringText(items[2]!);
  const version = stringText(items[3]!);
  const deviceId = stringText(items[4]!);
  if (name === undefined || cipher === undefined || packagesMd5 === undefined) return undefined;
  if (version === undefined || deviceId === undefined) return undefined;
  return { name, cipher, packagesMd5, version, deviceId };
}
