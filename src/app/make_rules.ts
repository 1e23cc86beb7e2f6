import type { Settings } from "../config/settings.ts";
import { builtinGameDirectory, builtinGameTree } from "../game/builtin_game/files.ts";
import { EmbeddedRules } from "../game/lua/embedded_rules.ts";
import { type PackageTree, readPackageTree } from "../game/lua/package_tree.ts";
import { RulesChild } from "../game/lua/rpc_child.ts";
import type { LuaAnswers } from "../game/lua/lua_host.ts";
import { RulesGroup } from "../game/lua/rules_group.ts";
import type { SharedLua } from "../game/lua/worker_run.ts";
import type { PackageFacts } from "../game/packages/package_facts.ts";
import type { RulesHooks, RulesState } from "../game/rules_pool.ts";
import type { Logger } from "../ports/log.ts";
import type { Runtime } from "../ports/runtime.ts";

/** The folder of the rules' core, and with it their working directory. */
const coreDirectory = "packages/freekill-core";

/** What runs the games, for people. */
export function describeRules(settings: Settings, facts: PackageFacts): string {
  if (!facts.hasCore) return "the built-in game, Night Ferry (no packages/freekill-core here)";
  return settings.lua_command === ""
    ? `${coreDirectory}, built-in Lua`
    : `${coreDirectory} by ${settings.lua_command}`;
}

/** Makes what runs the rules: Lua in workers of this program, or a native Lua where one is named. */
export class RulesMaker {
  readonly #runtime: Runtime;
  readonly #settings: Settings;
  readonly #log: Logger;
  /** Compiled once for all workers. */
  readonly #shared: SharedLua = {};

  constructor(parts: { runtime: Runtime; settings: Settings; logger: Logger }) {
    this.#runtime = parts.runtime;
    this.#settings = parts.settings;
    this.#log = parts.logger.child({ part: "rules" });
  }

  /** For the packages as they are now. The built-in game takes the place of a core that is not there. */
  make(hooks: RulesHooks, host: LuaAnswers, facts: PackageFacts): RulesState {
    const { lua_command: command, lua_memory_mb: memoryMb, lua_turn_ms: turnMs } = this.#settings;
    const { process, clock } = this.#runtime;
    if (command === "" || !facts.hasCore) return this.#embedded(hooks, host, facts);
    return new RulesChild({ process, clock }, {
      command,
      directory: coreDirectory,
      disabledPacks: facts.disabled,
      memoryMb,
      turnMs,
      host,
      log: this.#log,
      ...told(hooks),
    });
  }

  #embedded(hooks: RulesHooks, host: LuaAnswers, facts: PackageFacts): RulesState {
    const { workers, clock, process, files } = this.#runtime;
    const { lua_memory_mb: memoryMb, lua_turn_ms: turnMs } = this.#settings;
    const { lua_recycle_mb: recycleMb } = this.#settings;
    // Read once: all states of this version see the same packages.
    let reading: Promise<PackageTree> | undefined;
    const tree = () => reading ??= readPackageTree(files, ".");
    const builtin = Promise.resolve(builtinGameTree());
    const source = facts.hasCore
      ? { directory: coreDirectory, tree }
      : { directory: builtinGameDirectory, tree: () => builtin };
    return new RulesGroup(clock, {
      statesMax: Math.max(1, process.processors - 1),
      ...told(hooks),
      open: (events) =>
        new EmbeddedRules({ workers, clock }, {
          ...source,
          disabledPacks: facts.disabled,
          turnMs,
          memoryMb,
          recycleMb,
          host,
          shared: this.#shared,
          log: this.#log,
          ...events,
        }),
    });
  }
}

/** Hooks as they stand may be those of a class. */
function told(hooks: RulesHooks): RulesHooks {
  return {
    turnDone: (turn) => hooks.turnDone(turn),
    stateLost: (loss) => hooks.stateLost(loss),
    unheard: (call) => hooks.unheard(call),
  };
}
