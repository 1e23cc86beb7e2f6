import assert from "node:assert/strict";
import { mkdir, mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, describe, it } from "node:test";
import {
  packageTreeLimits,
  packageTreeOf,
  readPackageTree,
} from "../../../src/game/lua/package_tree.ts";
import { RulesFiles } from "../../../src/game/lua/rules_files.ts";
import { runtimeUnderTest } from "../../tested_runtime.ts";

const textOf = (bytes: Uint8Array | undefined) =>
  bytes && new TextDecoder().decode(new Uint8Array(bytes));

describe("readPackageTree()", () => {
  const made: string[] = [];
  afterEach(async () => {
    for (const one of made.splice(0)) await rm(one, { recursive: true });
  });

  /** A data directory with these files. */
  async function dataDirectory(files: Readonly<Record<string, string>>): Promise<string> {
    const place = await mkdtemp(join(tmpdir(), "packages-"));
    made.push(place);
    await mkdir(join(place, "packages"));
    for (const [path, text] of Object.entries(files)) {
      await mkdir(join(place, path, ".."), { recursive: true });
      await writeFile(join(place, path), text);
    }
    return place;
  }

  async function filesOf(place: string): Promise<RulesFiles> {
    const { files } = await runtimeUnderTest();
    return new RulesFiles(await readPackageTree(files, place), "packages");
  }

  it("has the text of scripts, the names of all else, and nothing of git or beside packages", async () => {
    const place = await dataDirectory({
      "packages/a/init.lua": "\uFEFFreturn 'a'",
      "packages/a/run.lua": "#!/usr/bin/lua\nreturn 1",
      "packages/a/empty.lua": "",
      "packages/a/image/card.png": "pixels",
      "packages/a/.git/hooks.lua": "secret",
      "freekill-gw.json": "secret",
    });
    const files = await filesOf(place);
    assert.equal(textOf(files.read("a/init.lua")), "return 'a'");
    assert.equal(textOf(files.read("a/run.lua")), "\nreturn 1");
    assert.equal(textOf(files.read("a/empty.lua")), "");
    assert.equal(textOf(files.read("a/image/card.png")), "");
    assert.deepEqual(files.list("a"), ["empty.lua", "image", "init.lua", "run.lua"]);
    assert.deepEqual(files.list(".."), ["packages"]);
    assert.equal(files.read("a/.git/hooks.lua"), undefined);
    assert.equal(files.read("../freekill-gw.json"), undefined);
  });

  it("follows links, and says so when they lead in circles", async () => {
    const place = await dataDirectory({ "elsewhere/init.lua": "return 1" });
    await symlink(join(place, "elsewhere"), join(place, "packages", "linked"));
    await symlink(join(place, "nowhere"), join(place, "packages", "broken"));
    const files = await filesOf(place);
    assert.equal(textOf(files.read("linked/init.lua")), "return 1");
    assert.deepEqual(files.list("."), ["linked"]);
    await symlink(join(place, "packages"), join(place, "packages", "round"));
    await assert.rejects(
      filesOf(place),
      new RegExp(`nested deeper than ${packageTreeLimits.depthMax} directories`),
    );
  });

  it("rejects when there are no packages", async () => {
    const place = await dataDirectory({});
    await rm(join(place, "packages"), { recursive: true });
    await assert.rejects(filesOf(place), { code: "ENOENT" });
  });
});

describe("RulesFiles", () => {
  const files = new RulesFiles(
    packageTreeOf([["packages/core/init.lua", "core"], ["packages/b/x/y.lua", "y"]]),
    "packages/core",
  );

  it("resolves paths by their text alone", () => {
    assert.equal(files.currentDirectory, "/freekill/packages/core");
    assert.equal(textOf(files.read("./init.lua")), "core");
    assert.equal(textOf(files.read("..//b/./x/../x/y.lua")), "y");
    assert.equal(textOf(files.read("/freekill/packages/b/x/y.lua")), "y");
    assert.equal(files.kind("none/../init.lua"), "file");
    assert.equal(files.kind("../.."), "directory");
    assert.equal(files.kind("init.lua/.."), "directory");
  });

  it("leads nowhere else", () => {
    const outside = [
      "../../..",
      "../../../etc/passwd",
      "/",
      "/etc/passwd",
      "/freekill/../etc",
      "/freekillx",
      "init.lua\0",
      "..\\b",
    ];
    for (const path of outside) {
      assert.equal(files.kind(path), undefined, path);
      assert.equal(files.read(path), undefined, path);
      assert.equal(files.list(path), undefined, path);
      assert.equal(files.change(path), false, path);
    }
    assert.equal(files.currentDirectory, "/freekill/packages/core");
  });

  it("change() goes to directories that are there", () => {
    assert.equal(files.change("../.."), true);
    assert.equal(files.currentDirectory, "/freekill");
    assert.equal(files.change("packages/none"), false);
    assert.equal(files.change("packages/core/init.lua"), false);
    assert.equal(files.change("packages/b/x"), true);
    assert.equal(textOf(files.read("y.lua")), "y");
    assert.equal(files.change("/freekill/packages/core"), true);
  });
});
