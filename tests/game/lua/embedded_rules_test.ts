import assert from "node:assert/strict";
import { afterEach, describe, it } from "node:test";
import { EmbeddedRules, type EmbeddedRulesOptions } from "../../../src/game/lua/embedded_rules.ts";
import { type PackageTree, readPackageTree } from "../../../src/game/lua/package_tree.ts";
import type { RulesNotice } from "../../../src/game/lua/rpc_rules.ts";
import { decodeCbor } from "../../../src/wire/cbor.ts";
import { encodeUtf8 } from "../../../src/wire/utf8.ts";
import type { SharedLua } from "../../../src/game/lua/worker_run.ts";
import { fakeClock } from "../../fakes/clock.ts";
import { fakeFiles } from "../../fakes/files.ts";
import { runtimeUnderTest } from "../../tested_runtime.ts";
import { type RulesUnderTest, rulesUnderTest } from "./rpc_harness.ts";
import { summaryOf } from "./rules_conformance.ts";
import { scriptedCore } from "./scripted_core.ts";

const { dataDirectory, directory } = scriptedCore;
const newRoom = (roomId = 1) => ({ kind: "new_room", roomId }) as const;

/** What workers get of these files. */
async function treeOf(files: Readonly<Record<string, string>>): Promise<PackageTree> {
  const port = fakeFiles();
  await port.makeDirectory("packages");
  for (const [path, text] of Object.entries(files)) {
    await port.makeDirectory(path.slice(0, path.lastIndexOf("/")));
    await port.replace(path, encodeUtf8(text));
  }
  return await readPackageTree(port, "");
}

describe("EmbeddedRules", () => {
  const opened: RulesUnderTest[] = [];
  afterEach(async () => {
    for (const one of opened.splice(0)) await one.close();
  });

  async function started(
    given: Parameters<typeof rulesUnderTest>[0] & Partial<EmbeddedRulesOptions> = {},
  ) {
    const one = await rulesUnderTest({
      roomIds: [1, 2, 3],
      open: ({ runtime, clock, common }) =>
        new EmbeddedRules({ workers: runtime.workers, clock }, {
          ...common,
          tree: given.tree ?? (() => readPackageTree(runtime.files, dataDirectory)),
          directory,
          memoryMb: given.memoryMb ?? 64,
          recycleMb: given.recycleMb ?? 64,
          ...(given.shared === undefined ? {} : { shared: given.shared }),
        }),
      ...given,
    });
    opened.push(one);
    one.rules.start();
    return one;
  }

  async function playing(given: Parameters<typeof started>[0] = {}) {
    const one = await started(given);
    await one.turn(newRoom(1));
    await one.turn(newRoom(2));
    return one;
  }

  /** What Lua text gives, run in a room's coroutine. */
  async function told(one: RulesUnderTest, text: string): Promise<unknown> {
    const notices = await one.ordered(`lua,${text}`);
    const answer = notices.find((notice) => notice.kind === "do_notify");
    const data = answer?.kind === "do_notify" ? decodeCbor(answer.data) : undefined;
    return data?.ok === true ? data.value : logOf(notices).join();
  }

  it("gives later states of the same packages what the first has compiled", async () => {
    const { files } = await runtimeUnderTest();
    const shared: SharedLua = {};
    const tree = await readPackageTree(files, dataDirectory);
    const given = { shared, tree: () => Promise.resolve(tree) };
    const first = await playing(given);
    // It answers in order.
    assert.equal(await first.rules.ping(), true);
    assert.ok(shared.compiled?.tree === tree);
    new Uint8Array(tree.bytes).fill(0x20);
    const second = await playing(given);
    assert.equal((await second.ordered("notify,Note,on", 2)).length, 2);
    const other = await readPackageTree(files, dataDirectory);
    const third = await playing({ shared, tree: () => Promise.resolve(other) });
    assert.equal(await third.rules.ping(), true);
    assert.ok(shared.compiled?.tree === other, "what is compiled is good for its own tree only");
  });

  const loops: Readonly<Record<string, string>> = {
    "an empty loop": "while true do end",
    "a loop that catches its errors": "while true do pcall(error, 'again') end",
    "a loop that catches ours": "while true do pcall(function() while true do end end) end",
    "one in a coroutine of its own":
      "while true do coroutine.wrap(function() while true do end end)() end",
    "one behind coroutine.close":
      "local c <close> = setmetatable({}, { __close = function() while true do end end })",
    "one that calls the server":
      "while true do require('server.rpc.fk').call('ServerPlayer_thinking', 1000) end",
    "one of tables": "local t = {} while true do t = { t = t }; t.t.t = nil end",
  };
  for (const [name, text] of Object.entries(loops)) {
    it(`ends the one room that runs ${name}, others go on`, async () => {
      const one = await playing({ turnMs: 400 });
      const notices = await one.ordered(`lua,${text}`);
      assert.equal(one.rules.load, 1);
      assert.equal(one.rules.starts, 1);
      assert.match(logOf(notices).join(), /the script ran too long/);
      assert.deepEqual(summaryOf(notices).slice(-2), ["game_over", "decrease_ref_count"]);
      assert.equal((await one.ordered("notify,Note,on", 2)).length, 2);
      assert.deepEqual(one.losses, []);
    });
  }

  it("ends the one room whose loop is outside its coroutine, as lost", async () => {
    const one = await playing({ turnMs: 400 });
    const lost = one.loss();
    one.order("lua_main,while true do end");
    assert.deepEqual(await lost, {
      reason: "the rules took longer than 400 ms",
      roomIds: [1],
      taskIds: [],
    });
    assert.equal((await one.ordered("notify,Note,on", 2)).length, 2);
    assert.equal(one.rules.starts, 1);
  });

  const endless: Readonly<Record<string, string>> = {
    "in a pattern": "('x'):rep(200):find(('.-'):rep(50) .. 'y')",
    "in a handler of errors":
      "xpcall(function() while true do end end, function() while true do end end)",
    "in the main thread that catches ours":
      "while true do pcall(function() while true do end end) end",
  };
  for (const [name, text] of Object.entries(endless)) {
    it(`gives the state up for a loop ${name}, and starts a fresh one`, async () => {
      const one = await playing({ turnMs: 400 });
      const lost = one.loss();
      one.order(`lua_main,${text}`);
      assert.deepEqual(await lost, {
        reason: "the rules took longer than 800 ms",
        roomIds: [1, 2],
        taskIds: [],
      });
      assert.equal((await one.turn(newRoom(3))).length, 4);
      assert.equal(one.rules.starts, 2);
    });
  }

  it("lets Lua see that memory is short; the room ends, others go on", async () => {
    const one = await playing({ memoryMb: 24 });
    const notices = await one.ordered(
      "lua,local t = {} while true do t[#t + 1] = ('x'):rep(9999) .. #t end",
    );
    assert.match(logOf(notices).join(), /not enough memory/);
    assert.equal((await one.ordered("notify,Note,on", 2)).length, 2);
    assert.deepEqual(one.losses, []);
  });

  it("replaces a state that has grown once it holds nothing", async () => {
    const one = await playing({ recycleMb: 8 });
    await one.ordered("lua,local text = ('x'):rep(9999999)");
    assert.ok((one.rules.memoryBytes ?? 0) > 8 * 1_048_576);
    await one.ordered("end,draw,draw", 1);
    assert.equal(one.rules.starts, 1);
    await one.ordered("end,draw,draw", 2);
    assert.equal(one.rules.starts, 2);
    assert.equal((await one.turn(newRoom(3))).length, 4);
    assert.deepEqual(one.losses, []);
  });

  it("ends a room that floods within a turn, alone, and keeps its notices to itself", async () => {
    const one = await playing();
    const lost = one.loss();
    const flood = "while true do rules.tell(room, 'Flood', ('x'):rep(9999)) end";
    const notices = one.ordered(`lua_main,local room, rules = ... ${flood}`);
    assert.equal((await lost).reason, "more than 33554432 bytes in one turn");
    assert.deepEqual((await notices).filter(({ kind }) => kind !== "log"), []);
    assert.equal((await one.ordered("notify,Note,on", 2)).length, 2);
  });

  it("a worker killed in the middle of a turn costs its rooms, and a fresh one takes calls", async () => {
    let fail = () => {};
    const one = await playing({
      open: ({ runtime, clock, common }) =>
        new EmbeddedRules({
          clock,
          workers: {
            start({ handlers, ...rest }) {
              fail = () => handlers.error(new Error("it was shot"));
              return runtime.workers.start({ handlers, ...rest });
            },
          },
        }, {
          ...common,
          tree: () => readPackageTree(runtime.files, dataDirectory),
          directory,
          memoryMb: 64,
          recycleMb: 64,
        }),
    });
    const lost = one.loss();
    one.order("lua,while true do end");
    fail();
    assert.deepEqual(await lost, { reason: "it was shot", roomIds: [1, 2], taskIds: [] });
    assert.equal((await one.turn(newRoom(3))).length, 4);
  });

  it("abandons a worker that does not answer, and tells it to give up", async () => {
    const clock = fakeClock();
    let stop: Int32Array | undefined;
    let terminated = 0;
    const one = await started({
      open: ({ common }) =>
        new EmbeddedRules({
          clock,
          workers: {
            start: ({ handlers }) => ({
              post(message) {
                const { kind, stop: shared } = message as { kind: string; stop: SharedArrayBuffer };
                if (kind !== "open_rules") return;
                stop = new Int32Array(shared);
                const opened = { kind: "opened", notices: [], memoryBytes: 0 };
                handlers.message(opened as Parameters<typeof handlers.message>[0]);
              },
              terminate: () => void terminated++,
            }),
          },
        }, {
          ...common,
          tree: () => treeOf({}),
          directory,
          memoryMb: 64,
          recycleMb: 64,
          turnMs: 5_000,
        }),
    });
    one.rules.call(newRoom(1));
    const runtime = await runtimeUnderTest();
    while (one.rules.waitingCalls > 0) {
      await new Promise<void>((resolve) => void runtime.clock.after(1, resolve));
    }
    clock.advance(15_999);
    assert.equal(stop?.[0], 0);
    clock.advance(1);
    assert.deepEqual(one.losses, [{
      reason: "the rules' worker does not answer",
      roomIds: [1],
      taskIds: [],
    }]);
    assert.deepEqual([stop?.[0], terminated], [1, 1]);
  });

  it("says why a core cannot be loaded, and pings fail", async () => {
    const at = "packages/freekill-core/lua/server/rpc";
    const files: Readonly<Record<string, readonly [string, RegExp]>> = {
      "with a syntax error": ["return )", /rpc\/entry\.lua:1: .*near '\)'/],
      "that raises": ["error('no good')", /rpc\/entry\.lua:1: no good/],
      "that is none": ["return 1", /server\.rpc\.fk has no callRpc/],
    };
    for (const [name, [text, reason]] of Object.entries(files)) {
      const tree = await treeOf({ [`${at}/entry.lua`]: text });
      const one = await started({ tree: () => Promise.resolve(tree) });
      const lost = one.loss();
      one.rules.call(newRoom(1));
      assert.match((await lost).reason, reason, name);
      assert.equal(await one.rules.ping(), false);
    }
  });

  it("says so when there are no packages", async () => {
    const runtime = await runtimeUnderTest();
    const one = await started({ tree: () => readPackageTree(runtime.files, "no/such/place") });
    assert.match((await one.loss()).reason, /ENOENT/);
  });

  it("shows the rules a file system of packages alone", async () => {
    const core = "packages/freekill-core";
    const entry = "package.path = './?.lua;./lua/?.lua' fk = require 'server.rpc.fk'";
    const files = await readPackageTree((await runtimeUnderTest()).files, dataDirectory);
    const texts = Object.fromEntries(files.paths.flatMap((path, at) => {
      const [from = 0, length = 0] = [files.offsets[at], files.lengths[at]];
      const bytes = new Uint8Array(files.bytes).slice(from, from + Math.max(0, length));
      return path.endsWith(".lua") ? [[path, new TextDecoder().decode(bytes)]] : [];
    }));
    const tree = await treeOf({
      ...texts,
      [`${core}/lua/server/rpc/entry.lua`]: entry,
      [`${core}/lua/marked.lua`]: "\uFEFF#!/usr/bin/lua\nreturn 'marked'",
      "packages/other/init.lua": "line 1\nline 2\n\n42 end",
      "packages/other/image/card.png": "pixels",
    });
    const one = await started({ tree: () => Promise.resolve(tree) });
    await one.turn(newRoom(1));
    const found = {
      "require('lfs').currentdir():sub(-22)": "packages/freekill-core",
      "names('../other')": ". .. image init.lua",
      "require('lfs').attributes('../other/image').mode": "directory",
      "require('lfs').attributes('../other/image/card.png').mode": "file",
      "require('lfs').attributes('../other/image/none.png')": "nil",
      "#io.open('../other/image/card.png'):read('a')": "0",
      "io.open('../../../../etc/passwd')": "nil",
      "io.open('/etc/passwd')": "nil",
      "io.open('../../freekill-gw.json')": "nil",
      "select(2, io.open('../other/init.lua', 'w'))": "../other/init.lua: Permission denied",
      "two_lines(io.open('../other/init.lua'))": "line 1|line 2\n|\n",
      "io.lines('../other/init.lua')()": "line 1",
      "require('marked')": "marked",
      "dofile('lua/marked.lua')": "marked",
      "loadfile('lua/none.lua')": "nil",
      "tostring(os.execute) .. tostring(io.popen) .. tostring(package.loadlib)": "nilnilnil",
      "load('\\27Lua') == nil": "true",
      "os.getenv('FK_DISABLED_PACKS') .. tostring(os.getenv('PATH'))": '["off","not this"]nil',
      "math.type(require('socket').gettime())": "float",
      "require('socket').gettime() // 1e9": "1.0",
    };
    const helpers = `local function names(path)
        local found = {}
        for name in require('lfs').dir(path) do found[#found + 1] = name end
        return table.concat(found, ' ')
      end
      local function two_lines(file)
        return table.concat({ file:read('l', 'L', 1) }, '|')
      end`;
    for (const [text, result] of Object.entries(found)) {
      assert.equal(await told(one, `${helpers} return tostring((${text}))`), result, text);
    }
  });
});

function logOf(notices: readonly RulesNotice[]): string[] {
  return notices.flatMap((notice) => notice.kind === "log" ? [notice.text] : []);
}
