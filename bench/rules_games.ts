/**
 * What the rules cost: freekill-core's role mode with 8 seats, of which one has a player who lets the
 * machine play, in the embedded Lua and in a native one. Delays are skipped. The core is named by
 * FREEKILL_CORE_DIR and is no part of this repository. Games are random, so figures are those of a
 * turn, over some games.
 */
import { spawnSync } from "node:child_process";
import process from "node:process";
import { bunAssets } from "../src/adapters/bun/assets.ts";
import { EmbeddedRules } from "../src/game/lua/embedded_rules.ts";
import { compileLua } from "../src/game/lua/lua_wasm.ts";
import { type PackageTree, readPackageTree } from "../src/game/lua/package_tree.ts";
import { RulesChild } from "../src/game/lua/rpc_child.ts";
import type { RulesQueue } from "../src/game/lua/rules_queue.ts";
import type { SharedLua } from "../src/game/lua/worker_run.ts";
import { fakeLog } from "../tests/fakes/log.ts";
import { LobbyWithRules, type RulesEnds } from "../tests/game/lua/lobby_with_rules.ts";
import { runtimeUnderTest } from "../tests/tested_runtime.ts";
import { partFigures } from "./rules_parts.ts";
import { cpuSeconds, type Figure, median, numberFlag, report } from "./measure.ts";

const place = "/packages/freekill-core";
const coreDirectory = process.env.FREEKILL_CORE_DIR ?? "";
const games = numberFlag("games", 8);
/** Robots may play on for a thousand rounds. */
const turnsPerGameMax = numberFlag("turns", 250);
const rooms = numberFlag("rooms", 30);
/** Each is played 17 times to tell its parts apart. */
const partGames = numberFlag("part-games", 2);
/** A game that the player has left: nothing of it is measured. */
const warmUpGames = 2;
const nativeLua = "lua5.4";

const runtime = await runtimeUnderTest();
const common = { turnMs: 30_000, memoryMb: 1_024, disabledPacks: [], log: fakeLog().logger };

function embedded(tree: PackageTree, shared: SharedLua): (ends: RulesEnds) => RulesQueue {
  return (ends) =>
    new EmbeddedRules(runtime, {
      ...common,
      ...ends,
      tree: () => Promise.resolve(tree),
      directory: place.slice(1),
      recycleMb: 1_024,
      shared,
    });
}

function native(ends: RulesEnds): RulesQueue {
  return new RulesChild(runtime, {
    ...common,
    ...ends,
    command: nativeLua,
    directory: coreDirectory,
  });
}

async function closed<T>(table: LobbyWithRules, use: (table: LobbyWithRules) => Promise<T>) {
  try {
    if (!await table.rules.ping()) throw new Error(table.losses[0]?.reason ?? "no rules");
    return await use(table);
  } finally {
    await table.rules.close();
  }
}

/** Milliseconds until new rules answer. */
async function readyMs(open: (ends: RulesEnds) => RulesQueue): Promise<number> {
  const before = performance.now();
  return await closed(new LobbyWithRules(open), () => Promise.resolve(performance.now() - before));
}

function begin(table: LobbyWithRules, id: number): void {
  table.startGame(id, { capacity: 8 });
  table.perform(table.stage.say(id, { command: "Trust" }));
}

/** CPU milliseconds of a turn, of this process and of the child if there is one. */
function turnCost(open: (ends: RulesEnds) => RulesQueue): Promise<number> {
  return closed(new LobbyWithRules(open), async (table) => {
    const isOver = () => table.rules.load === 0;
    const cpu = () => [process.pid, table.rules.pid ?? []].flat().map(cpuSeconds);
    let spent = 0;
    let turns = 0;
    for (let id = 1; id <= warmUpGames + games; id++) {
      table.stage.effects.length = 0;
      const before = { cpu: cpu(), turns: table.turns };
      begin(table, id);
      await table.run(() => isOver() || table.turns - before.turns >= turnsPerGameMax);
      if (id > warmUpGames) {
        spent += cpu().reduce((sum, seconds, at) => sum + seconds - (before.cpu[at] ?? 0), 0);
        turns += table.turns - before.turns;
      }
      table.perform(table.stage.say(id, { command: "QuitRoom" }));
      await table.run(isOver);
    }
    return spent * 1_000 / turns;
  });
}

/** Of many rooms in one state: memory of each, and how late this thread's timers are. */
function crowd(open: (ends: RulesEnds) => RulesQueue): Promise<{ bytes: number; lagMs: number }> {
  return closed(new LobbyWithRules(open), async (table) => {
    for (let id = 1; id <= rooms; id++) begin(table, id);
    const lags: number[] = [];
    let last = performance.now();
    const timer = setInterval(() => {
      lags.push(performance.now() - last - 5);
      last = performance.now();
    }, 5);
    await table.run(() => {
      table.stage.effects.length = 0;
      return table.turns >= rooms * 40;
    });
    clearInterval(timer);
    const bytes = (table.rules.memoryBytes ?? NaN) / rooms;
    const sorted = lags.sort((a, b) => a - b);
    return { bytes, lagMs: sorted[Math.floor(sorted.length * 0.99)] ?? 0 };
  });
}

if (!coreDirectory.endsWith(place)) {
  console.log(`\nrules_games\n  skipped: FREEKILL_CORE_DIR must name a directory …${place}`);
  process.exit(0);
}
const tree = await readPackageTree(runtime.files, coreDirectory.slice(0, -place.length));
const shared: SharedLua = {};
const figures: Figure[] = [];
const first = await readyMs(embedded(tree, shared));
figures.push({ name: "state ready, first", value: first, unit: "ms", goal: { max: 150 } });
shared.program ??= await compileLua(await bunAssets.luaWasm());
// A first state that is not closed at once compiles the packages for the others.
await closed(new LobbyWithRules(embedded(tree, shared)), (table) => table.rules.ping());
const later: number[] = [];
for (let round = 0; round < 5; round++) later.push(await readyMs(embedded(tree, shared)));
figures.push({ name: "state ready, later", value: median(later), unit: "ms", goal: { max: 60 } });
const own = await turnCost(embedded(tree, shared));
figures.push({ name: "CPU a turn, embedded", value: own, unit: "ms" });
if (spawnSync(nativeLua, ["-e", "require 'socket' require 'lfs'"]).status === 0) {
  const child = await turnCost(native);
  figures.push({ name: `CPU a turn, ${nativeLua}`, value: child, unit: "ms" });
  figures.push({ name: "embedded / native", value: own / child, unit: "×", goal: { max: 1.5 } });
}
figures.push(
  ...await partFigures({ tree, directory: place.slice(1), games: partGames, turnsPerGameMax }),
);
const { bytes, lagMs } = await crowd(embedded(tree, shared));
figures.push({
  name: `memory a room, ${rooms} in one state`,
  value: bytes / 1_048_576,
  unit: "MiB",
  goal: { max: 5 },
});
figures.push({ name: "timers late meanwhile, p99", value: lagMs, unit: "ms", goal: { max: 10 } });
report("rules_games", figures);
process.exit(0);
