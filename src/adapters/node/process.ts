import { readFileSync } from "node:fs";
import { availableParallelism } from "node:os";
import process from "node:process";
import type { ChildProcess, ProcessPort, SpawnOptions } from "../../ports/process.ts";
import { boundedOutput, writeAll } from "./output.ts";
import type { WaitWritable } from "./poll.ts";
import type { PromptLine } from "./prompt_line.ts";
import { isTerminal } from "./terminal.ts";

const STDIN = 0;
const STDOUT = 1;
const STDERR = 2;
/** A reader of stderr that stands still must not stop a watchdog; a short message fits anyway. */
const STDERR_WAIT_MS_MAX = 1_000;

/**
 * This process, through the node: modules. `selfCommand` is the program and first arguments that
 * start it again: the binary alone, or the runtime with its flags and the entry file.
 * `waitWritable` keeps a reader of stderr that stands still from stopping the program. A line typed
 * at `promptLine` stays below what is written.
 */
export function nodeProcess(
  options: {
    selfCommand: readonly string[];
    waitWritable?: WaitWritable;
    promptLine?: PromptLine;
  },
): ProcessPort {
  const [selfProgram, ...selfArgs] = options.selfCommand;
  if (selfProgram === undefined) throw new TypeError("selfCommand must name a program, got none");
  const writeStderr = boundedOutput(STDERR, {
    waitMsMax: STDERR_WAIT_MS_MAX,
    waitWritable: options.waitWritable,
  });
  const print = (write: () => unknown) => {
    if (options.promptLine === undefined) write();
    else options.promptLine.around(write);
  };
  return {
    pid: process.pid,
    args: process.argv.slice(2),
    env: process.env,
    cwd: process.cwd(),
    isTerminal: {
      get stdin() {
        return isTerminal(STDIN);
      },
      get stdout() {
        return isTerminal(STDOUT);
      },
      get stderr() {
        return isTerminal(STDERR);
      },
    },
    // A container may allow no more than a part of the machine's.
    processors: Math.max(1, availableParallelism()),
    platform: platformName(process.platform),
    readInputLine,
    writeStdout: (text) => print(() => writeAll(STDOUT, Buffer.from(text))),
    writeStderr: (text) => print(() => writeStderr(text)),
    onSignal(signal, receive) {
      const listener = () => receive();
      process.on(signal, listener);
      return () => void process.off(signal, listener);
    },
    onUncaught(receive) {
      process.on("uncaughtException", receive);
      process.on("unhandledRejection", receive);
    },
    exit: (code) => process.exit(code),
    spawn,
    spawnSelf: (spawnOptions) =>
      spawn(selfProgram, { ...spawnOptions, args: [...selfArgs, ...spawnOptions.args] }),
    kill(pid, signal) {
      // 0 and negative numbers mean whole groups of processes to the system.
      if (!Number.isSafeInteger(pid) || pid < 1) {
        throw new RangeError(`A process id must be a whole number from 1, got ${pid}`);
      }
      try {
        return process.kill(pid, signal);
      } catch (error) {
        const code = error instanceof Error && "code" in error ? error.code : undefined;
        if (code === "ESRCH") return false;
        // It is there, but another user's.
        if (code === "EPERM" && signal === 0) return true;
        throw error;
      }
    },
    usage() {
      const memory = process.memoryUsage();
      const cpu = process.cpuUsage();
      return {
        residentBytes: memory.rss,
        heapBytes: memory.heapUsed,
        cpuMicros: cpu.user + cpu.system,
      };
    },
    fileDescriptorLimit,
  };
}

async function readInputLine(bytesMax: number): Promise<Uint8Array> {
  const parts: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of process.stdin) {
    const part: Uint8Array = Buffer.from(chunk);
    const end = part.indexOf(0x0a);
    parts.push(end < 0 ? part : part.subarray(0, end));
    bytes += part.length;
    if (end >= 0 || bytes > bytesMax) break;
  }
  const line = Buffer.concat(parts);
  return new Uint8Array(line.at(-1) === 0x0d ? line.subarray(0, -1) : line);
}

/** Loaded only here: a short command starts nothing, and must start quickly itself. */
async function spawn(command: string, options: SpawnOptions): Promise<ChildProcess> {
  const { spawnChild } = await import("./child_process.ts");
  return await spawnChild(command, options);
}

function platformName(name: string): "linux" | "darwin" | "windows" {
  if (name === "win32") return "windows";
  return name === "darwin" ? "darwin" : "linux";
}

/** The soft limit as Linux tells it; elsewhere nobody knows without a system call. */
function fileDescriptorLimit(): number | undefined {
  try {
    const limits = readFileSync("/proc/self/limits", "utf8");
    const soft = /^Max open files\s+(\d+)/m.exec(limits)?.[1];
    return soft === undefined ? undefined : Number(soft);
  } catch {
    // No /proc: not Linux, or not mounted.
    return undefined;
  }
}
