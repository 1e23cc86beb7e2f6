import type { FilesPort } from "../ports/files.ts";
import type { WatchdogStatus } from "./supervisor_events.ts";

/** A status file is a few hundred bytes; anything longer is not one. */
const statusBytesMax = 65_536;

/** What the file says besides the machine's status. */
export interface StatusFacts {
  readonly updatedAtMs: number;
  readonly healthHost: string;
  readonly healthTcpPort: number;
  readonly healthUdpPort: number;
  /** The configuration file as it was named; null when none was. */
  readonly configPath: string | null;
}

/** The file's text: one JSON object, its keys as in the host protocol, "Watchdog". */
export function statusText(status: WatchdogStatus, facts: StatusFacts): string {
  const file = {
    updated_at: new Date(facts.updatedAtMs).toISOString(),
    restart_count: status.restartCount,
    health_failure_streak: status.healthFailureStreak,
    last_health_ok: status.lastHealthOk,
    last_health_reason: status.lastHealthReason,
    child_pid: status.childPid,
    child_running: status.childPid !== null,
    health_host: facts.healthHost,
    health_tcp_port: facts.healthTcpPort,
    health_udp_port: facts.healthUdpPort,
    config_json: facts.configPath,
  };
  return `${JSON.stringify(file, undefined, 2)}\n`;
}

/**
 * The child that the watchdog before this one was running when it last wrote its status; undefined
 * when there was none or the file is missing or not a status.
 */
export async function formerChildPid(
  files: FilesPort,
  path: string,
): Promise<number | undefined> {
  try {
    const bytes = await files.read(path, { bytesMax: statusBytesMax });
    const status: unknown = JSON.parse(new TextDecoder().decode(bytes));
    if (typeof status !== "object" || status === null) return undefined;
    if (!("child_running" in status) || status.child_running !== true) return undefined;
    const pid = "child_pid" in status ? status.child_pid : undefined;
    return typeof pid === "number" && Number.isSafeInteger(pid) && pid > 1 ? pid : undefined;
  } catch {
    // Missing, unreadable or not JSON: it tells nothing, and is about to be replaced.
    return undefined;
  }
}

/** Replaces the file again and again; while one write is under way only the newest text waits. */
export class StatusFile {
  readonly #files: FilesPort;
  readonly #path: string;
  readonly #failed: (error: Error) => void;
  #next: string | undefined;
  #pump: Promise<void> | undefined;
  #isFailing = false;

  /** `failed` hears of a failure, and again only after a write succeeded in between. */
  constructor(what: { files: FilesPort; path: string; failed(error: Error): void }) {
    this.#files = what.files;
    this.#path = what.path;
    this.#failed = (error) => what.failed(error);
  }

  write(text: string): void {
    this.#next = text;
    this.#pump ??= this.#writeNewest().finally(() => this.#pump = undefined);
  }

  /** Resolves when the newest text was written. */
  async flush(): Promise<void> {
    while (this.#pump !== undefined) await this.#pump;
  }

  async #writeNewest(): Promise<void> {
    while (this.#next !== undefined) {
      const text = this.#next;
      this.#next = undefined;
      try {
        await this.#files.replace(this.#path, new TextEncoder().encode(text));
        this.#isFailing = false;
      } catch (error) {
        if (!this.#isFailing) this.#failed(error as Error);
        this.#isFailing = true;
      }
    }
  }
}
