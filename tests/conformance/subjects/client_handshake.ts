import { connect, type Socket } from "node:net";
import { sampleAccept, upgradeText } from "../../adapters/raw_websocket.ts";
import { readAgreement } from "../wire_deflate.ts";
import { joinBytes } from "../wire_frames.ts";
import { WirePeer } from "../wire_peer.ts";

/** A server's answer to an opening handshake that opens nothing. */
export class HandshakeRefused extends Error {
  readonly status: number;

  constructor(path: string, head: string) {
    super(`Cannot open a WebSocket at ${path}: the server answered ${head.split("\r\n")[0]}`);
    this.status = Number(head.split(" ")[1]);
  }
}

/** Opens a WebSocket on a server. Rejects with `HandshakeRefused` when it is refused. */
export async function openWebSocket(
  port: number,
  { path, offer, patienceMs }: {
    path: string;
    offer?: string | undefined;
    patienceMs?: number;
  },
): Promise<WirePeer> {
  const socket = await dial(port);
  socket.write(upgradeText(path, { "Sec-WebSocket-Extensions": offer }));
  const { head, rest } = await readHead(socket);
  const headers = readHeaders(head);
  if (!head.startsWith("HTTP/1.1 101 ") || headers.get("sec-websocket-accept") !== sampleAccept) {
    socket.destroy();
    throw new HandshakeRefused(path, head);
  }
  const agreed = readAgreement(headers.get("sec-websocket-extensions"));
  return new WirePeer(socket, { side: "client", first: rest, agreed, patienceMs });
}

/** Resolves when the server has answered two pings on another connection: what came on any other one
 * before has had its turn then. */
export async function settleServer(port: number, path: string): Promise<void> {
  const peer = await openWebSocket(port, { path });
  const pingFrame = Uint8Array.of(0x89, 0x80, 0, 0, 0, 0);
  for (const count of [1, 2]) {
    await peer.write(pingFrame);
    await peer.until(() => peer.pongs.length === count);
  }
  peer.destroy();
}

/** Reads up to the empty line of an HTTP head; bytes after it are the rest. */
export async function readHead(socket: Socket): Promise<{ head: string; rest: Uint8Array }> {
  let received: Uint8Array = new Uint8Array(0);
  for (;;) {
    const end = Buffer.from(received).indexOf("\r\n\r\n");
    if (end >= 0) {
      const head = new TextDecoder().decode(received.subarray(0, end));
      return { head, rest: received.slice(end + 4) };
    }
    received = joinBytes([received, await nextBytes(socket)]);
  }
}

export function readHeaders(head: string): Headers {
  const headers = new Headers();
  for (const line of head.split("\r\n").slice(1)) {
    const colon = line.indexOf(":");
    headers.append(line.slice(0, colon), line.slice(colon + 1).trim());
  }
  return headers;
}

/** Nothing that comes later is lost: the socket is paused until it has its next listener. */
function nextBytes(socket: Socket): Promise<Uint8Array> {
  return new Promise((resolve, reject) => {
    const end = () => reject(new Error("The connection ended in the middle of the handshake"));
    socket.once("close", end);
    socket.once("error", end);
    socket.once("data", (bytes: Uint8Array) => {
      socket.off("close", end);
      socket.off("error", end);
      resolve(bytes);
    });
  });
}

function dial(port: number): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect({ port, host: "127.0.0.1" });
    socket.once("error", reject);
    socket.once("connect", () => {
      socket.off("error", reject);
      socket.setNoDelay(true);
      resolve(socket);
    });
  });
}
