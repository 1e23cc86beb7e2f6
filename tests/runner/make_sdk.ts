/**
 * Makes what is published of the SDK out of `src/sdk/stratix_client.ts`: `stratix-client.js`, which is
 * small and runs in every browser with private fields, and its types. Writes them beside the source;
 * `./build` does that before it compiles, because the program serves them.
 */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";

const source = "src/sdk/stratix_client.ts";
const banner =
  "// Client of the message gateway. Made from src/sdk/stratix_client.ts; MIT license.\n";

/** The texts of the files, by their paths; the present directory is the root of the repository. */
export async function makeSdk(): Promise<ReadonlyMap<string, string>> {
  return new Map([
    ["src/sdk/stratix-client.js", banner + await makeScript()],
    ["src/sdk/stratix-client.d.ts", banner + makeTypes()],
  ]);
}

async function makeScript(): Promise<string> {
  const built = await Bun.build({
    entrypoints: [source],
    target: "browser",
    format: "esm",
    minify: true,
  });
  const [script] = built.outputs;
  if (script === undefined) throw new Error(`nothing was built of ${source}`);
  return await script.text();
}

function makeTypes(): string {
  const directory = mkdtempSync(join("node_modules", ".sdk-types-"));
  try {
    const options = "--ignoreConfig --declaration --emitDeclarationOnly --strict --skipLibCheck " +
      "--target ESNext --module ESNext --lib ESNext,DOM,DOM.Iterable --types --outDir";
    const compiler = "node_modules/typescript/bin/tsc";
    const { exitCode, stdout, stderr } = Bun.spawnSync([
      process.execPath,
      compiler,
      source,
      ...options.split(" "),
      directory,
    ]);
    if (exitCode !== 0) throw new Error(`no types of ${source}: ${stdout}${stderr}`);
    return readFileSync(join(directory, "stratix_client.d.ts"), "utf8");
  } finally {
    rmSync(directory, { recursive: true });
  }
}

if (import.meta.main) {
  for (const [path, text] of await makeSdk()) writeFileSync(path, text);
}
