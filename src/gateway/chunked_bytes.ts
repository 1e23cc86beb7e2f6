import { chunkHash, encodeStart, type TransferStart } from "../wire/gateway_chunk.ts";
import { chunkDataBytes, type ChunkSource } from "./chunked_text.ts";
import type { MessageBody } from "./log/message_body.ts";

/** Characters of base64 in one chunk. */
const base64Step = chunkDataBytes / 3 * 4;

/** A message of an upstream that came in chunks and goes on in chunks, out of the memory where it
 * was put together. */
export class ChunkedBytes implements ChunkSource {
  readonly startFrame: Uint8Array;
  readonly messageId: string;
  readonly hash: number;
  readonly length: number;
  readonly #body: MessageBody;
  readonly #to: number;
  readonly #decoder = new TextDecoder("latin1");
  #at: number;

  /** `base64` says where the data is in the memory of the body. */
  constructor(
    { messageId, totalSize, members }: TransferStart,
    body: MessageBody,
    base64: { readonly from: number; readonly to: number },
  ) {
    const chunkCount = Math.ceil(totalSize / chunkDataBytes);
    this.startFrame = encodeStart(
      `{"totalSize":${totalSize},"chunkCount":${chunkCount},"type":1,${members}}`,
    );
    this.messageId = messageId;
    this.hash = chunkHash(messageId);
    this.length = body.length;
    this.#body = body;
    this.#at = base64.from;
    this.#to = base64.to;
  }

  /** The message as JSON. */
  get json(): Uint8Array {
    return this.#body.memory.subarray(this.#body.from);
  }

  next(into: Uint8Array): number {
    const from = this.#at;
    const to = Math.min(this.#to, from + base64Step);
    this.#at = to;
    if (from >= to) return 0;
    const text = this.#decoder.decode(this.#body.memory.subarray(from, to));
    return into.setFromBase64(text).written;
  }

  free(): void {
    this.#body.free();
  }
}
