import type { Runtime } from "../ports/runtime.ts";
import type { Invocation } from "./invocation.ts";

/** The program's version (semver.org); the same as in package.json. */
export const version = "0.1.0";

/** Prints the version, and with `--json` what runs it, for programs. */
export function printVersion(runtime: Runtime, invocation: Invocation): number {
  const { name, version: runtimeVersion, process } = runtime;
  const text = invocation.flags.json === true
    ? JSON.stringify({
      version,
      runtime: name,
      runtime_version: runtimeVersion,
      platform: process.platform,
    })
    : `freekill-gw ${version} (${name} ${runtimeVersion}, ${process.platform})`;
  process.writeStdout(`${text}\n`);
  return 0;
}
