import { denoAssets } from "./adapters/deno/assets.ts";
import { workerScope } from "./adapters/node/workers.ts";
import { runLuaWorker } from "./game/lua/lua_worker.ts";

runLuaWorker(workerScope(), denoAssets);
