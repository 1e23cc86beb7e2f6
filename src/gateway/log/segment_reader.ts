import { crc32Between } from "../../base/crc32.ts";
import type { LogFileReader } from "../../ports/log_file.ts";
import {
  ackAskedFlag,
  bytesBefore,
  kindMask,
  recordCrc,
  RecordCursor,
  recordHeadBytesMax,
  recordKind,
  stampBytes,
  stampNsAt,
  u32At,
  u48At,
  unzigzag,
} from "./record_format.ts";

/** Read at once, while the piece before is gone through; a longer record is read whole all the
 * same. */
const pieceBytes = 1024 * 1024;

/** In damaged bytes, a record that is no message's is looked for only up to this length. */
const soughtBytesMax = 4_096;

/** Stamps after 2001 and before 2109: what else stands there is no message of ours. */
const stampMsMin = 1e12;
const stampMsMax = 2 ** 42;

/** A record as it was found; valid only until the next. */
export interface FoundRecord {
  readonly kind: number;
  readonly bytes: Uint8Array;
  /** The body, and where the record ends; right before a message's body stands its stamp, and before
   * that the hash of its id. */
  readonly bodyAt: number;
  readonly end: number;
  readonly bodyCrc: number;
  /** Of messages: sequence number less the base, and the client's number. */
  readonly delta: number;
  readonly name: number;
}

export interface ReadBuffers {
  readonly bytes: Uint8Array;
  readonly next: Uint8Array;
}

export function newReadBuffers(): ReadBuffers {
  return { bytes: new Uint8Array(2 * pieceBytes), next: new Uint8Array(pieceBytes) };
}

export interface SegmentDamage {
  /** Damaged stretches between good records, and their bytes. */
  readonly corrupt: number;
  readonly corruptBytes: number;
  /** The file is good up to here, and what follows is no record. */
  readonly goodBytes: number;
}

/**
 * Reads the records of a file one after the other, in pieces. Where one is damaged it goes on byte
 * by byte until it finds the next good one.
 */
export class SegmentReader implements FoundRecord {
  readonly #reader: LogFileReader;
  readonly #fileBytes: number;
  readonly #salt: number;
  readonly #cursor = new RecordCursor();
  /** The piece that is read next, and how much of it there will be. */
  readonly #next: Uint8Array;
  #reading: Promise<number> | undefined;
  #nextBytes = 0;
  bytes: Uint8Array;
  /** Position of the first byte of `bytes` in the file, and how many of them there are. */
  #start: number;
  #filled = 0;
  #at = 0;
  #isLost = false;
  kind = 0;
  bodyAt = 0;
  end = 0;
  bodyCrc = 0;
  delta = 0;
  name = 0;

  constructor(
    reader: LogFileReader,
    file: {
      bytes: number;
      salt: number;
      from: number;
      pieceBytes?: number;
      /** Made once for several files. */
      buffers?: ReadBuffers;
    },
  ) {
    const piece = Math.min(file.bytes, file.pieceBytes ?? pieceBytes);
    this.#next = file.buffers?.next ?? new Uint8Array(piece);
    this.bytes = file.buffers?.bytes ?? new Uint8Array(2 * piece);
    this.#reader = reader;
    this.#fileBytes = file.bytes;
    this.#salt = file.salt;
    this.#start = file.from;
  }

  /** Where the record that was found begins in the file, and its bytes. */
  get recordAt(): number {
    return this.#start + this.#at;
  }

  get recordBytes(): number {
    return this.end - this.#at;
  }

  /** `between` is called after each piece, and at the end. */
  async read(
    found: (record: FoundRecord) => void,
    between?: () => Promise<void>,
  ): Promise<SegmentDamage> {
    let goodBytes = this.#start;
    let corrupt = 0;
    let corruptBytes = 0;
    while (this.#start + this.#at < this.#fileBytes) {
      const needed = this.#look();
      if (needed > this.#filled - this.#at) {
        await between?.();
        await this.#fill(needed);
      } else if (needed === 0) {
        this.#isLost = true;
        this.#at++;
      } else {
        if (this.#isLost) {
          corrupt++;
          corruptBytes += this.#start + this.#at - goodBytes;
          this.#isLost = false;
        }
        found(this);
        this.#at = this.end;
        goodBytes = this.#start + this.#at;
      }
    }
    await between?.();
    return { corrupt, corruptBytes, goodBytes };
  }

  /** Bytes of the good record at the current place; 0: there is none; more than there are: to know
   * it takes so many. */
  #look(): number {
    const at = this.#at;
    const left = this.#fileBytes - this.#start - at;
    const headBytes = Math.min(left, recordHeadBytesMax);
    if (this.#filled - at < headBytes) return headBytes;
    const { bytes } = this;
    const kindByte = bytes[at + 4]!;
    const cursor = this.#cursor;
    cursor.start(at + 5, at + headBytes);
    if (headBytes < 6 || kindByte === 0) return 0;
    const length = cursor.varint(bytes);
    const end = cursor.at + length;
    if (cursor.isBroken || end - at > left) return 0;
    cursor.end = Math.min(cursor.end, end);
    if (!this.#readHead(kindByte, end)) return 0;
    if (end > this.#filled) return end - at;
    const bodyCrc = crc32Between(bytes, this.bodyAt, end);
    const crc = recordCrc(bytes, { at, bodyAt: this.bodyAt, bodyCrc, salt: this.#salt });
    if (crc !== u32At(bytes, at)) return 0;
    this.end = end;
    this.bodyCrc = bodyCrc;
    return end - at;
  }

  /** What stands between length and body; false when it cannot be a record. */
  #readHead(kindByte: number, end: number): boolean {
    const { bytes } = this;
    const cursor = this.#cursor;
    this.kind = kindByte;
    this.bodyAt = cursor.at;
    const kind = kindByte & kindMask;
    const isMessage = kind === recordKind.up || kind === recordKind.down ||
      kind >= recordKind.upWithId;
    if (!isMessage) {
      const isKnown = kindByte <= recordKind.ids;
      // Kinds that are not known yet are passed over, but not sought in damaged bytes.
      return !this.#isLost || (isKnown && end - cursor.at <= soughtBytesMax);
    }
    if ((kindByte & ~(kindMask | ackAskedFlag | 0xf0)) !== 0) return false;
    this.delta = unzigzag(cursor.varint(bytes));
    this.name = cursor.varint(bytes);
    this.bodyAt = cursor.at + bytesBefore(kindByte);
    const stampAt = this.bodyAt - stampBytes;
    if (cursor.isBroken || this.bodyAt > end) return false;
    if (stampNsAt(bytes, stampAt) > 999_999) return false;
    if (!this.#isLost) return true;
    const ms = u48At(bytes, stampAt);
    return ms >= stampMsMin && ms < stampMsMax;
  }

  /** Reads on until so many bytes are there from the current place. */
  async #fill(needed: number): Promise<void> {
    const left = this.#filled - this.#at;
    const room = Math.max(left, needed) + this.#next.length;
    if (room > this.bytes.length) {
      const larger = new Uint8Array(room);
      larger.set(this.bytes.subarray(this.#at, this.#filled));
      this.bytes = larger;
    } else {
      this.bytes.copyWithin(0, this.#at, this.#filled);
    }
    this.#start += this.#at;
    this.#at = 0;
    this.#filled = left;
    while (this.#filled < needed) {
      const read = await (this.#reading ?? this.#readNext());
      if (read < this.#nextBytes) throw new Error("the file became shorter while it was read");
      this.bytes.set(this.#next.subarray(0, read), this.#filled);
      this.#filled += read;
      this.#readNext();
    }
  }

  /** Begins to read what comes behind. */
  #readNext(): Promise<number> {
    const from = this.#start + this.#filled;
    this.#nextBytes = Math.min(this.#next.length, this.#fileBytes - from);
    if (this.#nextBytes === 0) return Promise.resolve(0);
    const reading = this.#reader.read(this.#next.subarray(0, this.#nextBytes), from);
    // Whoever waits for it hears of a failure; when nobody does any more, nobody needs to.
    reading.catch(() => {});
    return this.#reading = reading;
  }
}
