import assert from "node:assert/strict";
import process from "node:process";
import { afterEach, before, describe, it } from "node:test";
import type { LuaEngineFactory } from "../../../src/game/lua/lua_engine.ts";
import { compileLua } from "../../../src/game/lua/lua_wasm.ts";
import { type PackageTree, readPackageTree } from "../../../src/game/lua/package_tree.ts";
import type { FactsHost } from "../../../src/game/lua/rules_facts.ts";
import { rulesMethodNames } from "../../../src/game/lua/rules_sandbox.ts";
import { RulesQueue } from "../../../src/game/lua/rules_queue.ts";
import { wasmoonEngines } from "../../../src/game/lua/wasmoon_engine.ts";
import { encodeUtf8 } from "../../../src/wire/utf8.ts";
import { fakeLog } from "../../fakes/log.ts";
import { runtimeUnderTest } from "../../tested_runtime.ts";
import { DirectRun } from "./direct_run.ts";
import { LobbyWithRules } from "./lobby_with_rules.ts";
import { readGlue } from "./lua_program.ts";
import { type RulesParts, rulesUnderTest } from "./rpc_harness.ts";
import { diagOf } from "./rpc_recording.ts";
import { tablePlayer } from "./rpc_table.ts";
import { scriptedCore } from "./scripted_core.ts";
import { type HostCall, StdioRun } from "./stdio_rules.ts";

const coreDirectory = process.env.FREEKILL_CORE_DIR ?? "";
const place = "/packages/freekill-core";
const noCore = coreDirectory.endsWith(place)
  ? false
  : `FREEKILL_CORE_DIR does not name a directory that ends in ${place}`;

const ways = { direct: DirectRun, stdio: StdioRun };

/** Whatever the rules may order, with bytes that are no text. */
const orders: readonly Uint8Array[] = [
  "ask,9,15,AskForCard",
  "ask,all,2,AskForCard",
  "notify,Note,",
  "notify,Note,名\u0000\u007f",
  "delay,798",
  'save,{"a":[1,2]}',
  "load",
  'save_global,k,{"名":"\u0000"}',
  "load_global,k",
  "save_room,k,[]",
  "load_room,k",
  "set_session,{}",
  "session",
  "died",
  "add_npc",
  "remove_npc",
  "log,qWarning,a, b",
  "print,a,b,c,d,e,f",
  "call,Room_explode,1",
  "call,Room_delay,1,soon",
  "call,Room_delay,-9007199254740991,9007199254740991",
  "call,ServerPlayer_setThinking,1000,false",
  "raise",
  "kick",
].map(encodeUtf8);
const allBytes = Uint8Array.from({ length: 256 }, (_, byte) => byte);

function joined(...parts: readonly Uint8Array[]): Uint8Array {
  return Uint8Array.from(parts.flatMap((part) => [...part]));
}

/** Of methods that the server does not have, the direct way hands over the name alone. */
const described = (calls: readonly HostCall[]) =>
  calls.map(({ method, params }) =>
    rulesMethodNames.includes(method) ? `${method} ${diagOf(params)}` : method
  );

describe("the embedded Lua called directly, and by CBOR over the core's own loop", () => {
  let engines: LuaEngineFactory;
  const closing: (() => Promise<void>)[] = [];
  const now = Date.now;
  before(async () => {
    engines = wasmoonEngines(await compileLua(await readGlue()));
  });
  afterEach(async () => {
    Date.now = now;
    for (const close of closing.splice(0)) await close();
  });

  /** Rules of the scripted core, and all that they have called. */
  async function scripted(way: keyof typeof ways) {
    const calls: HostCall[] = [];
    const { files } = await runtimeUnderTest();
    const tree = await readPackageTree(files, scriptedCore.dataDirectory);
    const { directory } = scriptedCore;
    const called = (call: HostCall) => void calls.push(call);
    const one = await rulesUnderTest({
      open: ({ clock, common }: RulesParts) =>
        new RulesQueue(
          clock,
          common,
          (events) => new ways[way](engines, { ...common, tree, directory, called }, events),
        ),
    });
    closing.push(() => one.close());
    one.rules.start();
    return { one, calls };
  }

  it("call the server with the same bytes in the same order, whatever is ordered", async () => {
    const both = await Promise.all((["direct", "stdio"] as const).map(async (way) => {
      const { one, calls } = await scripted(way);
      await one.turn({ kind: "new_room", roomId: 1 });
      const push = (request: Uint8Array) =>
        one.turn({ kind: "push_request", roomId: 1, playerId: 9, request });
      for (const order of orders) await push(order);
      for (const head of ["notify,Bytes,", "save,", "set_session,", "log,qInfo,"]) {
        await push(joined(encodeUtf8(head), allBytes));
      }
      one.table.replies.set(1000, allBytes);
      await push(encodeUtf8("ask,9,15,AskForCard"));
      await one.turn({ kind: "resume", roomId: 1, reason: "reply" });
      const player = { ...tablePlayer(1004), id: 13, screenName: "名\u0000" };
      one.table.seatObserver(1, player);
      await one.turn({ kind: "add_observer", roomId: 1, player });
      await one.turn({ kind: "request", roomId: 1, playerId: 13, command: "observe" });
      await one.turn({ kind: "remove_observer", roomId: 1, playerId: 13 });
      await one.turn({ kind: "new_task", taskId: -1000 });
      await one.turn({ kind: "resume", roomId: -1000, reason: "delay_done" });
      await push(encodeUtf8("end,win,lose"));
      return described(calls);
    }));
    assert.ok((both[0]?.length ?? 0) > 60, `${both[0]?.length} calls`);
    const bytes = diagOf(joined(Uint8Array.of(0x59, 1, 0), allBytes)).slice(-40);
    assert.ok(both[0]?.some((call) => call.includes(bytes.slice(0, -1))), "with all bytes");
    assert.deepEqual(both[1], both[0]);
  });

  it("play a game of freekill-core, unmodified, with the same calls to its end", {
    skip: noCore,
    timeout: 120_000,
  }, async () => {
    // With one time for both, Lua's random numbers and hashes are the same.
    Date.now = () => 1_700_000_000_000;
    const { files, clock } = await runtimeUnderTest();
    const tree: PackageTree = await readPackageTree(files, coreDirectory.slice(0, -place.length));
    const both: string[][] = [];
    for (const way of ["direct", "stdio"] as const) {
      const calls: HostCall[] = [];
      const table = new LobbyWithRules((ends) => {
        const options = {
          ...ends,
          host: ends.host as typeof ends.host & FactsHost,
          tree,
          directory: place.slice(1),
          disabledPacks: [],
          log: fakeLog().logger,
          called: (call: HostCall) => void calls.push(call),
        };
        return new RulesQueue(clock, options, (events) => new ways[way](engines, options, events));
      });
      closing.push(() => table.rules.close());
      table.startGame(1, { capacity: 2 });
      table.perform(table.stage.say(1, { command: "Trust" }));
      await table.run(() => table.rules.load === 0 || table.turns > 400);
      assert.deepEqual(table.losses, []);
      assert.ok(table.turns > 20, `${table.turns} turns`);
      both.push(described(calls));
    }
    const methods = (calls: readonly string[] = []) => calls.map((call) => call.split(" ")[0]);
    assert.deepEqual(methods(both[1]), methods(both[0]));
    assert.deepEqual(both[1], both[0]);
  });
});
