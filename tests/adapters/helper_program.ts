import { spawn } from "node:child_process";
import process from "node:process";
import { fileURLToPath } from "node:url";
import type { ChildExit } from "../../src/ports/process.ts";

/** The command that runs a TypeScript module on the runtime of this very test. */
export function runtimeCommand(module: string): readonly [string, ...string[]] {
  const path = fileURLToPath(new URL(module, import.meta.url));
  return "Deno" in globalThis
    ? [process.execPath, "run", "-A", "--no-check", path]
    : [process.execPath, path];
}

export interface HelperProgram {
  readonly pid: number;
  /** Waits for a line of its output; rejects when it ends before. */
  line(wanted: (line: string) => boolean): Promise<string>;
  readonly ended: Promise<ChildExit>;
  /** SIGKILL; resolves when it is gone. */
  kill(): Promise<void>;
}

/** Starts one part of `helper_main.ts` in a process of its own, on the same runtime. */
export async function startHelper(part: string, ...args: string[]): Promise<HelperProgram> {
  const [command, ...first] = runtimeCommand("./helper_main.ts");
  const child = spawn(command, [...first, part, ...args], { stdio: ["ignore", "pipe", "inherit"] });
  const waiting = new Set<{ wanted: (line: string) => boolean; found: (line: string) => void }>();
  const lines: string[] = [];
  let rest = "";
  const ended = new Promise<ChildExit>((resolve) => {
    child.once("close", (code, signal) => resolve({ code, signal }));
  });
  child.stdout.on("data", (bytes: Uint8Array) => {
    const parts = (rest + new TextDecoder().decode(bytes)).split("\n");
    rest = parts.pop() ?? "";
    for (const line of parts) {
      lines.push(line);
      for (const one of waiting) if (one.wanted(line)) one.found(line);
    }
  });
  await new Promise<void>((resolve, reject) => {
    child.once("spawn", resolve);
    child.once("error", reject);
  });
  return {
    pid: child.pid!,
    ended,
    line(wanted) {
      const already = lines.find(wanted);
      if (already !== undefined) return Promise.resolve(already);
      return new Promise((found, reject) => {
        waiting.add({ wanted, found });
        ended.then(() => reject(new Error(`The helper ended after: ${lines.join(" | ")}`)));
      });
    },
    async kill() {
      child.kill("SIGKILL");
      await ended;
    },
  };
}
