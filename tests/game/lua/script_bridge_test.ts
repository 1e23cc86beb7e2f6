import { spawnSync } from "node:child_process";
import { nodeFiles } from "../../../src/adapters/node/files.ts";
import { nodeProcess } from "../../../src/adapters/node/process.ts";
import { systemClock } from "../../../src/adapters/node/clock.ts";
import { webWorkers } from "../../../src/adapters/node/workers.ts";
import { openScriptBridge } from "../../../src/app/script_bridges.ts";
import { scriptBridgeConformance } from "./script_bridge_conformance.ts";

const suffix = "Bun" in globalThis ? "bun" : "deno";
const source = new URL("../../../src/", import.meta.url);
const runtime = {
  files: nodeFiles(),
  clock: systemClock(),
  process: nodeProcess({ selfCommand: ["none"] }),
  workers: webWorkers({
    urls: {
      config_worker: new URL(`config_worker.${suffix}.ts`, source),
      crypto_worker: new URL(`crypto_worker.${suffix}.ts`, source),
      game_store_worker: new URL(`game_store_worker.${suffix}.ts`, source),
      packages_worker: new URL(`packages_worker.${suffix}.ts`, source),
      lua_worker: new URL(`lua_worker.${suffix}.ts`, source),
      store_worker: new URL(`store_worker.${suffix}.ts`, source),
    },
  }),
};
const nativeLua = "lua5.4";
const found = spawnSync(nativeLua, ["-v"]).status === 0;

scriptBridgeConformance(
  "the embedded Lua",
  (options) => openScriptBridge({ runtime, luaCommand: "", ...options }),
);
scriptBridgeConformance(
  "a native Lua",
  (options) => openScriptBridge({ runtime, luaCommand: nativeLua, ...options }),
  found ? false : `there is no ${nativeLua} on this machine`,
);
