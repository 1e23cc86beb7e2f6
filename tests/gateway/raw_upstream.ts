import { createHash } from "node:crypto";
import type { TcpConnection, TcpListener, TcpPort } from "../../src/ports/tcp.ts";

/** How an upstream behaves; changed at any time. */
export interface UpstreamManners {
  /** What it answers to a handshake. */
  handshake: "good" | "silent" | ((key: string) => string);
  answersPings: boolean;
  /** Acknowledges each message by its id as soon as it comes. */
  acknowledges: boolean;
  /** Sends each message back. */
  echoes: boolean;
}

export interface RawMessage {
  readonly opcode: number;
  readonly text: string;
}

const acceptGuid = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
const limits = { outboundBytesMax: 1 << 28, lingerMs: 500 };

/**
 * An upstream that speaks RFC 6455 byte by byte over any `TcpPort`, so that a test can also let it
 * break the rules. It refuses what a client may not send by throwing.
 */
export class RawUpstream {
  readonly manners: UpstreamManners;
  readonly peers: RawPeer[] = [];
  readonly #listener: TcpListener;
  readonly url: string;

  private constructor(listener: TcpListener, manners: UpstreamManners, peers: RawPeer[]) {
    this.#listener = listener;
    this.manners = manners;
    this.peers = peers;
    this.url = `ws://${listener.host}:${listener.port}/up?q=1`;
  }

  static async listen(
    tcp: TcpPort,
    { host = "127.0.0.1", port = 0, ...given }:
      & Partial<UpstreamManners>
      & { host?: string; port?: number } = {},
  ): Promise<RawUpstream> {
    const manners: UpstreamManners = {
      handshake: "good",
      answersPings: true,
      acknowledges: false,
      echoes: false,
      ...given,
    };
    const peers: RawPeer[] = [];
    const listener = await tcp.listen<RawPeer>({
      host,
      port,
      limits,
      handlers: {
        open(connection) {
          connection.data = new RawPeer(connection, manners);
          peers.push(connection.data);
        },
        data: (connection, bytes) => connection.data.received(bytes),
        end: (connection) => connection.end(),
        drain() {},
        close: (connection) => connection.data.isClosed = true,
      },
    });
    return new RawUpstream(listener, manners, peers);
  }

  get port(): number {
    return this.#listener.port;
  }

  /** The connection that came last. */
  get last(): RawPeer {
    const peer = this.peers.at(-1);
    if (peer === undefined) throw new Error("Nobody has connected");
    return peer;
  }

  /** Texts of all messages of all connections, in order. */
  get texts(): string[] {
    return this.peers.flatMap((peer) => peer.texts);
  }

  async close(): Promise<void> {
    await this.#listener.close();
    for (const peer of this.peers) peer.connection.destroy();
  }
}

/** One client of a `RawUpstream`. */
export class RawPeer {
  readonly connection: TcpConnection<RawPeer>;
  readonly frames: RawMessage[] = [];
  readonly texts: string[] = [];
  request = "";
  isClosed = false;
  closeCode: number | undefined;
  readonly #manners: UpstreamManners;
  #bytes: Uint8Array = new Uint8Array(0);
  #isOpen = false;

  constructor(connection: TcpConnection<RawPeer>, manners: UpstreamManners) {
    this.connection = connection;
    this.#manners = manners;
  }

  received(bytes: Uint8Array): void {
    const joined = new Uint8Array(this.#bytes.length + bytes.length);
    joined.set(this.#bytes);
    joined.set(bytes, this.#bytes.length);
    this.#bytes = joined;
    if (!this.#isOpen && !this.#shakeHands()) return;
    for (let frame = this.#take(); frame !== undefined; frame = this.#take()) this.#handle(frame);
  }

  send(...frames: Uint8Array[]): void {
    for (const frame of frames) this.connection.write(frame);
  }

  sendText(text: string): void {
    this.send(serverFrame(1, new TextEncoder().encode(text)));
  }

  acknowledge(text: string): void {
    const { messageId } = JSON.parse(text) as { messageId?: string };
    if (messageId !== undefined) {
      this.sendText(JSON.stringify({ type: 2, action: "ack", messageId }));
    }
  }

  /** Answers all pings so far that were not answered, as one pong to the last. */
  answerPings(): void {
    const ping = this.frames.findLast((frame) => frame.opcode === 9);
    if (ping !== undefined) this.send(serverFrame(10, latin1(ping.text)));
  }

  #shakeHands(): boolean {
    const head = String.fromCharCode(...this.#bytes);
    const end = head.indexOf("\r\n\r\n");
    if (end < 0) return false;
    this.request = head.slice(0, end + 4);
    const { handshake } = this.#manners;
    if (handshake === "silent") return false;
    this.#bytes = this.#bytes.subarray(end + 4);
    this.#isOpen = true;
    const key = /Sec-WebSocket-Key: (.*)\r\n/.exec(head)?.[1] ?? "";
    this.send(latin1(handshake === "good" ? goodAnswer(key) : handshake(key)));
    return true;
  }

  #handle(frame: RawMessage): void {
    this.frames.push(frame);
    const { answersPings, acknowledges, echoes } = this.#manners;
    if (frame.opcode === 1) {
      this.texts.push(frame.text);
      if (echoes) this.sendText(frame.text);
      if (acknowledges) this.acknowledge(frame.text);
    } else if (frame.opcode === 9) {
      if (answersPings) this.send(serverFrame(10, latin1(frame.text)));
    } else if (frame.opcode === 8) {
      this.closeCode = frame.text.charCodeAt(0) * 256 + frame.text.charCodeAt(1);
    }
  }

  #take(): RawMessage | undefined {
    const bytes = this.#bytes;
    if (bytes.length < 6) return undefined;
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
    if (view.getUint8(0) < 0x80 || view.getUint8(1) < 0x80) throw new Error("A wrong frame came");
    const short = view.getUint8(1) & 127;
    const form = short === 126 ? 2 : short === 127 ? 8 : 0;
    if (bytes.length < 6 + form) return undefined;
    const length = form === 0
      ? short
      : form === 2
      ? view.getUint16(2)
      : Number(view.getBigUint64(2));
    const at = 2 + form + 4;
    if (bytes.length < at + length) return undefined;
    const payload = bytes.slice(at, at + length);
    for (let i = 0; i < length; i++) payload[i]! ^= bytes[at - 4 + (i & 3)]!;
    this.#bytes = bytes.subarray(at + length);
    const opcode = view.getUint8(0) & 15;
    const text = opcode === 1
      ? new TextDecoder("utf-8", { fatal: true }).decode(payload)
      : String.fromCharCode(...payload);
    return { opcode, text };
  }
}

/** A frame of a server: final and not masked. */
export function serverFrame(opcode: number, payload: Uint8Array): Uint8Array {
  const form = payload.length < 126 ? 0 : payload.length < 65_536 ? 2 : 8;
  const frame = new Uint8Array(2 + form + payload.length);
  const view = new DataView(frame.buffer);
  view.setUint8(0, 0x80 | opcode);
  view.setUint8(1, form === 0 ? payload.length : form === 2 ? 126 : 127);
  if (form === 2) view.setUint16(2, payload.length);
  if (form === 8) view.setBigUint64(2, BigInt(payload.length));
  frame.set(payload, 2 + form);
  return frame;
}

export function latin1(text: string): Uint8Array {
  return Uint8Array.from(text, (letter) => letter.charCodeAt(0));
}

export function goodAnswer(key: string): string {
  const accept = createHash("sha1").update(key + acceptGuid).digest("base64");
  return `HTTP/1.1 101 Switching Protocols\r\nUpgrade: WebSocket\r\n` +
    `Connection: keep-alive, Upgrade\r\nSec-WebSocket-Accept: ${accept}\r\n\r\n`;
}
