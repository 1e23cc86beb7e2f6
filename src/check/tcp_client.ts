import type { Clock } from "../ports/clock.ts";
import type { TcpCloseReason, TcpConnection, TcpPort } from "../ports/tcp.ts";
import { showAddress } from "../base/address.ts";
import { ProbeFailure, reasonOf, show } from "./probe_failure.ts";

/** Most bytes that a client keeps unread: sixteen of the longest replies (65,536 bytes each). */
const unreadBytesMax = 1 << 20;

/** What waits to be sent is bounded too: a server that reads nothing must not fill our memory. */
const outboundBytesMax = 16 << 20;

/** A server that is done has closed long before. */
const lingerMs = 2_000;

/** Where a server listens and how long each answer may take. */
export interface TcpTarget {
  readonly host: string;
  readonly port: number;
  readonly timeoutMs: number;
}

/**
 * One TCP connection to a server of the host protocol, read like a file: each `read…` waits at most
 * the target's `timeoutMs` and rejects with ProbeFailure.
 */
export class TcpClient {
  readonly #clock: Clock;
  readonly #target: TcpTarget;
  #connection: TcpConnection<undefined> | undefined;
  #unread = new Uint8Array(0);
  #over: TcpCloseReason | "flood" | "end" | undefined;
  #closed = false;
  #changed: (() => void) | undefined;

  private constructor(clock: Clock, target: TcpTarget) {
    this.#clock = clock;
    this.#target = target;
  }

  /** Connects. Rejects with ProbeFailure when that fails or takes longer than `timeoutMs`. */
  static async open(ports: { tcp: TcpPort; clock: Clock }, target: TcpTarget): Promise<TcpClient> {
    const client = new TcpClient(ports.clock, target);
    const where = showAddress(target.host, target.port);
    try {
      await ports.tcp.connect<undefined>({
        host: target.host,
        port: target.port,
        timeoutMs: target.timeoutMs,
        limits: { outboundBytesMax, lingerMs },
        handlers: {
          open: (connection) => {
            connection.data = undefined;
            client.#connection = connection;
          },
          data: (_connection, bytes) => client.#receive(bytes),
          end: () => client.#note("end"),
          drain: () => {},
          close: (_connection, reason) => {
            client.#closed = true;
            client.#note(reason);
          },
        },
      });
    } catch (error) {
      throw new ProbeFailure(`Cannot connect to tcp ${where}: ${reasonOf(error)}`);
    }
    return client;
  }

  /** Bytes that came and were not read yet. */
  get unread(): Uint8Array {
    return this.#unread;
  }

  /** Sends text (UTF-8) or bytes. */
  send(what: string | Uint8Array): void {
    this.#connection?.write(typeof what === "string" ? new TextEncoder().encode(what) : what);
  }

  /** Sends one command and reads one line. */
  ask(command: string): Promise<string> {
    this.send(`${command}\n`);
    return this.readLine(command);
  }

  /** The next line without its `\n`. `asked` names the command in a failure. */
  readLine(asked = "a line"): Promise<string> {
    return this.#wait(`reply to ${show(asked)}`, () => {
      const at = this.#unread.indexOf(0x0a);
      if (at < 0) return undefined;
      return new TextDecoder("utf-8", { ignoreBOM: true }).decode(
        this.#take(at + 1).subarray(0, at),
      );
    });
  }

  /** As many lines as asked for, in order. */
  async readLines(count: number, asked?: string): Promise<string[]> {
    const lines: string[] = [];
    while (lines.length < count) {
      lines.push(await this.readLine(asked ?? `line ${lines.length + 1} of ${count}`));
    }
    return lines;
  }

  /** All bytes up to and with the first place where `ending` stands. */
  readThrough(ending: string): Promise<Uint8Array> {
    const wanted = new TextEncoder().encode(ending);
    return this.#wait(`bytes ending in ${show(ending)}`, () => {
      const at = indexOfBytes(this.#unread, wanted);
      return at < 0 ? undefined : this.#take(at + wanted.length);
    });
  }

  /** All bytes until the server closes its side; rejects when it does not. */
  readToEnd(what = "close by the server"): Promise<Uint8Array> {
    return this.#wait(what, () => {
      if (this.#over === undefined || this.#over === "flood") return undefined;
      return this.#take(this.#unread.length);
    });
  }

  /** Closes our side: the server sees the end and may still answer. */
  halfClose(): void {
    this.#connection?.end();
  }

  /** Cuts the connection off. */
  close(): void {
    this.#connection?.destroy();
  }

  #receive(bytes: Uint8Array): void {
    if (this.#over === "flood") return;
    if (this.#unread.length + bytes.length > unreadBytesMax) {
      this.#note("flood");
      this.close();
      return;
    }
    const joined = new Uint8Array(this.#unread.length + bytes.length);
    joined.set(this.#unread);
    joined.set(bytes, this.#unread.length);
    this.#unread = joined;
    this.#changed?.();
  }

  #note(reason: TcpCloseReason | "flood" | "end"): void {
    this.#over ??= reason;
    this.#changed?.();
  }

  #take(count: number): Uint8Array<ArrayBuffer> {
    const taken = this.#unread.slice(0, count);
    this.#unread = this.#unread.slice(count);
    return taken;
  }

  #wait<T>(what: string, take: () => T | undefined): Promise<T> {
    return new Promise((resolve, reject) => {
      const cancel = this.#clock.after(
        this.#target.timeoutMs,
        () => fail(`nothing within ${this.#target.timeoutMs} ms`),
      );
      const fail = (reason: string) => {
        cancel();
        this.#changed = undefined;
        const held = this.#unread.length === 0 ? "" : `, after ${show(textOf(this.#unread))}`;
        reject(new ProbeFailure(`No ${what}: ${reason}${held}`));
      };
      const look = () => {
        const value = take();
        if (value !== undefined) {
          cancel();
          this.#changed = undefined;
          resolve(value);
        } else if (this.#over === "flood") {
          fail(`the server sent more than ${unreadBytesMax} bytes`);
        } else if (this.#over !== undefined) {
          fail(this.#closed && this.#over === "error" ? "the connection broke off" : "it closed");
        }
      };
      this.#changed = look;
      look();
    });
  }
}

function textOf(bytes: Uint8Array): string {
  return new TextDecoder().decode(bytes.subarray(0, 120));
}

function indexOfBytes(bytes: Uint8Array, wanted: Uint8Array): number {
  for (let at = 0; at + wanted.length <= bytes.length; at++) {
    if (wanted.every((byte, offset) => bytes[at + offset] === byte)) return at;
  }
  return -1;
}
