import { type ChildProcess as NodeChild, spawn as nodeSpawn } from "node:child_process";
import process from "node:process";
import type { ChildExit, ChildProcess, SpawnOptions } from "../../ports/process.ts";

/** How long output is awaited after the end: a grandchild may hold the pipe open for ever. */
const OUTPUT_AFTER_EXIT_MS = 1_000;

/**
 * Starts a program with pipes as asked for. Rejects with an Error whose `code` is the system's
 * (ENOENT, EACCES, …).
 */
export function spawnChild(command: string, options: SpawnOptions): Promise<ChildProcess> {
  return new Promise((resolve, reject) => {
    const refuse = (cause: unknown) => {
      const code = cause instanceof Error && "code" in cause ? String(cause.code) : "unknown cause";
      reject(Object.assign(new Error(`Cannot start "${command}": ${code}`, { cause }), { code }));
    };
    try {
      const child = nodeSpawn(command, [...options.args], {
        env: { ...process.env, ...options.env },
        cwd: options.cwd,
        stdio: [
          options.stdin === "pipe" ? "pipe" : "ignore",
          options.stdout === undefined ? "ignore" : "pipe",
          options.stderr === undefined ? "ignore" : "pipe",
        ],
        windowsHide: true,
        // On Windows this would open a console window.
        detached: options.ownGroup === true && process.platform !== "win32",
      });
      child.once("error", refuse);
      child.once("spawn", () => {
        child.off("error", refuse);
        // Later errors are failed kills, which the port promises not to report.
        child.on("error", () => {});
        resolve(runningChild(child, options));
      });
    } catch (error) {
      // Some systems report a missing program by throwing.
      refuse(error);
    }
  });
}

function runningChild(child: NodeChild, options: SpawnOptions): ChildProcess {
  child.stdout?.on("data", (bytes: Uint8Array) => options.stdout?.(bytes));
  child.stderr?.on("data", (bytes: Uint8Array) => options.stderr?.(bytes));
  let inputOpen = child.stdin !== null;
  let ended = false;
  // The child closed its input or ended: told by `writeStdin` and `exited`.
  child.stdin?.on("error", () => {
    inputOpen = false;
  });
  child.stdin?.on("close", () => {
    inputOpen = false;
  });
  child.once("exit", () => {
    ended = true;
    inputOpen = false;
  });
  return {
    pid: child.pid!,
    writeStdin(bytes) {
      if (!inputOpen || child.stdin === null) return false;
      child.stdin.write(bytes.slice());
      return true;
    },
    get bufferedBytes() {
      return inputOpen ? child.stdin?.writableLength ?? 0 : 0;
    },
    closeStdin() {
      inputOpen = false;
      child.stdin?.end();
    },
    kill(signal) {
      if (ended) return;
      try {
        // Not `child.kill`: on Deno that does nothing after the first signal.
        process.kill(child.pid!, signal);
      } catch {
        // It ended in this moment, which the port promises not to report.
      }
    },
    exited: exitOf(child),
  };
}

function exitOf(child: NodeChild): Promise<ChildExit> {
  return new Promise((resolve) => {
    let giveUp: ReturnType<typeof setTimeout> | undefined;
    child.once("exit", () => {
      giveUp = setTimeout(() => {
        child.stdout?.destroy();
        child.stderr?.destroy();
      }, OUTPUT_AFTER_EXIT_MS);
    });
    child.once("close", (code, signal) => {
      clearTimeout(giveUp);
      resolve({ code, signal });
    });
  });
}
