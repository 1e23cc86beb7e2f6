import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { FileError } from "../../src/ports/files.ts";
import type { LogFilesPort } from "../../src/ports/log_file.ts";

/** What each adapter of files of a log must do. `makeDirectory` gives an empty directory's path. */
export function logFilesConformance(
  name: string,
  files: LogFilesPort,
  place: { makeDirectory(): Promise<string>; tidy(): Promise<void> },
): void {
  describe(`LogFilesPort of ${name}`, () => {
    let root = "";
    before(async () => {
      root = await place.makeDirectory();
    });
    after(() => place.tidy());

    const write = async (path: string, ...pieces: string[]) => {
      const file = await files.openAppend(path);
      for (const piece of pieces) await file.append(bytesOf(piece));
      await file.dataSync();
      await file.close();
    };
    const read = async (path: string) => {
      const file = await files.openRead(path);
      const into = new Uint8Array(1_000);
      const count = await file.read(into, 0);
      await file.close();
      return new TextDecoder().decode(into.subarray(0, count));
    };

    it("append() adds at the end, in the order of the calls", async () => {
      const path = `${root}/append`;
      await write(path, "one ", "two ");
      const file = await files.openAppend(path);
      assert.equal(file.sizeFound, 8);
      const calls = [file.append(bytesOf("three ")), file.append(bytesOf("four")), file.dataSync()];
      await Promise.all(calls);
      await file.close();
      assert.equal(await read(path), "one two three four");
    });

    it("appendSynced() adds at the end like append(), in the order of the calls", async () => {
      const path = `${root}/synced`;
      const file = await files.openAppend(path);
      await file.appendSynced(bytesOf("one "));
      await file.appendSynced(bytesOf("two "));
      await Promise.all([
        file.append(bytesOf("three ")),
        file.appendSynced(bytesOf("four ")),
        file.appendSynced(bytesOf("five ")),
        file.append(bytesOf("six")),
      ]);
      await file.close();
      assert.equal(await read(path), "one two three four five six");
    });

    it("append(), appendSynced() and dataSync() reject on a closed file; close() may come twice", async () => {
      const file = await files.openAppend(`${root}/closed`);
      await file.close();
      await file.close();
      await rejectsWith("EBADF", file.append(bytesOf("x")));
      await rejectsWith("EBADF", file.appendSynced(bytesOf("x")));
      await rejectsWith("EBADF", file.dataSync());
    });

    it("read() fills from any position and says where the file ends", async () => {
      const path = `${root}/read`;
      await write(path, "0123456789");
      const file = await files.openRead(path);
      const into = new Uint8Array(4);
      assert.equal(await file.read(into, 3), 4);
      assert.equal(new TextDecoder().decode(into), "3456");
      assert.equal(await file.read(into, 8), 2);
      assert.equal(await file.read(into, 10), 0);
      await file.close();
      await rejectsWith("EBADF", file.read(into, 0));
    });

    it("openRead() rejects where nothing is, with a FileError that names code and path", async () => {
      const path = `${root}/none`;
      await assert.rejects(files.openRead(path), (error: unknown) => {
        assert.ok(error instanceof FileError);
        assert.deepEqual([error.code, error.path], ["ENOENT", path]);
        return true;
      });
    });

    it("truncate() cuts the end, and appending goes on there", async () => {
      const path = `${root}/cut`;
      await write(path, "good and torn");
      await files.truncate(path, 4);
      await write(path, "!");
      assert.equal(await read(path), "good!");
    });

    it("list() tells names and sizes; rename() replaces; remove() may come twice", async () => {
      const directory = `${root}/list`;
      await files.makeDirectory(directory);
      await files.makeDirectory(directory);
      assert.deepEqual(await files.list(directory), []);
      await write(`${directory}/a`, "12345");
      await write(`${directory}/b`, "1");
      await files.rename(`${directory}/a`, `${directory}/b`);
      await files.syncDirectory(directory);
      assert.deepEqual(await files.list(directory), [{ name: "b", bytes: 5 }]);
      await files.remove(`${directory}/b`);
      await files.remove(`${directory}/b`);
      assert.deepEqual(await files.list(directory), []);
      await rejectsWith("ENOENT", files.rename(`${directory}/a`, `${directory}/b`));
    });
  });
}

function bytesOf(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}

async function rejectsWith(code: string, promise: Promise<unknown>): Promise<void> {
  await assert.rejects(
    promise,
    (error: unknown) => error instanceof FileError && error.code === code,
  );
}
