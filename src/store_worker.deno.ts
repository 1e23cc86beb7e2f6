import { denoSqlite } from "./adapters/deno/sqlite.ts";
import { fileIdentity } from "./adapters/node/file_identity.ts";
import { workerScope } from "./adapters/node/workers.ts";
import { runStoreWorker } from "./host/state_store.ts";

runStoreWorker(workerScope(), { sqlite: denoSqlite(), fileIdentity });
