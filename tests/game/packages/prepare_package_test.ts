import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { chmod, readdir, readFile, stat, symlink, writeFile } from "node:fs/promises";
import { describe, it } from "node:test";
import { nodeGitIo } from "../../../src/adapters/node/git_io.ts";
import type { PackagesProgress } from "../../../src/game/packages/packages_progress.ts";
import { preparePackage } from "../../../src/game/packages/prepare_package.ts";
import { runtimeUnderTest } from "../../tested_runtime.ts";
import { inDirectory } from "../accounts/temporary_directory.ts";
import {
  commitAll,
  commitTree,
  git,
  type GitServer,
  makeRepository,
  noGit,
  type RawEntry,
  serveRepositories,
  writeBlob,
  writeRawTree,
} from "./git_fixture.ts";
import { writeTree } from "./package_tree.ts";

const { files } = await runtimeUnderTest();

interface Stage {
  /** The data directory. */
  readonly directory: string;
  /** Where the repository `mine` is, with its work tree. */
  readonly repository: string;
  readonly server: GitServer;
  readonly progress: PackagesProgress[];
  prepare(
    job?: { url?: string; hash?: string; current?: string },
    signal?: AbortSignal,
  ): ReturnType<typeof preparePackage>;
  /** A file of what was prepared. */
  read(path: string): Promise<Uint8Array>;
  text(path: string): Promise<string>;
}

const beside = "packages/.incoming-mine.disabled";

function onStage(test: (stage: Stage) => Promise<void>): Promise<void> {
  return inDirectory(async (root) => {
    await writeTree(root, { "data/keep": "", "served/keep": "" });
    const directory = `${root}/data`;
    const server = await serveRepositories(`${root}/served`);
    const progress: PackagesProgress[] = [];
    const read = async (path: string) =>
      new Uint8Array(await readFile(`${directory}/${beside}/${path}`));
    try {
      await test({
        directory,
        repository: `${root}/served/mine`,
        server,
        progress,
        prepare: (job = {}, signal = new AbortController().signal) =>
          preparePackage({ files, git: nodeGitIo(), signal, tell: (one) => progress.push(one) }, {
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
function onRawStage(
  make: (repository: string) => RawEntry[],
  test: (stage: Stage) => Promise<void>,
): Promise<void> {
  return onStage(async (stage) => {
    await makeRepository(stage.repository, { "a.lua": "a" });
    commitTree(stage.repository, writeRawTree(stage.repository, make(stage.repository)));
    await test(stage);
  });
}

/** Nothing is left of it, and nothing came out of it. */
async function assertClean({ directory }: Stage): Promise<void> {
  assert.deepEqual((await readdir(directory)).sort(), ["keep", "packages"]);
  assert.deepEqual(await readdir(`${directory}/packages`), []);
}

describe("preparePackage()", { skip: noGit }, () => {
  const ways = (stage: Stage) => [`${stage.server.url}/mine`, `file://${stage.repository}`];

  it("gives the bytes of the repository, whatever its line ends, attributes and bits", () =>
    onStage(async (stage) => {
      const binary = Uint8Array.from({ length: 70_000 }, (_, i) => (i * i) >> 3);
      await writeTree(stage.repository, {
        "crlf.lua": "return 1\r\n\rreturn 2\n",
        ".gitattributes": "* text eol=crlf\n*.lua ident filter=lfs\n",
        "lua/深/name with space.lua": "$Id$ \ud83d\ude00",
        "empty.lua": "",
        "run.sh": "#!/bin/sh\n",
      });
      git(stage.repository, ["init", "--quiet", "--initial-branch=main"]);
      git(stage.repository, ["config", "core.autocrlf", "false"]);
      await writeFile(`${stage.repository}/binary.bin`, binary);
      await chmod(`${stage.repository}/run.sh`, 0o755);
      const hash = commitAll(stage.repository);
      for (const url of ways(stage)) {
        assert.deepEqual(await stage.prepare({ url }), { changed: true, hash, notes: [] }, url);
        const listed = git(stage.repository, ["ls-tree", "-r", "-z", "--name-only", "HEAD"]);
        const names = listed.split("\0").filter((name) => name !== "");
        assert.equal(names.length, 6);
        for (const name of names) {
          const expected = git(stage.repository, ["rev-parse", `HEAD:${name}`]);
          const bytes = await stage.read(name);
          const found = git(stage.directory, ["hash-object", "--stdin", "--no-filters"], bytes);
          assert.equal(found, expected, name);
        }
        const { mode } = await stat(`${stage.directory}/${beside}/run.sh`);
        assert.equal(mode & 0o111, 0, "nothing of a package is a program");
        assert.deepEqual((await readdir(`${stage.directory}/${beside}`)).sort(), [
          ".git",
          ".gitattributes",
          "binary.bin",
          "crlf.lua",
          "empty.lua",
          "lua",
          "run.sh",
        ]);
      }
    }));

  it("makes a repository that git itself takes, at the commit, with its address", () =>
    onStage(async (stage) => {
      const hash = await makeRepository(stage.repository, { "a.lua": "a" });
      for (const url of ways(stage)) {
        await stage.prepare({ url });
        const made = `${stage.directory}/${beside}`;
        assert.equal(git(made, ["rev-parse", "HEAD"]), hash);
        assert.equal(git(made, ["config", "remote.origin.url"]), url);
        assert.equal(git(made, ["config", "core.autocrlf"]), "false");
        git(made, ["fsck", "--full"]);
        git(made, ["checkout", "--quiet", "--force", "HEAD"]);
      }
    }));

  it("takes a bare repository, packed or loose, and one commit of it", () =>
    onStage(async (stage) => {
      const first = await makeRepository(stage.repository, { "a.lua": "a" });
      await writeFile(`${stage.repository}/a.lua`, "b");
      const second = commitAll(stage.repository);
      const bare = `${stage.repository}.git`;
      git(stage.directory, ["clone", "--quiet", "--bare", stage.repository, bare]);
      const loose = await stage.prepare({ url: `file://${bare}` });
      assert.equal(loose.hash, second);
      git(bare, ["repack", "-a", "-d", "--quiet"]);
      git(bare, ["pack-refs", "--all"]);
      assert.equal((await stage.prepare({ url: `file://${bare}` })).hash, second);
      assert.equal(await stage.text("a.lua"), "b");
      for (const url of [`file://${bare}`, `${stage.server.url}/mine`]) {
        assert.equal((await stage.prepare({ url, hash: first })).hash, first);
        assert.equal(await stage.text("a.lua"), "a");
      }
    }));

  it("copies a plain directory without its links and pipes", () =>
    onStage(async (stage) => {
      await writeTree(stage.repository, { "a.lua": "a\r\n", "sub/b.lua": "b", "empty/x": "" });
      await symlink("/etc/passwd", `${stage.repository}/leak.lua`);
      await symlink("/etc", `${stage.repository}/leaks`);
      for (const url of [stage.repository, `file://${stage.repository}`]) {
        const notes = ["2 links and special files were left out"];
        assert.deepEqual(await stage.prepare({ url }), { changed: true, hash: "", notes });
        assert.equal(await stage.text("a.lua"), "a\r\n");
        assert.equal(await stage.text("sub/b.lua"), "b");
        const names = (await readdir(`${stage.directory}/${beside}`)).sort();
        assert.deepEqual(names, ["a.lua", "empty", "sub"]);
      }
    }));

  it("prepares nothing when what is there is what is wanted", () =>
    onStage(async (stage) => {
      const hash = await makeRepository(stage.repository, { "a.lua": "a" });
      const { directory } = stage;
      await stage.prepare();
      await files.rename(`${directory}/${beside}`, `${directory}/packages/mine`);
      for (const url of ways(stage)) {
        assert.deepEqual(await stage.prepare({ url, current: hash }), { changed: false, hash });
      }
      assert.deepEqual(await readdir(`${directory}/packages`), ["mine"]);
      await files.remove(`${directory}/packages/mine/.git`);
      assert.equal((await stage.prepare({ current: hash })).changed, true, "who knows what it is");
    }));

  it("fetches for an upgrade only what is new, and all of it when the old is damaged", () =>
    onStage(async (stage) => {
      const noise = Array.from({ length: 3 }, () => crypto.getRandomValues(new Uint8Array(60_000)));
      const hex = noise.map((bytes) => Array.from(bytes, (byte) => byte.toString(16)).join(""));
      const current = await makeRepository(stage.repository, {
        "big.txt": hex.join("\n"),
        "a.lua": "1",
      });
      const { directory, server } = stage;
      await stage.prepare();
      await files.rename(`${directory}/${beside}`, `${directory}/packages/mine`);
      await writeFile(`${stage.repository}/a.lua`, "2");
      const hash = commitAll(stage.repository);
      await stage.prepare({ current });
      assert.equal(await stage.text("a.lua"), "2");
      assert.equal(await stage.text("big.txt"), hex.join("\n"));
      const [whole = 0, part = 0] = server.sent;
      assert.ok(part > 0 && part < whole / 50, `${part} of ${whole} bytes`);
      assert.equal(await readFile(`${directory}/packages/mine/a.lua`, "utf8"), "1");

      const packs = `${directory}/packages/mine/.git/objects/pack`;
      for (const name of await readdir(packs)) {
        if (name.endsWith(".pack")) await writeFile(`${packs}/${name}`, "damaged");
      }
      assert.equal((await stage.prepare({ current })).hash, hash);
      assert.equal(await stage.text("big.txt"), hex.join("\n"));
    }));

  it("follows a repository that goes back, or begins anew with another history", () =>
    onStage(async (stage) => {
      const { directory, repository } = stage;
      const first = await makeRepository(repository, { "a.lua": "1", "same.lua": "same" });
      await writeTree(repository, { "more.lua": "more" });
      const second = commitAll(repository);
      await stage.prepare();
      await files.rename(`${directory}/${beside}`, `${directory}/packages/mine`);
      git(repository, ["reset", "--quiet", "--hard", first]);
      assert.equal((await stage.prepare({ current: second })).hash, first);
      const names = async () => (await readdir(`${directory}/${beside}`)).sort();
      assert.deepEqual(await names(), [".git", "a.lua", "same.lua"]);
      git(repository, ["checkout", "--quiet", "--orphan", "other"]);
      await writeFile(`${repository}/a.lua`, "anew");
      const anew = commitAll(repository);
      assert.equal((await stage.prepare({ current: second })).hash, anew);
      assert.equal(await stage.text("a.lua"), "anew");
      assert.equal(await stage.text("same.lua"), "same");
    }));

  it("tells how far it is, and ends each phase with its total", () =>
    onStage(async (stage) => {
      await makeRepository(stage.repository, { "a.lua": "a", "b.lua": "b" });
      await stage.prepare();
      const phases = stage.progress.map(({ phase }) => phase);
      assert.deepEqual([...new Set(phases)], ["connect", "receive", "index", "write"]);
      assert.deepEqual(stage.progress.at(-1), {
        name: "mine",
        phase: "write",
        loaded: 2,
        total: 2,
      });
    }));
});

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

  it("a file that unpacks to more than is allowed", () =>
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
    }));

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
  it("tries again when a connection breaks, and gives up after three times", () =>
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
      await assert.rejects(stage.prepare(), /the connection failed/);
      assert.equal(posts, 3);
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
