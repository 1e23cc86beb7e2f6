import { FileError } from "../ports/files.ts";
import type { Runtime } from "../ports/runtime.ts";
import { expect, pause, ProbeFailure, reasonOf } from "./probe_failure.ts";
import { Program } from "./program.ts";

/** How long a killed program may take to be gone: the kernel needs moments. */
const killMs = 5_000;

/** Tries to remove the directory, with a pause between them. */
const removeTriesMax = 20;
const removePauseMs = 50;

/**
 * A temporary directory and the programs started in it. `close` ends and removes all of that, on
 * every path out of a check.
 */
export class Workspace {
  readonly runtime: Runtime;
  readonly directory: string;
  readonly #programs = new Set<Program>();
  readonly #underWay = new Set<Promise<unknown>>();
  readonly #cleanups: (() => Promise<void>)[] = [];
  #count = 0;
  #closing: Promise<void> | undefined;

  private constructor(runtime: Runtime, directory: string) {
    this.runtime = runtime;
    this.directory = directory;
  }

  /** Makes a directory of its own below the system's one for temporary files. */
  static async create(runtime: Runtime): Promise<Workspace> {
    const directory = `${temporaryDirectory(runtime)}/freekill-gw-check-${runtime.random.uuid()}`;
    await runtime.files.makeDirectory(directory, { mode: 0o700 });
    return new Workspace(runtime, directory);
  }

  /** A fresh, empty directory in it. */
  async makeDirectory(): Promise<string> {
    this.#expectOpen();
    const path = `${this.directory}/${++this.#count}`;
    await this.#track(this.runtime.files.makeDirectory(path));
    return path;
  }

  /** Starts this very program with other arguments, in `cwd`. */
  async start(
    args: readonly string[],
    options: { cwd: string; env?: Readonly<Record<string, string>> },
  ): Promise<Program> {
    this.#expectOpen();
    return await this.#track((async () => {
      const program = await Program.start(this.runtime, args, options);
      this.#programs.add(program);
      program.exited.finally(() => this.#programs.delete(program));
      return program;
    })());
  }

  /** Runs this very program to its end, at most `ms`. */
  async run(
    args: readonly string[],
    options: { cwd: string; env?: Readonly<Record<string, string>>; ms: number },
  ): Promise<{ code: number | null; stdout: string; stderr: string }> {
    const program = await this.start(args, options);
    try {
      const exit = await program.waitForExit(options.ms);
      return { code: exit.code, stdout: program.stdout, stderr: program.stderr };
    } finally {
      program.kill("SIGKILL");
    }
  }

  /** Adds what must be undone before the directory goes, such as a grandchild. */
  onClose(cleanup: () => Promise<void>): void {
    this.#cleanups.push(cleanup);
  }

  /** Kills all programs and removes the directory. Idempotent. */
  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  /** Makes `close` wait for what could still leave something behind. */
  async #track<T>(work: Promise<T>): Promise<T> {
    this.#underWay.add(work);
    try {
      return await work;
    } finally {
      this.#underWay.delete(work);
    }
  }

  async #close(): Promise<void> {
    // What is about to start would not be seen otherwise; nothing new can begin any more.
    await Promise.allSettled(this.#underWay);
    const programs = [...this.#programs];
    for (const program of programs) program.kill("SIGKILL");
    await Promise.allSettled(programs.map((program) => program.waitForExit(killMs)));
    await Promise.allSettled(this.#cleanups.map((cleanup) => cleanup()));
    await this.#removeDirectory();
  }

  /** Cases that were cut off may just be writing a file, which makes the removal fail. */
  async #removeDirectory(): Promise<void> {
    for (let tries = 1;; tries++) {
      try {
        await this.runtime.files.remove(this.directory);
        if (await this.runtime.files.info(this.directory) === undefined) return;
      } catch (error) {
        if (!(error instanceof FileError) || tries === removeTriesMax) throw error;
      }
      if (tries === removeTriesMax) throw new ProbeFailure("files come up again in it");
      await pause(this.runtime.clock, removePauseMs);
    }
  }

  #expectOpen(): void {
    expect(this.#closing === undefined, "The check is being stopped");
  }
}

/** Runs `work` with a workspace that is closed whatever happens. */
export async function withWorkspace<T>(
  runtime: Runtime,
  work: (workspace: Workspace) => Promise<T>,
): Promise<T> {
  const workspace = await Workspace.create(runtime);
  const interrupted = new Promise<never>((_resolve, reject) => {
    const stop = () => reject(new Interrupted());
    const undo = [
      runtime.process.onSignal("SIGINT", stop),
      runtime.process.onSignal("SIGTERM", stop),
    ];
    workspace.onClose(async () => undo.forEach((off) => off()));
  });
  try {
    return await Promise.race([work(workspace), interrupted]);
  } finally {
    await workspace.close().catch((error) => {
      runtime.process.writeStderr(`Cannot remove ${workspace.directory}: ${reasonOf(error)}\n`);
    });
  }
}

/** The operator stopped the check; all of its programs are ended when this is seen. */
export class Interrupted extends Error {
  override readonly name = "Interrupted";
  override readonly message = "The check was stopped before its end";
}

/** The system's directory for temporary files. */
export function temporaryDirectory(runtime: Runtime): string {
  const { env, platform } = runtime.process;
  const named = platform === "windows" ? env["TEMP"] ?? env["TMP"] : env["TMPDIR"];
  return (named ?? (platform === "windows" ? "C:/Windows/Temp" : "/tmp")).replace(/[\\/]+$/, "");
}
