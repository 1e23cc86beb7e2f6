import { nodeFiles } from "./adapters/node/files.ts";
import { workerScope } from "./adapters/node/workers.ts";
import { runSettingsWorker } from "./config/settings_work.ts";

runSettingsWorker(workerScope(), nodeFiles());
