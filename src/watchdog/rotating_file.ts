import type { AppendFile, FilesPort } from "../ports/files.ts";

/** What may wait for a slow disk; more is dropped and counted, so that a child is never held up. */
export const pendingBytesMax = 1_048_576;

/** One append: large enough to be cheap, small enough that files are cut near their limit. */
const batchBytesMax = 262_144;

export interface RotatingFileOptions {
  readonly path: string;
  /** A file grows to this and is then renamed away. */
  readonly bytesMax: number;
  /** `path` and the older `path.1` … `path.<filesMax − 1>`. */
  readonly filesMax: number;
  readonly files: FilesPort;
  /** Hears of a failure, and again only after something was written in between. */
  failed(error: Error): void;
}

/** A log file that is renamed away when it is full. Writing never waits and never throws. */
export class RotatingFile {
  readonly #options: RotatingFileOptions;
  #file: AppendFile | undefined;
  #pending: Uint8Array[] = [];
  #pendingBytes = 0;
  #droppedBytes = 0;
  #isFailing = false;
  /** The last append failed and may have left half a line. */
  #isTorn = false;
  #pump: Promise<void> | undefined;

  private constructor(options: RotatingFileOptions, file: AppendFile) {
    this.#options = options;
    this.#file = file;
  }

  /** Throws FileError when the file cannot be had. */
  static async open(options: RotatingFileOptions): Promise<RotatingFile> {
    return new RotatingFile(options, await options.files.openAppend(options.path));
  }

  get path(): string {
    return this.#options.path;
  }

  /** Bytes that were given and never reached the file. */
  get droppedBytes(): number {
    return this.#droppedBytes;
  }

  /** `text` should end with a newline: files are cut between two calls, or between its lines. */
  write(text: string): void {
    for (const bytes of cut(new TextEncoder().encode(text), this.#options.bytesMax)) {
      if (this.#pendingBytes + bytes.length > pendingBytesMax) {
        this.#droppedBytes += bytes.length;
        continue;
      }
      this.#pending.push(bytes);
      this.#pendingBytes += bytes.length;
    }
    this.#pump ??= this.#writePending().finally(() => this.#pump = undefined);
  }

  /** Resolves when nothing waits. */
  async settled(): Promise<void> {
    while (this.#pump !== undefined) await this.#pump;
  }

  /** Writes what waits. */
  async close(): Promise<void> {
    await this.settled();
    await this.#closeFile();
  }

  async #writePending(): Promise<void> {
    while (this.#pending.length > 0) {
      let bytes: Uint8Array = noBytes;
      try {
        await this.#makeRoom(this.#pending[0]?.length ?? 0);
        this.#file ??= await this.#options.files.openAppend(this.#options.path);
        bytes = this.#takeBatch(this.#options.bytesMax - this.#file.size);
        await this.#file.append(this.#isTorn ? join([newline, bytes]) : bytes);
        this.#isTorn = false;
        this.#isFailing = false;
      } catch (error) {
        if (bytes.length === 0) bytes = this.#takeBatch(0);
        else this.#isTorn = true;
        this.#droppedBytes += bytes.length;
        await this.#closeFile();
        if (!this.#isFailing) this.#options.failed(error as Error);
        this.#isFailing = true;
      }
    }
  }

  async #makeRoom(bytes: number): Promise<void> {
    const { files, path, bytesMax, filesMax } = this.#options;
    if (this.#file === undefined || this.#file.size === 0) return;
    if (this.#file.size + bytes <= bytesMax) return;
    await this.#closeFile();
    const nameOf = (number: number) => number === 0 ? path : `${path}.${number}`;
    await files.remove(nameOf(filesMax - 1));
    for (let number = filesMax - 2; number >= 0; number--) {
      if (await files.info(nameOf(number)) === undefined) continue;
      await files.rename(nameOf(number), nameOf(number + 1));
    }
    this.#isTorn = false;
  }

  /** At least one piece, and more while they fit. */
  #takeBatch(room: number): Uint8Array {
    let bytes = 0;
    let count = 0;
    for (const piece of this.#pending) {
      if (count > 0 && bytes + piece.length > Math.min(room, batchBytesMax)) break;
      bytes += piece.length;
      count++;
    }
    this.#pendingBytes -= bytes;
    return join(this.#pending.splice(0, count));
  }

  async #closeFile(): Promise<void> {
    const file = this.#file;
    this.#file = undefined;
    try {
      await file?.close();
    } catch (error) {
      this.#options.failed(error as Error);
    }
  }
}

const noBytes = new Uint8Array(0);
const newline = new Uint8Array([0x0a]);

/** Pieces of at most `bytesMax`, each ending with a newline where there is one. */
function cut(bytes: Uint8Array, bytesMax: number): Uint8Array[] {
  const pieces: Uint8Array[] = [];
  let start = 0;
  while (bytes.length - start > bytesMax) {
    const lastNewline = bytes.lastIndexOf(0x0a, start + bytesMax - 1);
    const end = lastNewline >= start ? lastNewline + 1 : start + bytesMax;
    pieces.push(bytes.subarray(start, end));
    start = end;
  }
  if (start < bytes.length) pieces.push(bytes.subarray(start));
  return pieces;
}

function join(pieces: readonly Uint8Array[]): Uint8Array {
  const [first] = pieces;
  if (first !== undefined && pieces.length === 1) return first;
  const joined = new Uint8Array(pieces.reduce((sum, piece) => sum + piece.length, 0));
  let at = 0;
  for (const piece of pieces) {
    joined.set(piece, at);
    at += piece.length;
  }
  return joined;
}
