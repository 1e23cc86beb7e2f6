import type { WatchdogSettings } from "../config/settings.ts";
import type { Logger } from "../ports/log.ts";
import type { Runtime } from "../ports/runtime.ts";
import { takeInstanceLock } from "./instance_lock.ts";
import { RotatingFile } from "./rotating_file.ts";
import { formerChildPid, StatusFile } from "./status_file.ts";

/** What a watchdog writes, and what it knows of the one before it. */
export interface WatchdogFiles {
  readonly status: StatusFile;
  readonly eventLog: RotatingFile;
  readonly stdoutLog: RotatingFile;
  readonly stderrLog: RotatingFile;
  /** A server that an earlier watchdog left behind and that still runs. */
  orphanPid(): Promise<number | undefined>;
  /** Writes out what waits and lets another watchdog in. */
  close(): Promise<void>;
}

type FilesSettings =
  & Pick<
    WatchdogSettings,
    | "status_path"
    | "event_log_path"
    | "stdout_log_path"
    | "stderr_log_path"
    | "log_bytes_max"
    | "log_files_max"
  >
  & { readonly log: Logger; readonly firstStatus: string };

/** Rejects when a file cannot be written, or when another watchdog has the same status file. */
export async function openWatchdogFiles(
  runtime: Runtime,
  settings: FilesSettings,
): Promise<WatchdogFiles> {
  const { files } = runtime;
  const { status_path: statusPath } = settings;
  const paths = [settings.event_log_path, settings.stdout_log_path, settings.stderr_log_path];
  for (const path of [statusPath, ...paths]) await files.makeDirectory(directoryOf(path));
  const lock = takeInstanceLock(runtime.sqlite, `${statusPath}.lock`);
  if (lock === undefined) {
    throw new Error(`another watchdog is running with the status file "${statusPath}"`);
  }
  try {
    return await openUnderLock(runtime, settings, lock);
  } catch (error) {
    lock.release();
    throw error;
  }
}

async function openUnderLock(
  runtime: Runtime,
  settings: FilesSettings,
  lock: { release(): void },
): Promise<WatchdogFiles> {
  const { files } = runtime;
  const { status_path: statusPath, log } = settings;
  const formerChild = await formerChildPid(files, statusPath);
  // The first write tells whether there can be others; later failures are only reported.
  await files.replace(statusPath, new TextEncoder().encode(settings.firstStatus));
  const failed = (error: Error) => log.error({}, error.message);
  const open = (path: string) =>
    RotatingFile.open({
      path,
      bytesMax: settings.log_bytes_max,
      filesMax: settings.log_files_max,
      files,
      failed,
    });
  const eventLog = await open(settings.event_log_path);
  const stdoutLog = await open(settings.stdout_log_path);
  const stderrLog = await open(settings.stderr_log_path);
  const status = new StatusFile({ files, path: statusPath, failed });
  return {
    status,
    eventLog,
    stdoutLog,
    stderrLog,
    async orphanPid() {
      if (formerChild === undefined) return undefined;
      return await runsServe(runtime, formerChild) ? formerChild : undefined;
    },
    async close() {
      await status.flush();
      for (const file of [eventLog, stdoutLog, stderrLog]) {
        await file.close();
        const { droppedBytes } = file;
        if (droppedBytes > 0) {
          log.warn({ path: file.path, droppedBytes }, "the disk was too slow for a log file");
        }
      }
      lock.release();
    },
  };
}

/** Whether the process runs and, where that can be told, is a `serve`: numbers are used again. */
async function runsServe(runtime: Runtime, pid: number): Promise<boolean> {
  if (!runtime.process.kill(pid, 0)) return false;
  if (runtime.process.platform !== "linux") return true;
  try {
    const bytes = await runtime.files.read(`/proc/${pid}/cmdline`, { bytesMax: 65_536 });
    return new TextDecoder().decode(bytes).split("\0").includes("serve");
  } catch {
    // It ended just now, or /proc is not there: then the number alone has to do.
    return runtime.process.kill(pid, 0);
  }
}

function directoryOf(path: string): string {
  const end = Math.max(path.lastIndexOf("/"), path.lastIndexOf("\\"));
  return end < 0 ? "." : end === 0 ? "/" : path.slice(0, end);
}
