import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { CommandStart, HostCommands, HostTask } from "../../src/host/host_commands.ts";
import { registeredNamesMax } from "../../src/host/host_commands.ts";
import { hostMetricNames } from "../../src/host/host_metrics.ts";
import { parseHostCommand } from "../../src/wire/host_text.ts";
import { bytes, hostFixture } from "./host_fixture.ts";

const peer = { host: "127.0.0.1", transport: "tcp", authenticated: false } as const;

function start(commands: HostCommands, line: string): CommandStart {
  return commands.start(parseHostCommand(bytes(line)), peer);
}

function reply(commands: HostCommands, line: string): string {
  const started = start(commands, line);
  assert.equal(started.kind, "reply", line);
  return started.kind === "reply" ? started.text : "";
}

function task(commands: HostCommands, line: string): HostTask {
  const started = start(commands, line);
  assert.equal(started.kind, "task", line);
  return (started as CommandStart & { kind: "task" }).task;
}

describe("HostCommands", () => {
  it("HostCommands.start() registers a name once, and refuses empty and taken ones", () => {
    const { commands, metrics } = hostFixture();
    assert.equal(reply(commands, "M3_REGISTER_FUNC:a b"), "M3_REGISTER_OK:a b");
    assert.equal(reply(commands, "M3_REGISTER_FUNC:a b"), "M3_REGISTER_FAIL:a b");
    assert.equal(reply(commands, "M3_REGISTER_FUNC:"), "M3_REGISTER_FAIL:");
    assert.equal(
      reply(commands, "M3_REGISTER_FUNC:runtime_hello"),
      "M3_REGISTER_FAIL:runtime_hello",
    );
    assert.equal(metrics.rejected_command_count, 3);
    assert.equal(metrics.ffi_registered_function_count, 2);
  });

  it("HostCommands.start() bounds the registry", () => {
    const { commands, metrics } = hostFixture();
    for (let i = 1; i < registeredNamesMax; i++) {
      assert.equal(reply(commands, `M3_REGISTER_FUNC:${i}`), `M3_REGISTER_OK:${i}`);
    }
    assert.equal(reply(commands, "M3_REGISTER_FUNC:more"), "M3_REGISTER_FAIL:more");
    assert.equal(metrics.ffi_registered_function_count, registeredNamesMax);
  });

  it("HostCommands.start() answers a remembered route at once, whatever the thread count", () => {
    const { commands } = hostFixture({ routes: new Map([["k", 9]]) });
    assert.equal(reply(commands, "M4_ROUTE_THREAD:k"), "M4_ROUTE_OK:thread-9");
  });

  it("HostCommands.finish() remembers what the store says of a route", () => {
    const { commands, metrics } = hostFixture();
    const asked = task(commands, "M4_ROUTE_THREAD:123456789");
    // CRC-32 0xcbf43926 mod 4 + 1
    assert.deepEqual(asked, {
      kind: "store",
      operation: { kind: "route", key: "123456789", thread: 3 },
    });
    if (asked.kind !== "store") return;
    const text = commands.finish({ ...asked, result: { ok: true, thread: 2 } });
    assert.equal(text, "M4_ROUTE_OK:thread-2");
    assert.equal(reply(commands, "M4_ROUTE_THREAD:123456789"), "M4_ROUTE_OK:thread-2");
    assert.equal(metrics.thread_route_count, 1);
    assert.equal(metrics.route_lookup_count, 2);
  });

  it("HostCommands.start() refuses over-long route keys, by bytes", () => {
    const { commands } = hostFixture();
    assert.equal(task(commands, `M4_ROUTE_THREAD:${"ü".repeat(128)}`).kind, "store");
    assert.equal(reply(commands, `M4_ROUTE_THREAD:${"ü".repeat(128)}x`), "ERR_ROUTE_LIMIT");
  });

  it("HostCommands.start() refuses work over the budget at once, until some is done", () => {
    const { commands, metrics } = hostFixture({ rules: { taskBudget: 2 } });
    const load = task(commands, "M4_LOAD_STATE");
    task(commands, "M3_LUA_HELLO");
    assert.equal(reply(commands, "M4_LOAD_STATE"), "ERR_BACKPRESSURE");
    assert.equal(reply(commands, "M1_CONN_PING"), "M1_CONN_PONG");
    assert.equal(metrics.backpressure_drop_count, 1);
    assert.equal(metrics.rejected_command_count, 1);
    assert.equal(metrics.inflight_async_tasks, 2);
    assert.ok(load.kind === "store");
    commands.finish({ ...load, result: { ok: true } });
    assert.equal(task(commands, "M4_LOAD_STATE").kind, "store");
  });

  it("HostCommands.finish() words each outcome of the store", () => {
    const { commands, metrics } = hostFixture();
    const finish = (
      line: string,
      result: { ok: true; value?: string } | { ok: false; reason: string },
    ) => {
      const asked = task(commands, line);
      assert.ok(asked.kind === "store");
      return commands.finish({ ...asked, result });
    };
    assert.equal(finish("M4_SAVE_STATE:a:b", { ok: true }), "M4_SAVE_OK:a:b");
    assert.equal(finish("M4_LOAD_STATE", { ok: true, value: "" }), "M4_LOAD_OK:");
    assert.equal(finish("M4_LOAD_STATE", { ok: true }), "M4_LOAD_OK:unset");
    assert.equal(finish("M4_DELETE_STATE", { ok: true }), "M4_DELETE_OK");
    assert.equal(metrics.error_count, 0);
    assert.equal(finish("M4_SAVE_STATE:x", { ok: false, reason: "full" }), "ERR_STORE_UNAVAILABLE");
    assert.equal(metrics.save_state_count, 1);
    assert.equal(metrics.load_state_count, 2);
    assert.equal(metrics.error_count, 1);
  });

  it("HostCommands.finish() shows reloads of an unchanged script as revisions", () => {
    const { commands, metrics } = hostFixture();
    const hello = (path: "sync" | "async", version: string | undefined) =>
      commands.finish({
        kind: "hello",
        path,
        result: version === undefined
          ? { kind: "missing", reason: "no script" }
          : { kind: "ok", version },
      });
    const reload = (changed: boolean) =>
      commands.finish({ kind: "reload", result: { ok: true, changed } });
    assert.equal(hello("sync", "v1"), "M3_LUA_ACK:v1");
    assert.equal(reload(false), "M3_HOT_RELOAD_OK");
    assert.equal(hello("sync", "v1"), "M3_LUA_ACK:v1.1");
    assert.equal(reload(false), "M3_HOT_RELOAD_OK");
    assert.equal(hello("async", "v1"), "M3_LUA_ASYNC_ACK:v1.2");
    assert.equal(reload(true), "M3_HOT_RELOAD_OK");
    assert.equal(hello("async", "v2"), "M3_LUA_ASYNC_ACK:v2");
    const failed = commands.finish({ kind: "reload", result: { ok: false, reason: "a\nb" } });
    assert.equal(failed, "M3_HOT_RELOAD_FAIL:a b");
    assert.equal(hello("sync", "v2"), "M3_LUA_ACK:v2");
    assert.equal(metrics.lua_hot_reload_count, 3);

    const without = hostFixture().commands;
    without.finish({ kind: "reload", result: { ok: true, changed: false } });
    const result = { kind: "missing", reason: "no script" } as const;
    assert.equal(without.finish({ kind: "hello", path: "sync", result }), "M3_LUA_ACK:v0.1");
  });

  it("HostCommands drifts on purpose, in just the way that was asked for", () => {
    const route = hostFixture({ rules: { driftMode: "route" }, routes: new Map([["k", 4]]) });
    assert.equal(reply(route.commands, "M4_ROUTE_THREAD:k"), "M4_ROUTE_OK:thread-5");
    assert.equal(reply(route.commands, "M5_FLOW_ROOM"), "M5_FLOW_OK");
    const flow = hostFixture({ rules: { driftMode: "flow" } }).commands;
    assert.equal(reply(flow, "M5_FLOW_ROOM"), "M5_FLOW_FAIL");
    const protobuf = hostFixture({ rules: { driftMode: "protobuf" } }).commands;
    assert.equal(protobuf.answerPayload("aBc"), "abc");
    assert.equal(hostFixture().commands.answerPayload("aBc"), "ABC");
  });

  it("HostCommands.start() fails the flow when a step of the room's life fails", () => {
    const { commands } = hostFixture({ flow: () => ({ ok: false }) });
    assert.equal(reply(commands, "M5_FLOW_ROOM"), "M5_FLOW_FAIL");
  });

  it("HostCommands.start() gives all figures of the contract as whole numbers", () => {
    const started = start(hostFixture().commands, "__METRICS__");
    assert.ok(started.kind === "reading");
    const line = started.read();
    assert.equal(line.includes("\n"), false);
    const figures = JSON.parse(line) as Record<string, unknown>;
    assert.equal(figures["runtime_name"], "test");
    for (const name of hostMetricNames) assert.ok(Number.isInteger(figures[name]), name);
  });
});
