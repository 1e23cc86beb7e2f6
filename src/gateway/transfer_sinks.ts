import type { TransferStart } from "../wire/gateway_chunk.ts";
import { base64Length } from "../wire/base64.ts";
import { quoteJson } from "../wire/gateway_frames.ts";
import { decodeUtf8, encodeUtf8 } from "../wire/utf8.ts";
import { ChunkedBytes } from "./chunked_bytes.ts";
import { MessageBody } from "./log/message_body.ts";

/** Where the data of a transfer goes, in order. */
export interface TransferSink {
  /** The bytes are valid only during the call. */
  take(bytes: Uint8Array): void;
  /** The transfer is over without a message: lets go of what came. */
  free(): void;
}

/** How the members of a message begin whose data came in chunks, or as a binary frame. */
export const binaryDataStart = '"type":1,"data":"';

/**
 * Turns the data of a transfer into the members of a message of type 1, as the log keeps them, with
 * what is to be before and behind. Memory is taken when the first bytes come, not when they are announced.
 */
export class BinaryBody implements TransferSink {
  readonly #totalSize: number;
  readonly #begin: Uint8Array;
  readonly #end: Uint8Array;
  #body: MessageBody | undefined;
  /** Bytes that wait for the rest of their group of three. */
  readonly #group = new Uint8Array(3);
  #grouped = 0;

  constructor(
    { totalSize, members }: Pick<TransferStart, "totalSize" | "members">,
    { before = "", behind = "" } = {},
  ) {
    this.#totalSize = totalSize;
    this.#begin = encodeUtf8(before + binaryDataStart);
    this.#end = encodeUtf8((members === "" ? '"' : `",${members}`) + behind);
  }

  take(bytes: Uint8Array): void {
    const body = this.#begun();
    let at = 0;
    if (this.#grouped > 0) {
      while (this.#grouped < 3 && at < bytes.length) this.#group[this.#grouped++] = bytes[at++]!;
      if (this.#grouped < 3) return;
      body.addBase64(this.#group, 0, 3);
      this.#grouped = 0;
    }
    const end = bytes.length - (bytes.length - at) % 3;
    body.addBase64(bytes, at, end);
    for (at = end; at < bytes.length; at++) this.#group[this.#grouped++] = bytes[at]!;
  }

  /** The whole body, once all of the data was taken. */
  finish(): MessageBody {
    const body = this.#begun();
    body.addBase64(this.#group, 0, this.#grouped);
    body.add(this.#end);
    return body;
  }

  free(): void {
    this.#body?.free();
  }

  #begun(): MessageBody {
    if (this.#body === undefined) {
      const dataBytes = base64Length(this.#totalSize);
      this.#body = new MessageBody(this.#begin.length + dataBytes + this.#end.length);
      this.#body.add(this.#begin);
    }
    return this.#body;
  }
}

/** Turns the data of an upstream's transfer into the JSON text of its message. */
export class MessageText implements TransferSink {
  readonly #start: TransferStart;
  /** Of type 1. */
  readonly #body: BinaryBody | undefined;
  /** Of type 0: what comes is only known to be a text when it is whole. */
  readonly #parts: Uint8Array[] = [];

  constructor(start: TransferStart) {
    this.#start = start;
    if (start.type === 1) this.#body = new BinaryBody(start, { before: "{", behind: "}" });
  }

  take(bytes: Uint8Array): void {
    if (this.#body !== undefined) this.#body.take(bytes);
    else this.#parts.push(bytes.slice());
  }

  free(): void {
    this.#body?.free();
    this.#parts.length = 0;
  }

  /** The data of a message of type 1 that goes on in chunks, in place of `finish`. */
  chunks(): ChunkedBytes | undefined {
    const body = this.#body?.finish();
    if (body === undefined) return undefined;
    const from = body.from + 1 + binaryDataStart.length;
    return new ChunkedBytes(this.#start, body, {
      from,
      to: from + base64Length(this.#start.totalSize),
    });
  }

  /** The text, and where its data is, quotes included; undefined when the data had to be UTF-8 and is
   * not. */
  finish():
    | { readonly text: string; readonly dataFrom: number; readonly dataTo: number }
    | undefined {
    const { totalSize, members } = this.#start;
    if (this.#body !== undefined) {
      const body = this.#body.finish();
      const text = decodeUtf8(body.memory.subarray(body.from)) ?? "";
      body.free();
      const dataFrom = binaryDataStart.length;
      return { text, dataFrom, dataTo: dataFrom + 2 + base64Length(totalSize) };
    }
    const bytes = new Uint8Array(totalSize);
    let at = 0;
    for (const part of this.#parts) {
      bytes.set(part, at);
      at += part.length;
    }
    const data = decodeUtf8(bytes);
    if (data === undefined) return undefined;
    const head = '{"type":0,"data":';
    const quoted = quoteJson(data);
    const text = `${head}${quoted},${members}}`;
    return { text, dataFrom: head.length, dataTo: head.length + quoted.length };
  }
}
