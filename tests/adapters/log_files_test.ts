import assert from "node:assert/strict";
import { constants, existsSync, readdirSync, readFileSync, readlinkSync, statSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { it } from "node:test";
import { nodeLogFiles } from "../../src/adapters/node/message_log_files.ts";
import { fakeDisk } from "../fakes/log_files.ts";
import { logFilesConformance } from "./log_files_conformance.ts";

let directory = "";
logFilesConformance("nodeLogFiles", nodeLogFiles(), {
  makeDirectory: async () => directory = await mkdtemp(join(tmpdir(), "log-files-")),
  tidy: () => rm(directory, { recursive: true }),
});

logFilesConformance("the fake", fakeDisk().start(), {
  makeDirectory: async () => "/root",
  tidy: async () => {},
});

it("nodeLogFiles() keeps new files and directories for their owner alone", async () => {
  const root = await mkdtemp(join(tmpdir(), "log-files-"));
  const files = nodeLogFiles();
  await files.makeDirectory(`${root}/a/b`);
  await (await files.openAppend(`${root}/a/b/c`)).close();
  assert.equal(statSync(`${root}/a/b`).mode & 0o777, 0o700);
  assert.equal(statSync(`${root}/a/b/c`).mode & 0o777, 0o600);
  await rm(root, { recursive: true });
});

it("append() on a full disk rejects with ENOSPC", {
  skip: existsSync("/dev/full") ? false : "this system has no /dev/full",
}, async () => {
  const file = await nodeLogFiles().openAppend("/dev/full");
  await assert.rejects(file.append(Uint8Array.of(1)), { name: "FileError", code: "ENOSPC" });
  await file.close();
});

it("appendSynced() writes through a file that the kernel syncs, and close() leaves none open", {
  skip: existsSync("/proc/self/fdinfo") ? false : "only Linux tells how files were opened",
}, async () => {
  const root = await mkdtemp(join(tmpdir(), "log-files-"));
  const path = `${root}/a`;
  const file = await nodeLogFiles().openAppend(path);
  await file.appendSynced(Uint8Array.of(1));
  const isSynced = opened(path).map((flags) => (flags & constants.O_DSYNC) === constants.O_DSYNC);
  assert.deepEqual(isSynced.sort(), [false, true]);
  await file.close();
  assert.deepEqual(opened(path), []);
  await rm(root, { recursive: true });
});

/** The flags of each open file of this process that is `path`. */
function opened(path: string): number[] {
  return readdirSync("/proc/self/fd").flatMap((fd) => {
    try {
      if (readlinkSync(`/proc/self/fd/${fd}`) !== path) return [];
      const flags = /^flags:\s*([0-7]+)$/m.exec(readFileSync(`/proc/self/fdinfo/${fd}`, "utf8"));
      return [parseInt(flags?.[1] ?? "", 8)];
    } catch {
      // It was closed meanwhile: the listing's own, for one.
      return [];
    }
  });
}

it("fakeDisk() loses what was not synced, names and bytes, and what a failed sync forgot", async () => {
  const disk = fakeDisk();
  const files = disk.start();
  const file = await files.openAppend("d/a");
  await file.append(Uint8Array.of(1, 2));
  await files.syncDirectory("d");
  disk.fails = (call) => call.verb === "sync" ? "EIO" : undefined;
  await assert.rejects(file.dataSync(), { code: "EIO" });
  disk.fails = undefined;
  await file.append(Uint8Array.of(3));
  await file.dataSync();
  await file.append(Uint8Array.of(4));
  await files.openAppend("d/b");
  assert.deepEqual([...disk.bytes("d/a")], [1, 2, 3, 4]);
  disk.losePower(() => 0);
  assert.deepEqual(disk.names(), ["d/a"]);
  assert.deepEqual([...disk.bytes("d/a")], [0, 0, 3]);
  await assert.rejects(file.append(Uint8Array.of(5)), { code: "EBADF" });
});
