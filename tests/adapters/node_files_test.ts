/** What nodeFiles promises beyond what a fake can show. */
import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { lstat, mkdtemp, readFile, rm, stat, symlink, utimes, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { nodeFiles } from "../../src/adapters/node/files.ts";

const files = nodeFiles();
const noFull = existsSync("/dev/full") ? false : "this system has no /dev/full";
const noProc = existsSync("/proc/self/status") ? false : "this system has no /proc";

describe("nodeFiles", () => {
  let directory = "";
  before(async () => {
    directory = await mkdtemp(join(tmpdir(), "files-"));
  });
  after(() => rm(directory, { recursive: true }));

  const modeOf = async (path: string) => (await stat(path)).mode & 0o777;

  it("new files and directories are their owner's alone unless mode says else", async () => {
    await files.replace(`${directory}/secret`, Uint8Array.of(1));
    assert.equal(await modeOf(`${directory}/secret`), 0o600);
    await files.replace(`${directory}/open`, Uint8Array.of(1), { mode: 0o400 });
    assert.equal(await modeOf(`${directory}/open`), 0o400);
    await (await files.openAppend(`${directory}/log`)).close();
    assert.equal(await modeOf(`${directory}/log`), 0o600);
    await files.makeDirectory(`${directory}/d/e`);
    assert.equal(await modeOf(`${directory}/d/e`), 0o700);
  });

  it("makeDirectory() says that a file is in the way", async () => {
    const path = join(directory, "data");
    await writeFile(path, "");
    await assert.rejects(files.makeDirectory(path), {
      code: "EEXIST",
      message: `Cannot make directory "${path}": it is there, but not a directory (EEXIST)`,
    });
  });

  it("replace() takes the place of a link and leaves what it points to alone", async () => {
    await writeFile(`${directory}/target`, "untouched");
    await symlink(`${directory}/target`, `${directory}/link`);
    await files.replace(`${directory}/link`, new TextEncoder().encode("new"));
    assert.ok((await lstat(`${directory}/link`)).isFile());
    assert.equal(await readFile(`${directory}/target`, "utf8"), "untouched");
  });

  it("replace() that fails leaves nothing beside", async () => {
    await files.makeDirectory(`${directory}/fails/there`);
    await assert.rejects(files.replace(`${directory}/fails/there`, Uint8Array.of(1)));
    assert.deepEqual(await files.list(`${directory}/fails`), ["there"]);
  });

  it("entries() tells links, and realPath() where they lead", async () => {
    const links = `${directory}/links`;
    await files.makeDirectory(`${links}/target`);
    await symlink("target", `${links}/a`);
    await symlink("nowhere", `${links}/b`);
    await symlink("c", `${links}/c`);
    assert.deepEqual(await files.entries(links), [
      { name: "a", kind: "link" },
      { name: "b", kind: "link" },
      { name: "c", kind: "link" },
      { name: "target", kind: "directory" },
    ]);
    assert.equal(await files.realPath(`${links}/a`), await files.realPath(`${links}/target`));
    assert.equal(await files.realPath(`${links}/b`), undefined);
    assert.equal(await files.realPath(`${links}/c`), undefined);
  });

  it("info() tells of a change that keeps size and modification time", async () => {
    const path = `${directory}/kept-time`;
    await writeFile(path, "one");
    const past = new Date(1_000_000);
    await utimes(path, past, past);
    const infoOf = async () => await files.info(path) ?? assert.fail("it is gone");
    const before = await infoOf();
    assert.equal(before.modifiedMs, 1_000_000);
    assert.ok(before.changedMs > 1_000_000);
    // Clocks of file systems tick in steps.
    const deadline = Date.now() + 10_000;
    let after = before;
    while (after.changedMs === before.changedMs && Date.now() < deadline) {
      await writeFile(path, "two");
      await utimes(path, past, past);
      after = await infoOf();
    }
    assert.deepEqual([after.bytes, after.modifiedMs], [before.bytes, before.modifiedMs]);
    assert.notEqual(after.changedMs, before.changedMs);
  });

  it("remove() of a link keeps what it points to", async () => {
    await files.makeDirectory(`${directory}/kept`);
    await files.replace(`${directory}/kept/file`, Uint8Array.of(1));
    await symlink(`${directory}/kept`, `${directory}/way`);
    await files.remove(`${directory}/way`);
    assert.deepEqual(await files.list(`${directory}/kept`), ["file"]);
  });

  it(
    "read() takes files that do not tell their size, within bytesMax",
    { skip: noProc },
    async () => {
      const bytes = await files.read("/proc/self/status");
      assert.match(new TextDecoder().decode(bytes), /^Name:/);
      await assert.rejects(files.read("/proc/self/status", { bytesMax: 10 }), { code: "EFBIG" });
      await assert.rejects(files.read("/dev/zero", { bytesMax: 100_000 }), { code: "EFBIG" });
    },
  );

  it("append() on a full disk rejects with ENOSPC, and the handle can be closed", {
    skip: noFull,
  }, async () => {
    const file = await files.openAppend("/dev/full");
    await assert.rejects(file.append(Uint8Array.of(1)), {
      name: "FileError",
      code: "ENOSPC",
      path: "/dev/full",
      message: 'Cannot append to "/dev/full": no space is left on the device (ENOSPC)',
    });
    assert.equal(file.size, 0);
    await file.close();
  });

  it("read() of bytes that change size meanwhile gives what was there", async () => {
    const path = `${directory}/growing`;
    const file = await files.openAppend(path);
    const chunk = new Uint8Array(10_000).fill(3);
    const growing = (async () => {
      for (let round = 0; round < 50; round++) await file.append(chunk);
    })();
    for (let round = 0; round < 20; round++) {
      const found = await files.read(path);
      assert.ok(found.every((byte) => byte === 3));
    }
    await growing;
    await file.close();
    assert.equal((await files.read(path)).length, 500_000);
  });
});
