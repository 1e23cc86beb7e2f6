import { nodeCrypto } from "./adapters/node/crypto.ts";
import { nodeRandom } from "./adapters/node/random.ts";
import { workerScope } from "./adapters/node/workers.ts";
import { runCryptoWorker } from "./game/crypto_work.ts";

runCryptoWorker(workerScope(), { crypto: nodeCrypto(), random: nodeRandom() });
