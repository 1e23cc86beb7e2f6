import { type ChildProcess, spawn } from "node:child_process";
import process from "node:process";
import { fileURLToPath } from "node:url";

export type RuntimeName = "bun" | "deno";

/** The command that runs a module of this folder from source. */
export function runtimeCommand(runtime: RuntimeName, module: string): [string, ...string[]] {
  const path = fileURLToPath(new URL(module, import.meta.url));
  if (runtime === "bun") return [process.execPath, path];
  const deno = fileURLToPath(new URL("../../../.tools/bin/deno", import.meta.url));
  return [deno, "run", "-A", "--no-check", path];
}

/** A program that takes orders by lines and answers by lines; it ends when its input does. */
export class ChildProgram {
  readonly #child: ChildProcess;
  readonly #name: string;
  #rest = "";
  readonly #lines: string[] = [];
  readonly #waiting = new Set<() => void>();
  #hasEnded = false;
  readonly #ended: Promise<void>;

  constructor(name: string, [command, ...args]: readonly [string, ...string[]]) {
    this.#name = name;
    const child = spawn(command, args, { stdio: ["pipe", "pipe", "inherit"] });
    this.#child = child;
    child.stdout?.setEncoding("utf8");
    child.stdout?.on("data", (text: string) => this.#read(text));
    this.#ended = new Promise((resolve) => {
      const end = () => {
        this.#hasEnded = true;
        this.#wake();
        resolve();
      };
      child.once("error", end);
      child.once("close", end);
    });
    // Of a program that has ended; its end is told by `line`.
    child.stdin?.on("error", () => {});
  }

  order(line: string): void {
    this.#child.stdin?.write(`${line}\n`);
  }

  /** Waits for a line that begins so, and gives the rest of it. */
  async line(start: string): Promise<string> {
    for (;;) {
      const at = this.#lines.findIndex((line) => line.startsWith(start));
      const [found] = at < 0 ? [] : this.#lines.splice(at, 1);
      if (found !== undefined) return found.slice(start.length);
      if (this.#hasEnded) throw new Error(`The ${this.#name} ended before it said '${start}'`);
      await new Promise<void>((resolve) => this.#waiting.add(resolve));
    }
  }

  async stop(): Promise<void> {
    this.#child.kill("SIGKILL");
    await this.#ended;
  }

  #read(text: string): void {
    const parts = (this.#rest + text).split("\n");
    this.#rest = parts.pop() ?? "";
    this.#lines.push(...parts);
    this.#wake();
  }

  #wake(): void {
    const waiting = [...this.#waiting];
    this.#waiting.clear();
    for (const wake of waiting) wake();
  }
}
