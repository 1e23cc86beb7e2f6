import { bunRuntime } from "../../../src/adapters/bun/runtime.ts";
import { runtimeCommand } from "../helper_program.ts";
import { runtimeConformance } from "../runtime_conformance.ts";

const worker = new URL("../test_worker.ts", import.meta.url);

runtimeConformance(
  "bun",
  bunRuntime({
    selfCommand: runtimeCommand("./helper_main.ts"),
    workerUrls: {
      config_worker: worker,
      crypto_worker: worker,
      game_store_worker: worker,
      lua_worker: worker,
      packages_worker: worker,
      store_worker: worker,
    },
  }),
);
