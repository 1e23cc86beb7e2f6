import process from "node:process";
import { fileURLToPath } from "node:url";
import type { Runtime } from "../../src/ports/runtime.ts";
import type { WorkerEntry } from "../../src/ports/workers.ts";

type MakeRuntime = (options: {
  selfCommand: readonly string[];
  workerUrls: Record<WorkerEntry, URL>;
}) => Runtime;

/** The real ports of the runtime that the tests run on; `spawnSelf` starts the program from source. */
export async function realRuntime(): Promise<Runtime> {
  const name = "Deno" in globalThis ? "deno" : "bun";
  const source = new URL("../../src/", import.meta.url);
  // The path is put together so that neither type checker follows it into the other's adapters.
  const module: Record<string, MakeRuntime> = await import(
    new URL(`adapters/${name}/runtime.ts`, source).href
  );
  const make = module[`${name}Runtime`];
  if (make === undefined) throw new Error(`No ${name}Runtime in the adapters of ${name}`);
  const program = fileURLToPath(new URL(`main.${name}.ts`, source));
  return make({
    selfCommand: [process.execPath, ...name === "deno" ? ["run", "-A"] : [], program],
    workerUrls: {
      config_worker: new URL(`config_worker.${name}.ts`, source),
      crypto_worker: new URL(`crypto_worker.${name}.ts`, source),
      game_store_worker: new URL(`game_store_worker.${name}.ts`, source),
      lua_worker: new URL(`lua_worker.${name}.ts`, source),
      packages_worker: new URL(`packages_worker.${name}.ts`, source),
      store_worker: new URL(`store_worker.${name}.ts`, source),
    },
  });
}
