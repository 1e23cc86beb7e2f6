import { createServer, type Server } from "node:http";
import { type WebSocket, WebSocketServer } from "ws";
import { Changes } from "../gateway_tools/changes.ts";

/** A frame that a client sent: text, or bytes. */
export type Frame = string | Uint8Array;

/** One connection, as the test that plays the gateway sees it. */
export class ScriptedPeer {
  /** Path and query of its upgrade. */
  readonly url: URL;
  readonly protocol: string;
  readonly frames: Frame[] = [];
  closeCode: number | undefined;
  readonly #socket: WebSocket;
  readonly #changes = new Changes();
  #read = 0;

  constructor(socket: WebSocket, path: string) {
    this.#socket = socket;
    this.url = new URL(path, "ws://server");
    this.protocol = socket.protocol;
  }

  /** Called by the server for each frame. */
  heard(frame: Frame): void {
    this.frames.push(frame);
    this.#changes.happened();
  }

  ended(code: number): void {
    this.closeCode = code;
    this.#changes.happened();
  }

  send(frame: unknown): void {
    this.#socket.send(
      typeof frame === "string" || frame instanceof Uint8Array ? frame : JSON.stringify(frame),
    );
  }

  ack(messageId: unknown): void {
    this.send({ type: 2, action: "ack", messageId });
  }

  close(code: number, reason = ""): void {
    this.#socket.close(code, reason);
  }

  /** Gone without a word. */
  terminate(): void {
    this.#socket.terminate();
  }

  /** The next frame that nobody has asked for yet. */
  async next(): Promise<Frame> {
    return await this.#changes.until("a frame of the client", () => {
      const frame = this.frames[this.#read];
      if (frame !== undefined) this.#read++;
      return frame;
    });
  }

  async nextJson(): Promise<Record<string, unknown>> {
    return JSON.parse(String(await this.next())) as Record<string, unknown>;
  }

  untilClosed(): Promise<number> {
    return this.#changes.until("the close", () => this.closeCode);
  }
}

/** Plays the gateway: takes every WebSocket, and does what the test says. */
export class ScriptedServer {
  readonly peers: ScriptedPeer[] = [];
  readonly #http: Server;
  readonly #webSockets: WebSocketServer;
  readonly #changes = new Changes();
  #port = 0;
  #taken = 0;
  /** Answers upgrades with this status instead. */
  refusal: number | undefined;
  refused = 0;

  private constructor() {
    this.#http = createServer();
    this.#webSockets = new WebSocketServer({
      noServer: true,
      handleProtocols: (protocols) => protocols.has("bearer") ? "bearer" : false,
    });
    this.#http.on("upgrade", (request, socket, head) => {
      if (this.refusal !== undefined) {
        this.refused++;
        socket.end(`HTTP/1.1 ${this.refusal} Refused\r\nContent-Length: 0\r\n\r\n`);
        this.#changes.happened();
        return;
      }
      this.#webSockets.handleUpgrade(request, socket, head, (webSocket) => {
        const peer = new ScriptedPeer(webSocket, request.url ?? "/");
        webSocket.on("message", (data: Uint8Array, isBinary: boolean) => {
          peer.heard(isBinary ? new Uint8Array(data) : new TextDecoder().decode(data));
        });
        webSocket.on("close", (code: number) => peer.ended(code));
        // What an error is comes out by the close that follows.
        webSocket.on("error", () => {});
        this.peers.push(peer);
        this.#changes.happened();
      });
    });
  }

  /** Runs `use` with a server on a port of its own. */
  static async with(use: (server: ScriptedServer) => Promise<void>): Promise<void> {
    const server = new ScriptedServer();
    await new Promise<void>((resolve) => server.#http.listen(0, "127.0.0.1", resolve));
    server.#port = (server.#http.address() as { port: number }).port;
    try {
      await use(server);
    } finally {
      for (const peer of server.peers) peer.terminate();
      server.#webSockets.close();
      server.#http.closeAllConnections();
      await new Promise((resolve) => server.#http.close(resolve));
    }
  }

  get url(): string {
    return `ws://127.0.0.1:${this.#port}/ws`;
  }

  /** The next connection that nobody has asked for yet. */
  async peer(): Promise<ScriptedPeer> {
    return await this.#changes.until("a connection", () => {
      const peer = this.peers[this.#taken];
      if (peer !== undefined) this.#taken++;
      return peer;
    });
  }

  untilRefused(count: number): Promise<true> {
    return this.#changes.until(`${count} refusals`, () => this.refused >= count || undefined);
  }
}
