import type { Logger } from "../../ports/log.ts";
import { decodeUtf8Lossy } from "../../wire/utf8.ts";
import { oneLine } from "./script_text.ts";

/** Enough for a traceback of each room; a child that writes more writes it all the time. */
const bytesMax = 65_536;
/** How much of one line is kept. */
const lineBytesMax = 1_024;
/** How much of the first line goes into the reason of an end. */
const reasonCharsMax = 240;

/** What a child writes to its error output: logged by lines, up to a limit for its whole life. */
export class RpcComplaints {
  readonly #log: Logger;
  readonly #line: number[] = [];
  #bytes = 0;
  #first = "";

  constructor(log: Logger) {
    this.#log = log;
  }

  /** The first line that is not empty, cut; "" when there is none. */
  get firstLine(): string {
    return this.#first;
  }

  push(bytes: Uint8Array): void {
    for (const byte of bytes.subarray(0, Math.max(0, bytesMax - this.#bytes))) {
      if (byte === 0x0a) this.end();
      else if (this.#line.length < lineBytesMax) this.#line.push(byte);
    }
    const before = this.#bytes;
    this.#bytes += bytes.length;
    if (before <= bytesMax && this.#bytes > bytesMax) {
      this.end();
      this.#log.warn({ bytes_max: bytesMax }, "the rest of the rules' error output is dropped");
    }
  }

  /** No more comes: what was not ended by a line's end is a line too. */
  end(): void {
    const line = oneLine(decodeUtf8Lossy(Uint8Array.from(this.#line)));
    this.#line.length = 0;
    if (line === "") return;
    if (this.#first === "") this.#first = line.slice(0, reasonCharsMax);
    this.#log.warn({ line }, "the rules wrote to their error output");
  }
}
