import assert from "node:assert/strict";
import { chmod, readdir, readFile, stat, symlink, writeFile } from "node:fs/promises";
import { describe, it } from "node:test";
import { commitAll, git, makeRepository, noGit } from "./git_fixture.ts";
import { writeTree } from "./package_tree.ts";
import { beside, files, onStage, type PrepareStage } from "./prepare_stage.ts";

describe("preparePackage()", { skip: noGit }, () => {
  const ways = (stage: PrepareStage) => [`${stage.server.url}/mine`, `file://${stage.repository}`];

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
