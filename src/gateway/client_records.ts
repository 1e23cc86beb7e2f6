import { crc32 } from "../base/crc32.ts";

/**
 * The file of the clients that were seen: a line that names the format, then records one behind the
 * other, the last one of an id counts.
 *
 *     u32be CRC-32 of all that follows · u8 bytes of the hash (0 or 32) · u16be bytes of the id ·
 *     u48be seconds since 1970 · hash · id in UTF-8
 */
export const clientRecordsHead = "freekill-gw clients 1\n";

/** SHA-256 of a resume token. */
export const tokenHashBytes = 32;

const headBytes = 13;
const idBytesMax = 256;

/** One client, as it stands in the file. */
export interface ClientRecord {
  readonly id: string;
  /** Wall clock. */
  readonly seenSeconds: number;
  /** undefined: it never had a resume token. */
  readonly tokenHash: Uint8Array | undefined;
}

/** A growing block of records. */
export class ClientRecordWriter {
  #bytes: Uint8Array = new Uint8Array(4_096);
  #length = 0;
  readonly #encoder = new TextEncoder();

  get length(): number {
    return this.#length;
  }

  head(): void {
    const head = this.#encoder.encode(clientRecordsHead);
    this.#need(head.length);
    this.#bytes.set(head, this.#length);
    this.#length += head.length;
  }

  add(record: ClientRecord): void {
    this.#need(headBytes + tokenHashBytes + record.id.length * 3);
    const at = this.#length;
    const bytes = this.#bytes;
    const hashBytes = record.tokenHash?.length ?? 0;
    if (record.tokenHash !== undefined) bytes.set(record.tokenHash, at + headBytes);
    const idAt = at + headBytes + hashBytes;
    const { written } = this.#encoder.encodeInto(record.id, bytes.subarray(idAt));
    const view = new DataView(bytes.buffer, at);
    view.setUint8(4, hashBytes);
    view.setUint16(5, written);
    view.setUint16(7, Math.floor(record.seenSeconds / 2 ** 32));
    view.setUint32(9, record.seenSeconds % 2 ** 32);
    this.#length = idAt + written;
    view.setUint32(0, crc32(bytes.subarray(at + 4, this.#length)));
  }

  /** All of it; the writer is empty afterwards. */
  take(): Uint8Array {
    const taken = this.#bytes.subarray(0, this.#length);
    this.#bytes = new Uint8Array(4_096);
    this.#length = 0;
    return taken;
  }

  #need(more: number): void {
    if (this.#length + more <= this.#bytes.length) return;
    const grown = new Uint8Array(Math.max(this.#bytes.length * 2, this.#length + more));
    grown.set(this.#bytes.subarray(0, this.#length));
    this.#bytes = grown;
  }
}

/** What a file gave. */
export interface ReadRecords {
  readonly records: number;
  /** Bytes that are no whole, sound record: a torn tail, or damage. */
  readonly badBytes: number;
}

/**
 * Reads records one after the other. Behind damage it goes on where the next sound record starts;
 * `undefined` when this is no file of clients at all.
 */
export function readClientRecords(
  bytes: Uint8Array,
  each: (record: ClientRecord) => void,
): ReadRecords | undefined {
  const head = new TextEncoder().encode(clientRecordsHead);
  if (bytes.length < head.length) {
    const isTorn = bytes.every((byte, i) => byte === head[i]);
    return isTorn ? { records: 0, badBytes: bytes.length } : undefined;
  }
  if (!head.every((byte, i) => byte === bytes[i])) return undefined;
  let records = 0;
  let badBytes = 0;
  let at = head.length;
  while (at < bytes.length) {
    const end = endOfRecord(bytes, at);
    if (end === undefined) {
      badBytes++;
      at++;
      continue;
    }
    each(recordAt(bytes, at, end));
    records++;
    at = end;
  }
  return { records, badBytes };
}

/** Where the sound record at `at` ends; undefined when there is none. */
function endOfRecord(bytes: Uint8Array, at: number): number | undefined {
  if (at + headBytes > bytes.length) return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset + at, headBytes);
  const hashBytes = view.getUint8(4);
  const idBytes = view.getUint16(5);
  if (hashBytes !== 0 && hashBytes !== tokenHashBytes) return undefined;
  if (idBytes === 0 || idBytes > idBytesMax) return undefined;
  const end = at + headBytes + hashBytes + idBytes;
  if (end > bytes.length) return undefined;
  return crc32(bytes.subarray(at + 4, end)) === view.getUint32(0) ? end : undefined;
}

function recordAt(bytes: Uint8Array, at: number, end: number): ClientRecord {
  const view = new DataView(bytes.buffer, bytes.byteOffset + at, headBytes);
  const idAt = at + headBytes + view.getUint8(4);
  return {
    id: new TextDecoder("utf-8", { ignoreBOM: true }).decode(bytes.subarray(idAt, end)),
    seenSeconds: view.getUint16(7) * 2 ** 32 + view.getUint32(9),
    tokenHash: idAt === at + headBytes ? undefined : bytes.slice(at + headBytes, idAt),
  };
}
