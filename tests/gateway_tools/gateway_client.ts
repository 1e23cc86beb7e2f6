import assert from "node:assert/strict";
import { connect, type Socket } from "node:net";
import {
  encodeFrame,
  type FrameQuirks,
  joined,
  opcode,
  upgradeText,
} from "../adapters/raw_websocket.ts";
import { Changes } from "./changes.ts";
import { FrameReader } from "./frame_reader.ts";

export interface ClientOptions {
  readonly port: number;
  /** Written into the query, encoded. */
  readonly clientId?: string;
  /** More of the query, such as `ack=1&v=2`. */
  readonly query?: string;
  readonly headers?: Record<string, string | undefined>;
  /** The address it comes from; every 127.x.y.z will do. */
  readonly localAddress?: string;
  readonly answersPings?: boolean;
}

/** The answer to an upgrade that was not accepted. */
export interface Refusal {
  readonly status: number;
  readonly headers: Headers;
  readonly body: string;
}

export interface ClientClose {
  /** 1005 for a close frame without a code, 1006 without a close frame. */
  readonly code: number;
  readonly reason: string;
}

export type ServerMessage = Record<string, unknown>;

/** A history as it was sent. */
export interface Replay {
  readonly messages: ServerMessage[];
  /** The note behind it. */
  readonly end: ServerMessage;
}

/**
 * A WebSocket client of the gateway that can send any bytes, stop reading, and leave pings without
 * an answer. What arrives is kept until it is asked for.
 */
export class GatewayClient {
  answersPings: boolean;
  pings = 0;
  /** Every text that ever came. */
  readonly texts: string[] = [];
  /** Called with each text instead of keeping it. */
  onText: ((text: string) => void) | undefined;
  onClose: (() => void) | undefined;
  /** Of the answer to the upgrade. */
  upgradeHeaders: Headers = new Headers();
  readonly #socket: Socket;
  readonly #changes = new Changes();
  readonly #reader = new FrameReader();
  readonly #unread: { opcode: number; payload: Uint8Array }[] = [];
  #partial: { opcode: number; parts: Uint8Array[] } | undefined;
  #closeFrame: ClientClose | undefined;
  #isClosed = false;
  #hasSentClose = false;

  private constructor(socket: Socket, answersPings: boolean) {
    this.#socket = socket;
    this.answersPings = answersPings;
  }

  /** Connects and upgrades; throws with status and body when the gateway refuses. */
  static async open(options: ClientOptions): Promise<GatewayClient> {
    const client = await handshake(
      options,
      (socket) => new GatewayClient(socket, options.answersPings ?? true),
    );
    if (client instanceof GatewayClient) return client;
    throw new Error(`the upgrade was refused with ${client.status}: ${client.body}`);
  }

  /** An upgrade that must be refused. */
  static async refused(options: ClientOptions): Promise<Refusal> {
    const refusal = await handshake(options, (socket) => new GatewayClient(socket, true));
    if (!(refusal instanceof GatewayClient)) return refusal;
    refusal.destroy();
    throw new Error("the upgrade was accepted");
  }

  /** Takes over the socket's events; `rest` came behind the answer to the upgrade. */
  begin(rest: Uint8Array): void {
    const socket = this.#socket;
    socket.on("data", (bytes: Uint8Array) => this.#data(bytes));
    socket.on("close", () => {
      this.#isClosed = true;
      this.onClose?.();
      this.#changes.happened();
    });
    if (rest.length > 0) this.#data(rest);
  }

  get isClosed(): boolean {
    return this.#isClosed;
  }

  /** Bytes that the kernel has not taken yet. */
  get bufferedBytes(): number {
    return this.#socket.writableLength;
  }

  sendText(text: string): void {
    this.#socket.write(encodeFrame(opcode.text, text));
  }

  sendJson(message: unknown): void {
    this.sendText(JSON.stringify(message));
  }

  sendBinary(bytes: Uint8Array): void {
    this.#socket.write(encodeFrame(opcode.binary, bytes));
  }

  sendFrame(kind: number, payload: Uint8Array | string, quirks: FrameQuirks = {}): void {
    this.#socket.write(encodeFrame(kind, payload, quirks));
  }

  sendBytes(bytes: Uint8Array | string): void {
    this.#socket.write(bytes);
  }

  /** Resolves when all that was sent is with the kernel, or the connection is over. */
  async flushed(): Promise<void> {
    if (this.#isClosed) return;
    await Promise.race([
      new Promise<void>((resolve) => this.#socket.write("", () => resolve())),
      this.#changes.until("the close", () => this.#isClosed || undefined, 120_000),
    ]);
  }

  /** The kernel's window then holds the gateway back. */
  stopReading(): void {
    this.#socket.pause();
  }

  startReading(): void {
    this.#socket.resume();
  }

  /** The next data frame, whatever its kind. */
  async nextFrame(limitMs?: number): Promise<{ opcode: number; payload: Uint8Array }> {
    return await this.#changes.until("a frame from the gateway", () => {
      const frame = this.#unread.shift();
      if (frame === undefined && this.#isClosed) {
        throw new Error(`closed before a frame came: ${JSON.stringify(this.#closeFrame)}`);
      }
      return frame;
    }, limitMs);
  }

  /** The next data frame, which must be text. */
  async next(limitMs?: number): Promise<string> {
    const frame = await this.nextFrame(limitMs);
    assert.equal(frame.opcode, opcode.text, "the next frame is text");
    return new TextDecoder().decode(frame.payload);
  }

  async nextJson(limitMs?: number): Promise<ServerMessage> {
    return JSON.parse(await this.next(limitMs)) as ServerMessage;
  }

  /** What comes up to the end note of a history. */
  async replay(): Promise<Replay> {
    const messages: ServerMessage[] = [];
    for (;;) {
      const next = await this.nextJson();
      if (next.action === "history_complete") return { messages, end: next };
      messages.push(next);
    }
  }

  /** Texts that came and were not asked for. */
  unread(): string[] {
    return this.#unread.splice(0).map(({ payload }) => new TextDecoder().decode(payload));
  }

  untilPings(count: number): Promise<true> {
    return this.#changes.until(`${count} pings`, () => this.pings >= count || undefined);
  }

  /** Waits for the gateway to close. */
  expectClose(limitMs?: number): Promise<ClientClose> {
    return this.#changes.until(
      "the gateway's close",
      () => this.#isClosed ? this.#closeFrame ?? { code: 1006, reason: "" } : undefined,
      limitMs,
    );
  }

  /** A close frame, then waits for the end. */
  async close(code = 1000): Promise<void> {
    this.#hasSentClose = true;
    this.sendFrame(opcode.close, Uint8Array.of(code >> 8, code & 255));
    await this.expectClose();
  }

  /** Gone without a word. */
  destroy(): void {
    this.#socket.destroy();
  }

  /** Gone with a RST. */
  reset(): void {
    this.#socket.resetAndDestroy();
  }

  #data(bytes: Uint8Array): void {
    this.#reader.push(bytes);
    for (let frame = this.#reader.next(); frame !== undefined; frame = this.#reader.next()) {
      assert.equal(frame.masked, false, "a server masks nothing");
      if (frame.opcode >= 8) this.#control(frame.opcode, frame.payload);
      else this.#part(frame.opcode, frame.fin, frame.payload);
    }
    this.#changes.happened();
  }

  #control(kind: number, payload: Uint8Array): void {
    if (kind === opcode.ping) {
      this.pings++;
      if (this.answersPings) this.sendFrame(opcode.pong, payload);
    } else if (kind === opcode.close && this.#closeFrame === undefined) {
      this.#closeFrame = {
        code: payload.length < 2 ? 1005 : (payload[0] ?? 0) * 256 + (payload[1] ?? 0),
        reason: new TextDecoder().decode(payload.subarray(2)),
      };
      if (!this.#hasSentClose) this.sendFrame(opcode.close, payload.subarray(0, 2));
      this.#socket.end();
    }
  }

  #part(kind: number, fin: boolean, payload: Uint8Array): void {
    if (kind !== opcode.continuation) this.#partial = { opcode: kind, parts: [] };
    assert(this.#partial !== undefined, "a continuation continues something");
    this.#partial.parts.push(payload);
    if (!fin) return;
    const { parts } = this.#partial;
    const whole = parts.length === 1 ? payload : joined(parts);
    if (this.#partial.opcode === opcode.text && this.onText !== undefined) {
      this.onText(new TextDecoder().decode(whole));
    } else {
      if (this.#partial.opcode === opcode.text) this.texts.push(new TextDecoder().decode(whole));
      this.#unread.push({ opcode: this.#partial.opcode, payload: whole });
    }
    this.#partial = undefined;
  }
}

/** The path of a client's upgrade. */
export function webSocketPath(clientId: string | undefined, query = ""): string {
  const id = clientId === undefined ? [] : [`clientId=${encodeURIComponent(clientId)}`];
  const all = [...id, ...(query === "" ? [] : [query])].join("&");
  return `/ws${all === "" ? "" : `?${all}`}`;
}

function handshake(
  options: ClientOptions,
  make: (socket: Socket) => GatewayClient,
): Promise<GatewayClient | Refusal> {
  const { port, clientId, query, headers = {}, localAddress } = options;
  return new Promise((resolve, reject) => {
    const from = localAddress === undefined ? {} : { localAddress };
    const socket = connect({ port, host: "127.0.0.1", ...from });
    socket.setNoDelay(true);
    let received: Uint8Array = new Uint8Array(0);
    const data = (bytes: Uint8Array) => {
      received = joined([received, bytes]);
      const text = Buffer.from(received).toString("latin1");
      const end = text.indexOf("\r\n\r\n");
      if (end < 0) return;
      const { status, headers } = parseHead(text.slice(0, end));
      if (status === 101) {
        socket.off("data", data);
        socket.off("close", ended);
        const client = make(socket);
        client.upgradeHeaders = headers;
        // A resolved promise runs its callers only later: no frame may come in between.
        client.begin(received.subarray(end + 4));
        return resolve(client);
      }
      const body = received.subarray(end + 4);
      if (body.length < Number(headers.get("content-length") ?? 0)) return;
      resolve({ status, headers, body: Buffer.from(body).toString() });
      socket.destroy();
    };
    const ended = () => reject(new Error("the connection ended before the upgrade was answered"));
    // What an error is comes out by the close that follows.
    socket.on("error", () => {});
    socket.on("data", data);
    socket.on("close", ended);
    socket.on("connect", () => socket.write(upgradeText(webSocketPath(clientId, query), headers)));
  });
}

function parseHead(text: string): { status: number; headers: Headers } {
  const [first = "", ...lines] = text.split("\r\n");
  const headers = new Headers();
  for (const line of lines) {
    const colon = line.indexOf(":");
    if (colon > 0) headers.append(line.slice(0, colon), line.slice(colon + 1).trim());
  }
  return { status: Number(first.split(" ")[1]), headers };
}
