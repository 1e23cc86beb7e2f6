import type { TcpConnection } from "../../src/ports/tcp.ts";
import { type CborInput, encodeCbor } from "../../src/wire/cbor_encode.ts";
import { encodeClientNotification, encodeReply } from "../../src/wire/packet.ts";
import { type GamePacket, PacketStream, packetType } from "../client/game_packet.ts";
import { FakeConnection } from "../fakes/fake_tcp_connection.ts";
import type { FakeMachine } from "../fakes/network.ts";
import { ClientView } from "./client_view.ts";

/** Where the server listens. */
export const serverAddress = { host: "10.1.0.1", port: 9527 };

export interface ClientEvents {
  /** The key is there: `Setup` may be sent. */
  greeted(client: SimClient): void;
  notified(client: SimClient, packet: GamePacket): void;
  asked(client: SimClient, packet: GamePacket): void;
  closed(client: SimClient): void;
  complain(client: SimClient, text: string): void;
}

/** One connection of a player: bytes out, packets in. */
export class SimClient {
  readonly view = new ClientView();
  readonly #events: ClientEvents;
  readonly #stream = new PacketStream();
  #socket: FakeConnection<SimClient> | undefined;
  stage: "connecting" | "greeted" | "setup_sent" | "in" | "closed" = "connecting";
  readonly since: number;
  /** Nothing arrives any more, and it does not know. */
  isCut = false;
  isPaused = false;
  /** What it sent that may cost it its connection. */
  readonly sent = new Set<"garbage" | "flood">();
  /** The newest question. */
  awaited: number | undefined;
  lastText = "";

  constructor(machine: FakeMachine, parts: { now: number; events: ClientEvents }) {
    this.#events = parts.events;
    this.since = parts.now;
    void machine.tcp.connect<SimClient>({
      ...serverAddress,
      timeoutMs: 10_000,
      limits: { outboundBytesMax: 1_048_576, lingerMs: 5_000 },
      handlers: {
        open: (connection) => this.#open(connection),
        data: (_connection, bytes) => this.#data(bytes),
        end: (connection) => connection.end(),
        drain: () => {},
        close: () => this.#closed(),
      },
    }).catch(() => this.#closed());
  }

  get isOpen(): boolean {
    return this.stage !== "closed";
  }

  /** Everything that was sent to it has been read. */
  get hasReadAll(): boolean {
    return this.#socket?.unreadBytes === 0 && this.#stream.pendingBytes === 0;
  }

  say(command: string, value: CborInput = null): void {
    this.write(encodeClientNotification(command, encodeCbor(value)));
  }

  answer(requestId: number, value: CborInput): void {
    this.write(encodeReply({ requestId, command: "Answer", data: encodeCbor(value) }));
  }

  write(bytes: Uint8Array): void {
    if (this.isOpen) this.#socket?.write(bytes);
  }

  close(how: "end" | "destroy" | "fail" | "cut"): void {
    const socket = this.#socket;
    if (how === "end") socket?.end();
    if (how === "destroy") socket?.destroy();
    if (how === "fail") socket?.fail();
    if (how === "cut") {
      this.isCut = true;
      socket?.cut();
    }
  }

  pause(): void {
    this.isPaused = true;
    this.#socket?.pause();
  }

  resume(): void {
    this.isPaused = false;
    this.#socket?.resume();
  }

  #open(connection: TcpConnection<SimClient>): void {
    connection.data = this;
    this.#socket = connection instanceof FakeConnection ? connection : undefined;
  }

  #data(bytes: Uint8Array): void {
    try {
      for (const packet of this.#stream.push(bytes.slice())) this.#packet(packet);
    } catch (error) {
      this.#events.complain(this, String(error));
    }
  }

  #packet(packet: GamePacket): void {
    if (packet.command === "NetworkDelayTest") {
      this.stage = "greeted";
      return this.#events.greeted(this);
    }
    if (packet.type === packetType.serverRequest) {
      this.awaited = packet.id;
      return this.#events.asked(this, packet);
    }
    if (packet.id !== -2 || packet.type !== packetType.serverNotification) {
      throw new Error(`${packet.command} with id ${packet.id} and type ${packet.type}`);
    }
    if (packet.isBareText) this.lastText = packet.text;
    if (packet.command === "Setup") this.stage = "in";
    if (packet.command === "Heartbeat" && !this.isPaused) this.say("Heartbeat");
    this.view.notified(packet);
    this.#events.notified(this, packet);
  }

  #closed(): void {
    if (!this.isOpen) return;
    this.stage = "closed";
    this.#events.closed(this);
  }
}
