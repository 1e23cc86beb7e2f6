import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { setTimeout as delay } from "node:timers/promises";
import { describe, it } from "node:test";
import type { PackagesProgress } from "../../../src/game/packages/packages_progress.ts";
import { assertOk, onStage, runtime } from "./changes_stage.ts";
import { commitAll, git, makeRepository, noGit } from "./git_fixture.ts";
import { writePackagesDb, writeTree } from "./package_tree.ts";

describe("PackagesClient.install()", { skip: noGit }, () => {
  it("gets a package with its row, which a scan then counts, and no second time", () =>
    onStage(async ({ client, directory, directories, served, server, rows, text }) => {
      const hash = await makeRepository(`${served}/mine`, { "a.lua": "return 1\r\n" });
      const url = `${server.url}/mine`;
      const told: PackagesProgress[] = [];
      const progress = (one: PackagesProgress) => told.push(one);
      const installed = await client.install({ url, directory, progress });
      const lines = [`Package mine is installed at ${hash.slice(0, 10)}.`];
      assert.deepEqual(installed, { ok: true, lines });
      assert.deepEqual(await rows(), [`mine ${hash} true`]);
      assert.equal(await text("mine/a.lua"), "return 1\r\n");
      const phases = [...new Set(told.map(({ phase }) => phase))];
      assert.deepEqual(phases, ["connect", "receive", "index", "write", "swap"]);
      const { facts } = assertOk(await client.scan({ directory }));
      assert.deepEqual(facts.updateList, [{ hash, name: "mine", url }]);
      assert.deepEqual(facts.files, { lua: 1, qml: 0, js: 0 });
      assert.deepEqual(await client.install({ url, directory }), {
        ok: false,
        reason: "Cannot install mine: it is there already; upgrade it, or remove it first",
      });
      assert.deepEqual(await directories(), ["mine"]);
    }));

  it("takes repositories and directories of this machine, of which clients are not told", () =>
    onStage(async ({ client, directory, served, rows }) => {
      const hash = await makeRepository(`${served}/mine`, { "a.lua": "a" });
      await writeTree(`${served}/plain`, { "b.lua": "b" });
      const lines = [
        `Package mine is installed at ${hash.slice(0, 10)}.`,
        "Package mine comes from this machine: clients have to get it by themselves.",
      ];
      const url = `file://${served}/mine`;
      assert.deepEqual(await client.install({ url, directory }), { ok: true, lines });
      assertOk(await client.install({ url: `${served}/plain`, directory }));
      assert.deepEqual(await rows(), [`mine ${hash} true`, "plain  true"]);
      const { facts } = assertOk(await client.scan({ directory }));
      assert.deepEqual([facts.updateList, facts.files.lua], [[], 2]);
    }));

  it("refuses addresses that are none, shows no secret, and makes nothing", () =>
    onStage(async ({ client, directory, directories }) => {
      for (const url of ["", "nothing", "https://u:hunter2@example.org/a", "file:///x.disabled"]) {
        const outcome = await client.install({ url, directory });
        assert.ok(!outcome.ok && !outcome.reason.includes("hunter2"), url);
      }
      assert.deepEqual(await directories(), []);
    }));

  it("leaves the packages to be listed and scanned while it waits, and refuses another change", () =>
    onStage(async ({ client, directory, directories, served, server }) => {
      await makeRepository(`${served}/mine`, { "a.lua": "a" });
      const asked = Promise.withResolvers<void>();
      const cancel = new AbortController();
      server.intercept = () => {
        asked.resolve();
        return true;
      };
      const url = `${server.url}/mine`;
      const waiting = client.install({ url, directory, signal: cancel.signal });
      await asked.promise;
      assert.deepEqual(await client.list({ directory }), { ok: true, packages: [] });
      assertOk(await client.scan({ directory }));
      assert.deepEqual(await client.upgrade({ directory }), {
        ok: false,
        reason: "Cannot upgrade packages while another install runs",
      });
      cancel.abort();
      const reason = "Cannot install mine: it was cancelled";
      assert.deepEqual(await waiting, { ok: false, reason });
      assert.deepEqual(await directories(), []);
      server.intercept = () => false;
      assertOk(await client.install({ url, directory }));
    }));

  it("says what a server did that breaks off in the middle, and its worker lives on", {
    timeout: 30_000,
  }, () =>
    onStage(async ({ client, directory, directories, served, server }) => {
      await makeRepository(`${served}/mine`, { "a.lua": "a" });
      server.intercept = (request, response) => {
        if (request.method !== "POST") return false;
        response.writeHead(200, { "content-type": "application/x-git-upload-pack-result" });
        response.write("0008NAK\n0023\x02Counting objects: 100% (2/2)\n", () => response.destroy());
        return true;
      };
      const url = `${server.url}/mine`;
      const outcome = await client.install({ url, directory });
      assert.ok(!outcome.ok);
      assert.match(outcome.reason, /^Cannot install mine: the connection failed: /);
      assert.deepEqual(await directories(), []);
      server.intercept = () => false;
      assertOk(await client.install({ url, directory }));
    }));

  for (const kind of ["prepare", "change"]) {
    it(`leaves nothing or all of it when its worker dies soon after it got the job ${kind}`, () =>
      onStage(async (stage) => {
        const { client, directory, served, server, workers, rows, text } = stage;
        const hash = await makeRepository(`${served}/mine`, { "a.lua": "a", "b/b.lua": "b" });
        const url = `${server.url}/mine`;
        for (const ms of [0, 5, 40]) {
          let killed: Promise<void> | undefined;
          workers.posted = (posted) => {
            if (posted === kind) killed ??= delay(ms).then(() => workers.kill());
          };
          const outcome = await client.install({ url, directory });
          await killed;
          workers.posted = () => {};
          assertOk(await client.recover({ directory }));
          const names = installed(await stage.directories());
          assert.ok(!outcome.ok || names.length === 1, "what it says is done is done");
          if (names.length === 0) assert.deepEqual(await rows(), [], `after ${ms} ms`);
          else {
            assert.deepEqual([names, await rows()], [["mine"], [`mine ${hash} true`]]);
            assert.equal(await text("mine/b/b.lua"), "b");
            assertOk(await client.remove({ name: "mine", directory }));
          }
        }
      }));
  }
});

/** Without what waits for a next try. */
function installed(names: readonly string[]): string[] {
  return names.filter((name) => name !== ".fetched-mine.disabled");
}

describe("PackagesClient.upgrade()", { skip: noGit }, () => {
  it("brings all to what is there now, keeps who is disabled, and says who could not", () =>
    onStage(async ({ client, directory, served, server, rows, text }) => {
      const hashes: string[] = [];
      for (const name of ["a", "b", "c"]) {
        hashes.push(await makeRepository(`${served}/${name}`, { "x.lua": "1", "old.lua": "" }));
        assertOk(await client.install({ url: `${server.url}/${name}`, directory }));
      }
      assertOk(await client.setEnabled({ name: "b", enabled: false, directory }));
      await writeFile(`${served}/b/x.lua`, "2");
      await runtime.files.remove(`${served}/b/old.lua`);
      const newer = commitAll(`${served}/b`);
      assert.deepEqual(await client.upgrade({ directory }), {
        ok: true,
        lines: [
          `Package a is up to date at ${hashes[0]!.slice(0, 10)}.`,
          `Package b is upgraded at ${newer.slice(0, 10)}.`,
          `Package c is up to date at ${hashes[2]!.slice(0, 10)}.`,
        ],
      });
      assert.equal(await text("b/x.lua"), "2");
      assert.equal(existsSync(`${directory}/packages/b/old.lua`), false);
      assert.equal((await rows())[1], `b ${newer} false`);

      await runtime.files.remove(`${served}/a`);
      await writeFile(`${served}/c/x.lua`, "3");
      const last = commitAll(`${served}/c`).slice(0, 10);
      assert.deepEqual(await client.upgrade({ directory }), {
        ok: false,
        reason: "Cannot upgrade packages: a: there is no repository at its address (HTTP 404). " +
          `Package b is up to date at ${newer.slice(0, 10)}. Package c is upgraded at ${last}.`,
      });
      assert.equal(await text("c/x.lua"), "3");
      assert.equal(await text("a/x.lua"), "1");
    }));

  it("upgrades one by its name, and refuses what it cannot", () =>
    onStage(async ({ client, directory, served, server }) => {
      await makeRepository(`${served}/a`, { "x.lua": "1" });
      assertOk(await client.install({ url: `${server.url}/a`, directory }));
      await writeTree(directory, { "packages/mine/x.lua": "" });
      assertOk(await client.upgrade({ name: "a", directory }));
      const refused: Record<string, RegExp> = {
        mine: /^Cannot upgrade "mine": packages.db has no address for it$/,
        nope: /^Cannot upgrade "nope": there is no such package$/,
      };
      for (const [name, reason] of Object.entries(refused)) {
        const outcome = await client.upgrade({ name, directory });
        assert.ok(!outcome.ok);
        assert.match(outcome.reason, reason);
      }
    }));

  it("leaves the old or the new when its worker dies in the middle of the swap", () =>
    onStage(async (stage) => {
      const { client, directory, served, server, workers, rows, text } = stage;
      await makeRepository(`${served}/mine`, { "a.lua": "first" });
      assertOk(await client.install({ url: `${server.url}/mine`, directory }));
      for (const round of [0, 2, 9]) {
        await writeFile(`${served}/mine/a.lua`, `${round}`);
        const hash = commitAll(`${served}/mine`);
        const before = await rows();
        let killed: Promise<void> | undefined;
        workers.posted = (posted) => {
          if (posted === "change") killed = delay(round).then(() => workers.kill());
        };
        await client.upgrade({ directory });
        await killed;
        workers.posted = () => {};
        const isNew = await text("mine/a.lua") === `${round}`;
        assert.deepEqual(await rows(), isNew ? [`mine ${hash} true`] : before);
        assert.deepEqual(installed(await stage.directories()), ["mine"]);
        assertOk(await client.upgrade({ directory }));
        assert.equal(await text("mine/a.lua"), `${round}`);
      }
    }));
});

describe("PackagesClient.remove()", { skip: noGit }, () => {
  it("takes tree and row away, of either alone too, and refuses the core and what is nowhere", () =>
    onStage(async ({ client, directory, directories, rows }) => {
      await writeTree(directory, {
        "keep": "",
        "packages/freekill-core/a.lua": "",
        "packages/both/a.lua": "",
        "packages/tree/a.lua": "",
      });
      const { sqlite } = runtime;
      writePackagesDb(sqlite, directory, [["both", "", "", 1], ["row", "", "", 1]]);
      for (const name of ["both", "tree", "row"]) {
        const lines = [`Package ${name} is removed.`];
        assert.deepEqual(await client.remove({ name, directory }), { ok: true, lines });
      }
      for (const name of ["freekill-core", "both", "..", "../keep", "", "packages.db"]) {
        const { ok } = await client.remove({ name, directory });
        assert.equal(ok, false, name);
      }
      assert.deepEqual([await directories(), await rows()], [["freekill-core"], []]);
      assert.ok(existsSync(`${directory}/keep`));
    }));
});

describe("PackagesClient.sync()", { skip: noGit }, () => {
  it("writes which commits are there, and gets what is missing at its commit", () =>
    onStage(async ({ client, directory, served, server, rows, text }) => {
      const first = await makeRepository(`${served}/pinned`, { "x.lua": "1" });
      await writeFile(`${served}/pinned/x.lua`, "2");
      commitAll(`${served}/pinned`);
      const packages = `${directory}/packages`;
      const byHand = await makeRepository(`${packages}/by_hand`, { "a.lua": "a" });
      const secret = "https://u:hunter2@example.org/strange";
      git(`${packages}/by_hand`, ["remote", "add", "origin", "https://example.org/by_hand"]);
      const strange = await makeRepository(`${packages}/strange`, { "a.lua": "a" });
      git(`${packages}/strange`, ["remote", "add", "origin", secret]);
      await writeTree(packages, { "plain/a.lua": "", "off.disabled/.git/HEAD": "x" });
      writePackagesDb(runtime.sqlite, directory, [
        ["pinned", `${server.url}/pinned`, first, 1],
        ["by_hand", "", "1".repeat(40), 0],
      ]);
      assert.deepEqual(await client.sync({ directory }), {
        ok: true,
        lines: [
          `Package by_hand is at ${byHand.slice(0, 10)}: packages.db has it now.`,
          `Package strange is at ${strange.slice(0, 10)}: packages.db has it now.`,
          `Package pinned is installed at ${first.slice(0, 10)}.`,
        ],
      });
      assert.deepEqual(await rows(), [
        `pinned ${first} true`,
        `by_hand ${byHand} false`,
        `strange ${strange} true`,
      ]);
      assert.equal(await text("pinned/x.lua"), "1");
      const { packages: listed } = assertOk(await client.list({ directory }));
      const urls = listed.map(({ url }) => url);
      assert.deepEqual(urls.slice(1), ["https://example.org/by_hand", "", ""]);
      const lines = ["packages.db and packages/ agree."];
      assert.deepEqual(await client.sync({ directory }), { ok: true, lines });
    }));
});
