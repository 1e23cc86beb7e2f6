import assert from "node:assert/strict";
import { readdir, readFile } from "node:fs/promises";
import { nodeGitIo } from "../../../src/adapters/node/git_io.ts";
import type { PackagesProgress } from "../../../src/game/packages/packages_progress.ts";
import { preparePackage } from "../../../src/game/packages/prepare_package.ts";
import { runtimeUnderTest } from "../../tested_runtime.ts";
import { inDirectory } from "../accounts/temporary_directory.ts";
import {
  commitTree,
  type GitServer,
  makeRepository,
  type RawEntry,
  serveRepositories,
  writeRawTree,
} from "./git_fixture.ts";
import { writeTree } from "./package_tree.ts";

export const { files } = await runtimeUnderTest();

/** A data directory, a repository, and a server that gives it. */
export interface PrepareStage {
  /** The data directory. */
  readonly directory: string;
  /** Where the repository `mine` is, with its work tree. */
  readonly repository: string;
  readonly server: GitServer;
  readonly progress: PackagesProgress[];
  /** Milliseconds of the pauses between tries; nobody waits for them. */
  readonly pauses: number[];
  prepare(
    job?: { url?: string; hash?: string; current?: string },
    signal?: AbortSignal,
  ): ReturnType<typeof preparePackage>;
  /** A file of what was prepared. */
  read(path: string): Promise<Uint8Array>;
  text(path: string): Promise<string>;
}

/** Where what was prepared lies in the data directory. */
export const beside = "packages/.incoming-mine.disabled";

/** Runs a test with all of it, which is removed afterwards. */
export function onStage(test: (stage: PrepareStage) => Promise<void>): Promise<void> {
  return inDirectory(async (root) => {
    await writeTree(root, { "data/keep": "", "served/keep": "" });
    const directory = `${root}/data`;
    const server = await serveRepositories(`${root}/served`);
    const progress: PackagesProgress[] = [];
    const pauses: number[] = [];
    const pause = (ms: number) => Promise.resolve(void pauses.push(ms));
    const read = async (path: string) =>
      new Uint8Array(await readFile(`${directory}/${beside}/${path}`));
    try {
      await test({
        directory,
        repository: `${root}/served/mine`,
        server,
        progress,
        pauses,
        prepare: (job = {}, signal = new AbortController().signal) =>
          preparePackage({
            files,
            git: nodeGitIo(),
            signal,
            pause,
            tell: (one) => progress.push(one),
          }, {
            directory,
            name: "mine",
            url: `${server.url}/mine`,
            ...job,
          }),
        read,
        text: async (path) => new TextDecoder().decode(await read(path)),
      });
    } finally {
      await server.close();
    }
  });
}

/** The stage with a raw tree at HEAD. */
export function onRawStage(
  make: (repository: string) => RawEntry[],
  test: (stage: PrepareStage) => Promise<void>,
): Promise<void> {
  return onStage(async (stage) => {
    await makeRepository(stage.repository, { "a.lua": "a" });
    commitTree(stage.repository, writeRawTree(stage.repository, make(stage.repository)));
    await test(stage);
  });
}

/** Nothing is left of it, and nothing came out of it. */
export async function assertClean({ directory }: PrepareStage): Promise<void> {
  assert.deepEqual((await readdir(directory)).sort(), ["keep", "packages"]);
  assert.deepEqual(await readdir(`${directory}/packages`), []);
}
