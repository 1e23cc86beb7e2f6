import type { Clock } from "../ports/clock.ts";
import type { CryptoPort, Sha256 } from "../ports/crypto.ts";
import { chunkBytesMax, type ChunkFrame, type TransferStart } from "../wire/gateway_chunk.ts";
import type { GatewayErrorCode } from "./gateway_types.ts";
import type { MemoryAccount } from "./memory_account.ts";
import type { TransferSink } from "./transfer_sinks.ts";

/** Bounds of what is put together. */
export const transferLimits = {
  /** Open at a time on one connection. */
  perConnection: 8,
  /** Without a chunk. */
  idleMsMax: 600_000,
  /** What came before its turn: enough for a few that overtake each other, and taken in within some
   * 20 ms when what is missing comes. */
  aheadBytesMax: 16 << 20,
  aheadChunksMax: 1_024,
  /** What an open transfer counts at least, for what is known of it. */
  accountedBytesMin: 1_024,
} as const;

/** Why a frame was refused; the transfer that it belongs to, if any, is over. */
export interface TransferFault {
  readonly code: GatewayErrorCode;
  readonly text: string;
  /** "" where it is not known. */
  readonly messageId: string;
}

interface Transfer<Owner, Sink> {
  readonly owner: Owner;
  readonly start: TransferStart;
  readonly sink: Sink;
  readonly sha256: Sha256;
  /** Chunks that the sink has, and bytes that came, with those that came before their turn. */
  taken: number;
  cameBytes: number;
  readonly ahead: Map<number, Uint8Array>;
  aheadBytes: number;
  touchedAtMs: number;
}

export interface TransfersParts<Owner, Sink> {
  readonly clock: Clock;
  readonly crypto: CryptoPort;
  readonly memory: MemoryAccount;
  newSink(start: TransferStart): Sink;
  /** One was dropped because nothing came any more. */
  idle(owner: Owner, fault: TransferFault): void;
}

/**
 * Large messages that are being put together from their chunks, for any number of connections. What
 * is announced counts as used memory at once; it is taken only when it comes.
 */
export class Transfers<Owner, Sink extends TransferSink> {
  readonly #parts: TransfersParts<Owner, Sink>;
  readonly #open = new Map<Owner, Map<number, Transfer<Owner, Sink>>>();
  /** All of them, the one that was touched last at the end. */
  readonly #byAge = new Set<Transfer<Owner, Sink>>();

  constructor(parts: TransfersParts<Owner, Sink>) {
    this.#parts = parts;
  }

  /** Open transfers of all connections. */
  get size(): number {
    return this.#byAge.size;
  }

  /** Opens a transfer, or says why not. */
  start(owner: Owner, start: TransferStart): TransferFault | undefined {
    const { clock, crypto, memory, newSink } = this.#parts;
    const { messageId, hash } = start;
    const open = this.#open.get(owner) ?? new Map<number, Transfer<Owner, Sink>>();
    const { perConnection } = transferLimits;
    if (open.size >= perConnection) {
      return bad(messageId, `${perConnection} transfers are open already`);
    }
    const rival = open.get(hash);
    if (rival !== undefined) {
      const which = rival.start.messageId === messageId ? "id" : "hash";
      return bad(messageId, `an open transfer has the same ${which}`);
    }
    const bytes = accountedBytes(start);
    if (!memory.hasRoom(bytes)) {
      return { code: "memory_pressure", text: "too much is waiting here", messageId };
    }
    memory.add("transfers", bytes);
    const transfer: Transfer<Owner, Sink> = {
      owner,
      start,
      sink: newSink(start),
      sha256: crypto.newSha256(),
      taken: 0,
      cameBytes: 0,
      ahead: new Map(),
      aheadBytes: 0,
      touchedAtMs: clock.monotonic(),
    };
    open.set(hash, transfer);
    this.#open.set(owner, open);
    this.#byAge.add(transfer);
    return undefined;
  }

  /** Takes a chunk in; one that came already is ignored. */
  chunk(owner: Owner, frame: ChunkFrame & { kind: "chunk" }): TransferFault | undefined {
    const transfer = this.#open.get(owner)?.get(frame.hash);
    if (transfer === undefined) {
      return unknown("", `no open transfer has the hash ${frame.hash}`);
    }
    this.#touch(transfer);
    const text = takeChunk(transfer, frame);
    if (text === undefined) return undefined;
    this.#drop(transfer);
    return bad(transfer.start.messageId, text);
  }

  /** Ends a transfer: gives all that came, or says what is wrong with it. */
  end(
    owner: Owner,
    { messageId, checksum }: { messageId: string; checksum: string },
    hash: number,
  ): { readonly start: TransferStart; readonly sink: Sink } | TransferFault {
    const transfer = this.#open.get(owner)?.get(hash);
    if (transfer === undefined || transfer.start.messageId !== messageId) {
      return unknown(messageId, "no open transfer has this id");
    }
    const text = judgeEnd(transfer, checksum);
    if (text !== undefined) {
      this.#drop(transfer);
      return bad(messageId, text);
    }
    this.#close(transfer);
    return transfer;
  }

  /** A connection is over, and its transfers with it. */
  drop(owner: Owner): void {
    const open = this.#open.get(owner);
    if (open === undefined) return;
    for (const transfer of [...open.values()]) this.#drop(transfer);
  }

  /** Drops what nothing has come for. To be called about once a second. */
  expire(): void {
    const before = this.#parts.clock.monotonic() - transferLimits.idleMsMax;
    for (const transfer of this.#byAge) {
      if (transfer.touchedAtMs > before) return;
      this.#drop(transfer);
      const minutes = transferLimits.idleMsMax / 60_000;
      const { messageId } = transfer.start;
      this.#parts.idle(transfer.owner, bad(messageId, `nothing came for ${minutes} minutes`));
    }
  }

  #touch(transfer: Transfer<Owner, Sink>): void {
    transfer.touchedAtMs = this.#parts.clock.monotonic();
    if (this.#byAge.size === 1) return;
    this.#byAge.delete(transfer);
    this.#byAge.add(transfer);
  }

  #drop(transfer: Transfer<Owner, Sink>): void {
    this.#close(transfer);
    transfer.sink.free();
    transfer.ahead.clear();
  }

  #close(transfer: Transfer<Owner, Sink>): void {
    const { owner, start } = transfer;
    const open = this.#open.get(owner);
    open?.delete(start.hash);
    if (open?.size === 0) this.#open.delete(owner);
    this.#byAge.delete(transfer);
    this.#parts.memory.add("transfers", -accountedBytes(start));
  }
}

/** Whether `end` found something wrong. */
export function isTransferFault(value: object): value is TransferFault {
  return "code" in value;
}

/** What is wrong with a chunk, in a few words; undefined when it was taken or came already. */
function takeChunk<Owner>(
  transfer: Transfer<Owner, TransferSink>,
  { index, data }: { index: number; data: Uint8Array },
): string | undefined {
  const { start, ahead } = transfer;
  if (index >= start.chunkCount) return `there is no chunk ${index} of ${start.chunkCount}`;
  if (data.length > chunkBytesMax) return `a chunk must have at most ${chunkBytesMax} bytes`;
  if (index < transfer.taken || ahead.has(index)) return undefined;
  if (transfer.cameBytes + data.length > start.totalSize) {
    return `more than the ${start.totalSize} bytes came that were announced`;
  }
  transfer.cameBytes += data.length;
  if (index > transfer.taken) return keepAhead(transfer, index, data);
  takeNext(transfer, data);
  for (let next = ahead.get(transfer.taken); next !== undefined; next = ahead.get(transfer.taken)) {
    ahead.delete(transfer.taken);
    transfer.aheadBytes -= next.length;
    takeNext(transfer, next);
  }
  return undefined;
}

/** What is wrong with a transfer at its end, in a few words; undefined when nothing is. */
function judgeEnd<Owner>(
  { start, taken, cameBytes, sha256 }: Transfer<Owner, TransferSink>,
  checksum: string,
): string | undefined {
  if (taken < start.chunkCount) return `chunk ${taken} of ${start.chunkCount} is missing`;
  if (cameBytes !== start.totalSize) {
    return `${cameBytes} bytes came in place of ${start.totalSize}`;
  }
  const sums = [start.checksum, checksum].filter((sum) => sum !== "");
  if (sums.length === 0) return undefined;
  const sum = sha256.hex();
  return sums.every((given) => given === sum) ? undefined : "the checksum does not fit";
}

function keepAhead<Owner>(
  transfer: Transfer<Owner, TransferSink>,
  index: number,
  data: Uint8Array,
): string | undefined {
  const { ahead } = transfer;
  const { aheadBytesMax, aheadChunksMax } = transferLimits;
  const isTooMuch = transfer.aheadBytes + data.length > aheadBytesMax ||
    ahead.size >= aheadChunksMax;
  if (isTooMuch) return `too much came before chunk ${transfer.taken}`;
  ahead.set(index, data.slice());
  transfer.aheadBytes += data.length;
  return undefined;
}

function takeNext<Owner>(transfer: Transfer<Owner, TransferSink>, data: Uint8Array): void {
  transfer.taken++;
  transfer.sha256.update(data);
  transfer.sink.take(data);
}

function accountedBytes({ totalSize }: TransferStart): number {
  return Math.max(totalSize, transferLimits.accountedBytesMin);
}

function bad(messageId: string, text: string): TransferFault {
  return { code: "bad_transfer", text, messageId };
}

function unknown(messageId: string, text: string): TransferFault {
  return { code: "unknown_transfer", text, messageId };
}
