import { showApiToken } from "../config/api_keys.ts";
import type { Runtime } from "../ports/runtime.ts";
import type { Invocation } from "./invocation.ts";

/** Nobody guesses them. */
const tokenBytes = 32;
/** The API takes no longer ones. */
const tokenCharactersMax = 1_024;
/** A hash without salt keeps a shorter one from nobody who tries them all. */
const tokenPattern = /^[\x21-\x7e]{32,1024}$/;

/** `api-token`: a token for the API and what the configuration has of it. The exit code: 0 done, 2 a
 * token that is of no use. */
export async function apiTokenVerb(runtime: Runtime, { flags }: Invocation): Promise<number> {
  const { process, crypto, random } = runtime;
  const isGiven = flags.stdin === true;
  const token = isGiven
    ? new TextDecoder().decode(await process.readInputLine(tokenCharactersMax))
    : random.bytes(tokenBytes).toHex();
  if (!tokenPattern.test(token)) {
    process.writeStderr(
      "The first line of standard input must be a token of 32–1,024 printable ASCII characters " +
        `without spaces, got ${token === "" ? "nothing" : "something else"}.\n`,
    );
    return 2;
  }
  const entry = showApiToken({
    name: typeof flags.name === "string" ? flags.name : "ops",
    mayWrite: flags.scope === "write",
    sha256: crypto.sha256(new TextEncoder().encode(token)).toHex(),
  });
  const shown = isGiven ? { entry } : { token, entry };
  process.writeStdout(
    flags.json === true
      ? `${JSON.stringify(shown)}\n`
      : Object.entries(shown).map(([what, text]) => `${what.padEnd(6)}${text}\n`).join(""),
  );
  return 0;
}
