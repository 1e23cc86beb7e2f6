import { crc32 } from "../base/crc32.ts";
import { unreachable } from "../base/assert.ts";
import type { HostCommand, HostVerb } from "../wire/host_text.ts";
import { type AccessRules, mayRun, type Peer } from "./access.ts";
import { type HostMetrics, showHostMetrics } from "./host_metrics.ts";
import type { HelloResult, ReloadResult } from "./script_bridge.ts";
import { ScriptRevision } from "./script_revision.ts";
import type { StoreOperation, StoreResult } from "./store.ts";

/** Keys whose thread is remembered; each costs a row and up to 300 bytes of memory. */
export const routeKeysMax = 100_000;
export const routeKeyBytesMax = 256;
/** Names in the bridge's registry, the built-in one included. */
export const registeredNamesMax = 1_000;
/** From this many rollbacks on, `M4_DB_HEALTH` alerts. */
export const rollbackAlertCount = 3;

/** Work that a command needs from elsewhere; its outcome comes back to `finish`. */
export type HostTask =
  | { readonly kind: "store"; readonly operation: StoreOperation }
  | { readonly kind: "hello"; readonly path: "sync" | "async" }
  | { readonly kind: "reload" };

export type TaskOutcome =
  | { readonly kind: "store"; readonly operation: StoreOperation; readonly result: StoreResult }
  | { readonly kind: "hello"; readonly path: "sync" | "async"; readonly result: HelloResult }
  | { readonly kind: "reload"; readonly result: ReloadResult };

/** What a command comes to: a reply at once, work first, a reading, or the server's end. */
export type CommandStart =
  | { readonly kind: "reply"; readonly text: string }
  | { readonly kind: "task"; readonly task: HostTask }
  /** A reply that tells how things stand when it is its turn to be sent. */
  | { readonly kind: "reading"; readonly read: () => string }
  | { readonly kind: "stop"; readonly text: string };

export interface HostRules {
  readonly runtimeName: string;
  readonly access: AccessRules;
  readonly threadCount: number;
  readonly taskBudget: number;
  readonly driftMode: "none" | "route" | "flow" | "protobuf";
}

/**
 * The commands of the host protocol, whatever they came by. Pure: the owner runs the tasks and
 * gives their outcome back.
 */
export class HostCommands {
  readonly #rules: HostRules;
  readonly #metrics: HostMetrics;
  readonly #flow: () => { ok: boolean };
  readonly #registry = new Set(["runtime_hello"]);
  readonly #routes: Map<string, number>;
  readonly #revision = new ScriptRevision();
  #newRoutes = 0;
  #inFlight = 0;
  readonly #dbHealth: CommandStart = {
    kind: "reading",
    read: () =>
      this.#metrics.db_rollback_count >= rollbackAlertCount ? "M4_DB_ALERT" : "M4_DB_HEALTHY",
  };
  readonly #metricsLine: CommandStart = {
    kind: "reading",
    read: () => showHostMetrics(this.#metrics, this.#rules.runtimeName),
  };

  /** `flow` runs one whole room life; `routes` are those remembered from before. */
  constructor(parts: {
    rules: HostRules;
    metrics: HostMetrics;
    flow: () => { ok: boolean };
    routes: ReadonlyMap<string, number>;
  }) {
    this.#rules = parts.rules;
    this.#metrics = parts.metrics;
    this.#flow = parts.flow;
    this.#routes = new Map(parts.routes);
    this.#updateGauges();
  }

  get rules(): HostRules {
    return this.#rules;
  }

  /** A command that came from a peer; `undefined` is one that is not known. */
  start(command: HostCommand | undefined, peer: Peer): CommandStart {
    if (command === undefined) {
      return this.refuse(peer.transport === "tcp" ? "ERR_UNKNOWN_TCP" : "ERR_UNKNOWN_UDP");
    }
    if (!mayRun(command.verb, peer, this.#rules.access)) return this.refuse("ERR_FORBIDDEN");
    return this.#run(command.verb, command.argument);
  }

  /** An error reply, counted. */
  refuse(text: string): { kind: "reply"; text: string } {
    this.#metrics.rejected_command_count++;
    return { kind: "reply", text };
  }

  /** The reply for a task that `start` asked for. */
  finish(outcome: TaskOutcome): string {
    this.#inFlight--;
    this.#metrics.async_complete_count++;
    const text = this.#finish(outcome);
    this.#updateGauges();
    return text;
  }

  /** What a Ping's payload is answered with. */
  answerPayload(payload: string): string {
    return this.#rules.driftMode === "protobuf" ? payload.toLowerCase() : payload.toUpperCase();
  }

  #run(verb: HostVerb, argument: string): CommandStart {
    const metrics = this.#metrics;
    switch (verb) {
      case "M1_CONN_PING":
        return connPong;
      case "M1_UDP_PING":
        return udpPong;
      case "M6_STABILITY":
        metrics.stability_ping_count++;
        return stabilityOk;
      case "M3_REGISTER_FUNC:":
        return this.#register(argument);
      case "M3_LUA_HELLO":
        return this.#begin({ kind: "hello", path: "sync" });
      case "M3_LUA_HELLO_ASYNC":
        return this.#begin({ kind: "hello", path: "async" });
      case "M3_HOT_RELOAD":
        return this.#begin({ kind: "reload" });
      case "M4_SAVE_STATE:":
        return this.#begin({ kind: "store", operation: { kind: "save", value: argument } });
      case "M4_LOAD_STATE":
        return this.#begin({ kind: "store", operation: { kind: "load" } });
      case "M4_DELETE_STATE":
        return this.#begin({ kind: "store", operation: { kind: "delete" } });
      case "M4_DB_HEALTH":
        return this.#dbHealth;
      case "M4_ROUTE_THREAD:":
        return this.#route(argument);
      case "M5_FLOW_ROOM":
        metrics.scenario_flow_count++;
        return reply(
          this.#flow().ok && this.#rules.driftMode !== "flow" ? "M5_FLOW_OK" : "M5_FLOW_FAIL",
        );
      case "__METRICS__":
        return this.#metricsLine;
      case "__STOP__":
        return { kind: "stop", text: "__STOP_OK__" };
      case "AUTH:":
        // A connection's session answers this one; whatever has no session cannot use it.
        return this.refuse("ERR_FORBIDDEN");
      default:
        return unreachable(verb);
    }
  }

  #register(name: string): CommandStart {
    const full = this.#registry.size >= registeredNamesMax;
    if (name === "" || this.#registry.has(name) || full) {
      return this.refuse(`M3_REGISTER_FAIL:${name}`);
    }
    this.#registry.add(name);
    this.#updateGauges();
    return reply(`M3_REGISTER_OK:${name}`);
  }

  #route(key: string): CommandStart {
    this.#metrics.route_lookup_count++;
    const known = this.#routes.get(key);
    if (known !== undefined) return reply(this.#showRoute(known));
    const bytes = new TextEncoder().encode(key);
    const full = this.#routes.size + this.#newRoutes >= routeKeysMax;
    if (bytes.length > routeKeyBytesMax || full) return this.refuse("ERR_ROUTE_LIMIT");
    const thread = crc32(bytes) % this.#rules.threadCount + 1;
    const start = this.#begin({ kind: "store", operation: { kind: "route", key, thread } });
    if (start.kind === "task") this.#newRoutes++;
    return start;
  }

  #showRoute(thread: number): string {
    return `M4_ROUTE_OK:thread-${this.#rules.driftMode === "route" ? thread + 1 : thread}`;
  }

  #begin(task: HostTask): CommandStart {
    if (this.#inFlight >= this.#rules.taskBudget) {
      this.#metrics.backpressure_drop_count++;
      return this.refuse("ERR_BACKPRESSURE");
    }
    this.#inFlight++;
    this.#metrics.async_schedule_count++;
    if (task.kind === "hello" && task.path === "async") this.#metrics.ffi_async_inflight_count++;
    this.#updateGauges();
    return { kind: "task", task };
  }

  #finish(outcome: TaskOutcome): string {
    switch (outcome.kind) {
      case "store":
        return this.#finishStore(outcome.operation, outcome.result);
      case "hello":
        return this.#finishHello(outcome.path, outcome.result);
      case "reload":
        if (!outcome.result.ok) {
          this.#metrics.error_count++;
          return `M3_HOT_RELOAD_FAIL:${oneLine(outcome.result.reason)}`;
        }
        this.#metrics.lua_hot_reload_count++;
        this.#revision.reloaded(outcome.result.changed);
        return "M3_HOT_RELOAD_OK";
      default:
        return unreachable(outcome);
    }
  }

  #finishHello(path: "sync" | "async", result: HelloResult): string {
    const metrics = this.#metrics;
    metrics.lua_hello_count++;
    if (path === "sync") {
      metrics.ffi_sync_call_count++;
    } else {
      metrics.ffi_async_call_count++;
      metrics.ffi_callback_dispatch_count++;
      metrics.ffi_async_inflight_count--;
    }
    if (result.kind === "failed") {
      metrics.error_count++;
      return `M3_LUA_FAIL:${oneLine(result.reason)}`;
    }
    const version = this.#revision.show(result.kind === "ok" ? result.version : "v0");
    return path === "sync" ? `M3_LUA_ACK:${version}` : `M3_LUA_ASYNC_ACK:${version}`;
  }

  #finishStore(operation: StoreOperation, result: StoreResult): string {
    if (operation.kind === "route") this.#newRoutes--;
    if (!result.ok) {
      this.#metrics.error_count++;
      this.#metrics.rejected_command_count++;
      return "ERR_STORE_UNAVAILABLE";
    }
    switch (operation.kind) {
      case "save":
        this.#metrics.save_state_count++;
        return `M4_SAVE_OK:${operation.value}`;
      case "load":
        this.#metrics.load_state_count++;
        return `M4_LOAD_OK:${result.value ?? "unset"}`;
      case "delete":
        return "M4_DELETE_OK";
      case "route": {
        const thread = result.thread ?? operation.thread;
        this.#routes.set(operation.key, thread);
        return this.#showRoute(thread);
      }
      default:
        return unreachable(operation);
    }
  }

  #updateGauges(): void {
    this.#metrics.inflight_async_tasks = this.#inFlight;
    this.#metrics.thread_route_count = this.#routes.size;
    this.#metrics.ffi_registered_function_count = this.#registry.size;
  }
}

const connPong = reply("M1_CONN_PONG");
const udpPong = reply("M1_UDP_PONG");
const stabilityOk = reply("M6_OK");

function reply(text: string): { kind: "reply"; text: string } {
  return { kind: "reply", text };
}

/** A reason that fits the one-line protocol. */
function oneLine(text: string): string {
  // deno-lint-ignore no-control-regex -- control characters are what must go
  return text.replace(/[\u0000-\u001f\u007f]+/g, " ").slice(0, 1_000);
}
