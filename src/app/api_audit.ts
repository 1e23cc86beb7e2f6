import { visibleText } from "../base/terminal_text.ts";
import type { Clock } from "../ports/clock.ts";
import type { FilesPort } from "../ports/files.ts";
import type { Logger } from "../ports/log.ts";
import { RotatingFile } from "../watchdog/rotating_file.ts";
import { adminDirectory } from "./admin_files.ts";

/** Each use of the API, a line of JSON. */
export const apiAuditPath = `${adminDirectory}/api.log`;

/** A few thousand lines each. */
const logBytesMax = 1_048_576;
const logFilesMax = 4;
/** A client id and what belongs to it. */
const targetCharsMax = 800;

/** One use, or an attempt. No bodies and no tokens. */
export interface ApiAuditEntry {
  /** The name of the token; absent when nobody got so far. */
  readonly who?: string;
  readonly from: string;
  readonly method: string;
  /** Path and query. */
  readonly target: string;
  readonly status: number;
  readonly ms: number;
}

/** The log of all uses of the API, in files of their owner's alone. */
export class ApiAudit {
  readonly #parts: { files: FilesPort; clock: Clock; logger: Logger };
  #file: Promise<RotatingFile | undefined> | undefined;

  constructor(parts: { files: FilesPort; clock: Clock; logger: Logger }) {
    this.#parts = parts;
  }

  /** Never waits and never throws. */
  write({ who, from, method, target, status, ms }: ApiAuditEntry): void {
    const time = new Date(this.#parts.clock.now()).toISOString();
    const shown = target.length <= targetCharsMax ? target : `${target.slice(0, targetCharsMax)}…`;
    const line = visibleText(
      JSON.stringify({ time, who, from, method, target: shown, status, ms: Math.round(ms) }),
    );
    this.#file ??= this.#open();
    void this.#file.then((file) => file?.write(`${line}\n`));
  }

  /** Writes what waits. */
  async close(): Promise<void> {
    await (await this.#file)?.close();
  }

  /** At the first use: most servers have no API. */
  async #open(): Promise<RotatingFile | undefined> {
    const { files, logger } = this.#parts;
    const failed = (error: Error) => {
      logger.error({ error: error.message }, "audit log of the API not written");
    };
    try {
      await files.makeDirectory(adminDirectory, { mode: 0o700 });
      return await RotatingFile.open({
        path: apiAuditPath,
        bytesMax: logBytesMax,
        filesMax: logFilesMax,
        files,
        failed,
      });
    } catch (error) {
      failed(error instanceof Error ? error : new Error(String(error)));
      return undefined;
    }
  }
}
