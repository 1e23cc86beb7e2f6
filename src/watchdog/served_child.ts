import { TokenBucket } from "../base/token_bucket.ts";
import type { Logger } from "../ports/log.ts";
import type { ChildExit, ChildProcess, SignalName } from "../ports/process.ts";
import type { Runtime } from "../ports/runtime.ts";
import { ChildOutput, parseReadyLine, type ReadyLine } from "./child_output.ts";
import type { RotatingFile } from "./rotating_file.ts";
import { childEnvironment } from "./service_manager.ts";

/** 128 bits cannot be guessed in the life of a child. */
const tokenBytes = 16;

/** How much of a child's stderr is shown besides its file: a flood must not drown the journal. */
const shownBytes = { perSecond: 262_144, burst: 2_097_152 } as const;

export interface ServedChildOptions {
  readonly args: readonly string[];
  /** The environment variable for the one-time control token. */
  readonly childTokenVariable: string;
  readonly stdoutLog: RotatingFile;
  readonly stderrLog: RotatingFile;
  readonly log: Logger;
}

/**
 * One run of `serve`. Its output goes to the log files, and its stderr to this process's stderr
 * as well, so that the service manager's journal has it.
 */
export class ServedChild {
  /** What it expects as `AUTH:`; known to nobody else, never written anywhere. */
  readonly token: string;
  /** Resolves when it listens; never, when it ends before. */
  readonly ready: Promise<void>;
  /** Resolves when it ended and all its output was taken. */
  readonly exited: Promise<ChildExit>;
  readonly #process: ChildProcess;
  readonly #output: Output;

  private constructor(process: ChildProcess, output: Output, token: string) {
    this.#process = process;
    this.#output = output;
    this.token = token;
    this.ready = output.ready;
    this.exited = process.exited.then((exit) => {
      output.end();
      return exit;
    });
  }

  /** Rejects when the program cannot be started. */
  static async start(
    runtime: Pick<Runtime, "process" | "random" | "clock">,
    options: ServedChildOptions,
  ): Promise<ServedChild> {
    const token = hexOf(runtime.random.bytes(tokenBytes));
    const output = new Output(runtime, options, token);
    const process = await runtime.process.spawnSelf({
      args: options.args,
      env: { ...childEnvironment, [options.childTokenVariable]: token },
      // Its end of the pipe closes when this process ends in any way: a server can notice that.
      stdin: "pipe",
      // Else Ctrl-C reaches it twice, from the terminal and from here, and twice means at once.
      ownGroup: true,
      stdout: (bytes) => output.stdout.push(bytes),
      stderr: (bytes) => output.stderr.push(bytes),
    });
    return new ServedChild(process, output, token);
  }

  get pid(): number {
    return this.#process.pid;
  }

  /** Set once it listens. */
  get readyLine(): ReadyLine | undefined {
    return this.#output.readyLine;
  }

  get lastErrorLine(): string {
    return this.#output.stderr.lastLine;
  }

  kill(signal: SignalName): void {
    this.#process.kill(signal);
  }
}

/** Both streams of a child. */
class Output {
  readonly stdout: ChildOutput;
  readonly stderr: ChildOutput;
  readonly ready: Promise<void>;
  readyLine: ReadyLine | undefined;
  readonly #runtime: Pick<Runtime, "process" | "clock">;
  readonly #options: ServedChildOptions;
  readonly #shown: TokenBucket;
  #hiddenCharacters = 0;
  #becameReady = () => {};

  constructor(
    runtime: Pick<Runtime, "process" | "clock">,
    options: ServedChildOptions,
    secret: string,
  ) {
    this.#runtime = runtime;
    this.#options = options;
    this.#shown = new TokenBucket({ ...shownBytes, now: runtime.clock.monotonic() });
    this.ready = new Promise((resolve) => this.#becameReady = resolve);
    this.stdout = new ChildOutput({ secret, lines: (text) => this.#takeStdout(text) });
    this.stderr = new ChildOutput({ secret, lines: (text) => this.#takeStderr(text) });
  }

  end(): void {
    this.stdout.end();
    this.stderr.end();
    this.#tellHidden();
  }

  #takeStdout(text: string): void {
    this.#options.stdoutLog.write(text);
    if (this.readyLine !== undefined) return;
    for (const line of text.split("\n")) this.readyLine ??= parseReadyLine(line);
    if (this.readyLine !== undefined) this.#becameReady();
  }

  #takeStderr(text: string): void {
    this.#options.stderrLog.write(text);
    if (!this.#shown.take(this.#runtime.clock.monotonic(), text.length)) {
      this.#hiddenCharacters += text.length;
      return;
    }
    this.#tellHidden();
    this.#runtime.process.writeStderr(text);
  }

  #tellHidden(): void {
    if (this.#hiddenCharacters === 0) return;
    const fields = { characters: this.#hiddenCharacters };
    this.#hiddenCharacters = 0;
    this.#options.log.warn(fields, "the server wrote so much that a part is only in its log file");
  }
}

function hexOf(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}
