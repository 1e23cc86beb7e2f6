import process from "node:process";
import { fileURLToPath } from "node:url";
import { bunRuntime } from "./adapters/bun/runtime.ts";
import { runCli } from "./app/cli.ts";

const here = import.meta.url;
/** Where Bun keeps the modules of a compiled binary: /$bunfs on Unix, B:\~BUN on Windows. */
const isCompiled = here.includes("$bunfs") || here.includes("~BUN") || here.includes("%7EBUN");
const suffix = isCompiled ? ".bun.js" : ".bun.ts";

const runtime = bunRuntime({
  selfCommand: isCompiled ? [process.execPath] : [process.execPath, fileURLToPath(here)],
  workerUrls: {
    config_worker: new URL(`./config_worker${suffix}`, here),
    crypto_worker: new URL(`./crypto_worker${suffix}`, here),
    game_store_worker: new URL(`./game_store_worker${suffix}`, here),
    lua_worker: new URL(`./lua_worker${suffix}`, here),
    packages_worker: new URL(`./packages_worker${suffix}`, here),
    store_worker: new URL(`./store_worker${suffix}`, here),
  },
});

process.exit(await runCli(runtime));
