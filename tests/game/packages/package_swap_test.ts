import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { mkdir, readdir, readFile, symlink } from "node:fs/promises";
import { describe, it } from "node:test";
import { nodeGitFiles } from "../../../src/adapters/node/git_files.ts";
import {
  changePackage,
  recoverPackages,
  type SwapParts,
} from "../../../src/game/packages/package_swap.ts";
import {
  type PackageChange,
  readPackages,
  recordChange,
} from "../../../src/game/packages/packages_db.ts";
import { runtimeUnderTest } from "../../tested_runtime.ts";
import { inDirectory } from "../accounts/temporary_directory.ts";
import { writePackagesDb, writeTree } from "./package_tree.ts";

const { files, sqlite } = await runtimeUnderTest();
const oldHash = "1".repeat(40);
const newHash = "2".repeat(40);
const url = "https://example.org/mine";

const install: PackageChange = { kind: "put", name: "mine", url, hash: newHash };
const removal: PackageChange = { kind: "remove", name: "mine" };

class Crash extends Error {}

/** The real parts; from the call number `steps` on, none of them does anything any more, as after
 * a crash. */
function partsUntil(directory: string, steps: number): SwapParts & { readonly done: number } {
  let done = 0;
  const step =
    <Args extends unknown[], Value>(call: (...args: Args) => Promise<Value>) =>
    (...args: Args): Promise<Value> => {
      if (done >= steps) return Promise.reject(new Crash());
      done++;
      return call(...args);
    };
  const git = nodeGitFiles();
  return {
    directory,
    files: {
      ...files,
      rename: step(files.rename),
      remove: step(files.remove),
      replace: step(files.replace),
    },
    git: { kindOf: git.kindOf, syncDirectory: step(git.syncDirectory) },
    record: step((change: PackageChange) =>
      Promise.resolve(recordChange({ sqlite, directory }, change))
    ),
    get done() {
      return done;
    },
  };
}

/** As it is when a package has been prepared; `old`: there is one already. */
async function prepared(directory: string, old: boolean): Promise<void> {
  await writeTree(directory, {
    "packages/other/a.lua": "other",
    "packages/.incoming-mine.disabled/a.lua": "new",
    "packages/.incoming-mine.disabled/sub/b.lua": "new",
    ...old ? { "packages/mine/a.lua": "old", "packages/mine/old.lua": "old" } : {},
  });
  const rows = old ? [["mine", url, oldHash, 0] as const] : [];
  writePackagesDb(sqlite, directory, [["other", "", "", 1], ...rows]);
}

/** What there is of the package: its files and its row; all else must be as it was. */
async function stateOf(directory: string): Promise<string> {
  const names = (await readdir(`${directory}/packages`)).sort();
  const left = names.filter((name) => !["mine", "other", "packages.db"].includes(name));
  assert.deepEqual(left, [], "something is left over");
  assert.ok(names.includes("other"));
  const isThere = names.includes("mine");
  const text = isThere ? await readFile(`${directory}/packages/mine/a.lua`, "utf8") : "nothing";
  if (isThere) assert.equal(existsSync(`${directory}/packages/mine/old.lua`), text === "old");
  const { rows } = await readPackages({ files, sqlite, directory });
  const row = rows.find(({ name }) => name === "mine");
  return `${text} ${row === undefined ? "-" : row.hash[0]} ${row?.enabled ?? "-"}`;
}

describe("changePackage() that crashes at any step, and recoverPackages() that crashes too,", () => {
  const cases = [
    {
      what: "an install",
      old: false,
      change: install,
      before: "nothing - -",
      after: "new 2 true",
    },
    { what: "an upgrade", old: true, change: install, before: "old 1 false", after: "new 2 false" },
    { what: "a removal", old: true, change: removal, before: "old 1 false", after: "nothing - -" },
  ];
  for (const { what, old, change, before, after } of cases) {
    it(`leave the old or the new tree, with its row, of ${what}`, async () => {
      const seen = new Set<string>();
      let isThrough = false;
      for (let steps = 0; !isThrough; steps++) {
        let recoversThrough = false;
        for (let recovering = 0; !recoversThrough; recovering++) {
          await inDirectory(async (directory) => {
            await prepared(directory, old);
            const mayReplace = old;
            const done = changePackage(partsUntil(directory, steps), change, { mayReplace });
            isThrough = await done.then(() => true, (error) => {
              assert.ok(error instanceof Crash);
              return false;
            });
            const again = recoverPackages(partsUntil(directory, recovering));
            recoversThrough = await again.then(() => true, (error) => {
              assert.ok(error instanceof Crash);
              return false;
            });
            await recoverPackages(partsUntil(directory, Infinity));
            const state = await stateOf(directory);
            assert.ok([before, after].includes(state), `steps ${steps}, ${recovering}: ${state}`);
            if (isThrough) assert.equal(state, after);
            seen.add(state);
          });
        }
        assert.ok(steps < 50);
      }
      assert.deepEqual(
        [...seen].sort(),
        [before, after].sort(),
        "no crash was early, or none late",
      );
    });
  }
});

describe("changePackage()", () => {
  const change = (directory: string, what: PackageChange, mayReplace = true) =>
    changePackage(partsUntil(directory, Infinity), what, { mayReplace });

  it("replaces nothing when it may not, and leaves what was prepared", () =>
    inDirectory(async (directory) => {
      await prepared(directory, true);
      await assert.rejects(change(directory, install, false), /there is a package mine already/);
      assert.equal(await readFile(`${directory}/packages/mine/a.lua`, "utf8"), "old");
      await recoverPackages(partsUntil(directory, Infinity));
      assert.equal(await stateOf(directory), "old 1 false");
    }));

  it("refuses names that lead elsewhere, the core's removal, and what was not prepared", () =>
    inDirectory(async (directory) => {
      await prepared(directory, true);
      await writeTree(directory, { "packages/freekill-core/a.lua": "core", "victim/a": "" });
      for (const name of ["../victim", ".", "", "a/../../victim", "x.disabled", "standard"]) {
        await assert.rejects(change(directory, { kind: "remove", name }), /cannot be the name/);
      }
      const core = { kind: "remove", name: "freekill-core" } as const;
      await assert.rejects(change(directory, core), /it is the game itself/);
      await assert.rejects(change(directory, { ...install, name: "x" }), /nothing was prepared/);
      assert.ok(existsSync(`${directory}/victim/a`));
      assert.ok(existsSync(`${directory}/packages/freekill-core/a.lua`));
    }));

  it("removes a link to a package and not what it leads to, and upgrades no link", () =>
    inDirectory(async (directory) => {
      await writeTree(directory, {
        "elsewhere/a.lua": "mine",
        "packages/.incoming-mine.disabled/a.lua": "new",
      });
      await symlink("../elsewhere", `${directory}/packages/mine`);
      await assert.rejects(change(directory, install), /is a symbolic link/);
      await change(directory, removal);
      assert.equal(existsSync(`${directory}/packages/mine`), false);
      assert.equal(await readFile(`${directory}/elsewhere/a.lua`, "utf8"), "mine");
    }));
});

describe("recoverPackages()", () => {
  it("does nothing where there are no packages, and leaves names alone that are not its own", () =>
    inDirectory(async (directory) => {
      const parts = partsUntil(directory, Infinity);
      assert.deepEqual(await recoverPackages(parts), []);
      await mkdir(`${directory}/packages/off.disabled`, { recursive: true });
      await mkdir(`${directory}/packages/.incoming-..disabled`);
      await mkdir(`${directory}/packages/.git`);
      assert.deepEqual(await recoverPackages(parts), []);
      const names = (await readdir(`${directory}/packages`)).sort();
      assert.deepEqual(names, [".git", ".incoming-..disabled", "off.disabled"]);
    }));

  it("takes a journal that is not whole, or another package's, for none", () =>
    inDirectory(async (directory) => {
      for (const text of ["", "{", "null", '{"kind":"put","name":"other","url":"","hash":""}']) {
        await writeTree(directory, {
          "packages/mine/a.lua": "old",
          "packages/.change-mine.json": text,
        });
        await recoverPackages(partsUntil(directory, Infinity));
        const { rows } = await readPackages({ files, sqlite, directory });
        assert.deepEqual(rows, [], text);
        assert.deepEqual(await readdir(`${directory}/packages`), ["mine"]);
      }
    }));
});
