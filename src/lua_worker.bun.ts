import { bunAssets } from "./adapters/bun/assets.ts";
import { workerScope } from "./adapters/node/workers.ts";
import { runLuaWorker } from "./game/lua/lua_worker.ts";

runLuaWorker(workerScope(), bunAssets);
