import assert from "node:assert/strict";
import { readdir, readFile } from "node:fs/promises";
import { PackagesClient } from "../../../src/game/packages/packages_client.ts";
import { readPackages } from "../../../src/game/packages/packages_db.ts";
import type { WorkersPort } from "../../../src/ports/workers.ts";
import { fakeLog } from "../../fakes/log.ts";
import { runtimeUnderTest } from "../../tested_runtime.ts";
import { inDirectory } from "../accounts/temporary_directory.ts";
import { type GitServer, serveRepositories } from "./git_fixture.ts";
import { writeTree } from "./package_tree.ts";

export const runtime = await runtimeUnderTest();

/** A client with real workers, its data directory, and a server of repositories. */
export interface ChangesStage {
  readonly client: PackagesClient;
  readonly directory: string;
  /** Holds the repositories that the server gives. */
  readonly served: string;
  readonly server: GitServer;
  readonly workers: ReturnType<typeof killableWorkers>;
  /** name, hash and whether it is enabled, of all rows. */
  rows(): Promise<string[]>;
  text(path: string): Promise<string>;
  /** Names in `packages/` without those of files. */
  directories(): Promise<string[]>;
}

/** Runs a test with all of it, which is removed afterwards. */
export function onStage(test: (stage: ChangesStage) => Promise<void>): Promise<void> {
  return inDirectory(async (root) => {
    const [directory, served] = [`${root}/data`, `${root}/served`];
    await writeTree(root, { "data/packages/readme": "", "served/keep": "" });
    const server = await serveRepositories(served);
    const workers = killableWorkers();
    const { clock } = runtime;
    const client = new PackagesClient({ workers, clock, logger: fakeLog().logger });
    const { files, sqlite } = runtime;
    try {
      await test({
        client,
        directory,
        served,
        server,
        workers,
        async rows() {
          const { rows } = await readPackages({ files, sqlite, directory });
          return rows.map(({ name, hash, enabled }) => `${name} ${hash} ${enabled}`);
        },
        text: (path) => readFile(`${directory}/packages/${path}`, "utf8"),
        async directories() {
          const entries = await readdir(`${directory}/packages`, { withFileTypes: true });
          return entries.filter((one) => one.isDirectory()).map(({ name }) => name).sort();
        },
      });
    } finally {
      client.close();
      await server.close();
    }
  });
}

/** The real threads. `kill` ends the last one, and its owner hears of it as of a crash. */
function killableWorkers(): WorkersPort & { posted(kind: string): void; kill(): void } {
  let kill = () => {};
  return {
    posted: () => {},
    kill: () => kill(),
    start(options) {
      const worker = runtime.workers.start<never, never>(options as never);
      const own = () => {
        worker.terminate();
        options.handlers.error(new Error("Worker packages failed: killed"));
      };
      return {
        post: (message, transfer) => {
          worker.post(message as never, transfer);
          kill = own;
          this.posted((message as { kind: string }).kind);
        },
        terminate: () => worker.terminate(),
      };
    },
  };
}

/** A test that goes on with what was done. */
export function assertOk<Outcome extends { ok: boolean; reason?: string }>(outcome: Outcome) {
  assert.ok(outcome.ok, outcome.reason ?? "");
  return outcome as Extract<Outcome, { ok: true }>;
}
