import assert from "node:assert/strict";
import { mkdir, readFile, stat, symlink, writeFile } from "node:fs/promises";
import { describe, it } from "node:test";
import { nodeGitFiles } from "../../src/adapters/node/git_files.ts";
import { FileError } from "../../src/ports/files.ts";
import { inDirectory } from "../game/accounts/temporary_directory.ts";

const files = nodeGitFiles();

function failsWith(code: string) {
  return (error: unknown) => error instanceof FileError && error.code === code;
}

describe("nodeGitFiles()", () => {
  it("writes and copies only where nothing is, not even a link", () =>
    inDirectory(async (directory) => {
      const bytes = new TextEncoder().encode("text");
      await files.writeNew(`${directory}/a`, bytes);
      assert.equal(await readFile(`${directory}/a`, "utf8"), "text");
      assert.equal((await stat(`${directory}/a`)).mode & 0o111, 0);
      await symlink("nowhere", `${directory}/link`);
      for (const name of ["a", "link"]) {
        await assert.rejects(files.writeNew(`${directory}/${name}`, bytes), failsWith("EEXIST"));
        const copied = files.copyNew(`${directory}/a`, `${directory}/${name}`, { bytesMax: 9 });
        await assert.rejects(copied, failsWith("EEXIST"));
      }
      const nowhere = files.writeNew(`${directory}/none/a`, bytes);
      await assert.rejects(nowhere, failsWith("ENOENT"));
    }));

  it("copies no more than is allowed, and follows no link", () =>
    inDirectory(async (directory) => {
      const bytes = crypto.getRandomValues(new Uint8Array(60_000));
      const large = new Uint8Array(3_000_000).fill(7);
      large.set(bytes, 1_500_000);
      await writeFile(`${directory}/a`, large);
      const bytesMax = large.length;
      assert.equal(await files.copyNew(`${directory}/a`, `${directory}/b`, { bytesMax }), bytesMax);
      assert.deepEqual(new Uint8Array(await readFile(`${directory}/b`)), large);
      const tooBig = files.copyNew(`${directory}/a`, `${directory}/c`, { bytesMax: bytesMax - 1 });
      await assert.rejects(tooBig, failsWith("EFBIG"));
      await symlink("a", `${directory}/link`);
      const linked = files.copyNew(`${directory}/link`, `${directory}/d`, { bytesMax });
      await assert.rejects(linked, failsWith("ELOOP"));
    }));

  it("tells what is at a path itself", () =>
    inDirectory(async (directory) => {
      await writeFile(`${directory}/file`, "");
      await mkdir(`${directory}/directory`);
      await symlink("file", `${directory}/link`);
      const kinds: Record<string, string> = {
        file: "file",
        directory: "directory",
        link: "link",
        none: "nothing",
        "file/inside": "nothing",
      };
      for (const [name, kind] of Object.entries(kinds)) {
        assert.equal(await files.kindOf(`${directory}/${name}`), kind, name);
      }
      await files.syncDirectory(directory);
    }));

  it("makes no links for the library", () =>
    inDirectory(async (directory) => {
      await assert.rejects(files.library.symlink("x", `${directory}/a`), failsWith("EPERM"));
      assert.equal(await files.kindOf(`${directory}/a`), "nothing");
    }));
});
