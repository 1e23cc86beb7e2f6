import { createServer, type Server, type Socket } from "node:net";
import { encodeFrame, sampleAccept } from "../adapters/raw_websocket.ts";
import { FrameReader, type ReadFrame } from "../gateway_tools/frame_reader.ts";
import { opcode } from "./case_types.ts";
import { joinBytes } from "./wire_frames.ts";

/** An echo that takes everything: it answers those who keep the rules, and judges nobody. */
export class LaxServer {
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();

  private constructor() {
    this.#server = createServer((socket) => this.#accept(socket));
  }

  static listen(): Promise<LaxServer> {
    const lax = new LaxServer();
    return new Promise((resolve, reject) => {
      lax.#server.once("error", reject);
      lax.#server.listen(0, "127.0.0.1", () => resolve(lax));
    });
  }

  get port(): number {
    return (this.#server.address() as { port: number }).port;
  }

  close(): void {
    for (const socket of this.#sockets) socket.destroy();
    this.#server.close();
  }

  #accept(socket: Socket): void {
    this.#sockets.add(socket);
    const connection = new LaxConnection(socket);
    socket.on("data", (bytes: Uint8Array) => connection.read(bytes));
    socket.on("close", () => this.#sockets.delete(socket));
    // Of a runner that has seen enough.
    socket.on("error", () => {});
  }
}

class LaxConnection {
  readonly #socket: Socket;
  readonly #reader = new FrameReader();
  #isOpen = false;
  #kind: number = opcode.text;
  #pieces: Uint8Array[] = [];

  constructor(socket: Socket) {
    this.#socket = socket;
  }

  read(bytes: Uint8Array): void {
    // The runner sends nothing behind its request before it has the answer.
    if (!this.#isOpen) return this.#answer();
    this.#reader.push(bytes);
    for (let frame = this.#reader.next(); frame; frame = this.#reader.next()) this.#take(frame);
  }

  #answer(): void {
    this.#isOpen = true;
    const lines = [
      "HTTP/1.1 101 Switching Protocols",
      "Upgrade: websocket",
      "Connection: Upgrade",
      `Sec-WebSocket-Accept: ${sampleAccept}`,
    ];
    this.#socket.write(`${lines.join("\r\n")}\r\n\r\n`);
  }

  #take({ opcode: kind, fin, payload }: ReadFrame): void {
    if (!this.#socket.writable) return;
    if (kind === opcode.close) {
      this.#send(opcode.close, payload);
      this.#socket.end();
    } else if (kind === opcode.ping) {
      this.#send(opcode.pong, payload);
    } else if (kind < opcode.close) {
      if (kind !== opcode.continuation) this.#kind = kind;
      this.#pieces.push(payload);
      if (!fin) return;
      this.#send(this.#kind, joinBytes(this.#pieces));
      this.#pieces = [];
    }
  }

  #send(kind: number, payload: Uint8Array): void {
    this.#socket.write(encodeFrame(kind, payload, { masked: false }));
  }
}
