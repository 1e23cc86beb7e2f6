import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { readdir, writeFile } from "node:fs/promises";
import process from "node:process";
import { describe, it } from "node:test";
import { fileURLToPath } from "node:url";
import { FileError, type FilesPort } from "../../../src/ports/files.ts";
import { nodeGitIo } from "../../../src/adapters/node/git_io.ts";
import { preparePackage } from "../../../src/game/packages/prepare_package.ts";
import { assertOk, onStage as onChangesStage } from "./changes_stage.ts";
import { commitAll, git, makeRepository, noGit } from "./git_fixture.ts";
import { beside, files, onStage, type PrepareStage } from "./prepare_stage.ts";

const fetched = "packages/.fetched-mine.disabled";

/** Kills a program with SIGKILL when it has fetched `mine` and has written no file of it. */
async function fetchAndDie({ directory, server }: Pick<PrepareStage, "directory" | "server">) {
  const script = fileURLToPath(new URL("killed_prepare.ts", import.meta.url));
  const run = "Bun" in globalThis ? [] : ["run", "-A", "--quiet"];
  const child = spawn(process.execPath, [
    ...run,
    script,
    directory,
    "mine",
    `${server.url}/mine`,
  ], { stdio: "ignore" });
  const signal = await new Promise((resolve) => child.once("exit", (_, signal) => resolve(signal)));
  assert.equal(signal, "SIGKILL");
}

describe("a fetch that breaks off", { skip: noGit }, () => {
  it(
    "behind its last byte: a program that was killed does not fetch again",
    { timeout: 60_000 },
    () =>
      onChangesStage(async ({ client, directory, directories, served, server, rows, text }) => {
        const hash = await makeRepository(`${served}/mine`, { "a.lua": "a", "b/b.lua": "b" });
        await fetchAndDie({ directory, server });
        assert.equal(server.sent.length, 1);
        assert.deepEqual(await directories(), [
          ".fetched-mine.disabled",
          ".incoming-mine.disabled",
        ]);
        assertOk(await client.recover({ directory }));
        assert.deepEqual(await directories(), [".fetched-mine.disabled"]);
        assertOk(await client.install({ url: `${server.url}/mine`, directory }));
        assert.equal(server.sent.length, 1, "the pack was sent once");
        assert.deepEqual(await rows(), [`mine ${hash} true`]);
        assert.equal(await text("mine/b/b.lua"), "b");
        assert.deepEqual(await directories(), ["mine"]);
        git(`${directory}/packages/mine`, ["fsck", "--full"]);
      }),
  );

  it("behind its last byte: what is out of date, damaged or another's is fetched anew", {
    timeout: 60_000,
  }, () =>
    onStage(async (stage) => {
      const { directory, repository, server } = stage;
      await makeRepository(repository, { "a.lua": "1" });
      await fetchAndDie(stage);
      await writeFile(`${repository}/a.lua`, "2");
      const hash = commitAll(repository);
      assert.equal((await stage.prepare()).hash, hash);
      assert.equal(await stage.text("a.lua"), "2");
      assert.equal(server.sent.length, 2);

      await fetchAndDie(stage);
      const packs = `${directory}/${fetched}/objects/pack`;
      for (const name of await readdir(packs)) await writeFile(`${packs}/${name}`, "damaged");
      assert.equal((await stage.prepare()).hash, hash);
      assert.equal(server.sent.length, 4);

      await fetchAndDie(stage);
      git(directory, ["clone", "--quiet", "--bare", repository, `${repository}-2`]);
      const other = await stage.prepare({ url: `${server.url}/mine-2` });
      assert.equal(other.hash, hash);
      assert.equal(server.sent.length, 6);
    }));

  it("for a full disk goes on where it was", () =>
    onStage(async (stage) => {
      const { directory, server, progress } = stage;
      await makeRepository(stage.repository, { "a.lua": "a" });
      const full: FilesPort = {
        ...files,
        makeDirectory(path, options) {
          const isFull = path.endsWith(beside);
          if (isFull) return Promise.reject(new FileError("ENOSPC", path, "no space left"));
          return files.makeDirectory(path, options);
        },
      };
      const parts = {
        files: full,
        git: nodeGitIo(),
        signal: new AbortController().signal,
        pause: () => Promise.resolve(),
        tell: () => {},
      };
      const job = { directory, name: "mine", url: `${server.url}/mine` };
      await assert.rejects(preparePackage(parts, job), /no space left/);
      assert.deepEqual(await readdir(`${directory}/packages`), [fetched.slice("packages/".length)]);
      await stage.prepare();
      assert.equal(await stage.text("a.lua"), "a");
      assert.equal(server.sent.length, 1);
      assert.ok(!progress.some(({ phase }) => phase === "receive"));
    }));

  it("in the middle is tried again behind a pause, and leaves nothing of the first try", () =>
    onStage(async (stage) => {
      const { directory, server } = stage;
      await makeRepository(stage.repository, { "a.lua": "a" });
      let posts = 0;
      server.intercept = (request, response) => {
        if (request.method !== "POST" || ++posts > 2) return false;
        if (posts === 2) {
          response.writeHead(503).end();
          return true;
        }
        response.writeHead(200, { "content-type": "application/x-git-upload-pack-result" });
        response.write("0008NAK\n0023\x02Counting objects: 100% (2/2)\n", () => response.destroy());
        return true;
      };
      await stage.prepare();
      assert.deepEqual([posts, stage.pauses], [3, [500, 1_000]]);
      assert.deepEqual(await readdir(`${directory}/packages`), [beside.slice("packages/".length)]);
      assert.equal(await stage.text("a.lua"), "a");
    }));

  it("in one of several packages: a later sync gets those that are not there yet", () =>
    onChangesStage(async ({ client, directory, served, server, rows, directories }) => {
      const hashes: string[] = [];
      for (const name of ["a", "b", "c"]) {
        hashes.push(await makeRepository(`${served}/${name}`, { "x.lua": name }));
        assertOk(await client.install({ url: `${server.url}/${name}`, directory }));
        await files.remove(`${directory}/packages/${name}`);
      }
      const before = server.sent.length;
      const cancel = new AbortController();
      server.intercept = (request) => {
        if (request.url?.startsWith("/b/") === true) cancel.abort(new Error("enough"));
        return false;
      };
      const broken = await client.sync({ directory, signal: cancel.signal });
      assert.equal(broken.ok, false);
      assert.deepEqual(await directories(), ["a"]);
      server.intercept = () => false;
      const fetchedBefore = server.sent.length;
      assertOk(await client.sync({ directory }));
      assert.deepEqual(await directories(), ["a", "b", "c"]);
      assert.ok(fetchedBefore > before);
      assert.equal(server.sent.length, fetchedBefore + 2, "a was not sent again");
      const names = ["a", "b", "c"];
      assert.deepEqual(await rows(), names.map((name, at) => `${name} ${hashes[at]} true`));
    }));
});
