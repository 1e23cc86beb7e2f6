import { connect, type Socket } from "node:net";
import { type CborItem, encode } from "./cbor.ts";
import { type GamePacket, packetBytes, PacketStream, packetType } from "./game_packet.ts";

/** Far above what any answer takes: only a hang comes near. */
const defaultWithinMs = 10_000;

/** How a connection ended: in order, or thrown away. */
export type Ending = "fin" | "reset";

export interface ConnectOptions {
  readonly port: number;
  readonly host?: string;
  /** Source address, such as 127.3.2.1: servers limit what comes from one address. */
  readonly localAddress?: string;
}

/** Data of a packet: an item, or bytes that are to go as they are (`rawData`). */
export type PacketData = CborItem | RawData | undefined;

/** Bytes to be sent as a data field without being encoded. */
export class RawData {
  readonly bytes: Uint8Array;

  constructor(bytes: Uint8Array) {
    this.bytes = bytes;
  }
}

/** What is answered to a packet: nothing when undefined. */
export type Answer = (packet: GamePacket) => PacketData;

interface Waiter {
  readonly look: () => boolean;
  readonly give: () => void;
  readonly fail: (error: unknown) => void;
}

/** A game client's TCP connection: packets in and out, and waiting for them. */
export class GameConnection {
  /** Everything that came, in order, until it is `forgetful`. */
  readonly received: GamePacket[] = [];
  /** How it ended, once it has; our own `close` counts as the server's fin when that comes. */
  readonly closed: Promise<Ending>;
  /** From when it is true, packets are shown to `onPacket` and answered, but not kept nor awaited:
   * for thousands of clients that only count. */
  forgetful = false;
  /** Called with each packet before anything else looks at it. */
  onPacket: ((packet: GamePacket) => void) | undefined;
  ending: Ending | undefined;
  readonly #socket: Socket;
  readonly #localAddress: string;
  readonly #stream = new PacketStream();
  readonly #answers = new Map<string, Answer>();
  #requestAnswer: Answer | undefined;
  #waiters: Waiter[] = [];
  #cursor = 0;

  protected constructor(socket: Socket) {
    this.#socket = socket;
    this.#localAddress = socket.localAddress ?? "";
    socket.setNoDelay(true);
    socket.on("data", (bytes: Uint8Array) => this.#receive(new Uint8Array(bytes)));
    let ending: Ending = "fin";
    this.closed = new Promise((resolve) => {
      socket.on("error", () => ending = "reset");
      // What still waits to be sent has nobody to go to.
      socket.on("end", () => socket.writableLength > 0 ? socket.destroy() : socket.end());
      socket.on("close", () => {
        this.ending = ending;
        this.#wake();
        resolve(ending);
      });
    });
    this.answer("Heartbeat", () => "");
  }

  /** Our own address of this connection. */
  get localAddress(): string {
    return this.#localAddress;
  }

  /** Opens a socket; rejects with the system's error when nobody listens. */
  protected static open(options: ConnectOptions): Promise<Socket> {
    return new Promise((resolve, reject) => {
      const { port, host = "127.0.0.1", localAddress } = options;
      const socket = connect({
        port,
        host,
        allowHalfOpen: true,
        ...localAddress && { localAddress },
      });
      socket.once("error", reject);
      socket.once("connect", () => {
        socket.removeListener("error", reject);
        resolve(socket);
      });
    });
  }

  notify(command: string, data?: PacketData): void {
    this.sendRaw(packetBytes({
      id: -2,
      type: packetType.notification,
      command,
      data: dataBytes(data),
    }));
  }

  /** Answers a request of the server. */
  reply(request: GamePacket, data?: PacketData): void {
    const { id, command } = request;
    this.sendRaw(packetBytes({ id, type: packetType.reply, command, data: dataBytes(data) }));
  }

  sendRaw(bytes: Uint8Array): void {
    if (this.ending === undefined) this.#socket.write(bytes);
  }

  /** Answers each packet of that command from now on; requests get a reply, others a notification. */
  answer(command: string, answer: Answer | undefined): void {
    if (answer === undefined) this.#answers.delete(command);
    else this.#answers.set(command, answer);
  }

  /** Answers each request of a command that has no answer of its own. */
  answerRequests(answer: Answer | undefined): void {
    this.#requestAnswer = answer;
  }

  /**
   * The next packet of that command (and for which `matches`) after the one that was expected last.
   * Rejects with a list of what came instead, when time is up or the connection ends.
   */
  async expect(
    command: string,
    matches: (packet: GamePacket) => boolean = () => true,
    options: { readonly withinMs?: number } = {},
  ): Promise<GamePacket> {
    const from = this.#cursor;
    let at = from;
    let found: GamePacket | undefined;
    const look = () => {
      for (; found === undefined && at < this.received.length; at++) {
        const packet = this.received[at] as GamePacket;
        if (packet.command === command && matches(packet)) found = packet;
      }
      return found !== undefined || this.ending !== undefined;
    };
    const timely = await this.until(look, options);
    if (found !== undefined) {
      this.#cursor = at;
      return found;
    }
    const came = this.received.slice(from).map((one) => `${one.command} ${one.diag}`.slice(0, 120));
    const how = timely ? `the connection ended (${this.ending})` : "time was up";
    throw new Error(
      `expected ${command}, but ${how}; since then: ${came.join(" | ") || "nothing"}`,
    );
  }

  /** Waits until `look` says true, which is asked after each packet and at the end; false: too late.
   * What `look` throws is thrown here. */
  until(look: () => boolean, options: { readonly withinMs?: number } = {}): Promise<boolean> {
    return new Promise((resolve, reject) => {
      if (look()) return resolve(true);
      const settle = (how: () => void) => {
        clearTimeout(timer);
        this.#waiters = this.#waiters.filter((each) => each !== waiter);
        how();
      };
      const waiter: Waiter = {
        look,
        give: () => settle(() => resolve(true)),
        fail: (error) => settle(() => reject(error)),
      };
      const timer = setTimeout(
        () => settle(() => resolve(false)),
        options.withinMs ?? defaultWithinMs,
      );
      this.#waiters.push(waiter);
    });
  }

  /** Ends in order: our fin goes out, and what the server still sends is read. */
  close(): Promise<Ending> {
    this.#socket.end();
    return this.closed;
  }

  /** Throws the connection away. */
  reset(): Promise<Ending> {
    this.#socket.resetAndDestroy();
    return this.closed;
  }

  #receive(bytes: Uint8Array): void {
    for (const packet of this.#stream.push(bytes)) {
      if (!this.forgetful) this.received.push(packet);
      this.onPacket?.(packet);
      const isRequest = packet.type === packetType.serverRequest;
      const answerOf = this.#answers.get(packet.command) ??
        (isRequest ? this.#requestAnswer : undefined);
      const answer = answerOf?.(packet);
      if (answer === undefined) continue;
      if (isRequest) this.reply(packet, answer);
      else this.notify(packet.command, answer);
    }
    this.#wake();
  }

  #wake(): void {
    for (const { look, give, fail } of [...this.#waiters]) {
      try {
        if (look()) give();
      } catch (error) {
        fail(error);
      }
    }
  }
}

function dataBytes(data: PacketData): Uint8Array {
  if (data === undefined) return new Uint8Array(0);
  return data instanceof RawData ? data.bytes : encode(data);
}
