import { bunSqlite } from "./adapters/bun/sqlite.ts";
import { workerScope } from "./adapters/node/workers.ts";
import { runStoreWorker } from "./host/state_store.ts";

runStoreWorker(workerScope(), bunSqlite());
