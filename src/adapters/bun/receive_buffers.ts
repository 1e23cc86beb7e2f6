import { webSocketCloseByAdapter } from "../../ports/http.ts";

/** Larger messages leave a buffer behind: Bun 1.4 keeps one as large as the largest message that came
 * to a connection until that closes (150 KB and more were seen, 64 KB not). */
const keptBytesMin = 65_536;

interface Closable {
  close(code: number, reason: string): void;
}

/**
 * What Bun keeps of memory for connections that have sent large messages. When it is too much, those
 * are closed that have sent none for the longest: nothing else gives it back.
 */
export class ReceiveBuffers {
  /** The one that sent last is the last. */
  readonly #kept = new Map<Closable, number>();
  #bytes = 0;

  /** A message came. Without `bytesMax` nothing is closed. */
  received(connection: Closable, bytes: number, bytesMax: number | undefined): void {
    if (bytes <= keptBytesMin || bytesMax === undefined) return;
    const before = this.#kept.get(connection) ?? 0;
    const kept = Math.max(before, bytes);
    this.#kept.delete(connection);
    this.#kept.set(connection, kept);
    this.#bytes += kept - before;
    const { code, reason } = webSocketCloseByAdapter.memory;
    for (const oldest of this.#kept.keys()) {
      if (this.#bytes <= bytesMax || oldest === connection) return;
      this.left(oldest);
      oldest.close(code, reason);
    }
  }

  /** It is closed, or about to be. */
  left(connection: Closable): void {
    this.#bytes -= this.#kept.get(connection) ?? 0;
    this.#kept.delete(connection);
  }
}
