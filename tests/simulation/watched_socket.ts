import type { TcpConnection } from "../../src/ports/tcp.ts";
import type { FakeConnection } from "../fakes/fake_tcp_connection.ts";

/** The server's end of a connection, which notices what must not be done to it. */
export class WatchedSocket implements TcpConnection<unknown> {
  data: unknown;
  readonly inner: FakeConnection<unknown>;
  /** The server has closed it, or knows that it is closed. */
  isOver = false;
  readonly #complain: (text: string) => void;

  constructor(inner: FakeConnection<unknown>, complain: (text: string) => void) {
    this.inner = inner;
    this.#complain = complain;
  }

  get remoteHost(): string {
    return this.inner.remoteHost;
  }

  get remotePort(): number {
    return this.inner.remotePort;
  }

  get bufferedBytes(): number {
    return this.inner.bufferedBytes;
  }

  write(bytes: Uint8Array): boolean {
    if (this.isOver) this.#complain(`${bytes.length} bytes are written to a closed connection`);
    return this.inner.write(bytes);
  }

  pause(): void {
    this.inner.pause();
  }

  resume(): void {
    this.inner.resume();
  }

  end(): void {
    this.isOver = true;
    this.inner.end();
  }

  destroy(): void {
    this.isOver = true;
    this.inner.destroy();
  }
}
