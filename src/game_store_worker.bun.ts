import { bunSqlite } from "./adapters/bun/sqlite.ts";
import { fileIdentity } from "./adapters/node/file_identity.ts";
import { workerScope } from "./adapters/node/workers.ts";
import { runGameStoreWorker } from "./game/game_store_work.ts";

runGameStoreWorker(workerScope(), { sqlite: bunSqlite(), fileIdentity });
