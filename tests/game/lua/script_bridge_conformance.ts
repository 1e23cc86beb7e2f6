import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { scriptLimits } from "../../../src/game/lua/script_sandbox.ts";
import type { HelloResult, ScriptBridge } from "../../../src/host/script_bridge.ts";
import type { Logger } from "../../../src/ports/log.ts";
import { replyBytesMax } from "../../../src/wire/host_text.ts";
import { type FakeLog, fakeLog } from "../../fakes/log.ts";
import { hostileGreetings } from "./hostile_scripts.ts";

/** Opens a bridge of the kind under test on real threads or processes. */
export type OpenBridge = (options: {
  scriptPath: string;
  turnMs: number;
  memoryMb: number;
  logger: Logger;
}) => ScriptBridge;

/** Long enough that a busy machine never makes a healthy script late. */
const patientMs = 20_000;
/** Short, for scripts that are to be stopped. */
const hastyMs = 100;
const healthy = "function runtime_hello() return 'healthy' end";

/** What the host protocol relies on, whichever Lua answers. `skip`: why that Lua cannot run here. */
export function scriptBridgeConformance(
  name: string,
  open: OpenBridge,
  skip: string | false = false,
): void {
  describe(`ScriptBridge of ${name}`, { skip }, () => {
    let directory = "";
    let scriptPath = "";
    let log: FakeLog = fakeLog();
    const opened: ScriptBridge[] = [];

    const start = (turnMs = patientMs, path = scriptPath) => {
      log = fakeLog();
      const bridge = open({ scriptPath: path, turnMs, memoryMb: 48, logger: log.logger });
      opened.push(bridge);
      return bridge;
    };
    const write = (text: string | Uint8Array) => writeFile(scriptPath, text);
    const closeAll = () => opened.splice(0).forEach((bridge) => bridge.close());

    before(async () => {
      directory = await mkdtemp(join(tmpdir(), "script-bridge-"));
      scriptPath = join(directory, "hello.lua");
    });
    after(async () => {
      closeAll();
      await rm(directory, { recursive: true });
    });

    it("hello() answers what runtime_hello returns, numbers as Lua writes them", async () => {
      await write("function runtime_hello() return 'v1' end");
      assert.deepEqual(await start().hello(), { kind: "ok", version: "v1" });
      await write("local calls = 0\nfunction runtime_hello() calls = calls + 1 return calls end");
      const counting = start();
      const answers = await Promise.all([counting.hello(), counting.hello(), counting.hello()]);
      assert.deepEqual(answers.map(versionOf), ["1", "2", "3"]);
      await write("function runtime_hello() return 1.5 end");
      assert.deepEqual(await start().hello(), { kind: "ok", version: "1.5" });
      closeAll();
    });

    it("hello() is missing without a script, its file, or its function", async () => {
      assert.equal((await start(patientMs, "").hello()).kind, "missing");
      const absent = start(patientMs, join(directory, "absent.lua"));
      assert.equal((await absent.hello()).kind, "missing");
      await write("x = 1");
      assert.equal((await start().hello()).kind, "missing");
      await write("runtime_hello = 'v1'");
      assert.equal((await start().hello()).kind, "missing");
      closeAll();
    });

    it("reload() without a script succeeds and changes nothing", async () => {
      assert.deepEqual(await start(patientMs, "").reload(), { ok: true, changed: false });
      closeAll();
    });

    it("hello() fails when the script is a directory or too big", async () => {
      assertFailed(await start(patientMs, directory).hello(), /not a file/);
      await write(`--${"x".repeat(4 * 1024 * 1024)}`);
      assertFailed(await start().hello(), /at most 4194304/);
      closeAll();
    });

    it("a byte order mark and a first line with # are skipped, lines keep their numbers", async () => {
      const text = "#!/usr/bin/env lua\nfunction runtime_hello() error('here') end";
      await write(Uint8Array.of(0xef, 0xbb, 0xbf, ...new TextEncoder().encode(text)));
      assertFailed(await start().hello(), /^hello\.lua:2: here$/);
      await write("\ufefffunction runtime_hello() return 'v1' end");
      assert.deepEqual(await start().hello(), { kind: "ok", version: "v1" });
      closeAll();
    });

    it("an answer stays one line, keeps UTF-8, and is limited in length", async () => {
      await write("function runtime_hello() return 'a\\nb\\r\\0c\\27d\\u{85}e\\u{2028}f é 龍' end");
      assert.deepEqual(await start().hello(), { kind: "ok", version: "a b  c d e f é 龍" });
      await write("function runtime_hello() return 'v\\xff' end");
      assert.deepEqual(await start().hello(), { kind: "ok", version: "v\ufffd" });
      const bytesMax = scriptLimits.versionBytesMax;
      assert.ok(bytesMax > replyBytesMax, "the host protocol can refuse what is too long for it");
      await write(`function runtime_hello() return ('x'):rep(${bytesMax}) end`);
      assert.equal(versionOf(await start().hello())?.length, bytesMax);
      await write(`function runtime_hello() return ('x'):rep(${bytesMax + 1}) end`);
      assertFailed(await start().hello(), /at most 131072 bytes, it returned 131073/);
      closeAll();
    });

    it("reload() tells whether the file changed and starts from a fresh state", async () => {
      await write("n = (n or 0) + 1\nfunction runtime_hello() n = n + 1 return 'v' .. n end");
      const bridge = start();
      assert.deepEqual(await bridge.hello(), { kind: "ok", version: "v2" });
      assert.deepEqual(await bridge.reload(), { ok: true, changed: false });
      assert.deepEqual(await bridge.hello(), { kind: "ok", version: "v2" });
      await write("function runtime_hello() return 'other' end");
      assert.deepEqual(await bridge.reload(), { ok: true, changed: true });
      assert.deepEqual(await bridge.hello(), { kind: "ok", version: "other" });
      closeAll();
    });

    it("reload() lets a greeting finish that was asked for before", async () => {
      await write(
        "function runtime_hello() local e = os.clock() + 0.3 while os.clock() < e do end " +
          "return 'before' end",
      );
      const bridge = start();
      assert.equal((await bridge.reload()).ok, true);
      const asked = bridge.hello();
      await write(healthy);
      const [before, reloaded, behind] = await Promise.all([
        asked,
        bridge.reload(),
        bridge.hello(),
      ]);
      assert.deepEqual(before, { kind: "ok", version: "before" });
      assert.deepEqual(reloaded, { ok: true, changed: true });
      assert.deepEqual(behind, { kind: "ok", version: "healthy" });
      closeAll();
    });

    it("a script that uses up its memory at each call is run anew at each call", async () => {
      await write(
        "function runtime_hello()\n  local all = {}\n  while true do all[#all + 1] = ('x'):rep(100000) .. #all end\nend",
      );
      const bridge = start();
      for (let i = 0; i < 5; i++) assertFailed(await bridge.hello(), /memory/);
      await write(healthy);
      await untilHealthy(bridge);
      closeAll();
    });

    it("reload() keeps the old state when the new script is wrong or gone", async () => {
      await write("function runtime_hello() return 'v1' end");
      const bridge = start();
      assert.equal(versionOf(await bridge.hello()), "v1");
      for (
        const [text, reason] of [
          ["x = = 1", /^hello\.lua:1: unexpected symbol near '='$/],
          ["\n\nerror('on purpose')", /^hello\.lua:3: on purpose$/],
          ["error()", /nil/],
          ["\x1bLuaT", /binary chunk/],
        ] as const
      ) {
        await write(text);
        const reloaded = await bridge.reload();
        assert.ok(!reloaded.ok, text);
        assert.match(reloaded.reason, reason);
        assertOneLine(reloaded.reason);
        assert.equal(versionOf(await bridge.hello()), "v1");
      }
      await rm(scriptPath);
      const gone = await bridge.reload();
      assert.ok(!gone.ok);
      assert.equal(versionOf(await bridge.hello()), "v1");
      closeAll();
    });

    it("a script that is wrong at the start is named, and heals by reload()", async () => {
      await write("this is no Lua");
      const bridge = start();
      assertFailed(await bridge.hello(), /^hello\.lua:1: /);
      await write(healthy);
      assert.deepEqual(await bridge.reload(), { ok: true, changed: true });
      assert.equal(versionOf(await bridge.hello()), "healthy");
      closeAll();
    });

    it("print goes to the log, in bounded lines and numbers", async () => {
      await write(
        "function runtime_hello()\n" +
          "  print('one', 2, nil, true)\n  print('two\\nlines')\n  print(('x'):rep(9999))\n" +
          "  for i = 1, 1000 do print(i) end\n  return 'v1'\nend",
      );
      assert.equal(versionOf(await start().hello()), "v1");
      const printed = log.lines.flatMap(({ fields }) => fields["text"] ?? []) as string[];
      assert.deepEqual(printed.slice(0, 2), ["one 2 nil true", "two lines"]);
      assert.equal(printed[2]?.length, 1_024);
      assert.equal(printed.length, 51);
      assert.match(printed[50] ?? "", /^953 more lines/);
      closeAll();
    });

    it("useful parts of the libraries remain", async () => {
      await write(
        "function runtime_hello()\n" +
          "  assert(math.type(os.time()) == 'integer' and os.clock() >= 0)\n" +
          "  assert(os.date('!%Y-%m-%d %H:%M:%S', 86400) == '1970-01-02 00:00:00')\n" +
          "  assert(load('return ...', 'x', 't', {})(7) == 7 and utf8.char(233) == 'é')\n" +
          "  assert(load('x = 1', 'x', 't', {}) and x == nil)\n" +
          "  assert(debug.traceback('t'):find('hello.lua'))\n" +
          "  return string.format('%5.2f|%s', 1.5, table.concat({ 1, 2 }, ','))\nend",
      );
      assert.equal(versionOf(await start().hello()), " 1.50|1,2");
      closeAll();
    });

    it("a script that takes its globals apart still answers", async () => {
      await write(
        "function runtime_hello() return 'v1' end\n" +
          "string.format, string.sub, table.concat, pcall, type, tostring, select, load = nil\n" +
          "getmetatable('').__index = nil",
      );
      const bridge = start();
      assert.equal(versionOf(await bridge.hello()), "v1");
      assert.equal((await bridge.reload()).ok, true);
      closeAll();
    });

    it("a loop while loading is stopped and the old state answers on", async () => {
      await write(healthy);
      const bridge = start(hastyMs);
      await untilHealthy(bridge);
      await write("while true do end");
      const reloaded = await bridge.reload();
      assert.ok(!reloaded.ok);
      assert.match(reloaded.reason, /longer than 100 ms/);
      await untilVersion(bridge, "healthy");
      closeAll();
    });

    it("close() answers what is under way, and all later calls, with failed", async () => {
      await write("function runtime_hello() while true do end end");
      const bridge = start();
      assert.equal((await bridge.reload()).ok, true);
      const calls = [bridge.hello(), bridge.hello(), bridge.reload()] as const;
      bridge.close();
      assertFailed(await calls[0], /./);
      assertFailed(await calls[1], /./);
      assert.equal((await calls[2]).ok, false);
      assertFailed(await bridge.hello(), /./);
      assert.equal((await bridge.reload()).ok, false);
      bridge.close();
    });

    describe("hostile scripts end as failed, and then a healthy one works", () => {
      let bridge: ScriptBridge;
      before(() => {
        bridge = start(hastyMs);
      });
      for (const [what, body] of Object.entries(hostileGreetings)) {
        it(what, { timeout: 60_000 }, async () => {
          await write(`function runtime_hello()\n${body}\nend`);
          await untilLoaded(bridge);
          const answer = await bridge.hello();
          assertFailed(answer, /./);
          assert.ok(!answer.reason.includes(directory), answer.reason);
          await write(healthy);
          await untilHealthy(bridge);
        });
      }
    });
  });
}

function versionOf(result: HelloResult): string | undefined {
  return result.kind === "ok" ? result.version : undefined;
}

function assertFailed(
  result: HelloResult,
  reason: RegExp,
): asserts result is HelloResult & { kind: "failed" } {
  assert.equal(result.kind, "failed", JSON.stringify(result).slice(0, 300));
  assert.ok(result.kind === "failed");
  assert.match(result.reason, reason);
  assertOneLine(result.reason);
}

function assertOneLine(reason: string): void {
  // deno-lint-ignore no-control-regex
  assert.doesNotMatch(reason, /[\u0000-\u001f\u007f-\u009f]/);
  assert.ok(reason.length <= 520, `${reason.length} characters`);
}

/** On a busy machine even a healthy script can be late by the hasty limit: until it is not. */
async function untilLoaded(bridge: ScriptBridge): Promise<void> {
  await until(async () => (await bridge.reload()).ok);
}

async function untilHealthy(bridge: ScriptBridge): Promise<void> {
  await untilLoaded(bridge);
  await untilVersion(bridge, "healthy");
}

async function untilVersion(bridge: ScriptBridge, version: string): Promise<void> {
  await until(async () => versionOf(await bridge.hello()) === version);
}

async function until(condition: () => Promise<boolean>): Promise<void> {
  for (let attempt = 0; attempt < 40; attempt++) {
    if (await condition()) return;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  assert.fail("it did not come to be so");
}
