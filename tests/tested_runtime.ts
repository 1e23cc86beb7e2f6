import process from "node:process";
import { fileURLToPath } from "node:url";
import type { Runtime } from "../src/ports/runtime.ts";
import type { WorkerEntry } from "../src/ports/workers.ts";

type MakeRuntime = (options: {
  selfCommand: readonly string[];
  workerUrls: Record<WorkerEntry, URL | string>;
}) => Runtime;

/** The real ports of the runtime that runs the tests, with the program started from source. */
export async function runtimeUnderTest(): Promise<Runtime> {
  const name = "Bun" in globalThis ? "bun" : "deno";
  const source = new URL("../src/", import.meta.url);
  // Computed, so that neither type checker reads the other runtime's adapters.
  const module = await import(new URL(`adapters/${name}/runtime.ts`, source).href) as Record<
    string,
    MakeRuntime
  >;
  const make = module[`${name}Runtime`];
  if (make === undefined) throw new Error(`adapters/${name}/runtime.ts exports no ${name}Runtime`);
  const main = fileURLToPath(new URL(`main.${name}.ts`, source));
  return make({
    selfCommand: [process.execPath, ...(name === "deno" ? ["run", "-A"] : []), main],
    workerUrls: {
      config_worker: new URL(`config_worker.${name}.ts`, source),
      crypto_worker: new URL(`crypto_worker.${name}.ts`, source),
      game_store_worker: new URL(`game_store_worker.${name}.ts`, source),
      packages_worker: new URL(`packages_worker.${name}.ts`, source),
      store_worker: new URL(`store_worker.${name}.ts`, source),
      lua_worker: new URL(`lua_worker.${name}.ts`, source),
    },
  });
}
