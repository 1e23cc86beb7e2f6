import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { FileError, type FilesPort } from "../../src/ports/files.ts";

/** What each files adapter must do. `makeDirectory` gives an empty directory's path. */
export function filesConformance(
  name: string,
  files: FilesPort,
  place: { makeDirectory(): Promise<string>; tidy(): Promise<void> },
): void {
  describe(`FilesPort of ${name}`, () => {
    let root = "";
    before(async () => {
      root = await place.makeDirectory();
    });
    after(() => place.tidy());

    readSuite(files, () => root);
    appendSuite(files, () => root);
    directorySuite(files, () => root);
  });
}

function readSuite(files: FilesPort, root: () => string): void {
  it("replace() creates and replaces whole files, and leaves nothing beside them", async () => {
    const directory = `${root()}/replace`;
    await files.makeDirectory(directory);
    await files.replace(`${directory}/a`, bytesOf("first and longer"));
    await files.replace(`${directory}/a`, bytesOf("second"));
    assert.equal(textOf(await files.read(`${directory}/a`)), "second");
    await files.replace(`${directory}/a`, new Uint8Array());
    assert.equal((await files.read(`${directory}/a`)).length, 0);
    assert.deepEqual(await files.list(directory), ["a"]);
  });

  it("replace() never shows a reader a part", async () => {
    const path = `${root()}/whole`;
    const versions = [new Uint8Array(300_000).fill(1), new Uint8Array(300_000).fill(2)];
    await files.replace(path, versions[0]!);
    const writing = (async () => {
      for (let round = 1; round <= 10; round++) await files.replace(path, versions[round % 2]!);
    })();
    for (let round = 0; round < 20; round++) {
      const found = await files.read(path);
      assert.equal(found.length, 300_000);
      assert.equal(found[0], found[299_999]);
    }
    await writing;
  });

  it("replace() rejects where there is no directory, or a directory is in the way", async () => {
    await rejectsWith("ENOENT", files.replace(`${root()}/none/a`, bytesOf("x")));
    await files.makeDirectory(`${root()}/in-the-way`);
    await rejectsWith("EISDIR", files.replace(`${root()}/in-the-way`, bytesOf("x")));
  });

  it("read() rejects with FileError that names code and path", async () => {
    const path = `${root()}/missing`;
    await assert.rejects(files.read(path), (error: unknown) => {
      assert.ok(error instanceof FileError);
      assert.deepEqual([error.code, error.path], ["ENOENT", path]);
      assert.ok(error.message.includes(path));
      return true;
    });
    await rejectsWith("EISDIR", files.read(root()));
  });

  it("read({ bytesMax }) takes a file of that size and refuses a bigger one", async () => {
    const path = `${root()}/sized`;
    await files.replace(path, new Uint8Array(1_000));
    assert.equal((await files.read(path, { bytesMax: 1_000 })).length, 1_000);
    await rejectsWith("EFBIG", files.read(path, { bytesMax: 999 }));
  });

  it("read({ cut }) gives the beginning of a bigger file, and all of a smaller one", async () => {
    const path = `${root()}/cut`;
    await files.replace(path, bytesOf("0123456789"));
    assert.deepEqual(await files.read(path, { bytesMax: 4, cut: true }), bytesOf("0123"));
    assert.deepEqual(await files.read(path, { bytesMax: 99, cut: true }), bytesOf("0123456789"));
    await rejectsWith("ENOENT", files.read(`${root()}/none`, { bytesMax: 4, cut: true }));
  });

  it("info() tells kind and size, and undefined where nothing is", async () => {
    await files.replace(`${root()}/five`, bytesOf("12345"));
    const file = await files.info(`${root()}/five`);
    assert.deepEqual([file?.kind, file?.bytes], ["file", 5]);
    assert.ok(Number.isInteger(file?.modifiedMs));
    assert.ok(Number.isInteger(file?.changedMs));
    assert.equal((await files.info(root()))?.kind, "directory");
    assert.equal(await files.info(`${root()}/nothing`), undefined);
    assert.equal(await files.info(`${root()}/five/below`), undefined);
  });
}

function appendSuite(files: FilesPort, root: () => string): void {
  it("append() keeps the order of calls, awaited or not", async () => {
    const file = await files.openAppend(`${root()}/log`);
    assert.equal(file.size, 0);
    const words = Array.from({ length: 50 }, (_, index) => `${index};`);
    await Promise.all(words.map((word) => file.append(bytesOf(word))));
    await file.dataSync();
    assert.equal(file.size, words.join("").length);
    await file.close();
    assert.equal(textOf(await files.read(`${root()}/log`)), words.join(""));
  });

  it("openAppend() goes on at the end of what is there", async () => {
    await files.replace(`${root()}/old`, bytesOf("old "));
    const file = await files.openAppend(`${root()}/old`);
    assert.equal(file.size, 4);
    await file.append(bytesOf("new"));
    assert.equal(file.size, 7);
    await file.close();
    assert.equal(textOf(await files.read(`${root()}/old`)), "old new");
  });

  it("close() waits for what was appended, may be called again, and ends the handle", async () => {
    const file = await files.openAppend(`${root()}/closing`);
    const appended = file.append(bytesOf("all of it"));
    await file.close();
    await appended;
    await file.close();
    assert.equal(textOf(await files.read(`${root()}/closing`)), "all of it");
    await rejectsWith("EBADF", file.append(bytesOf("more")));
    await rejectsWith("EBADF", file.dataSync());
  });

  it("openAppend() rejects where there is no directory, or a directory is", async () => {
    await rejectsWith("ENOENT", files.openAppend(`${root()}/none/log`));
    await rejectsWith("EISDIR", files.openAppend(root()));
  });
}

function directorySuite(files: FilesPort, root: () => string): void {
  it("list() sorts by bytes and lists directories too", async () => {
    const directory = `${root()}/list`;
    await files.makeDirectory(`${directory}/mid`);
    const names = ["b", "B", "a10", "a9", "_", "é", "武", "🀄", "\uff5e", ".hidden"];
    for (const name of names) await files.replace(`${directory}/${name}`, new Uint8Array());
    assert.deepEqual(await files.list(directory), [
      ".hidden",
      "B",
      "_",
      "a10",
      "a9",
      "b",
      "mid",
      "é",
      "武",
      "\uff5e",
      "🀄",
    ]);
    await rejectsWith("ENOENT", files.list(`${directory}/none`));
    await rejectsWith("ENOTDIR", files.list(`${directory}/b`));
  });

  it("entries() sorts as list() does and tells files from directories", async () => {
    const directory = `${root()}/entries`;
    await files.makeDirectory(`${directory}/mid`);
    for (const name of ["z", "\uff5e", "🀄"]) {
      await files.replace(`${directory}/${name}`, new Uint8Array());
    }
    assert.deepEqual(await files.entries(directory), [
      { name: "mid", kind: "directory" },
      { name: "z", kind: "file" },
      { name: "\uff5e", kind: "file" },
      { name: "🀄", kind: "file" },
    ]);
    await rejectsWith("ENOENT", files.entries(`${directory}/none`));
    await rejectsWith("ENOTDIR", files.entries(`${directory}/z`));
  });

  it("realPath() is absolute, the same by every way, and undefined where nothing is", async () => {
    await files.makeDirectory(`${root()}/real`);
    await files.replace(`${root()}/real/x`, new Uint8Array());
    const real = await files.realPath(`${root()}/real`);
    assert.ok(real?.startsWith("/") && real.endsWith("/real"), String(real));
    assert.equal(await files.realPath(`${root()}/real/../real/./x`), `${real}/x`);
    assert.equal(await files.realPath(`${root()}/real/none`), undefined);
    assert.equal(await files.realPath(`${root()}/real/x/below`), undefined);
  });

  it("makeDirectory() makes parents, and does nothing where one is", async () => {
    await files.makeDirectory(`${root()}/a/b/c`);
    await files.makeDirectory(`${root()}/a/b/c`);
    assert.equal((await files.info(`${root()}/a/b/c`))?.kind, "directory");
    await files.replace(`${root()}/plain`, new Uint8Array());
    await rejectsWith("EEXIST", files.makeDirectory(`${root()}/plain`));
    await rejectsWith("ENOTDIR", files.makeDirectory(`${root()}/plain/below`));
  });

  it("rename() moves files over others and directories with what is in them", async () => {
    await files.replace(`${root()}/from`, bytesOf("moved"));
    await files.replace(`${root()}/to`, bytesOf("old"));
    await files.rename(`${root()}/from`, `${root()}/to`);
    assert.equal(textOf(await files.read(`${root()}/to`)), "moved");
    assert.equal(await files.info(`${root()}/from`), undefined);
    await rejectsWith("ENOENT", files.rename(`${root()}/from`, `${root()}/to`));
    await files.makeDirectory(`${root()}/d1/deep`);
    await files.replace(`${root()}/d1/deep/x`, bytesOf("x"));
    await files.rename(`${root()}/d1`, `${root()}/d2`);
    assert.equal(textOf(await files.read(`${root()}/d2/deep/x`)), "x");
    assert.equal(await files.info(`${root()}/d1`), undefined);
  });

  it("remove() takes files, full directories and nothing at all", async () => {
    await files.makeDirectory(`${root()}/gone/deep`);
    await files.replace(`${root()}/gone/deep/x`, bytesOf("x"));
    await files.replace(`${root()}/gone-not`, bytesOf("x"));
    await files.remove(`${root()}/gone`);
    await files.remove(`${root()}/gone`);
    assert.equal(await files.info(`${root()}/gone`), undefined);
    await files.remove(`${root()}/gone-not`);
    assert.equal(await files.info(`${root()}/gone-not`), undefined);
  });
}

async function rejectsWith(code: string, promise: Promise<unknown>): Promise<void> {
  await assert.rejects(promise, { name: "FileError", code });
}

function bytesOf(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}

function textOf(bytes: Uint8Array): string {
  return new TextDecoder().decode(bytes);
}
