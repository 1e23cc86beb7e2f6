import { type ChildProcess, spawn } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { cleanEnvironment, freePort } from "../program_environment.ts";

const root = fileURLToPath(new URL("../../", import.meta.url));

/** Far above what any of these programs takes: only a hang comes near. */
const startMs = 60_000;
const stopMs = 20_000;

/** A runtime that plays the scripted rules reserves that much and uses little of it (MiB). */
const rulesMemoryMb = 4_000;

/** How the program under test is run: the compiled binary, or from source on Deno. */
export type ProgramKind = "binary" | "deno";

/** The command line of the program, without a verb. */
export function programCommand(kind: ProgramKind): string[] {
  if (kind === "binary") {
    return [resolve(process.env.FREEKILL_GW_BINARY ?? join(root, "freekill-gw"))];
  }
  return [join(root, ".tools/bin/deno"), "run", "-A", join(root, "src/main.deno.ts")];
}

export interface GameProgramOptions {
  readonly kind: ProgramKind;
  /** `freekill.server.config.json`, as an original server has it. */
  readonly server?: Readonly<Record<string, unknown>>;
  /** The section `game` of `freekill-gw.json`. */
  readonly game?: Readonly<Record<string, unknown>>;
  /** Other keys of `freekill-gw.json`. */
  readonly root?: Readonly<Record<string, unknown>>;
  /** A core to play with, on a native Lua 5.4 unless `root` says otherwise; null for none, so that the
   * built-in game is played. When it is absent, the scripted rules play. */
  readonly core?: string | null;
  /** Called with the data directory before the start. */
  readonly prepare?: (directory: string) => void;
}

/** What `freekill-gw admin` said. */
export interface AdminOutcome {
  readonly exitCode: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** A `serve` in a directory of its own, with a game to play. */
export class GameProgram {
  readonly directory: string;
  /** Of TCP, and of UDP discovery. */
  readonly port: number;
  readonly pid: number;
  readonly #options: GameProgramOptions;
  readonly #child: ChildProcess;
  readonly #stderr: () => string;
  readonly #ended: Promise<number | null>;
  /** Nothing of it outlives a test run that fails in between. */
  readonly #clearAway = () => {
    this.#child.kill("SIGKILL");
    rmSync(this.directory, { recursive: true, force: true });
  };

  private constructor(
    options: GameProgramOptions,
    started: {
      directory: string;
      port: number;
      child: ChildProcess;
      stderr: () => string;
      ended: Promise<number | null>;
    },
  ) {
    this.#options = options;
    this.directory = started.directory;
    this.port = started.port;
    this.#child = started.child;
    this.#stderr = started.stderr;
    this.#ended = started.ended;
    this.pid = started.child.pid ?? 0;
    process.once("exit", this.#clearAway);
  }

  /** Resolves when the program says that it is ready. */
  static async start(options: GameProgramOptions): Promise<GameProgram> {
    const directory = mkdtempSync(join(tmpdir(), "freekill-gw-game-"));
    try {
      const core = join(directory, "packages/freekill-core");
      if (options.core === undefined) mkdirSync(core, { recursive: true });
      else if (options.core !== null) cpSync(options.core, core, { recursive: true });
      const main = {
        tcp_port: await freePort(),
        http_port: await freePort(),
        // No wait for a first byte that could tell what the peer is.
        tcp_port_mode: "game",
        ...rulesKeys(options.core),
        ...options.root,
        game: options.game ?? {},
      };
      writeFileSync(join(directory, "freekill-gw.json"), JSON.stringify(main));
      writeServerConfig(directory, options.server ?? {});
      options.prepare?.(directory);
      return new GameProgram(options, await serve(options.kind, directory));
    } catch (error) {
      rmSync(directory, { recursive: true, force: true });
      throw error;
    }
  }

  /** Its log so far. */
  get log(): string {
    return this.#stderr();
  }

  /** The exit code once it has ended, by itself or stopped. */
  get ended(): Promise<number | null> {
    return this.#ended;
  }

  /** `freekill-gw admin "<line>"` in the data directory, with these flags. */
  async admin(line: string, ...flags: readonly string[]): Promise<AdminOutcome> {
    const [program = "", ...args] = programCommand(this.#options.kind);
    const child = start(program, [...args, "admin", ...flags, line], this.directory);
    const exitCode = await child.ended;
    return { exitCode, stdout: child.stdout(), stderr: child.stderr() };
  }

  /** The same; throws unless the command went well. */
  async command(line: string): Promise<string> {
    const { exitCode, stdout, stderr } = await this.admin(line);
    if (exitCode !== 0) throw new Error(`admin "${line}" exited ${exitCode}: ${stderr}${stdout}`);
    return stdout;
  }

  /** Replaces keys of `freekill.server.config.json` and has it read again. */
  async configure(server: Readonly<Record<string, unknown>>): Promise<void> {
    writeServerConfig(this.directory, { ...this.#options.server, ...server });
    await this.command("reloadconf");
  }

  /** Stops it in order and removes its directory; its exit code, null when it had to be killed. */
  async stop(): Promise<number | null> {
    const timer = setTimeout(() => this.#child.kill("SIGKILL"), stopMs);
    this.#child.kill("SIGTERM");
    const exitCode = await this.#ended;
    clearTimeout(timer);
    process.removeListener("exit", this.#clearAway);
    rmSync(this.directory, { recursive: true, force: true });
    return exitCode;
  }
}

/** Runs `use` with a program that is stopped afterwards, and must stop in order. */
export async function withGameProgram(
  options: GameProgramOptions,
  use: (program: GameProgram) => Promise<void>,
): Promise<void> {
  const program = await GameProgram.start(options);
  let failure: Error | undefined;
  await use(program).catch((error: Error) => failure = error);
  const exitCode = await program.stop();
  if (failure === undefined && exitCode !== 0) {
    failure = new Error(`the program ended with ${exitCode}, not 0`);
  }
  if (failure === undefined) return;
  throw new Error(`${failure.message}\nthe program's log:\n${program.log}`, { cause: failure });
}

function writeServerConfig(directory: string, server: Readonly<Record<string, unknown>>): void {
  writeFileSync(join(directory, "freekill.server.config.json"), JSON.stringify(server));
}

/** What runs the rules. */
function rulesKeys(core: string | null | undefined): Readonly<Record<string, unknown>> {
  if (core === null) return {};
  const command = core === undefined ? scriptedRules() : "lua5.4";
  return { lua_command: command, lua_memory_mb: rulesMemoryMb };
}

/** The command that plays the scripted rules, in the runtime that runs the tests. */
function scriptedRules(): string {
  const run = "Bun" in globalThis ? "" : "run -A ";
  return `${process.execPath} ${run}${join(root, "tests/fakes/scripted_rules.ts")}`;
}

async function serve(kind: ProgramKind, directory: string) {
  const [program = "", ...args] = programCommand(kind);
  const started = start(program, [...args, "serve"], directory);
  const timer = setTimeout(() => started.child.kill("SIGKILL"), startMs);
  const port = await Promise.race([
    started.until(/^runtime_host_server_ready .*\btcp_port=(\d+)/m),
    started.ended.then((code) => {
      throw new Error(`serve ended with ${code} before it was ready: ${started.stderr()}`);
    }),
  ]);
  clearTimeout(timer);
  return { ...started, directory, port: Number(port) };
}

function start(program: string, args: readonly string[], cwd: string) {
  const child = spawn(program, [...args], {
    cwd,
    env: cleanEnvironment(),
    stdio: ["ignore", "pipe", "pipe"],
  });
  const said = { stdout: "", stderr: "" };
  let look = () => {};
  for (const name of ["stdout", "stderr"] as const) {
    child[name].setEncoding("utf8");
    child[name].on("data", (text: string) => {
      said[name] += text;
      look();
    });
  }
  const ended = new Promise<number | null>((resolve, reject) => {
    child.on("error", reject);
    child.on("close", (code) => resolve(code));
  });
  const until = (pattern: RegExp) =>
    new Promise<string>((resolve) => {
      look = () => {
        const found = pattern.exec(said.stdout)?.[1];
        if (found !== undefined) resolve(found);
      };
      look();
    });
  return { child, ended, until, stdout: () => said.stdout, stderr: () => said.stderr };
}
