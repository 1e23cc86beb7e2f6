import type { Clock } from "../ports/clock.ts";
import type { UdpPort, UdpSocket } from "../ports/udp.ts";
import { isLoopback, showAddress } from "../base/address.ts";
import { ProbeFailure, reasonOf, show } from "./probe_failure.ts";

/** Replies that wait to be read; a server that sends more without being asked is at fault, and the
 * surplus is dropped as a full socket would. */
const unreadMax = 256;

/** Where a server answers datagrams and how long each answer may take. */
export interface UdpTarget {
  readonly host: string;
  readonly port: number;
  readonly timeoutMs: number;
}

/** A UDP socket that talks to one server; datagrams of others are ignored. */
export class UdpClient {
  readonly #clock: Clock;
  readonly #target: UdpTarget;
  #socket: UdpSocket | undefined;
  readonly #unread: Uint8Array[] = [];
  #failure: string | undefined;
  #changed: (() => void) | undefined;

  private constructor(clock: Clock, target: UdpTarget) {
    this.#clock = clock;
    this.#target = target;
  }

  /** Binds a free port of the right address family. Rejects with ProbeFailure. */
  static async open(ports: { udp: UdpPort; clock: Clock }, target: UdpTarget): Promise<UdpClient> {
    const client = new UdpClient(ports.clock, target);
    try {
      client.#socket = await ports.udp.bind({
        host: ownAddressFor(target.host),
        port: 0,
        handlers: {
          message: (_socket, bytes, _host, port) => client.#receive(bytes, port),
          error: (_socket, error) => client.#fail(reasonOf(error)),
        },
      });
    } catch (error) {
      throw new ProbeFailure(`Cannot open a udp socket: ${reasonOf(error)}`);
    }
    return client;
  }

  /** Sends one datagram. */
  send(what: string | Uint8Array): void {
    const bytes = typeof what === "string" ? new TextEncoder().encode(what) : what;
    this.#socket?.send(bytes, this.#target.host, this.#target.port);
  }

  /** Sends one command and reads one reply, without its `\n`. Rejects when the reply has none. */
  async ask(command: string): Promise<string> {
    this.send(`${command}\n`);
    const text = new TextDecoder("utf-8", { ignoreBOM: true }).decode(await this.read(command));
    if (!text.endsWith("\n")) {
      throw new ProbeFailure(`udp reply to ${show(command)} has no line end: ${show(text)}`);
    }
    return text.slice(0, -1);
  }

  /** The next datagram. `asked` names the command in a failure. */
  read(asked = "a datagram"): Promise<Uint8Array> {
    return new Promise((resolve, reject) => {
      const where = showAddress(this.#target.host, this.#target.port);
      const settle = () => {
        cancel();
        this.#changed = undefined;
      };
      const fail = (reason: string) => {
        settle();
        reject(new ProbeFailure(`No reply to ${show(asked)} from udp ${where}: ${reason}`));
      };
      const cancel = this.#clock.after(
        this.#target.timeoutMs,
        () => fail(`nothing within ${this.#target.timeoutMs} ms`),
      );
      const look = () => {
        const first = this.#unread.shift();
        if (first !== undefined) {
          settle();
          resolve(first);
        } else if (this.#failure !== undefined) {
          const failure = this.#failure;
          this.#failure = undefined;
          fail(failure);
        }
      };
      this.#changed = look;
      look();
    });
  }

  /** Closes the socket. Idempotent. */
  close(): void {
    this.#socket?.close();
  }

  #receive(bytes: Uint8Array, port: number): void {
    if (port !== this.#target.port || this.#unread.length >= unreadMax) return;
    this.#unread.push(bytes.slice());
    this.#changed?.();
  }

  #fail(reason: string): void {
    this.#failure = reason;
    this.#changed?.();
  }
}

function ownAddressFor(host: string): string {
  if (host === "localhost") return "127.0.0.1";
  if (isLoopback(host)) return host.includes(":") ? "::1" : "127.0.0.1";
  return host.includes(":") ? "::" : "0.0.0.0";
}
