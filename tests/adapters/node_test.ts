/** The adapters that both runtimes share, on the runtime that runs this. */
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { systemClock } from "../../src/adapters/node/clock.ts";
import { nodeFiles } from "../../src/adapters/node/files.ts";
import { pinoLog } from "../../src/adapters/node/log.ts";
import { nodeProcess } from "../../src/adapters/node/process.ts";
import { nodeRandom } from "../../src/adapters/node/random.ts";
import { webWorkers } from "../../src/adapters/node/workers.ts";
import { clockConformance } from "./clock_conformance.ts";
import { filesConformance } from "./files_conformance.ts";
import { runtimeCommand } from "./helper_program.ts";
import { logConformance } from "./log_conformance.ts";
import { processConformance } from "./process_conformance.ts";
import { randomConformance } from "./random_conformance.ts";
import { workersConformance } from "./workers_conformance.ts";

const urls = {
  config_worker: new URL("./test_worker.ts", import.meta.url),
  crypto_worker: new URL("./test_worker.ts", import.meta.url),
  game_store_worker: new URL("./test_worker.ts", import.meta.url),
  packages_worker: new URL("./test_worker.ts", import.meta.url),
  store_worker: new URL("./test_worker.ts", import.meta.url),
  lua_worker: new URL("./no_such_worker.ts", import.meta.url),
};
workersConformance("Web Workers", webWorkers({ urls }));

clockConformance(
  "the system",
  systemClock(),
  (ms) => new Promise((resolve) => setTimeout(resolve, ms)),
);

randomConformance("Web Crypto", nodeRandom());

const directories: string[] = [];
filesConformance("node:fs", nodeFiles(), {
  async makeDirectory() {
    const directory = await mkdtemp(join(tmpdir(), "files-"));
    directories.push(directory);
    return directory;
  },
  async tidy() {
    for (const directory of directories.splice(0)) await rm(directory, { recursive: true });
  },
});

processConformance(
  "node:child_process",
  nodeProcess({ selfCommand: runtimeCommand("./helper_main.ts") }),
);

logConformance("pino", async (level) => {
  const directory = await mkdtemp(join(tmpdir(), "log-"));
  const path = join(directory, "log");
  const logger = pinoLog().open({
    level,
    format: "json",
    stderr: false,
    file: { path, bytesMax: 1_000_000, filesMax: 2 },
  });
  return {
    logger,
    async lines() {
      const text = await readFile(path, "utf8");
      await rm(directory, { recursive: true });
      return text.split("\n").filter((line) => line !== "").map((line) => {
        const { time: _, level, message, ...fields } = JSON.parse(line);
        return { level, message, fields };
      });
    },
  };
});
