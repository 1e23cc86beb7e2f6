/** Locks the directory that it is given as a user without rights, and prints how that went. */
import process from "node:process";
import { lockDirectory } from "../../src/app/directory_lock.ts";
import { runtimeUnderTest } from "../tested_runtime.ts";

const NOBODY = 65_534;

const { sqlite, files, process: self } = await runtimeUnderTest();
// Loaded before, for this user may not read the sources.
sqlite.open({ path: ":memory:", busyTimeoutMs: 0 }).close();
process.setgid?.(NOBODY);
process.setuid?.(NOBODY);
const lock = await lockDirectory({
  sqlite,
  files,
  process: self,
  directory: process.argv[2] ?? "",
});
console.log(lock.ok ? "locked" : lock.reason);
process.exit(0);
