import { CborScanner } from "../../wire/cbor_scan.ts";

/**
 * What a rules child may write. A message of a real core has some kilobytes, a saved state may have
 * some hundred; the nesting of one is 3, and what players get is inside byte strings.
 */
export const rpcStreamLimits = { itemBytesMax: 8 * 1_024 * 1_024, nestingMax: 16 };

/** A message has 2 to 4 members; more are let through, but no map of a size written behind it. */
const firstByte = { min: 0xa1, max: 0xb7 };

const firstBufferBytes = 4_096;
/** What the buffer may keep after a large message, for the life of the child. */
const keptBufferBytes = 65_536;
/** How much of what is not a message is shown. */
const previewBytes = 40;

/** Cuts the output of a rules child into CBOR maps, each of them one message for `decodeRpc`. */
export class RpcStream {
  readonly #scanner = new CborScanner(rpcStreamLimits);
  #buffer = new Uint8Array(firstBufferBytes);
  /** Bytes of the message that is not complete yet; all of them were scanned. */
  #length = 0;
  #fault: string | undefined;

  get waitingBytes(): number {
    return this.#length;
  }

  /**
   * Gives `take` a copy of each message that `bytes` complete, in order. Returns what is wrong when
   * the stream is not one of messages, "it wrote …"; it stays so.
   */
  push(bytes: Uint8Array, take: (message: Uint8Array) => void): string | undefined {
    if (this.#fault !== undefined) return this.#fault;
    let from = 0;
    while (from < bytes.length) {
      if (this.#length === 0 && !mayBegin(bytes[from] as number)) {
        return this.#fail(
          `it wrote something that is no message: ${preview(bytes.subarray(from))}`,
        );
      }
      const end = this.#scanner.scan(bytes, from);
      if (end === undefined) {
        this.#keep(bytes.subarray(from));
        break;
      }
      if (typeof end === "string") return this.#fail(`it wrote a message that is ${words[end]}`);
      take(this.#complete(bytes.subarray(from, end)));
      from = end;
    }
    return undefined;
  }

  #complete(rest: Uint8Array): Uint8Array {
    // Not slice(): runtimes hand out Buffers, whose slice() is a view.
    if (this.#length === 0) return new Uint8Array(rest);
    this.#keep(rest);
    const message = this.#buffer.slice(0, this.#length);
    this.#length = 0;
    if (this.#buffer.length > keptBufferBytes) this.#buffer = new Uint8Array(firstBufferBytes);
    return message;
  }

  #keep(bytes: Uint8Array): void {
    const needed = this.#length + bytes.length;
    if (needed > this.#buffer.length) {
      const grown = new Uint8Array(Math.max(needed, this.#buffer.length * 2));
      grown.set(this.#buffer.subarray(0, this.#length));
      this.#buffer = grown;
    }
    this.#buffer.set(bytes, this.#length);
    this.#length = needed;
  }

  #fail(fault: string): string {
    this.#fault = fault;
    this.#buffer = new Uint8Array(0);
    this.#length = 0;
    return fault;
  }
}

const words = {
  cut_short: "cut short",
  trailing_bytes: "followed by others",
  ill_formed: "ill-formed CBOR",
  nested_too_deep: `nested deeper than ${rpcStreamLimits.nestingMax} levels`,
  too_many_items: "of too many items",
  too_large: `larger than ${rpcStreamLimits.itemBytesMax} bytes`,
  bad_utf8: "no UTF-8",
} as const;

function mayBegin(byte: number): boolean {
  return byte >= firstByte.min && byte <= firstByte.max;
}

function preview(bytes: Uint8Array): string {
  const text = new TextDecoder().decode(bytes.subarray(0, previewBytes));
  return JSON.stringify(text) + (bytes.length > previewBytes ? "…" : "");
}
