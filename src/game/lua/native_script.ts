import type { Clock } from "../../ports/clock.ts";
import type { ProcessPort } from "../../ports/process.ts";
import { NativeLua } from "./native_lua.ts";
import { RestartPause } from "./restart_pause.ts";
import type { LoadedScript, ScriptHost, ScriptHostOptions, ScriptOutcome } from "./script_host.ts";

const stopping = "the server is stopping";

/**
 * A script in a native Lua (`lua_command`). Each load is a process of its own, which takes the place
 * of the one before when it went well, and lets it finish. A call that is late costs the process its life; the next call
 * starts another with the same script.
 */
export class NativeScript implements ScriptHost {
  readonly #ports: { process: ProcessPort; clock: Clock };
  readonly #command: string;
  readonly #options: ScriptHostOptions;
  readonly #pause = new RestartPause();
  #running: NativeLua | undefined;
  #script: LoadedScript | undefined;
  /** The start under way, so that calls that come together share it. */
  #restarting: Promise<ScriptOutcome> | undefined;
  /** Processes that are starting or loading. */
  readonly #coming = new Set<NativeLua>();
  /** Processes of earlier scripts that still answer; a turn ends them at the latest. */
  readonly #going = new Set<NativeLua>();
  #lastLoad: Promise<unknown> = Promise.resolve();
  #closed = false;

  constructor(
    ports: { process: ProcessPort; clock: Clock },
    command: string,
    options: ScriptHostOptions,
  ) {
    this.#ports = ports;
    this.#command = command;
    this.#options = options;
  }

  load(script: LoadedScript): Promise<ScriptOutcome> {
    // One after the other: a restart that began earlier must not replace a newer script.
    const loaded = this.#lastLoad.then(() => this.#loadNow(script));
    this.#lastLoad = loaded;
    return loaded;
  }

  async hello(): Promise<ScriptOutcome> {
    if (this.#closed) return failed(stopping);
    if (this.#running === undefined || this.#running.end !== undefined) {
      this.#restarting ??= this.#restart().finally(() => this.#restarting = undefined);
      const restarted = await this.#restarting;
      if (restarted.outcome !== "ok") return restarted;
    }
    const running = this.#running;
    if (running === undefined) return failed("no script is loaded");
    const outcome = await running.hello();
    if (running.end === undefined) this.#pause.worked();
    return outcome;
  }

  close(): void {
    this.#closed = true;
    this.#running?.kill(stopping);
    for (const lua of [...this.#coming, ...this.#going]) lua.kill(stopping);
  }

  /** Calls of the script before finish: who asked ahead of the load is answered by what was there. */
  #retire(lua: NativeLua | undefined): void {
    for (const gone of this.#going) if (gone.end !== undefined) this.#going.delete(gone);
    if (lua === undefined) return;
    lua.retire("the script was loaded again");
    if (lua.end === undefined) this.#going.add(lua);
  }

  async #loadNow(script: LoadedScript): Promise<ScriptOutcome> {
    if (this.#closed) return failed(stopping);
    const lua = new NativeLua(this.#ports.clock, this.#command, this.#options);
    this.#coming.add(lua);
    await lua.start(this.#ports.process);
    const outcome = await lua.load(script);
    this.#coming.delete(lua);
    if (outcome.outcome !== "ok") {
      lua.kill("its script did not load");
      return outcome;
    }
    this.#retire(this.#running);
    this.#running = lua;
    this.#script = script;
    return outcome;
  }

  async #restart(): Promise<ScriptOutcome> {
    if (this.#script === undefined) return failed("no script is loaded");
    const now = this.#ports.clock.monotonic();
    const remaining = this.#pause.remaining(now);
    if (remaining > 0) {
      const text = `Lua was restarted too often, the next try is in ${Math.ceil(remaining)} ms`;
      return { outcome: "failed", text };
    }
    this.#pause.lost(now);
    return await this.load(this.#script);
  }
}

function failed(text: string): ScriptOutcome {
  return { outcome: "failed", text };
}
