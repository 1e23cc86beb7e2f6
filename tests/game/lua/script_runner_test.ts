import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type {
  LoadedScript,
  ScriptHost,
  ScriptHostOptions,
  ScriptOutcome,
} from "../../../src/game/lua/script_host.ts";
import { ScriptRunner } from "../../../src/game/lua/script_runner.ts";
import { fakeClock } from "../../fakes/clock.ts";
import { fakeFiles } from "../../fakes/files.ts";
import { fakeLog } from "../../fakes/log.ts";
import { bytesOf } from "./lua_program.ts";

/** "Runs" a script by giving back its text; one that says `wrong` does not load. */
class EchoHost implements ScriptHost {
  readonly loads: string[] = [];
  readonly options: ScriptHostOptions;
  closed = false;
  /** Instead of the text. */
  greeting: ScriptOutcome | undefined;
  #text = "";

  constructor(options: ScriptHostOptions) {
    this.options = options;
  }
  async load(script: LoadedScript): Promise<ScriptOutcome> {
    const text = new TextDecoder().decode(script.source);
    this.loads.push(text);
    await Promise.resolve();
    if (text === "wrong") return { outcome: "failed", text: "it is wrong" };
    this.#text = text;
    return { outcome: "ok", text: "" };
  }
  async hello(): Promise<ScriptOutcome> {
    if (this.greeting !== undefined) return this.greeting;
    return { outcome: "ok", text: this.#text };
  }
  close(): void {
    this.closed = true;
  }
}

function setUp(scriptPath = "hello.lua") {
  const clock = fakeClock();
  const files = fakeFiles();
  const log = fakeLog();
  const hosts: EchoHost[] = [];
  const runner = new ScriptRunner({
    files,
    clock,
    logger: log.logger,
    scriptPath,
    turnMs: 1_000,
    memoryMb: 16,
    openHost: (options) => {
      const host = new EchoHost(options);
      hosts.push(host);
      return host;
    },
  });
  const write = (text: string) => files.replace("hello.lua", bytesOf(text));
  return { clock, files, log, hosts, runner, write };
}

describe("ScriptRunner", () => {
  it("without a script opens no host and waits for nothing", async () => {
    const { clock, hosts, runner } = setUp("");
    assert.equal(clock.waiting, 0);
    assert.equal((await runner.hello()).kind, "missing");
    assert.deepEqual(await runner.reload(), { ok: true, changed: false });
    assert.equal(hosts.length, 0);
    runner.close();
  });

  it("with a script opens the host a moment after the start, once", async () => {
    const { clock, hosts, runner, write } = setUp();
    await write("v1");
    assert.equal(hosts.length, 0);
    await clock.advanceAsync(300);
    assert.deepEqual(await runner.hello(), { kind: "ok", version: "v1" });
    assert.deepEqual(hosts.map((host) => host.loads), [["v1"]]);
    runner.close();
    assert.ok(hosts[0]?.closed);
  });

  it("loads at the first need if that comes sooner", async () => {
    const { clock, hosts, runner, write } = setUp();
    await write("v1");
    assert.deepEqual(
      await Promise.all([runner.hello(), runner.hello()]),
      [{ kind: "ok", version: "v1" }, { kind: "ok", version: "v1" }],
    );
    await clock.advanceAsync(1_000);
    assert.deepEqual(hosts[0]?.loads, ["v1"]);
  });

  it("reload() compares with what was there at the start, even if nobody asked", async () => {
    const { runner, write } = setUp();
    await write("v1");
    assert.deepEqual(await runner.reload(), { ok: true, changed: false });
    await write("v2");
    assert.deepEqual(await runner.reload(), { ok: true, changed: true });
    assert.deepEqual(await runner.reload(), { ok: true, changed: false });
  });

  it("reload() compares with what was loaded last, not with what failed to", async () => {
    const { runner, write } = setUp();
    await write("v1");
    await runner.hello();
    await write("wrong");
    assert.deepEqual(await runner.reload(), { ok: false, reason: "it is wrong" });
    assert.deepEqual(await runner.hello(), { kind: "ok", version: "v1" });
    await write("v1");
    assert.deepEqual(await runner.reload(), { ok: true, changed: false });
  });

  it("hello() behind reload() speaks for the new script", async () => {
    const { runner, write } = setUp();
    await write("v1");
    await runner.hello();
    await write("v2");
    const [, hello] = await Promise.all([runner.reload(), runner.hello()]);
    assert.deepEqual(hello, { kind: "ok", version: "v2" });
  });

  it("does not try a script that failed to load again and again", async () => {
    const { clock, hosts, log, runner, write } = setUp();
    await write("wrong");
    for (let i = 0; i < 5; i++) {
      assert.deepEqual(await runner.hello(), { kind: "failed", reason: "it is wrong" });
    }
    assert.equal(hosts[0]?.loads.length, 1);
    assert.equal(log.lines.filter((line) => line.level === "warn").length, 1);
    clock.advance(1_000);
    await write("v1");
    assert.deepEqual(await runner.hello(), { kind: "ok", version: "v1" });
  });

  it("hello() warns of what kept a script from greeting, each reason once a minute", async () => {
    const { clock, hosts, log, runner, write } = setUp();
    await write("v1");
    await runner.hello();
    assert.deepEqual(log.lines, []);
    const host = hosts[0] ?? assert.fail("no host was opened");
    const greet = async (outcome: "missing" | "failed", text: string) => {
      host.greeting = { outcome, text };
      await runner.hello();
    };
    for (let i = 0; i < 3; i++) await greet("missing", "no such function");
    for (let i = 0; i < 3; i++) await greet("failed", "boom");
    await greet("missing", "no such function");
    const reasons = () => log.lines.map(({ level, fields }) => [level, fields["reason"]]);
    assert.deepEqual(reasons(), [["warn", "no such function"], ["warn", "boom"]]);
    for (let i = 0; i < 100; i++) await greet("failed", `boom ${i}`);
    assert.equal(log.lines.length, 10);
    clock.advance(60_000);
    await greet("failed", "boom");
    assert.deepEqual(reasons().at(-1), ["warn", "boom"]);
    runner.close();
    await greet("failed", "the server is stopping");
    assert.equal(log.lines.length, 11);
  });

  it("hello() warns when no script is set and when its file is missing", async () => {
    for (
      const [path, reason] of [["", "no script is set"], ["a.lua", "file is missing"]] as const
    ) {
      const { log, runner } = setUp(path);
      await runner.hello();
      await runner.hello();
      assert.equal(log.lines.length, 1);
      assert.match(String(log.lines[0]?.fields["reason"]), new RegExp(reason));
      runner.close();
    }
  });

  it("finds a missing script when it appears", async () => {
    const { clock, runner, write } = setUp();
    assert.equal((await runner.hello()).kind, "missing");
    assert.equal((await runner.reload()).ok, false);
    await write("v1");
    clock.advance(1_000);
    assert.deepEqual(await runner.hello(), { kind: "ok", version: "v1" });
  });

  it("names the system's code when the script cannot be read, not its path", async () => {
    const { files, runner, write } = setUp();
    await write("v1");
    files.failNext("EACCES");
    assert.deepEqual(await runner.hello(), {
      kind: "failed",
      reason: "the script cannot be read: EACCES",
    });
  });

  it("bounds how much of what a script prints reaches the log", async () => {
    const { clock, hosts, log, runner, write } = setUp();
    await write("v1");
    await runner.hello();
    for (let i = 0; i < 1_000; i++) hosts[0]?.options.printed(`line\n${i}`);
    assert.equal(log.lines.filter((line) => line.level === "info").length, 300);
    assert.equal(log.lines.filter((line) => line.level === "warn").length, 1);
    assert.equal(log.lines[0]?.fields["text"], "line 0");
    clock.advance(60_000);
    hosts[0]?.options.printed("again");
    assert.equal(log.lines.at(-1)?.fields["text"], "again");
  });

  it("close() before the start's moment opens nothing", async () => {
    const { clock, hosts, runner, write } = setUp();
    await write("v1");
    runner.close();
    await clock.advanceAsync(1_000);
    assert.equal(hosts.length, 0);
  });
});
