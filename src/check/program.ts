import type { ChildExit, ChildProcess, SignalName } from "../ports/process.ts";
import type { Runtime } from "../ports/runtime.ts";
import { ProbeFailure, show, within } from "./probe_failure.ts";

/** Kept of each output of a program: enough for a fault's message, whatever it writes. */
const outputCharsMax = 64 << 10;

/** Another run of this very program, and the end of what it wrote. */
export class Program {
  readonly #runtime: Runtime;
  readonly #child: ChildProcess;
  readonly #output: Output;

  private constructor(runtime: Runtime, child: ChildProcess, output: Output) {
    this.#runtime = runtime;
    this.#child = child;
    this.#output = output;
    child.exited.then((exit) => output.exit = exit);
  }

  /** Starts it in `cwd`; `env` is added to this environment without settings for the program. */
  static async start(
    runtime: Runtime,
    args: readonly string[],
    options: { cwd: string; env?: Readonly<Record<string, string>> },
  ): Promise<Program> {
    const output: Output = { stdout: "", stderr: "", exit: undefined, changed: new Set() };
    const [stdout, stderr] = [new TextDecoder(), new TextDecoder()];
    const child = await runtime.process.spawnSelf({
      args,
      cwd: options.cwd,
      env: { ...quietEnvironment(runtime), ...options.env },
      stdout: (bytes) => {
        output.stdout = keepEnd(output.stdout + stdout.decode(bytes, { stream: true }));
        for (const look of output.changed) look();
      },
      stderr: (bytes) => {
        output.stderr = keepEnd(output.stderr + stderr.decode(bytes, { stream: true }));
      },
    });
    return new Program(runtime, child, output);
  }

  get pid(): number {
    return this.#child.pid;
  }

  get stdout(): string {
    return this.#output.stdout;
  }

  get stderr(): string {
    return this.#output.stderr;
  }

  /** Resolves when it ended and its output was read. */
  get exited(): Promise<ChildExit> {
    return this.#child.exited;
  }

  /** How it ended; undefined while it runs. */
  get exit(): ChildExit | undefined {
    return this.#output.exit;
  }

  kill(signal: SignalName): void {
    this.#child.kill(signal);
  }

  /** Rejects with ProbeFailure when it still runs after `ms`. */
  waitForExit(ms: number): Promise<ChildExit> {
    return within(this.#runtime.clock, this.exited, { ms, what: "end of the program" });
  }

  /** The first match of `pattern` in what it writes to stdout; rejects when it ends before. */
  async waitForOutput(pattern: RegExp, ms: number): Promise<RegExpExecArray> {
    const { changed } = this.#output;
    let look = () => {};
    const found = new Promise<RegExpExecArray>((resolve, reject) => {
      look = () => {
        const match = pattern.exec(this.stdout);
        if (match !== null) resolve(match);
      };
      changed.add(look);
      look();
      this.exited.then((exit) => {
        look();
        reject(new ProbeFailure(`It ended ${showExit(exit)}: ${show(lastLine(this.stderr))}`));
      }, reject);
    });
    try {
      return await within(this.#runtime.clock, found, { ms, what: `output ${pattern.source}` });
    } finally {
      changed.delete(look);
    }
  }
}

interface Output {
  stdout: string;
  stderr: string;
  exit: ChildExit | undefined;
  /** Called when stdout has grown. */
  readonly changed: Set<() => void>;
}

/** `with exit code 2` or `by SIGKILL`. */
export function showExit(exit: ChildExit): string {
  return exit.signal === null ? `with exit code ${exit.code}` : `by ${exit.signal}`;
}

/** The last line that is not empty. */
export function lastLine(text: string): string {
  return text.trimEnd().split("\n").at(-1) ?? "";
}

/**
 * The caller's `FREEKILL_GW_*` would override what a private server is told; an empty value counts
 * as not set. The service manager is not to hear of private servers either.
 */
function quietEnvironment(runtime: Runtime): Record<string, string> {
  const quiet: Record<string, string> = {};
  for (const name of Object.keys(runtime.process.env)) {
    if (name.startsWith("FREEKILL_GW_") || name === "NOTIFY_SOCKET") quiet[name] = "";
  }
  return quiet;
}

function keepEnd(text: string): string {
  return text.length <= outputCharsMax ? text : text.slice(-outputCharsMax);
}
