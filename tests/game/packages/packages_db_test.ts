import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { mkdir } from "node:fs/promises";
import { describe, it } from "node:test";
import {
  isPackageName,
  type PackagesDbParts,
  readPackages,
  writeEnabled,
} from "../../../src/game/packages/packages_db.ts";
import { SqliteError, type SqlitePort } from "../../../src/ports/sqlite.ts";
import { runtimeUnderTest } from "../../tested_runtime.ts";
import { inDirectory } from "../accounts/temporary_directory.ts";
import { writePackagesDb, writeTree } from "./package_tree.ts";

const { files, sqlite } = await runtimeUnderTest();

const hash = "88a912f1e96faccae9ae65e58258273192da0587";
const url = "https://example.org/p";

function withDirectory(test: (parts: PackagesDbParts) => Promise<void>): Promise<void> {
  return inDirectory(async (directory) => {
    await mkdir(`${directory}/packages`);
    await test({ files, sqlite, directory });
  });
}

const databaseIn = ({ directory }: PackagesDbParts) => `${directory}/packages/packages.db`;

describe("readPackages()", () => {
  it("gives the rows in their order, the first of each name", () =>
    withDirectory(async (parts) => {
      writePackagesDb(sqlite, parts.directory, [
        ["zeta", url, hash, 1],
        ["alpha", "", "", 0],
        ["zeta", "other", "other", 0],
        ["It's; DROP TABLE packages", url, hash, 1],
      ]);
      assert.deepEqual(await readPackages(parts), {
        rows: [
          { name: "zeta", url, hash, enabled: true },
          { name: "alpha", url: "", hash: "", enabled: false },
          { name: "It's; DROP TABLE packages", url, hash, enabled: true },
        ],
        troubles: [],
      });
    }));

  it("counts the core as enabled whatever is written", () =>
    withDirectory(async (parts) => {
      writePackagesDb(sqlite, parts.directory, [["freekill-core", url, hash, 0]]);
      const { rows } = await readPackages(parts);
      assert.deepEqual(rows.map(({ enabled }) => enabled), [true]);
    }));

  it("finds no rows and makes no file where there is none", () =>
    withDirectory(async (parts) => {
      assert.deepEqual(await readPackages(parts), { rows: [], troubles: [] });
      assert.deepEqual(await files.list(`${parts.directory}/packages`), []);
    }));

  it("finds no rows in a file without the table", () =>
    withDirectory(async (parts) => {
      await writeTree(parts.directory, { "packages/packages.db": "" });
      assert.deepEqual(await readPackages(parts), { rows: [], troubles: [] });
    }));

  it("leaves out rows whose name is no directory's or whose texts are too long, and tells", () =>
    withDirectory(async (parts) => {
      writePackagesDb(sqlite, parts.directory, [
        ["../server", url, hash, 0],
        ["good", url, hash, 1],
        ["long", "x".repeat(1_025), hash, 1],
      ]);
      const { rows, troubles } = await readPackages(parts);
      assert.deepEqual(rows.map(({ name }) => name), ["good"]);
      assert.deepEqual(troubles, [
        'packages.db has an unusable row for "../server", which is left out',
        'packages.db has an unusable row for "long", which is left out',
      ]);
    }));

  it("refuses over 1,000 rows", () =>
    withDirectory(async (parts) => {
      const rows = Array.from({ length: 1_001 }, (_, i) => [`p${i}`, url, hash, 1] as const);
      writePackagesDb(sqlite, parts.directory, rows);
      await assert.rejects(readPackages(parts), { name: "RangeError", message: /over 1000 rows/ });
    }));

  it("reads a file that may not be written, and refuses one that is no database", () =>
    withDirectory(async (parts) => {
      writePackagesDb(sqlite, parts.directory, [["p", url, hash, 1]]);
      const readOnly: SqlitePort = {
        open(options) {
          if (options.readonly === true) return sqlite.open(options);
          throw new SqliteError("readonly", "this user may not");
        },
      };
      assert.equal((await readPackages({ ...parts, sqlite: readOnly })).rows.length, 1);
      await writeTree(parts.directory, { "packages/packages.db": "no database ".repeat(100) });
      await assert.rejects(readPackages(parts), { name: "SqliteError", kind: "corrupt" });
    }));
});

describe("writeEnabled()", () => {
  it("disables and enables all rows of a name, and tells whether that was new", () =>
    withDirectory(async (parts) => {
      writePackagesDb(sqlite, parts.directory, [
        ["p", url, hash, 1],
        ["q", url, hash, 1],
        ["p", url, hash, 1],
      ]);
      const off = { name: "p", enabled: false, isThere: true };
      assert.deepEqual(await writeEnabled(parts, off), { ok: true, changed: true });
      assert.deepEqual(await writeEnabled(parts, off), { ok: true, changed: false });
      const database = sqlite.open({ path: databaseIn(parts), busyTimeoutMs: 1_000 });
      const values = database.prepare("SELECT enabled FROM packages ORDER BY rowid").all();
      database.close();
      assert.deepEqual(values.map(({ enabled }) => enabled), [0, 1, 0]);
      const on = { ...off, enabled: true };
      assert.deepEqual(await writeEnabled(parts, on), { ok: true, changed: true });
      assert.deepEqual(await readPackages(parts), {
        rows: ["p", "q"].map((name) => ({ name, url, hash, enabled: true })),
        troubles: [],
      });
    }));

  it("makes file and row only when a package without one is disabled", () =>
    withDirectory(async (parts) => {
      const wanted = { name: "it's mine", enabled: true, isThere: true };
      assert.deepEqual(await writeEnabled(parts, wanted), { ok: true, changed: false });
      assert.equal(existsSync(databaseIn(parts)), false);
      const off = { ...wanted, enabled: false };
      assert.deepEqual(await writeEnabled(parts, off), { ok: true, changed: true });
      const { rows } = await readPackages(parts);
      assert.deepEqual(rows, [{ name: "it's mine", url: "", hash: "", enabled: false }]);
    }));

  it("refuses to disable the core, and names that are nowhere, and makes nothing", () =>
    withDirectory(async (parts) => {
      const core = { name: "freekill-core", enabled: false, isThere: true };
      assert.deepEqual(await writeEnabled(parts, core), {
        ok: false,
        reason: "freekill-core cannot be disabled: it is the game itself",
      });
      const none = { name: "../x\n", enabled: false, isThere: false };
      const reason = 'there is no package "../x\\n"';
      assert.deepEqual(await writeEnabled(parts, none), { ok: false, reason });
      assert.equal(existsSync(databaseIn(parts)), false);
    }));
});

describe("isPackageName()", () => {
  it("takes names of directories, and no paths, control characters or broken text", () => {
    for (const name of ["freekill-core", "武将", "a b", ".hidden", "x".repeat(128)]) {
      assert.equal(isPackageName(name), true, name);
    }
    const bad = ["", ".", "..", "a/b", "a\\b", "a\u0000", "a\n", "\ud800", "x".repeat(129)];
    for (const name of bad) assert.equal(isPackageName(name), false, JSON.stringify(name));
  });
});
