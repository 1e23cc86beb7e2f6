import { spawnSync } from "node:child_process";
import { EmbeddedRules } from "../../../src/game/lua/embedded_rules.ts";
import { readPackageTree } from "../../../src/game/lua/package_tree.ts";
import { RulesChild } from "../../../src/game/lua/rpc_child.ts";
import { compileLua } from "../../../src/game/lua/lua_wasm.ts";
import { RulesQueue } from "../../../src/game/lua/rules_queue.ts";
import { wasmoonEngines } from "../../../src/game/lua/wasmoon_engine.ts";
import { runtimeUnderTest } from "../../tested_runtime.ts";
import { readGlue } from "./lua_program.ts";
import { childOf, scriptedRules } from "./rpc_harness.ts";
import { rulesConformance } from "./rules_conformance.ts";
import { scriptedCore } from "./scripted_core.ts";
import { StdioRun } from "./stdio_rules.ts";

const nativeLua = "lua5.4";
const found = spawnSync(nativeLua, ["-v"]).status === 0;
const { dataDirectory, directory } = scriptedCore;
const tree = await readPackageTree((await runtimeUnderTest()).files, dataDirectory);
const engines = wasmoonEngines(await compileLua(await readGlue()));

rulesConformance("a child process", childOf(scriptedRules()));
rulesConformance(
  "a native Lua",
  ({ runtime, clock, common }) =>
    new RulesChild({ process: runtime.process, clock }, {
      ...common,
      command: nativeLua,
      directory: `${dataDirectory}/${directory}`,
      memoryMb: 512,
    }),
  found ? false : `there is no ${nativeLua} on this machine`,
);
rulesConformance(
  "the embedded Lua",
  ({ runtime, clock, common }) =>
    new EmbeddedRules({ workers: runtime.workers, clock }, {
      ...common,
      tree: () => readPackageTree(runtime.files, dataDirectory),
      directory,
      memoryMb: 512,
      recycleMb: 256,
    }),
);
rulesConformance(
  "the embedded Lua, over CBOR by the core's own loop",
  ({ clock, common }) =>
    new RulesQueue(
      clock,
      common,
      (events) => new StdioRun(engines, { ...common, tree, directory }, events),
    ),
);
