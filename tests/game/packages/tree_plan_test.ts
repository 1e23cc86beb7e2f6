import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { PackageError } from "../../../src/game/packages/package_error.ts";
import { packageLimits } from "../../../src/game/packages/package_limits.ts";
import { TreePlan } from "../../../src/game/packages/tree_plan.ts";

const write = () => Promise.resolve(0);

describe("TreePlan", () => {
  it("takes plain names, in any script and with dots and spaces in them", () => {
    const plan = new TreePlan();
    const names = [
      ".gitignore",
      ".github",
      "a..b",
      "a b",
      "三国.lua",
      "git",
      "x.git",
      "-",
      "~",
      "git~x",
    ];
    for (const path of names) plan.addFile({ path, write });
    plan.addDirectory("d");
    plan.addFile({ path: "d/.gitignore", write });
    assert.equal(plan.files.length, names.length + 1);
    assert.deepEqual([plan.directories, plan.notes], [["d"], []]);
  });

  it("refuses names that lead out, or are a repository of git to some system", () => {
    const names = [
      "",
      ".",
      "..",
      "...",
      ".. ",
      "\u200c",
      "a/..",
      "../a",
      "/",
      "a/",
      "a\\b",
      "a\nb",
      "a\0",
    ];
    const repositories = [
      ".git",
      ".GIT",
      ".git ",
      ".git.",
      ".git::$INDEX_ALLOCATION",
      "git~1",
      "GIT~2",
    ];
    const invisible = [".g\u200cit", "\ufeff.git", ".git\u206f"];
    for (const path of [...names, ...repositories, ...invisible, "a/.git", "x".repeat(256)]) {
      const plan = new TreePlan();
      assert.throws(() => plan.addFile({ path, write }), PackageError, JSON.stringify(path));
      assert.throws(() => plan.addDirectory(path), PackageError, JSON.stringify(path));
      assert.throws(() => plan.addLink({ path, write }), PackageError, JSON.stringify(path));
    }
  });

  it("refuses a name twice, what lies too deep, and too many of all", () => {
    const plan = new TreePlan();
    plan.addDirectory("a");
    assert.throws(() => plan.addFile({ path: "a", write }), /it has "a" twice/);
    const deep = Array.from({ length: packageLimits.depthMax }, () => "d");
    plan.addFile({ path: deep.join("/"), write });
    assert.throws(() => plan.addFile({ path: [...deep, "d"].join("/"), write }), /lies too deep/);
    const long = Array.from({ length: 5 }, () => "x".repeat(200)).join("/");
    assert.throws(() => plan.addFile({ path: long, write }), /is too long/);
    const full = new TreePlan();
    for (let i = 0; i < packageLimits.filesMax; i++) full.addFile({ path: `${i}`, write });
    assert.throws(() => full.addFile({ path: "one more", write }), /too many files/);
  });
});
