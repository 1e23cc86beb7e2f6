import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { chmod, chown, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { describe, it } from "node:test";
import { fileURLToPath } from "node:url";
import { lockDirectory, lockFileName } from "../../src/app/directory_lock.ts";
import { runtimeUnderTest } from "../tested_runtime.ts";

const runtime = await runtimeUnderTest();

async function inDirectory(test: (directory: string) => Promise<void>): Promise<void> {
  const directory = await mkdtemp(join(tmpdir(), "freekill-gw-lock-"));
  try {
    await test(directory);
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

const lock = (directory: string) =>
  lockDirectory({
    sqlite: runtime.sqlite,
    files: runtime.files,
    process: runtime.process,
    directory,
  });

async function refusal(directory: string): Promise<string> {
  const found = await lock(directory);
  assert.ok(!found.ok);
  assert.doesNotMatch(found.reason, /\n/);
  return found.reason;
}

describe("lockDirectory()", () => {
  it("keeps a second one out, names the first, and is free after release()", () =>
    inDirectory(async (directory) => {
      const first = await lock(directory);
      assert.ok(first.ok);
      assert.match(await refusal(directory), new RegExp(`process ${process.pid}\\) is running`));
      await first.release();
      const again = await lock(directory);
      assert.ok(again.ok);
      await again.release();
    }));

  it("tells a lock file that is none, and leaves it", () =>
    inDirectory(async (directory) => {
      const path = join(directory, lockFileName);
      for (const garbage of ["short", "long enough for a page ".repeat(100)]) {
        await writeFile(path, garbage);
        assert.match(await refusal(directory), /is not a lock of freekill-gw; remove that file$/);
        assert.equal(await readFile(path, "utf8"), garbage);
      }
    }));

  it("names what is wrong with a directory", async () => {
    assert.match(await refusal("/proc/self/nowhere"), /no such file or directory \(ENOENT\)/);
  });
});

describe("lockDirectory() as another user", { skip: notAnotherUser() }, () => {
  it("refuses a lock file that may only be read, instead of locking nothing", () =>
    inDirectory(async (directory) => {
      await chmod(directory, 0o777);
      const own = await lock(directory);
      assert.ok(own.ok);
      await own.release();
      await chmod(join(directory, lockFileName), 0o644);
      assert.match(
        lockAsNobody(directory),
        /Cannot write database ".*freekill-gw\.lock": .*\(EACCES\)/,
      );
    }));

  it("takes one that only its group may write", () =>
    inDirectory(async (directory) => {
      await chmod(directory, 0o777);
      const path = join(directory, lockFileName);
      await writeFile(path, "");
      await chmod(path, 0o664);
      await chown(path, 0, 65_534);
      assert.equal(lockAsNobody(directory), "locked\n");
    }));

  it("says that the directory may not be written to", () =>
    inDirectory(async (directory) => {
      await chmod(directory, 0o755);
      assert.match(lockAsNobody(directory), /Cannot create database ".*": .*\(EACCES\)/);
    }));
});

/** What `lockDirectory()` says to the user "nobody", here with the rights changed in between. */
function lockAsNobody(directory: string): string {
  const self = fileURLToPath(new URL("lock_as_nobody.ts", import.meta.url));
  const args = "Deno" in globalThis ? ["run", "-A", "--no-check", self] : [self];
  return execFileSync(process.execPath, [...args, directory], { encoding: "utf8" });
}

function notAnotherUser(): string | false {
  const { getuid } = process as { getuid?: () => number };
  return getuid?.() === 0 ? false : "only root can become another user";
}
