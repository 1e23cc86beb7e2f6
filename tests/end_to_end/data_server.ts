import { Database } from "bun:sqlite";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { GameClient, type Login } from "../client/game_client.ts";
import { programCommand, type ProgramKind } from "../client/game_program.ts";
import { unhurried } from "./game_stage.ts";
import { freePort, root, startServer, withDirectory } from "./run_program.ts";

/** Far above what a background job of the program takes: only one that never comes is later. */
const withinMs = 20_000;

/** A data directory whose `serve` comes and goes. */
export class DataServer {
  readonly directory: string;
  readonly kind: ProgramKind;
  readonly #game: Readonly<Record<string, unknown>>;
  #server: Awaited<ReturnType<typeof startServer>> | undefined;

  private constructor(
    directory: string,
    options: { kind: ProgramKind; game: Readonly<Record<string, unknown>> },
  ) {
    this.directory = directory;
    this.kind = options.kind;
    this.#game = options.game;
  }

  /** Runs `use` in a directory that `prepare` has filled; what still runs afterwards is killed. */
  static async with(
    options: {
      kind: ProgramKind;
      game?: Readonly<Record<string, unknown>>;
      prepare?: (directory: string) => void;
    },
    use: (server: DataServer) => Promise<void>,
  ): Promise<void> {
    await withDirectory(async (directory) => {
      options.prepare?.(directory);
      const { kind, game = {} } = options;
      const server = new DataServer(directory, { kind, game: { ...unhurried, ...game } });
      try {
        await use(server);
      } finally {
        await server.kill();
      }
    });
  }

  get command(): string[] {
    return [...programCommand(this.kind), "serve"];
  }

  get pid(): number {
    return this.#started.pid;
  }

  get port(): number {
    return this.#started.tcpPort;
  }

  async start(): Promise<void> {
    const httpPort = await freePort();
    const settings = {
      http_port: httpPort,
      tcp_port_mode: "game",
      // The rules have memory for the runtime that plays them.
      lua_command: `${process.execPath} ${join(root, "tests/fakes/scripted_rules.ts")}`,
      lua_memory_mb: 4_000,
      game: this.#game,
    };
    // Where the rules are run.
    mkdirSync(join(this.directory, "packages/freekill-core"), { recursive: true });
    writeFileSync(join(this.directory, "freekill-gw.json"), JSON.stringify(settings));
    this.#server = await startServer(this.command, {
      cwd: this.directory,
      flags: ["--http-port", `${httpPort}`],
    });
  }

  /** Its exit code. */
  stop(): Promise<number | null> {
    return this.#end("SIGTERM");
  }

  /** Does nothing when none runs. */
  async kill(): Promise<void> {
    if (this.#server !== undefined) await this.#end("SIGKILL");
  }

  connect(localAddress = "127.0.0.1"): Promise<GameClient> {
    return GameClient.connect({ port: this.port, localAddress });
  }

  player(login: Login): Promise<GameClient> {
    return GameClient.join({ port: this.port }, login);
  }

  /** All that is said to a login that is refused, after the greeting. */
  async refusal(login: Login): Promise<string[]> {
    const client = await this.connect();
    client.setup(login, await client.greeted());
    await client.closed;
    return client.received.slice(1).map(({ command, diag }) => `${command} ${diag}`);
  }

  rows(file: string, sql: string, ...values: (string | number)[]): Row[] {
    return rowsIn(join(this.directory, file), sql, ...values);
  }

  async #end(signal: "SIGTERM" | "SIGKILL"): Promise<number | null> {
    const server = this.#started;
    this.#server = undefined;
    process.kill(server.pid, signal);
    return await server.exited();
  }

  get #started(): Awaited<ReturnType<typeof startServer>> {
    if (this.#server === undefined) throw new Error("no server runs in this directory");
    return this.#server;
  }
}

/** What a query finds in a database, which a server may have open. */
export function rowsIn(path: string, sql: string, ...values: (string | number)[]): Row[] {
  const database = new Database(path, { readonly: true });
  try {
    return database.query(sql).all(...values) as Row[];
  } finally {
    database.close();
  }
}

export type Row = Record<string, unknown>;

/** Asks again and again until it is so; throws when it never is. */
export async function eventually(what: string, isSo: () => boolean): Promise<void> {
  const giveUpAt = performance.now() + withinMs;
  while (!isSo()) {
    if (performance.now() > giveUpAt) throw new Error(`never: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}
