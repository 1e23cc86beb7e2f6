import assert from "node:assert/strict";
import { before, describe, it } from "node:test";
import { compileLua } from "../../../src/game/lua/lua_wasm.ts";
import type { LuaEngineFactory } from "../../../src/game/lua/lua_engine.ts";
import { compileChunks, type PackageChunks } from "../../../src/game/lua/package_chunks.ts";
import { type PackageTree, packageTreeOf } from "../../../src/game/lua/package_tree.ts";
import { RulesState } from "../../../src/game/lua/rules_state.ts";
import { wasmoonEngines } from "../../../src/game/lua/wasmoon_engine.ts";
import { noHost, patient, readGlue, runLua } from "./lua_program.ts";

const core = "packages/core";
const now = () => performance.now();

/** The least that passes for a core; `entry` runs while it is loaded. */
function treeOf(entry: string, others: Readonly<Record<string, string>> = {}): PackageTree {
  const files = {
    "lua/server/rpc/entry.lua": `package.path = package.path .. "./lua/?.lua;"
require "server.rpc.fk"
${entry}`,
    "lua/server/rpc/fk.lua": `local callRpc = print
return { call = function(...) return callRpc(...) end }`,
    "lua/server/rpc/dispatchers.lua": "return {}",
    ...others,
  };
  return packageTreeOf(Object.entries(files).map(([path, text]) => [`${core}/${path}`, text]));
}

describe("compileChunks", () => {
  let engines: LuaEngineFactory;
  before(async () => {
    engines = wasmoonEngines(await compileLua(await readGlue()));
  });

  function start(tree: PackageTree, chunks?: PackageChunks) {
    const state = new RulesState(engines, {
      tree,
      ...(chunks === undefined ? {} : { chunks }),
      directory: core,
      disabledPacks: [],
      turnMs: patient.turnMs,
      memoryBytesMax: patient.memoryBytesMax,
      now,
      time: () => 0,
    });
    const { outcome, reason, notices } = state.start();
    const said = notices.map((notice) => notice.kind === "log" ? notice.text : notice.kind);
    return { outcome, reason, said, files: state.loadedTexts };
  }

  /** The same packages loaded as text, then as they were compiled. */
  function startTwice(tree: PackageTree) {
    const first = start(tree);
    const chunks = compileChunks(engines, { tree, files: first.files }, now);
    return { first, chunks, second: start(tree, chunks) };
  }

  it("compiles what a state has loaded, so that the next needs no text", () => {
    const tree = treeOf(`print("loaded")`);
    const { first, second } = startTwice(tree);
    assert.equal(first.files.size, 3);
    assert.deepEqual([second.outcome, second.said, second.files.size], ["done", ["loaded"], 0]);
    const chunks = compileChunks(engines, { tree, files: first.files }, now);
    new Uint8Array(tree.bytes).fill(0x20);
    assert.deepEqual(start(tree, chunks).said, ["loaded"]);
  });

  it("keeps names and lines in messages, and arguments and environments of chunks", () => {
    const { first, second } = startTwice(treeOf(
      `print(pcall(require, "faulty"))
print(debug.getinfo(1, "S").source, debug.getlocal(1, 1))
print(xpcall(loadfile("./lua/faulty.lua"), debug.traceback, "given"))
print(loadfile("lua/names.lua", "t", { word = "its own" })(), tostring(word))
error("at the end")`,
      {
        "lua/faulty.lua": "local given = ...\n\nlocal missing\nprint(given, missing.field)",
        "lua/names.lua": "return word",
      },
    ));
    assert.match(
      first.said.join(),
      /faulty\.lua:4: attempt to index a nil value \(local 'missing'\)/,
    );
    assert.match(first.said.join(), /its own\tnil/);
    assert.match(first.reason, /entry\.lua:7: at the end/);
    assert.deepEqual([second.said, second.reason], [first.said, first.reason]);
    assert.equal(second.files.size, 0);
  });

  it("leaves a script with a fault to its text", () => {
    const { first, chunks, second } = startTwice(treeOf(`print(loadfile("lua/wrong.lua"))`, {
      "lua/wrong.lua": "\nlocal = 1",
    }));
    assert.match(first.said.join(), /wrong\.lua:2: <name> expected/);
    assert.deepEqual(second.said, first.said);
    assert.equal(chunks.places.size, first.files.size - 1);
  });

  it("never takes bytecode from a package, neither its files nor its texts", () => {
    const engine = engines.open({ limits: patient, host: noHost, now });
    const dumped = runLua(engine, "return string.dump(load('return 1'))");
    const bytecode = dumped.kind === "ok" ? dumped.values[0] : undefined;
    assert.ok(bytecode instanceof Uint8Array);
    const tree = treeOf(
      `print(loadfile("lua/code.lua", "b"))
print(pcall(require, "code"))
local code = io.open("lua/code.lua"):read("a")
print(load(code, "x", "b"))
print(load(function() local part = code; code = nil; return part end, "x", "bt"))
print(string.dump)`,
      { "lua/code.lua": " ".repeat(bytecode.length) },
    );
    const place = tree.paths.indexOf(`${core}/lua/code.lua`);
    new Uint8Array(tree.bytes).set(bytecode, tree.offsets[place]);
    const { first, chunks, second } = startTwice(tree);
    const refusals = first.said.filter((line) => /attempt to load a binary chunk/.test(line));
    assert.deepEqual([refusals.length, first.said.at(-1)], [4, "nil"]);
    assert.deepEqual(second.said, first.said);
    assert.equal(chunks.places.size, first.files.size - 1);
    assert.equal(chunks.places.has(place), false);
  });

  it("tells apart files of one path, and paths of one file, in two working directories", () => {
    const { first, second } = startTwice(treeOf(
      `local lfs = require "lfs"
for _, place in ipairs { "one", "two" } do
  lfs.chdir(place)
  print(dofile("same.lua"), (dofile("./same.lua")))
  lfs.chdir("..")
end`,
      {
        "one/same.lua": "return 'first' .. debug.getinfo(1, 'S').source",
        "two/same.lua": "return 'second' .. debug.getinfo(1, 'S').source",
      },
    ));
    assert.equal(first.said.length, 2);
    assert.match(first.said.join(), /^first@same\.lua\s+first@\.\/same\.lua,second@same\.lua/);
    assert.deepEqual(second.said, first.said);
  });

  it("compiles nothing for a state that is given up", () => {
    const tree = treeOf("");
    const { files } = start(tree);
    assert.equal(compileChunks(engines, { tree, files }, () => Infinity).places.size, 0);
  });
});
