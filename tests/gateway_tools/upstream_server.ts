import { createServer, type Server, type Socket } from "node:net";
import { Changes } from "./changes.ts";
import { UpstreamConnection } from "./upstream_connection.ts";

/**
 * What an upstream does with a message: `echo` sends it back, `ack` acknowledges it by its id,
 * `ack_echo` does both, `silent` does nothing (but for pongs).
 */
export type UpstreamAnswer = "echo" | "ack" | "ack_echo" | "silent";

export interface UpstreamOptions {
  readonly port?: number;
  readonly answer?: UpstreamAnswer;
  readonly answersPings?: boolean;
  /** Called with each message instead of keeping it in `arrivals`. */
  readonly onArrival?: (arrival: Arrival) => void;
  /** Called with each binary frame, which is a fault of the gateway's otherwise. */
  readonly onBinary?: (bytes: Uint8Array, from: UpstreamConnection) => void;
}

/** A message as it reached the upstream. */
export interface Arrival {
  readonly clientId: string;
  /** "" when it has none. */
  readonly messageId: string;
  /** The whole frame. */
  readonly text: string;
}

/** An upstream with real sockets that can be away, deaf or wrong. It never de-duplicates. */
export class UpstreamServer {
  answer: UpstreamAnswer;
  /** Of connections to come, and of those that are open. */
  readonly arrivals: Arrival[] = [];
  readonly connections: UpstreamConnection[] = [];
  /** Rules of RFC 6455 that the gateway broke. */
  readonly faults: string[] = [];
  /** Connections that were upgraded, ever. */
  opened = 0;
  readonly #onArrival: ((arrival: Arrival) => void) | undefined;
  readonly #onBinary: UpstreamOptions["onBinary"];
  #answersPings: boolean;
  #server: Server | undefined;
  #sockets = new Set<Socket>();
  #port: number;
  readonly #changes = new Changes();

  private constructor({ port, answer, answersPings, onArrival, onBinary }: UpstreamOptions) {
    this.#port = port ?? 0;
    this.answer = answer ?? "echo";
    this.#answersPings = answersPings ?? true;
    this.#onArrival = onArrival;
    this.#onBinary = onBinary;
  }

  static async listen(options: UpstreamOptions = {}): Promise<UpstreamServer> {
    const upstream = new UpstreamServer(options);
    await upstream.comeBack();
    return upstream;
  }

  get port(): number {
    return this.#port;
  }

  get url(): string {
    return `ws://127.0.0.1:${this.#port}/`;
  }

  /** Closes port and connections at once. */
  async goAway(): Promise<void> {
    const server = this.#server;
    this.#server = undefined;
    for (const socket of this.#sockets) socket.destroy();
    if (server !== undefined) await new Promise((resolve) => server.close(resolve));
  }

  /** Listens, on the port that it had before. */
  async comeBack(): Promise<void> {
    const server = createServer((socket) => this.#accept(socket));
    await new Promise<void>((resolve, reject) => {
      server.once("error", reject);
      server.listen(this.#port, "127.0.0.1", resolve);
    });
    this.#port = (server.address() as { port: number }).port;
    this.#server = server;
  }

  set answersPings(answers: boolean) {
    this.#answersPings = answers;
    for (const connection of this.connections) connection.answersPings = answers;
  }

  /** The newest open connection, once there is one. */
  connection(): Promise<UpstreamConnection> {
    return this.#changes.until("a connection of the gateway", () => this.connections.at(-1));
  }

  /** The n-th message that came, from 0. */
  arrival(index: number): Promise<Arrival> {
    return this.#changes.until(`message ${index} at the upstream`, () => this.arrivals[index]);
  }

  /** Waits until something is true of what came. */
  until(what: string, isSo: () => boolean, limitMs?: number): Promise<true> {
    return this.#changes.until(what, () => isSo() || undefined, limitMs);
  }

  /** A message from the upstream, on its newest connection. */
  async send(message: unknown): Promise<void> {
    (await this.connection()).sendText(JSON.stringify(message));
  }

  #accept(socket: Socket): void {
    this.#sockets.add(socket);
    socket.once("close", () => this.#sockets.delete(socket));
    const onBinary = this.#onBinary;
    const connection = new UpstreamConnection(socket, {
      opened: (opened) => {
        this.opened++;
        this.connections.push(opened);
        this.#changes.happened();
      },
      text: (from, text) => this.#text(from, text),
      ...(onBinary === undefined ? {} : {
        binary: (from: UpstreamConnection, bytes: Uint8Array) => {
          onBinary(bytes, from);
          this.#changes.happened();
        },
      }),
      fault: (fault) => this.faults.push(fault),
      closed: (closed) => {
        const at = this.connections.indexOf(closed);
        if (at >= 0) this.connections.splice(at, 1);
        this.#changes.happened();
      },
    });
    connection.answersPings = this.#answersPings;
  }

  #text(from: UpstreamConnection, text: string): void {
    const message = JSON.parse(text) as Record<string, unknown>;
    const clientId = String(message.clientId);
    const messageId = message.messageId === undefined ? "" : String(message.messageId);
    const arrival = { clientId, messageId, text };
    if (this.#onArrival === undefined) this.arrivals.push(arrival);
    else this.#onArrival(arrival);
    if (this.answer.startsWith("ack") && messageId !== "") {
      from.sendText(JSON.stringify({ type: 2, action: "ack", clientId, messageId }));
    }
    if (this.answer.endsWith("echo")) from.sendText(text);
    this.#changes.happened();
  }
}
