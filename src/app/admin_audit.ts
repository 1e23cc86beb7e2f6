import { visibleText } from "../base/terminal_text.ts";
import type { Clock } from "../ports/clock.ts";
import type { FilesPort } from "../ports/files.ts";
import type { Logger } from "../ports/log.ts";
import { RotatingFile } from "../watchdog/rotating_file.ts";
import { adminDirectory, auditLogPath } from "./admin_files.ts";

/** A few thousand lines each. */
const logBytesMax = 1_048_576;
const logFilesMax = 4;
/** A long announcement need not be kept whole. */
const commandCharsMax = 500;

/** One use, or an attempt. No secrets: passwords and credentials are not given here. */
export interface AuditEntry {
  /** `terminal`, or `http`. */
  readonly way: "terminal" | "http";
  /** Where from: an address. */
  readonly from?: string;
  /** As far as it was understood, without what is secret in it; undefined when nobody got so far. */
  readonly command?: string;
  readonly outcome: "done" | "refused" | "not understood" | "failed" | "denied";
  /** Why it was denied. */
  readonly reason?: string;
  readonly ms?: number;
}

/** The log of all uses of admin commands: JSON lines in files of their owner's alone. */
export class AuditLog {
  readonly #file: RotatingFile;
  readonly #clock: Clock;

  private constructor(file: RotatingFile, clock: Clock) {
    this.#file = file;
    this.#clock = clock;
  }

  /** Rejects with FileError when the file cannot be had. */
  static async open(
    parts: { files: FilesPort; clock: Clock; logger: Logger },
  ): Promise<AuditLog> {
    const { files, clock, logger } = parts;
    await files.makeDirectory(adminDirectory, { mode: 0o700 });
    const file = await RotatingFile.open({
      path: auditLogPath,
      bytesMax: logBytesMax,
      filesMax: logFilesMax,
      files,
      failed: (error) => logger.error({ error: error.message }, "audit log not written"),
    });
    return new AuditLog(file, clock);
  }

  /** Never waits and never throws. */
  write({ way, from, command, outcome, reason, ms }: AuditEntry): void {
    const shown = command === undefined || command.length <= commandCharsMax
      ? command
      : `${command.slice(0, commandCharsMax)}…`;
    const time = new Date(this.#clock.now()).toISOString();
    const entry = { time, way, from, command: shown, outcome, reason, ms };
    this.#file.write(`${visibleText(JSON.stringify(entry))}\n`);
  }

  /** Writes what waits. */
  close(): Promise<void> {
    return this.#file.close();
  }
}
