import type { Clock } from "../../ports/clock.ts";
import type { LogFilesPort, LogFileWriter } from "../../ports/log_file.ts";
import type { Logger } from "../../ports/log.ts";
import { retryMs } from "./log_limits.ts";
import type { LogNames } from "./log_names.ts";

/** A message that was given up, as it stands in the file: one JSON object a line. */
export interface DeadLetter {
  readonly time: string;
  readonly reason: string;
  readonly direction: "up" | "down";
  readonly clientId: string;
  readonly messageId: string;
  /** As in `NewMessage.body`. */
  readonly message: string;
}

/** Waiting to be written while the disk refuses; beyond it the oldest are lost, with a line. */
const queueBytesMax = 8 * 1024 * 1024;

/** What a letter takes at most for each byte of its message, every quote escaped, and besides. */
const bytesAByte = 2;
const letterHeadBytesMax = 4_096;

/** How far back `last` looks in each file. */
const readBytesMax = 4 * 1024 * 1024;

interface Waiting {
  readonly line: Uint8Array;
  /** It is on disk, or lost. */
  readonly done: () => void;
}

/** The file of messages that were given up. */
export class DeadLetters {
  readonly #files: LogFilesPort;
  readonly #clock: Clock;
  readonly #logger: Logger;
  readonly #names: LogNames;
  readonly #bytesMax: number;
  #queue: Waiting[] = [];
  #queueBytes = 0;
  #writer: LogFileWriter | undefined;
  #size = 0;
  #work: Promise<void> | undefined;
  #isFailing = false;
  #isClosed = false;
  #cancelRetry: (() => void) | undefined;
  lost = 0;

  constructor(
    parts: { files: LogFilesPort; clock: Clock; logger: Logger; names: LogNames },
    bytesMax: number,
  ) {
    this.#files = parts.files;
    this.#clock = parts.clock;
    this.#logger = parts.logger;
    this.#names = parts.names;
    this.#bytesMax = bytesMax;
  }

  /** Whether a letter with a message of so many bytes can wait without another one being lost. */
  hasRoom(messageBytes: number): boolean {
    const bytes = messageBytes * bytesAByte + letterHeadBytesMax;
    return this.#queueBytes === 0 || this.#queueBytes + bytes <= queueBytesMax;
  }

  /** `done` is called when the letter is safe, or could not be kept. */
  add(letter: DeadLetter, done: () => void): void {
    const line = new TextEncoder().encode(`${JSON.stringify(letter)}\n`);
    this.#queue.push({ line, done });
    this.#queueBytes += line.length;
    while (this.#queueBytes > queueBytesMax && this.#queue.length > 1) this.#lose();
    if (this.#cancelRetry === undefined) this.#start();
  }

  /** The last `count` letters, the newest last. Rejects with FileError. */
  async last(count: number): Promise<readonly DeadLetter[]> {
    const found: DeadLetter[] = [];
    for (const name of [this.#names.dead, this.#names.deadBefore]) {
      if (found.length >= count) break;
      found.unshift(...(await this.#read(name)).slice(-(count - found.length)));
    }
    return found;
  }

  /** Resolves when what waits is written, or could not be. */
  async flush(): Promise<void> {
    while (this.#work !== undefined) await this.#work;
  }

  async close(): Promise<void> {
    await this.flush();
    this.#isClosed = true;
    this.#cancelRetry?.();
    await this.#writer?.close().catch((error: unknown) => this.#warn(error));
  }

  #start(): void {
    this.#work ??= this.#run().finally(() => {
      this.#work = undefined;
      if (this.#queue.length > 0 && this.#cancelRetry === undefined) this.#start();
    });
  }

  async #run(): Promise<void> {
    // What comes within the same turn goes with it.
    await Promise.resolve();
    const batch = this.#queue;
    this.#queue = [];
    const bytes = batch.reduce((sum, { line }) => sum + line.length, 0);
    try {
      await this.#append(batch, bytes);
      this.#queueBytes -= bytes;
      this.#isFailing = false;
      for (const { done } of batch) done();
    } catch (error) {
      this.#queue = batch.concat(this.#queue);
      this.#warn(error);
      const broken = this.#writer;
      this.#writer = undefined;
      // Its failure is known already.
      await broken?.close().catch(() => {});
      if (this.#isClosed) return;
      this.#cancelRetry = this.#clock.after(retryMs, () => {
        this.#cancelRetry = undefined;
        this.#start();
      });
    }
  }

  async #append(batch: readonly Waiting[], bytes: number): Promise<void> {
    const files = this.#files;
    const path = this.#names.path(this.#names.dead);
    if (this.#writer !== undefined && this.#size + bytes > this.#bytesMax) {
      await this.#writer.close();
      this.#writer = undefined;
      await files.rename(path, this.#names.path(this.#names.deadBefore));
    }
    if (this.#writer === undefined) {
      this.#writer = await files.openAppend(path);
      this.#size = this.#writer.sizeFound;
      await files.syncDirectory(this.#names.directory);
      // A line that a full disk cut off must not swallow the next.
      if (this.#size > 0) await this.#writer.append(Uint8Array.of(newline));
    }
    const whole = new Uint8Array(bytes);
    let at = 0;
    for (const { line } of batch) {
      whole.set(line, at);
      at += line.length;
    }
    await this.#writer.append(whole);
    await this.#writer.dataSync();
    this.#size += bytes;
  }

  async #read(name: string): Promise<DeadLetter[]> {
    const found = (await this.#files.list(this.#names.directory)).find((file) =>
      file.name === name
    );
    if (found === undefined) return [];
    const from = Math.max(0, found.bytes - readBytesMax);
    const bytes = new Uint8Array(found.bytes - from);
    const reader = await this.#files.openRead(this.#names.path(name));
    let text: string;
    try {
      const read = await reader.read(bytes, from);
      text = new TextDecoder().decode(bytes.subarray(0, read));
    } finally {
      await reader.close();
    }
    return text.split("\n").map(letterIn).filter((letter) => letter !== undefined);
  }

  #lose(): void {
    const { line, done } = this.#queue.shift()!;
    this.#queueBytes -= line.length;
    if (this.lost++ === 0) {
      this.#logger.error({}, "dead letters cannot be stored: the oldest that wait are lost");
    }
    done();
  }

  #warn(error: unknown): void {
    if (this.#isFailing) return;
    this.#isFailing = true;
    const reason = error instanceof Error ? error.message : String(error);
    this.#logger.warn({ error: reason }, "dead letters cannot be written: tried again each second");
  }
}

const newline = 0x0a;

function letterIn(line: string): DeadLetter | undefined {
  if (!line.startsWith("{")) return undefined;
  try {
    return JSON.parse(line) as DeadLetter;
  } catch {
    // Cut off by a power loss, or by where reading began.
    return undefined;
  }
}
