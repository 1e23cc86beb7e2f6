import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Admin, startAdmin } from "../../src/app/admin.ts";
import { httpRoutes } from "../../src/app/http_routes.ts";
import type { FilesPort } from "../../src/ports/files.ts";
import type { LineShellPort } from "../../src/ports/line_shell.ts";
import type { Runtime } from "../../src/ports/runtime.ts";
import { type FakeLog, fakeLog } from "../fakes/log.ts";
import { type FakeOperatedGame, fakeOperatedGame } from "../fakes/operated_game.ts";
import { runtimeUnderTest } from "../tested_runtime.ts";
import { filesUnder } from "./files_under.ts";

/** The admin commands of a game in memory, with real files and real HTTP on a free port. */
export interface AdminStage {
  readonly runtime: Runtime;
  readonly admin: Admin;
  readonly game: FakeOperatedGame;
  readonly directory: string;
  /** As seen by a program in `directory`. */
  readonly files: FilesPort;
  readonly port: number;
  /** Straight at the routes, as any peer. */
  answer(request: Request, remoteHost: string): Promise<Response>;
  readonly log: FakeLog;
  /** The entries of the audit log, when all is written. */
  audit(): Promise<Record<string, unknown>[]>;
}

/** Runs `use` with a stage; all of it is gone afterwards. */
export async function withAdmin(
  use: (stage: AdminStage) => Promise<void>,
  parts: {
    lineShell?: LineShellPort;
    isTerminal?: boolean;
    isHttpOff?: boolean;
    /** As configured, whatever HTTP really listens on. */
    httpHost?: string;
    env?: Readonly<Record<string, string>>;
    /** Instead of sending a signal to a process. */
    kill?(signal: string): void;
  } = {},
): Promise<void> {
  const directory = mkdtempSync(join(tmpdir(), "freekill-gw-admin-"));
  const real = await runtimeUnderTest();
  const files = filesUnder(real.files, directory);
  const isTerminal = parts.isTerminal ?? false;
  const runtime: Runtime = {
    ...real,
    files,
    lineShell: parts.lineShell ?? real.lineShell,
    process: {
      ...real.process,
      cwd: directory,
      env: parts.env ?? {},
      kill(_pid, signal) {
        parts.kill?.(String(signal));
        return true;
      },
      isTerminal: { stdin: isTerminal, stdout: isTerminal, stderr: isTerminal },
    },
  };
  const game = fakeOperatedGame();
  const log = fakeLog();
  const admin = await startAdmin({
    runtime,
    logger: log.logger,
    game,
    httpHost: parts.httpHost ?? "127.0.0.1",
  });
  const routes = httpRoutes({
    notReady: () => undefined,
    metrics: () => ({}),
    prometheus: async () => ({ contentType: "text/plain", text: "" }),
    metricsAllow: [],
    addRoutes: (app) => admin.addRoutes(app),
  });
  const http = await real.http.listen({
    host: "127.0.0.1",
    port: 0,
    bodyBytesMax: 65_536,
    fetch: routes,
    error: (error) => {
      throw error;
    },
  });
  try {
    await admin.publish(parts.isHttpOff ? undefined : http);
    await use({
      runtime,
      admin,
      game,
      log,
      directory,
      files,
      port: http.port,
      answer: async (request, remoteHost) => routes(request, { remoteHost, remotePort: 50_000 }),
      async audit() {
        await admin.stop();
        const bytes = await files.read("server/admin.log");
        const lines = new TextDecoder().decode(bytes).trimEnd().split("\n");
        return lines.filter((line) => line !== "").map((line) => JSON.parse(line));
      },
    });
  } finally {
    await admin.stop();
    await http.close();
    rmSync(directory, { recursive: true, force: true });
  }
}
