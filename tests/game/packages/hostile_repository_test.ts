import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { readdir, readFile } from "node:fs/promises";
import { describe, it } from "node:test";
import { commitTree, git, makeRepository, noGit, writeBlob, writeRawTree } from "./git_fixture.ts";
import { writeTree } from "./package_tree.ts";
import { assertClean, beside, onRawStage, onStage } from "./prepare_stage.ts";

describe("preparePackage() refuses, and leaves nothing of,", { skip: noGit }, () => {
  const refusedNames = [
    "..",
    ".",
    ".git",
    ".GIT",
    ".git.",
    ".git::$INDEX_ALLOCATION",
    "git~1",
    ".g\u200cit",
    "a/b",
    "../x",
    "/x",
    "a\\b",
    "..\\x",
    "a\u0007b",
    "...",
  ];
  it("trees with names that lead out of it, or mean a repository of git", () =>
    onStage(async (stage) => {
      const { repository } = stage;
      await makeRepository(repository, { "a.lua": "a" });
      const hash = writeBlob(repository, "evil");
      for (const name of refusedNames) {
        commitTree(repository, writeRawTree(repository, [{ mode: "100644", name, hash }]));
        const refused = stage.prepare({ url: repository });
        await assert.rejects(refused, /^PackageError: /, JSON.stringify(name));
        await assertClean(stage);
      }
    }));

  it("a tree with a directory of such a name", () =>
    onRawStage((repository) => {
      const inner = { mode: "100644", name: "config", hash: writeBlob(repository, "evil") };
      return [{ mode: "40000", name: ".git", hash: writeRawTree(repository, [inner]) }];
    }, async (stage) => {
      await assert.rejects(stage.prepare(), /^PackageError: /);
      await assertClean(stage);
    }));

  it("a tree with a name twice, as a link and as a directory below it", () =>
    onRawStage((repository) => {
      const inner = { mode: "100644", name: "x", hash: writeBlob(repository, "evil") };
      return [
        { mode: "120000", name: "a", hash: writeBlob(repository, "/tmp") },
        { mode: "40000", name: "a", hash: writeRawTree(repository, [inner]) },
      ];
    }, async (stage) => {
      await assert.rejects(stage.prepare(), /it has "a" twice/);
      await assertClean(stage);
    }));

  it("a small tree with millions of files", () =>
    onRawStage((repository) => {
      const hash = writeBlob(repository, "x");
      const ten = (mode: string, inner: string) =>
        Array.from({ length: 10 }, (_, i) => ({ mode, name: `${i}`, hash: inner }));
      let tree = writeRawTree(repository, ten("100644", hash));
      for (let depth = 0; depth < 6; depth++) tree = writeRawTree(repository, ten("40000", tree));
      return ten("40000", tree);
    }, async (stage) => {
      await assert.rejects(stage.prepare(), /too many files and directories; allowed are 50000/);
      await assertClean(stage);
    }));

  it("directories that are too deep", () =>
    onRawStage((repository) => {
      const file = { mode: "100644", name: "x", hash: writeBlob(repository, "x") };
      let tree = writeRawTree(repository, [file]);
      for (let depth = 0; depth < 40; depth++) {
        tree = writeRawTree(repository, [{ mode: "40000", name: "d", hash: tree }]);
      }
      return [{ mode: "40000", name: "d", hash: tree }];
    }, async (stage) => {
      await assert.rejects(stage.prepare(), /lies too deep/);
      await assertClean(stage);
    }));

  it(
    "a file that unpacks to more than is allowed",
    { timeout: 60_000 },
    () =>
      onRawStage((repository) => {
        const zeros = new Uint8Array(136_000_000);
        const quick = ["-c", "core.compression=1", "hash-object", "-w", "--stdin"];
        return [{ mode: "100644", name: "big.lua", hash: git(repository, quick, zeros) }];
      }, async (stage) => {
        await assert.rejects(stage.prepare(), /too big: it has an object of 136000000 bytes/);
        await assertClean(stage);
        const local = stage.prepare({ url: stage.repository });
        await assert.rejects(local, /an object that is damaged or over 134217728 bytes/);
        await assertClean(stage);
      }),
  );

  it("empty repositories, and what is no repository or no directory", () =>
    onStage(async (stage) => {
      await writeTree(stage.repository, { "keep": "" });
      git(stage.repository, ["init", "--quiet"]);
      const { server, repository } = stage;
      await assert.rejects(stage.prepare(), /its repository is empty/);
      await assert.rejects(stage.prepare({ current: "1" }), /its repository is empty/);
      await assert.rejects(stage.prepare({ url: repository }), /its repository is empty/);
      await assert.rejects(stage.prepare({ url: `${repository}/nope` }), /there is no directory/);
      await assert.rejects(stage.prepare({ url: `${repository}/keep` }), /there is no directory/);
      const nope = stage.prepare({ url: `${server.url}/nope` });
      await assert.rejects(nope, /there is no repository at its address \(HTTP 404\)/);
    }));
});

describe("preparePackage() makes harmless", { skip: noGit }, () => {
  it("links, which become files that hold where they led, and submodules", () =>
    onRawStage((repository) => [
      { mode: "100644", name: "a.lua", hash: writeBlob(repository, "a") },
      { mode: "120000", name: "link.lua", hash: writeBlob(repository, "../../../etc/passwd") },
      { mode: "160000", name: "sub", hash: "1".repeat(40) },
    ], async (stage) => {
      for (const url of [`${stage.server.url}/mine`, stage.repository]) {
        const { changed, ...rest } = await stage.prepare({ url });
        assert.ok(changed);
        assert.deepEqual("notes" in rest && rest.notes, [
          "1 symbolic links became plain files",
          "1 submodules were left out",
        ]);
        assert.equal(await stage.text("link.lua"), "../../../etc/passwd");
        assert.equal(existsSync(`${stage.directory}/${beside}/sub`), false);
      }
    }));
});

describe("preparePackage() and a bad server", { skip: noGit }, () => {
  it("tries again when a connection breaks, and after longer and longer pauses, and gives up after four times", () =>
    onStage(async (stage) => {
      const { server } = stage;
      await makeRepository(stage.repository, { "a.lua": "a" });
      let broken = 2;
      let posts = 0;
      server.intercept = (request, response) => {
        if (request.method !== "POST") return false;
        posts++;
        if (broken-- <= 0) return false;
        response.writeHead(200, { "content-type": "application/x-git-upload-pack-result" });
        // Before an answer has begun, a runtime may try again by itself.
        response.write("0008NAK\n", () => response.destroy());
        return true;
      };
      await stage.prepare();
      assert.deepEqual([posts, await stage.text("a.lua")], [3, "a"]);
      [broken, posts] = [9, 0];
      stage.pauses.length = 0;
      await assert.rejects(stage.prepare(), /the connection failed/);
      assert.deepEqual([posts, stage.pauses], [4, [500, 1_000, 2_000]]);
      await assertClean(stage);
    }));

  it("refuses pages, passwords, garbage and packs that are cut, and leaves nothing", () =>
    onStage(async (stage) => {
      const { server } = stage;
      await makeRepository(stage.repository, { "a.lua": "a" });
      const answers: readonly [status: number, type: string, body: string, reason: RegExp][] = [
        [200, "text/html", "<html>", /no git repository answers/],
        [200, "application/x-git-upload-pack-advertisement", "", /no git repository answers/],
        [200, "application/x-git-upload-pack-advertisement", "zzzz", /./],
        [401, "text/plain", "", /not open to everybody \(HTTP 401\)/],
        [403, "text/plain", "", /not open to everybody \(HTTP 403\)/],
        [500, "text/plain", "", /answers with HTTP 500/],
      ];
      for (const [status, type, body, reason] of answers) {
        server.intercept = (_request, response) => {
          response.writeHead(status, { "content-type": type });
          response.end(body);
          return true;
        };
        await assert.rejects(stage.prepare(), reason);
        assert.deepEqual(await readdir(`${stage.directory}/packages`), [], `${status} ${type}`);
      }
      const packs = [
        "",
        "0000",
        "0008NAK\n",
        "0008NAK\n000d\x01PACK\0\0\0\x02",
        "0008NAK\nffff\x01PACK",
      ];
      for (const body of packs) {
        server.intercept = (request, response) => {
          if (request.method !== "POST") return false;
          response.writeHead(200, { "content-type": "application/x-git-upload-pack-result" });
          response.end(body, "latin1");
          return true;
        };
        await assert.rejects(stage.prepare(), JSON.stringify(body));
        await assertClean(stage);
      }
    }));

  it("writes nothing outside for a server that names branches to lead there", () =>
    onStage(async (stage) => {
      const hash = await makeRepository(stage.repository, { "a.lua": "a" });
      const line = (text: string) =>
        (new TextEncoder().encode(text).length + 4).toString(16).padStart(4, "0") + text;
      const out = "../../../../../../keep";
      const adverts: readonly [first: string, symref: string, rest: string[]][] = [
        [`${hash} HEAD`, `symref=HEAD:refs/heads/${out}`, [`${hash} refs/heads/${out}`]],
        [`${hash} HEAD`, `symref=HEAD:${out}`, [`${hash} ${out}`]],
        [`${hash} HEAD`, `symref=refs/heads/${out}:HEAD`, [`${hash} refs/heads/main`]],
        [`${hash}/../../x HEAD`, "symref=HEAD:refs/heads/main", [`${hash} refs/heads/main`]],
        [`${hash}x HEAD`, "agent=x", []],
      ];
      const { directory, server } = stage;
      for (const [first, symref, rest] of adverts) {
        server.intercept = (request, response) => {
          if (request.method === "POST") return false;
          response.setHeader("content-type", "application/x-git-upload-pack-advertisement");
          const refs = [`${first}\0shallow side-band-64k ofs-delta ${symref}`, ...rest];
          const lines = refs.map((ref) => line(`${ref}\n`)).join("");
          response.end(`${line("# service=git-upload-pack\n")}0000${lines}0000`);
          return true;
        };
        const prepared = await stage.prepare().then(({ hash }) => hash, () => undefined);
        assert.ok(prepared === undefined || prepared === hash, symref);
        assert.equal(await readFile(`${directory}/keep`, "utf8"), "");
        assert.deepEqual((await readdir(directory)).sort(), ["keep", "packages"]);
        const names = await readdir(`${directory}/packages`);
        assert.deepEqual(names.filter((name) => !beside.endsWith(name)), []);
      }
    }));

  it("stops at once when it is cancelled in the middle, and leaves nothing", () =>
    onStage(async (stage) => {
      const { server } = stage;
      await makeRepository(stage.repository, { "a.lua": "a" });
      const cancel = new AbortController();
      server.intercept = (request, response) => {
        if (request.method !== "POST") return false;
        response.writeHead(200, { "content-type": "application/x-git-upload-pack-result" });
        response.write("0008NAK\n");
        // The client has the head of it by then, and waits for more that never comes.
        setImmediate(() => cancel.abort(new Error("enough")));
        return true;
      };
      await assert.rejects(stage.prepare({}, cancel.signal), /enough/);
      await assertClean(stage);
      await assert.rejects(stage.prepare({}, cancel.signal), /enough/);
    }));
});
