import assert from "node:assert/strict";
import { mkdir } from "node:fs/promises";
import { describe, it } from "node:test";
import { nodeCrypto } from "../../../src/adapters/node/crypto.ts";
import { nodeFiles } from "../../../src/adapters/node/files.ts";
import {
  hashPackages,
  type KnownHashes,
  withLineFeeds,
} from "../../../src/game/packages/package_md5.ts";
import type { PackageFiles } from "../../../src/game/packages/package_walk.ts";
import { type DirectoryEntry, FileError } from "../../../src/ports/files.ts";
import { fakeFiles } from "../../fakes/files.ts";
import { inDirectory } from "../accounts/temporary_directory.ts";
import { type TreeEntry, writeTree } from "./package_tree.ts";

const crypto = nodeCrypto();
const md5OfNothing = "d41d8cd98f00b204e9800998ecf8427e";
const md5Of1 = "c4ca4238a0b923820dcc509a6f75849b";
const zeros = "0".repeat(32);

function hash(
  directory: string,
  more: { files?: PackageFiles; disabled?: string[]; known?: KnownHashes; now?: number } = {},
) {
  const { files = nodeFiles(), disabled = [], now = 0, known } = more;
  const where = { directory, now, disabled: new Set(disabled), ...known && { known } };
  return hashPackages({ files, crypto }, where);
}

async function listOf(tree: Record<string, TreeEntry>): Promise<{ list: string; told: string[] }> {
  let found = { list: "", told: [] as string[] };
  await inDirectory(async (directory) => {
    await writeTree(directory, tree);
    const { list, troubles } = await hash(directory);
    found = { list, told: [...troubles] };
  });
  return found;
}

describe("hashPackages()", () => {
  // The list and its md5 were put together by hand and with Python's hashlib.
  it("lists lua, then qml, then js files, each by bytes with directories in their place", () =>
    inDirectory(async (directory) => {
      await writeTree(directory, {
        "packages/loose.lua": "not in a package",
        "packages/Zeta/init.lua": "return 1\n",
        "packages/Zeta/z.js": "",
        "packages/alpha/.hidden/h.lua": "h",
        "packages/alpha/a/inner.lua": "inner",
        "packages/alpha/a.lua": "a",
        "packages/alpha/b.lua": "a\r\nb\r\n",
        "packages/alpha/beta.disabled/y.lua": "y",
        "packages/alpha/standard/x.lua": "x",
        "packages/alpha/\uff5e.lua": "bmp",
        "packages/alpha/🀄.lua": "astral",
        "packages/alpha/ui.qml": "x\ry\r\r\nz\r",
        "packages/alpha/lib.js": "js",
        "packages/alpha/note.txt": "no source",
        "packages/alpha/a.lua.bak": "no source",
        "packages/武将/é.lua": "utf",
        "packages/off/z.lua": "disabled",
        "packages/old.disabled/z.lua": "disabled",
        "packages/standard/z.lua": "built in",
        "packages/standard_cards/z.lua": "built in",
        "packages/maneuvering/z.lua": "built in",
        "packages/test/z.lua": "built in",
      });
      const found = await hash(directory, { disabled: ["off"] });
      const expected = [
        "packages/Zeta/init.lua=6cf5eb7452de51952a124237ab8558de",
        "packages/alpha/.hidden/h.lua=2510c39011c5be704182423e3a695e91",
        "packages/alpha/a/inner.lua=ea97586b4aa0c141e4456912f3325f7f",
        "packages/alpha/a.lua=0cc175b9c0f1b6a831c399e269772661",
        "packages/alpha/b.lua=dd8c6a395b5dd36c56d23275028f526c",
        "packages/alpha/beta.disabled/y.lua=415290769594460e2e485922904f345d",
        "packages/alpha/standard/x.lua=9dd4e461268c8034f5c8564e155c67a6",
        "packages/alpha/\uff5e.lua=96a75bdbf222c58cabde08ebe2172c9f",
        "packages/alpha/🀄.lua=aae93c994bd9f81ea4f55ced07e494f3",
        "packages/武将/é.lua=a7f38035beaefe30a11d6f601051230f",
        "packages/alpha/ui.qml=faac5352f4b1e59a42f86cbb305f3dd4",
        "packages/Zeta/z.js=d41d8cd98f00b204e9800998ecf8427e",
        "packages/alpha/lib.js=32981a13284db7a021131df49e6cd203",
      ];
      assert.deepEqual(found.list.split(";"), [...expected, ""]);
      assert.equal(found.md5, "6756eb5de5f31aa00dc4bca11adf2472");
      assert.equal(found.listBytes, 748);
      assert.deepEqual(found.files, { lua: 10, qml: 1, js: 2 });
      assert.deepEqual(found.troubles, []);
    }));

  it("is the md5 of nothing where there is no packages/, and where it is empty", () =>
    inDirectory(async (directory) => {
      assert.equal((await hash(directory)).md5, md5OfNothing);
      await mkdir(`${directory}/packages`);
      const found = await hash(directory);
      assert.deepEqual([found.md5, found.list, found.listBytes], [md5OfNothing, "", 0]);
    }));

  it("rejects when packages/ is no directory", () =>
    inDirectory(async (directory) => {
      await writeTree(directory, { packages: "a file" });
      await assert.rejects(hash(directory), { name: "FileError", code: "ENOTDIR" });
    }));

  it("counts a file that cannot be read as 32 zeros, and tells", async () => {
    const files = await memory({ "packages/p/a.lua": "1", "packages/p/b.lua": "2" });
    const found = await hash("/data", {
      files: {
        ...files,
        read: (path) =>
          path.endsWith("b.lua")
            ? Promise.reject(new FileError("EACCES", path, "Cannot read"))
            : files.read(path),
      },
    });
    assert.equal(found.list, `packages/p/a.lua=${md5Of1};packages/p/b.lua=${zeros};`);
    assert.equal(found.md5, "a433bc7dfb2f525524a6de94aef6c887");
    assert.deepEqual(found.troubles, [
      '"packages/p/b.lua" cannot be read and counts as zeros: EACCES',
    ]);
  });

  it("counts a directory that cannot be listed as empty, and tells", async () => {
    const files = await memory({ "packages/p/a.lua": "1", "packages/p/d/b.lua": "2" });
    const found = await hash("/data", {
      files: {
        ...files,
        entries: (path) =>
          path.endsWith("/d")
            ? Promise.reject(new FileError("EACCES", path, "Cannot list"))
            : files.entries(path),
      },
    });
    assert.equal(found.md5, "49397fca5369600e36dead516c5b550b");
    assert.deepEqual(found.troubles, ['"packages/p/d" cannot be listed and counts as empty']);
  });
});

describe("hashPackages() and symbolic links", () => {
  it("follows those in packages/ itself, wherever they lead", async () => {
    const { list, told } = await listOf({
      "elsewhere/core/a.lua": "1",
      "elsewhere/core/b.lua": { link: "a.lua" },
      "packages/linked": { link: "../elsewhere/core" },
      "packages/gone": { link: "../nowhere" },
    });
    assert.equal(list, `packages/linked/a.lua=${md5Of1};packages/linked/b.lua=${md5Of1};`);
    assert.deepEqual(told, []);
  });

  it("follows those in a package that stay in packages/", async () => {
    const { list, told } = await listOf({
      "packages/p/a.lua": "1",
      "packages/p/to_file.lua": { link: "a.lua" },
      "packages/q/to_other": { link: "../p" },
    });
    assert.deepEqual(list.split(";"), [
      `packages/p/a.lua=${md5Of1}`,
      `packages/p/to_file.lua=${md5Of1}`,
      `packages/q/to_other/a.lua=${md5Of1}`,
      `packages/q/to_other/to_file.lua=${md5Of1}`,
      "",
    ]);
    assert.deepEqual(told, []);
  });

  it("follows none in a package that leaves packages/: files count as zeros", async () => {
    const { list, told } = await listOf({
      "server/secret.lua": "secret",
      "packages-old/x.lua": "beside",
      "packages/p/a.lua": "1",
      "packages/p/device.lua": { link: "/dev/zero" },
      "packages/p/directory": { link: "../../server" },
      "packages/p/file.lua": { link: "../../server/secret.lua" },
      "packages/p/nowhere.lua": { link: "nowhere" },
      "packages/p/old": { link: "../../packages-old" },
    });
    assert.deepEqual(list.split(";"), [
      `packages/p/a.lua=${md5Of1}`,
      `packages/p/device.lua=${zeros}`,
      `packages/p/file.lua=${zeros}`,
      `packages/p/nowhere.lua=${zeros}`,
      "",
    ]);
    const out = "leads out of its package and is not followed";
    assert.deepEqual(told, [
      `"packages/p/device.lua" ${out}`,
      `"packages/p/directory" ${out}`,
      `"packages/p/file.lua" ${out}`,
      '"packages/p/nowhere.lua" leads nowhere and is not followed',
      `"packages/p/old" ${out}`,
    ]);
  });

  it("ends where they lead in circles", async () => {
    const { list, told } = await listOf({
      "packages/p/a.lua": "1",
      "packages/p/d/up": { link: ".." },
      "packages/p/d/over": { link: "../../q" },
      "packages/p/self": { link: "self" },
      "packages/q/back": { link: "../p/d" },
    });
    assert.equal(list, `packages/p/a.lua=${md5Of1};packages/q/back/up/a.lua=${md5Of1};`);
    assert.ok(told.length >= 3 && told.every((line) => line.endsWith("is not followed")));
    assert.ok(told.some((line) => line.includes("leads in circles")), told.join("\n"));
  });
});

describe("hashPackages() limits", () => {
  const root = "/data/packages";
  const filesWith = (entries: (path: string) => DirectoryEntry[]): PackageFiles => ({
    ...fakeFiles(),
    entries: (path) => Promise.resolve(entries(path)),
    info: () => Promise.resolve({ kind: "directory", bytes: 0, modifiedMs: 0, changedMs: 0 }),
    realPath: (path) => Promise.resolve(path),
  });
  const many = (count: number, name: string) =>
    filesWith((path) =>
      path === root
        ? [{ name: "p", kind: "directory" }]
        : Array.from({ length: count }, () => ({ name, kind: "file" }))
    );

  it("refuses directories over 64 deep", async () => {
    const files = filesWith(() => [{ name: "d", kind: "directory" }]);
    await assert.rejects(hash("/data", { files }), {
      name: "RangeError",
      message: /its directories are over 64 deep$/,
    });
  });

  it("refuses over 100,000 sources", async () => {
    await assert.rejects(hash("/data", { files: many(100_001, "a.lua") }), {
      name: "RangeError",
      message: "Cannot scan packages: they have over 100000 Lua, QML and JavaScript files",
    });
  });

  it("refuses over 1,000,000 names", async () => {
    await assert.rejects(hash("/data", { files: many(1_000_001, "a.png") }), {
      name: "RangeError",
      message: "Cannot scan packages: they have over 1000000 files",
    });
  });
});

describe("hashPackages() again", () => {
  it("reads only what changed, also where size and modification time are the same", async () => {
    const files = await memory({ "packages/p/a.lua": "1", "packages/p/b.lua": "2" });
    let changedMs = 0;
    const stamped: PackageFiles = {
      ...files,
      async info(path) {
        const found = await files.info(path);
        return found && { ...found, changedMs: path.endsWith("b.lua") ? changedMs : 0 };
      },
    };
    const now = 10_000;
    const first = await hash("/data", { files: stamped, now });
    assert.equal(first.filesRead, 2);
    const again = await hash("/data", { files: stamped, now, known: first.known });
    assert.deepEqual([again.filesRead, again.md5], [0, first.md5]);
    await files.replace("/data/packages/p/b.lua", new TextEncoder().encode("1"));
    changedMs = 1;
    const changed = await hash("/data", { files: stamped, now, known: again.known });
    assert.equal(changed.filesRead, 1);
    assert.equal(changed.list, `packages/p/a.lua=${md5Of1};packages/p/b.lua=${md5Of1};`);
    await files.remove("/data/packages/p/a.lua");
    const removed = await hash("/data", { files: stamped, now, known: changed.known });
    assert.deepEqual([removed.filesRead, [...removed.known.keys()]], [0, ["packages/p/b.lua"]]);
  });

  it("reads again what changed less than 2 s before: its clock may not have ticked", async () => {
    const files = await memory({ "packages/p/a.lua": "1" });
    const soon = await hash("/data", { files, now: 2_000 });
    assert.equal(soon.known.size, 0);
    assert.equal((await hash("/data", { files, now: 2_001 })).known.size, 1);
  });
});

describe("withLineFeeds()", () => {
  it("turns each CRLF into LF and keeps every other CR", () => {
    const cases = [
      ["", ""],
      ["a\nb", "a\nb"],
      ["\r\n", "\n"],
      ["\r\r\n", "\r\n"],
      ["\r\n\r\n", "\n\n"],
      ["a\r", "a\r"],
      ["\r\ra\r\nb\n\r", "\r\ra\nb\n\r"],
    ];
    for (const [given = "", wanted] of cases) {
      const bytes = withLineFeeds(new TextEncoder().encode(given));
      assert.equal(new TextDecoder().decode(bytes), wanted, JSON.stringify(given));
    }
  });
});

/** A data directory `/data` in memory; all changed at time 0. */
async function memory(entries: Readonly<Record<string, string>>) {
  const files = fakeFiles();
  for (const [path, text] of Object.entries(entries)) {
    const full = `/data/${path}`;
    await files.makeDirectory(full.slice(0, full.lastIndexOf("/")));
    await files.replace(full, new TextEncoder().encode(text));
  }
  return files;
}
