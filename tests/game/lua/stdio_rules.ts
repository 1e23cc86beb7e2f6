import assert from "node:assert/strict";
import type { LuaEngine, LuaEngineFactory, LuaFunction } from "../../../src/game/lua/lua_engine.ts";
import type { LuaCall } from "../../../src/game/lua/lua_host.ts";
import type { LuaValue } from "../../../src/game/lua/lua_engine.ts";
import type { PackageTree } from "../../../src/game/lua/package_tree.ts";
import { RpcDispatcher } from "../../../src/game/lua/rpc_dispatcher.ts";
import { decodeRpc, encodeRpc } from "../../../src/game/lua/rpc_message.ts";
import type { RulesHost } from "../../../src/game/lua/rpc_rules.ts";
import { RpcStream } from "../../../src/game/lua/rpc_stream.ts";
import { rulesCall } from "../../../src/game/lua/rules_call.ts";
import { RulesFiles } from "../../../src/game/lua/rules_files.ts";
import { rulesOperations, rulesSandbox } from "../../../src/game/lua/rules_sandbox.ts";
import type { RulesRun, RulesRunEvents, TurnOutcome } from "../../../src/game/lua/rules_run.ts";
import type { CborValue } from "../../../src/wire/cbor.ts";
import { decodeUtf8Lossy, encodeUtf8 } from "../../../src/wire/utf8.ts";
import { bytesOf, isLuaFunction, patient } from "./lua_program.ts";

/** A call that the rules made, as they made it. */
export interface HostCall {
  readonly method: string;
  readonly params: readonly CborValue[];
}

export interface StdioRulesOptions {
  readonly tree: PackageTree;
  readonly directory: string;
  readonly disabledPacks: readonly string[];
  readonly host: RulesHost;
  called?(call: HostCall): void;
}

const operations = { read: -100, write: -101 };

/** The core gets standard files that are a pipe, and runs its own loop on them in a coroutine. It waits
 * in its loop alone: whatever it asks is answered while it writes. */
const pipe = String.raw`
local sandbox, packs = ...
local host, package, loadfile = host, package, nil
local create, resume, running, status, yield =
  coroutine.create, coroutine.resume, coroutine.running, coroutine.status, coroutine.yield
sandbox(host, packs)
loadfile = _G.loadfile

local loop
local function read(count)
  while true do
    local bytes = host(${operations.read}, count)
    if bytes then return bytes end
    if running() ~= loop then error("an answer is not there when it is read") end
    yield()
  end
end
local out = {}
function out:write(...)
  host(${operations.write}, table.concat({ ... }))
  return self
end
function out:flush() return self end
out.close, out.setvbuf = out.flush, out.flush
io.read, io.output, io.flush = read, function() return out end, function() end
io.write = function(...) return out:write(...) end

package.searchers[2] = function(name)
  local path, tried = package.searchpath(name, package.path)
  if not path then return tried end
  return assert(loadfile(path)), path
end

loop = create(function() assert(loadfile("lua/server/rpc/entry.lua"))() end)
return function()
  local ok, fault = resume(loop)
  if not ok then error(fault, 0) end
  return status(loop)
end
`;

/**
 * Rules in the embedded Lua that speak as a child process does: by CBOR over standard files, by the
 * core's own loop, dispatcher and codec, none of it replaced.
 */
export class StdioRun implements RulesRun {
  readonly #options: StdioRulesOptions;
  readonly #events: RulesRunEvents;
  readonly #engine: LuaEngine;
  readonly #files: RulesFiles;
  readonly #dispatcher: RpcDispatcher;
  readonly #stream = new RpcStream();
  readonly #resume: LuaFunction;
  #input: Uint8Array = new Uint8Array(0);
  #state: "new" | "idle" | "busy" | "ended" = "new";
  #lastId = 0;
  #outcome: TurnOutcome | undefined;

  constructor(engines: LuaEngineFactory, options: StdioRulesOptions, events: RulesRunEvents) {
    this.#options = options;
    this.#events = events;
    this.#files = new RulesFiles(options.tree, options.directory);
    this.#dispatcher = new RpcDispatcher(options.host);
    this.#engine = engines.open({
      limits: { ...patient, memoryBytesMax: 512 * 1_048_576 },
      host: (call) => this.#answer(call),
      now: () => performance.now(),
    });
    const functionOf = (text: string, name: string) => {
      const outcome = this.#engine.load(bytesOf(text), name);
      assert.ok(outcome.kind === "ok" && isLuaFunction(outcome.values[0]));
      return outcome.values[0];
    };
    const packs = encodeUtf8(JSON.stringify(options.disabledPacks));
    const prepared = this.#engine.call(functionOf(pipe, "=pipe"), [
      functionOf(rulesSandbox, "=sandbox"),
      packs,
    ]);
    assert.ok(
      prepared.kind === "ok" && isLuaFunction(prepared.values[0]),
      JSON.stringify(prepared),
    );
    this.#resume = prepared.values[0];
  }

  get isIdle(): boolean {
    return this.#state === "idle";
  }

  get memoryBytes(): number {
    return this.#engine.memoryBytes;
  }

  start(): void {
    this.#go();
  }

  tell(call: LuaCall, done: (outcome: TurnOutcome) => void): void {
    const { method, params } = rulesCall(call);
    this.#begin(method, params, done);
  }

  ping(done: (outcome: TurnOutcome) => void): void {
    this.#begin("ping", [], done);
  }

  forget(): void {}

  kill(reason: string): void {
    this.#end(reason);
  }

  stop(): Promise<void> {
    if (this.#state === "idle") {
      this.#write("bye", []);
      const outcome = this.#engine.call(this.#resume, []);
      assert.deepEqual(outcome, { kind: "ok", values: [encodeUtf8("dead")] }, "bye ends the loop");
    }
    this.#state = "ended";
    this.#engine.close();
    return Promise.resolve();
  }

  #begin(
    method: string,
    params: readonly (number | Uint8Array)[],
    done: (outcome: TurnOutcome) => void,
  ): void {
    assert.equal(this.#state, "idle");
    this.#state = "busy";
    this.#write(method, params);
    // Not within the call, as a process would not.
    queueMicrotask(() => {
      if (!this.#go()) return;
      const outcome = this.#outcome;
      assert.ok(outcome, `${method} was answered before the loop waits again`);
      this.#outcome = undefined;
      done(outcome);
    });
  }

  #write(method: string, params: readonly (number | Uint8Array)[]): void {
    this.#feed(encodeRpc({ kind: "call", id: ++this.#lastId, method, params }));
  }

  /** Runs the loop until it waits for more. */
  #go(): boolean {
    const outcome = this.#engine.call(this.#resume, []);
    if (this.#state === "ended") return false;
    if (outcome.kind === "ok") {
      this.#state = "idle";
      return true;
    }
    this.#end(outcome.kind === "error" ? decodeUtf8Lossy(outcome.message) : outcome.cause);
    return false;
  }

  #end(reason: string): void {
    if (this.#state === "ended") return;
    this.#state = "ended";
    this.#events.ended(reason, this.#dispatcher.take().filter(({ kind }) => kind === "log"));
  }

  #feed(bytes: Uint8Array): void {
    const all = new Uint8Array(this.#input.length + bytes.length);
    all.set(this.#input);
    all.set(bytes, this.#input.length);
    this.#input = all;
  }

  #answer([operation, given]: readonly LuaValue[]): readonly LuaValue[] {
    const path = given instanceof Uint8Array ? decodeUtf8Lossy(given) : "";
    const text = (found: string | undefined) => [found === undefined ? found : encodeUtf8(found)];
    switch (operation) {
      case operations.read:
        return [this.#take(Number(given))];
      case operations.write:
        assert.ok(given instanceof Uint8Array);
        assert.equal(this.#stream.push(given, (message) => this.#handle(message)), undefined);
        return [];
      case rulesOperations.read:
        return [this.#files.read(path)];
      case rulesOperations.kind:
        return text(this.#files.kind(path));
      case rulesOperations.list:
        return text(this.#files.list(path)?.join("/"));
      case rulesOperations.change:
        return [this.#files.change(path)];
      case rulesOperations.current:
        return text(this.#files.currentDirectory);
      case rulesOperations.time:
        return [Date.now() / 1_000];
      default:
        return [];
    }
  }

  #take(count: number): Uint8Array | undefined {
    if (this.#input.length < count) return undefined;
    const taken = this.#input.slice(0, count);
    this.#input = this.#input.subarray(count);
    return taken;
  }

  #handle(bytes: Uint8Array): void {
    const message = decodeRpc(bytes);
    switch (message.kind) {
      case "bad":
        throw new Error(message.reason);
      case "notification":
        if (message.method !== "hello") return;
        return queueMicrotask(() => this.#events.ready(this.#dispatcher.take()));
      case "call": {
        this.#options.called?.({ method: message.method, params: message.params ?? [] });
        const answer = this.#dispatcher.answer(message);
        if (answer !== undefined) this.#feed(encodeRpc(answer));
        return;
      }
      case "result":
      case "error": {
        if (this.#state === "ended") return;
        const isDone = message.kind === "result";
        const data = !isDone && message.data instanceof Uint8Array ? message.data : undefined;
        const detail = data === undefined ? "" : `: ${decodeUtf8Lossy(data)}`;
        const reason = isDone ? "" : `${message.message} (${message.code})${detail}`;
        const notices = this.#dispatcher.take();
        this.#outcome = { outcome: isDone ? "done" : "refused", reason, notices };
      }
    }
  }
}
