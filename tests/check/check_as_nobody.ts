/** Checks a database and a lock file as a user without rights, and prints the findings. */
import process from "node:process";
import { checkDatabase, checkLock } from "../../src/check/environment_files.ts";
import { realRuntime } from "./real_runtime.ts";

const NOBODY = 65_534;

const [databasePath = "", lockPath = ""] = process.argv.slice(2);
const runtime = await realRuntime();
// Loaded before, for this user may not read the sources.
await runtime.files.info(databasePath);
runtime.sqlite.open({ path: ":memory:", busyTimeoutMs: 0 }).close();
process.setgid?.(NOBODY);
process.setuid?.(NOBODY);
const findings = [
  ...await checkDatabase(runtime, databasePath),
  ...await checkLock(runtime, lockPath),
];
console.log(JSON.stringify(findings));
process.exit(0);
