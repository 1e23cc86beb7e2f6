import assert from "node:assert/strict";
import { connect, type Socket } from "node:net";

/** Opcodes of RFC 6455 §5.2. */
export const opcode = { continuation: 0, text: 1, binary: 2, close: 8, ping: 9, pong: 10 } as const;

/** The key of RFC 6455 §1.3, and the accept value that belongs to it. */
export const sampleKey = "dGhlIHNhbXBsZSBub25jZQ==";
export const sampleAccept = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";

export interface HttpHead {
  readonly status: number;
  readonly headers: Headers;
}

export interface RawFrame {
  readonly opcode: number;
  readonly fin: boolean;
  readonly masked: boolean;
  /** The three reserved bits, 0–7. */
  readonly reserved: number;
  readonly payload: Uint8Array;
}

/** How a frame is written when it must differ from what the protocol wants. */
export interface FrameQuirks {
  fin?: boolean;
  masked?: boolean;
  /** The three reserved bits, 0–7. */
  reserved?: number;
}

/**
 * A TCP connection that speaks HTTP/1.1 and RFC 6455 byte by byte, so that tests can also break the
 * rules. Reads wait for what they ask for, and reject when the connection ends before it came.
 */
export class RawConnection {
  /** Resolves when the socket is gone, however that came about. */
  readonly closed: Promise<void>;
  readonly #socket: Socket;
  #received: Uint8Array = new Uint8Array(0);
  #ended = false;
  #wake: () => void = () => {};

  constructor(socket: Socket) {
    this.#socket = socket;
    this.closed = new Promise((resolve) => socket.once("close", () => resolve()));
    const end = () => {
      this.#ended = true;
      this.#wake();
    };
    socket.on("data", (bytes: Uint8Array) => {
      this.#received = joined([this.#received, bytes]);
      this.#wake();
    });
    socket.on("end", end);
    socket.on("error", end);
    socket.on("close", end);
  }

  get localPort(): number {
    return this.#socket.localPort ?? 0;
  }

  write(bytes: Uint8Array | string): void {
    this.#socket.write(bytes);
  }

  /** Resolves when all that was written is with the kernel. */
  flush(): Promise<void> {
    return new Promise((resolve) => this.#socket.write("", () => resolve()));
  }

  stopReading(): void {
    this.#socket.pause();
  }

  startReading(): void {
    this.#socket.resume();
  }

  /** Sends a FIN. */
  end(): void {
    this.#socket.end();
  }

  destroy(): void {
    this.#socket.destroy();
  }

  async read(count: number): Promise<Uint8Array> {
    await this.#until(() => this.#received.length >= count);
    const bytes = this.#received.subarray(0, count);
    this.#received = this.#received.subarray(count);
    return bytes;
  }

  /** All that comes until the peer is done. */
  async readToEnd(): Promise<Uint8Array> {
    while (!this.#ended) await new Promise<void>((resolve) => this.#wake = resolve);
    return this.read(this.#received.length);
  }

  async readHead(): Promise<HttpHead> {
    let end = -1;
    await this.#until(() => (end = Buffer.from(this.#received).indexOf("\r\n\r\n")) >= 0);
    const lines = new TextDecoder().decode(await this.read(end + 4)).split("\r\n");
    const headers = new Headers();
    for (const line of lines.slice(1)) {
      const colon = line.indexOf(":");
      if (colon > 0) headers.append(line.slice(0, colon), line.slice(colon + 1).trim());
    }
    return { status: Number(lines[0]?.split(" ")[1]), headers };
  }

  /** Head and body of one response whose length is given or chunked. */
  async readResponse(): Promise<HttpHead & { body: string }> {
    const head = await this.readHead();
    const parts: Uint8Array[] = [];
    if (head.headers.get("transfer-encoding") === "chunked") {
      for (let size = -1; size !== 0;) {
        size = parseInt(await this.#readLine(), 16);
        parts.push(await this.read(size));
        await this.#readLine();
      }
    } else {
      parts.push(await this.read(Number(head.headers.get("content-length") ?? 0)));
    }
    return { ...head, body: new TextDecoder().decode(joined(parts)) };
  }

  async readFrame(): Promise<RawFrame> {
    const [first, second] = await this.read(2);
    assert(first !== undefined && second !== undefined);
    let size = second & 127;
    if (size > 125) {
      const bytes = await this.read(size === 126 ? 2 : 8);
      size = Number(`0x${Buffer.from(bytes).toString("hex")}`);
    }
    const mask = second > 127 ? await this.read(4) : undefined;
    const payload = new Uint8Array(await this.read(size));
    if (mask !== undefined) { for (let i = 0; i < size; i++) payload[i]! ^= mask[i & 3]!; }
    const reserved = (first >> 4) & 7;
    return { opcode: first & 15, fin: first > 127, masked: second > 127, reserved, payload };
  }

  /** The next frame as text; fails when it is not a text frame. */
  async readText(): Promise<string> {
    const frame = await this.readFrame();
    assert.equal(frame.opcode, opcode.text, "the next frame is text");
    return new TextDecoder().decode(frame.payload);
  }

  /** Skips frames up to the close frame and gives its code (1005 without one) and reason. */
  async readClose(): Promise<{ code: number; reason: string }> {
    for (;;) {
      const frame = await this.readFrame();
      if (frame.opcode === opcode.close) return decodeClose(frame.payload);
    }
  }

  send(kind: number, payload: Uint8Array | string, quirks: FrameQuirks = {}): void {
    this.write(encodeFrame(kind, payload, quirks));
  }

  sendClose(code: number, reason = ""): void {
    this.send(opcode.close, joined([Uint8Array.of(code >> 8, code & 255), bytesOf(reason)]));
  }

  async #readLine(): Promise<string> {
    let end = -1;
    await this.#until(() => (end = this.#received.indexOf(10)) >= 0);
    return new TextDecoder().decode(await this.read(end + 1)).trim();
  }

  async #until(ready: () => boolean): Promise<void> {
    while (!ready()) {
      if (this.#ended) throw new Error(`The connection ended after ${this.#received.length} bytes`);
      await new Promise<void>((resolve) => this.#wake = resolve);
    }
  }
}

/**
 * Connects without sending anything. A half-open client does not answer the peer's FIN with its
 * own: it stays until it is destroyed.
 */
export function rawConnect(
  port: number,
  { host = "127.0.0.1", halfOpen = false } = {},
): Promise<RawConnection> {
  return new Promise((resolve, reject) => {
    const socket = connect({ port, host, allowHalfOpen: halfOpen });
    socket.once("error", reject);
    socket.once("connect", () => {
      socket.off("error", reject);
      socket.setNoDelay(true);
      resolve(new RawConnection(socket));
    });
  });
}

/** The text of an upgrade request; a header given as undefined is left out. */
export function upgradeText(
  path: string,
  headers: Record<string, string | undefined> = {},
): string {
  const all: Record<string, string | undefined> = {
    Host: "localhost",
    Upgrade: "websocket",
    Connection: "Upgrade",
    "Sec-WebSocket-Key": sampleKey,
    "Sec-WebSocket-Version": "13",
    ...headers,
  };
  const lines = Object.entries(all).flatMap(([name, value]) =>
    value === undefined ? [] : [`${name}: ${value}\r\n`]
  );
  return `GET ${path} HTTP/1.1\r\n${lines.join("")}\r\n`;
}

/** Connects and upgrades; fails when the server does not accept. */
export async function rawWebSocket(
  port: number,
  options: { path?: string; headers?: Record<string, string>; halfOpen?: boolean } = {},
): Promise<RawConnection> {
  const connection = await rawConnect(port, options);
  connection.write(upgradeText(options.path ?? "/socket", options.headers));
  const head = await connection.readHead();
  assert.equal(head.status, 101);
  assert.equal(head.headers.get("sec-websocket-accept"), sampleAccept);
  return connection;
}

export function encodeFrame(
  kind: number,
  payload: Uint8Array | string,
  { fin = true, masked = true, reserved = 0 }: FrameQuirks = {},
): Uint8Array {
  const body = bytesOf(payload);
  const size = body.length;
  const extended = size < 126 ? 0 : size < 65_536 ? 2 : 8;
  const frame = new Uint8Array(2 + extended + (masked ? 4 : 0) + size);
  const view = new DataView(frame.buffer);
  frame[0] = (fin ? 128 : 0) | (reserved << 4) | kind;
  frame[1] = (masked ? 128 : 0) | (extended === 0 ? size : extended === 2 ? 126 : 127);
  if (extended === 2) view.setUint16(2, size);
  if (extended === 8) view.setBigUint64(2, BigInt(size));
  frame.set(body, frame.length - size);
  if (masked) {
    const mask = [0x37, 0xfa, 0x21, 0x3d];
    frame.set(mask, 2 + extended);
    for (let i = 0; i < size; i++) frame[frame.length - size + i]! ^= mask[i & 3]!;
  }
  return frame;
}

/** Bytes one after another in one array. */
export function joined(parts: readonly Uint8Array[]): Uint8Array {
  const all = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}

function decodeClose(payload: Uint8Array): { code: number; reason: string } {
  if (payload.length < 2) return { code: 1005, reason: "" };
  const code = payload[0]! * 256 + payload[1]!;
  return { code, reason: new TextDecoder().decode(payload.subarray(2)) };
}

function bytesOf(payload: Uint8Array | string): Uint8Array {
  return typeof payload === "string" ? new TextEncoder().encode(payload) : payload;
}
