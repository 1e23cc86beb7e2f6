/** Bits of a packet's type (game server, "Wire"). */
export const packetBits = {
  toClient: 0x001,
  toServer: 0x002,
  toLobby: 0x004,
  fromClient: 0x010,
  fromServer: 0x020,
  fromLobby: 0x040,
  request: 0x100,
  reply: 0x200,
  notification: 0x400,
  compressed: 0x1000,
} as const;

/** The types that are sent; what arrives is judged by single bits. */
export const packetTypes = {
  serverNotification: 0x421,
  serverRequest: 0x121,
  clientNotification: 0x412,
  clientReply: 0x212,
} as const;

/** The id of every notification. */
export const notificationId = -2;

/** Request ids run from 1 up to this and wrap. */
export const requestIdMax = 10_000_000;

/** Largest declared length in a packet of a connection that has not logged in. */
export const packetBytesMaxBeforeLogin = 64 * 1024;

/** The same after login. */
export const packetBytesMaxAfterLogin = 1024 * 1024;

/** One packet as it stands on the wire; its arrays belong to whoever takes it. */
export interface Packet {
  readonly requestId: number;
  readonly type: number;
  /** Lossy UTF-8; cut after 128 bytes, which no known command has. */
  readonly command: string;
  readonly data: Uint8Array;
  /** Only packets of 6 items have these two. */
  readonly timeoutSeconds?: number;
  readonly timestampMs?: number;
}
