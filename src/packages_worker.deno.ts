import { denoSqlite } from "./adapters/deno/sqlite.ts";
import { systemClock } from "./adapters/node/clock.ts";
import { nodeCrypto } from "./adapters/node/crypto.ts";
import { nodeFiles } from "./adapters/node/files.ts";
import { nodeGitIo } from "./adapters/node/git_io.ts";
import { workerScope } from "./adapters/node/workers.ts";
import { runPackagesWorker } from "./game/packages/packages_work.ts";

runPackagesWorker(workerScope(), {
  files: nodeFiles(),
  crypto: nodeCrypto(),
  sqlite: denoSqlite(),
  git: nodeGitIo(),
  clock: systemClock(),
});
