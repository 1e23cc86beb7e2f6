import { createHash } from "node:crypto";
import type { Socket } from "node:net";
import { encodeFrame, joined, opcode } from "../adapters/raw_websocket.ts";
import { FrameReader } from "./frame_reader.ts";

/** What a connection of the gateway's tells its upstream. */
export interface UpstreamEvents {
  /** The upgrade is through. */
  opened(connection: UpstreamConnection): void;
  text(connection: UpstreamConnection, text: string): void;
  /** A binary message; a fault where it is absent. */
  binary?(connection: UpstreamConnection, bytes: Uint8Array): void;
  /** The gateway broke a rule of RFC 6455. */
  fault(fault: string): void;
  closed(connection: UpstreamConnection): void;
}

/** The server's end of one link, over bytes, so that it can also misbehave. */
export class UpstreamConnection {
  /** Request line and headers of the upgrade. */
  head = "";
  answersPings = true;
  pings = 0;
  readonly #socket: Socket;
  readonly #events: UpstreamEvents;
  readonly #reader = new FrameReader();
  #early: Uint8Array = new Uint8Array(0);
  #isOpen = false;
  /** What is said in answer to one read leaves in one write. */
  #outgoing: Uint8Array[] = [];
  #isReading = false;
  #parts: Uint8Array[] = [];

  constructor(socket: Socket, events: UpstreamEvents) {
    this.#socket = socket;
    this.#events = events;
    socket.setNoDelay(true);
    // A reset is a close.
    socket.on("error", () => {});
    socket.on("close", () => events.closed(this));
    socket.on("data", (bytes: Uint8Array) => this.#data(bytes));
  }

  sendText(text: string): void {
    this.sendBytes(encodeFrame(opcode.text, text, { masked: false }));
  }

  sendBinary(bytes: Uint8Array): void {
    this.sendBytes(encodeFrame(opcode.binary, bytes, { masked: false }));
  }

  sendBytes(bytes: Uint8Array | string): void {
    const all = typeof bytes === "string" ? Buffer.from(bytes) : bytes;
    if (this.#isReading) this.#outgoing.push(all);
    else this.#socket.write(all);
  }

  sendClose(code: number): void {
    const payload = Uint8Array.of(code >> 8, code & 255);
    this.sendBytes(encodeFrame(opcode.close, payload, { masked: false }));
  }

  stopReading(): void {
    this.#socket.pause();
  }

  startReading(): void {
    this.#socket.resume();
  }

  /** Sends what waits and closes the stream. */
  end(): void {
    this.#socket.end();
  }

  destroy(): void {
    this.#socket.destroy();
  }

  #data(bytes: Uint8Array): void {
    if (!this.#isOpen) return this.#upgrade(bytes);
    this.#isReading = true;
    this.#reader.push(bytes);
    for (let frame = this.#reader.next(); frame !== undefined; frame = this.#reader.next()) {
      if (!frame.masked) this.#events.fault("a frame of the gateway's is not masked");
      this.#frame(frame.opcode, frame.fin, frame.payload);
    }
    this.#isReading = false;
    if (this.#outgoing.length === 0) return;
    const [first] = this.#outgoing;
    const all = this.#outgoing.length === 1 && first !== undefined ? first : joined(this.#outgoing);
    this.#outgoing = [];
    this.#socket.write(all);
  }

  #frame(kind: number, fin: boolean, payload: Uint8Array): void {
    if (kind === opcode.ping) {
      this.pings++;
      if (this.answersPings) {
        this.sendBytes(encodeFrame(opcode.pong, payload, { masked: false }));
      }
    } else if (kind === opcode.close) {
      this.sendBytes(encodeFrame(opcode.close, payload, { masked: false }));
      this.end();
    } else if (kind === opcode.text || kind === opcode.continuation) {
      this.#parts.push(payload);
      if (!fin) return;
      const text = new TextDecoder().decode(joined(this.#parts.splice(0)));
      this.#events.text(this, text);
    } else if (kind === opcode.binary && fin && this.#events.binary !== undefined) {
      this.#events.binary(this, payload);
    } else {
      this.#events.fault("the gateway sent a binary frame");
    }
  }

  #upgrade(bytes: Uint8Array): void {
    this.#early = joined([this.#early, bytes]);
    const text = Buffer.from(this.#early).toString("latin1");
    const end = text.indexOf("\r\n\r\n");
    if (end < 0) return;
    this.head = text.slice(0, end);
    const key = /^sec-websocket-key: *(\S+)/im.exec(this.head)?.[1];
    if (key === undefined) {
      this.#socket.end("HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n");
      return;
    }
    this.#socket.write(
      "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" +
        `Sec-WebSocket-Accept: ${acceptOf(key)}\r\n\r\n`,
    );
    this.#isOpen = true;
    this.#events.opened(this);
    const rest = this.#early.subarray(end + 4);
    if (rest.length > 0) this.#data(rest);
  }
}

/** RFC 6455 §4.2.2. */
function acceptOf(key: string): string {
  const guid = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
  return createHash("sha1").update(key + guid).digest("base64");
}
