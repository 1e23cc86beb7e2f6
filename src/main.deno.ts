import process from "node:process";
import { fileURLToPath } from "node:url";
import { denoRuntime } from "./adapters/deno/runtime.ts";
import { runCli } from "./app/cli.ts";

const here = import.meta.url;

const runtime = denoRuntime({
  selfCommand: [Deno.execPath(), "run", "-A", fileURLToPath(here)],
  workerUrls: {
    config_worker: new URL("./config_worker.deno.ts", here),
    crypto_worker: new URL("./crypto_worker.deno.ts", here),
    game_store_worker: new URL("./game_store_worker.deno.ts", here),
    lua_worker: new URL("./lua_worker.deno.ts", here),
    packages_worker: new URL("./packages_worker.deno.ts", here),
    store_worker: new URL("./store_worker.deno.ts", here),
  },
});

process.exit(await runCli(runtime));
