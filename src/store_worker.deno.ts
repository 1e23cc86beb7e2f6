import { denoSqlite } from "./adapters/deno/sqlite.ts";
import { workerScope } from "./adapters/node/workers.ts";
import { runStoreWorker } from "./host/state_store.ts";

runStoreWorker(workerScope(), denoSqlite());
