import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdir, mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { afterEach, describe, it } from "node:test";
import { EmbeddedRules } from "../../../src/game/lua/embedded_rules.ts";
import { readPackageTree } from "../../../src/game/lua/package_tree.ts";
import { RulesChild } from "../../../src/game/lua/rpc_child.ts";
import type { RulesQueue } from "../../../src/game/lua/rules_queue.ts";
import type { Runtime } from "../../../src/ports/runtime.ts";
import { fakeLog } from "../../fakes/log.ts";
import { runtimeUnderTest } from "../../tested_runtime.ts";
import { LobbyWithRules, type RulesEnds } from "./lobby_with_rules.ts";

/** …/packages/freekill-core of a data directory. It is public, and no part of this repository. */
const coreDirectory = process.env.FREEKILL_CORE_DIR ?? "";
const place = "/packages/freekill-core";
const noCore = coreDirectory.endsWith(place)
  ? false
  : `FREEKILL_CORE_DIR does not name a directory that ends in ${place}`;
const nativeLua = "lua5.4";
const noLua = spawnSync(nativeLua, ["-e", "require 'socket' require 'lfs'"]).status === 0
  ? false
  : `there is no ${nativeLua} with socket and lfs on this machine`;

const common = { turnMs: 30_000, memoryMb: 512, disabledPacks: [], log: fakeLog().logger };

const embeddedCore = { ...common, directory: place.slice(1), recycleMb: 256 };

const hosts = {
  embedded: ({ workers, clock, files }: Runtime, ends: RulesEnds): RulesQueue =>
    new EmbeddedRules({ workers, clock }, {
      ...embeddedCore,
      ...ends,
      tree: () => readPackageTree(files, coreDirectory.slice(0, -place.length)),
    }),
  native: ({ process, clock }: Runtime, ends: RulesEnds): RulesQueue =>
    new RulesChild({ process, clock }, {
      ...common,
      ...ends,
      command: nativeLua,
      directory: coreDirectory,
    }),
};

/** Without a core it is one skipped test that says why: a group that is skipped counts as none. */
function describeCore(name: string, body: () => void): void {
  if (noCore === false) describe(name, body);
  else it(name, { skip: noCore }, () => {});
}

describeCore("freekill-core, unmodified", () => {
  const opened: LobbyWithRules[] = [];
  afterEach(async () => {
    for (const one of opened.splice(0)) await one.rules.close();
  });

  async function open(kind: keyof typeof hosts): Promise<LobbyWithRules> {
    const runtime = await runtimeUnderTest();
    const one = new LobbyWithRules((ends) => hosts[kind](runtime, ends));
    opened.push(one);
    return one;
  }

  const isOver = (table: LobbyWithRules) => () => table.rules.load === 0;
  const trust = (table: LobbyWithRules, id: number) =>
    table.perform(table.stage.say(id, { command: "Trust" }));

  for (const kind of ["embedded", "native"] as const) {
    const skip = kind === "native" ? noLua : false;
    it(`plays the role mode with 2 seats to game over on the ${kind} Lua`, {
      skip,
      timeout: 60_000,
    }, async () => {
      const table = await open(kind);
      table.startGame(1, { capacity: 2 });
      trust(table, 1);
      assert.equal(await table.run(isOver(table)), true);
      const told = table.stage.told(1);
      assert.deepEqual(table.losses, []);
      for (const command of ["StartGame", "PrepareDrawPile", "GameOver"]) {
        assert.equal(told.filter((one) => one === `raw ${command}`).length, 1, command);
      }
      assert.ok(table.log.some((line) => line.startsWith("info [GameOver] 1, aaa_role_mode")));
      assert.equal(table.stage.lobby.rooms.room(1)?.state.kind, "waiting");
    });

    // Robots may play on for a thousand rounds: after some the only player leaves.
    it(`plays it with 8 seats to its end, or until nobody is there, on the ${kind} Lua`, {
      skip,
      timeout: 120_000,
    }, async () => {
      const table = await open(kind);
      table.startGame(1, { capacity: 8 });
      trust(table, 1);
      const isLong = () => table.turns > 400;
      assert.equal(await table.run(() => isOver(table)() || isLong()), true);
      table.perform(table.stage.say(1, { command: "QuitRoom" }));
      assert.equal(await table.run(isOver(table)), true);
      assert.deepEqual(table.losses, []);
      assert.ok(table.log.some((line) => line.startsWith("info [GameOver] 1, aaa_role_mode")));
    });
  }

  it("begins a game with the same commands in the same order on both", {
    skip: noLua,
    timeout: 60_000,
  }, async () => {
    const beginnings = await Promise.all((["embedded", "native"] as const).map(async (kind) => {
      const table = await open(kind);
      table.startGame(1, { capacity: 2, humans: 2 });
      // Whoever drew the lord is asked first.
      const isAsked = (id: number) => table.stage.told(id).includes("request");
      await table.run(() => isAsked(1) || isAsked(2));
      const told = table.stage.told(1).filter((one) => one.startsWith("raw "));
      return told.filter((one, at) => one !== told[at - 1]);
    }));
    assert.ok((beginnings[0]?.length ?? 0) >= 5, String(beginnings[0]));
    assert.deepEqual(beginnings[0], beginnings[1]);
  });

  it("has players come back, and others look on", { timeout: 60_000 }, async () => {
    const table = await open("embedded");
    const { stage } = table;
    table.startGame(1, { capacity: 2, humans: 2 });
    await table.run(() => stage.told(2).includes("request"));
    table.perform(stage.close(2));
    await table.rules.ping();
    assert.ok(stage.told(1).includes("NetStateChanged 2 offline"));
    table.perform(stage.login(2));
    table.perform(stage.login(3));
    table.perform(stage.say(3, { command: "ObserveRoom", roomId: 1, password: "" }));
    await table.rules.ping();
    assert.ok(stage.told(2).includes("raw Reconnect"));
    assert.ok(stage.told(3).includes("raw Observe"));
    table.perform(stage.say(3, { command: "QuitRoom" }));
    await table.rules.ping();
    assert.ok(stage.told(1).includes("raw RemoveObserver"));
    assert.deepEqual(table.losses, []);
  });

  it("leaves out a package with a syntax error, and says so", { timeout: 60_000 }, async () => {
    const runtime = await runtimeUnderTest();
    const place = await mkdtemp(join(tmpdir(), "packages-"));
    await mkdir(join(place, "packages", "broken"), { recursive: true });
    await symlink(coreDirectory, join(place, "packages", "freekill-core"));
    await writeFile(join(place, "packages", "broken", "init.lua"), "local x = = 1");
    const tree = await readPackageTree(runtime.files, place);
    await rm(place, { recursive: true });
    const table = new LobbyWithRules((ends) =>
      new EmbeddedRules(runtime, { ...embeddedCore, ...ends, tree: () => Promise.resolve(tree) })
    );
    opened.push(table);
    assert.equal(await table.rules.ping(), true);
    assert.match(table.log.join(), /broken\/init\.lua:1: unexpected symbol near '='/);
    table.startGame(1, { capacity: 2 });
    trust(table, 1);
    assert.equal(await table.run(isOver(table)), true);
  });

  it("plays 10 rooms at once in one state", { timeout: 120_000 }, async () => {
    const table = await open("embedded");
    for (let id = 1; id <= 10; id++) {
      table.startGame(id, { capacity: 2 });
      trust(table, id);
    }
    assert.equal(table.rules.load, 10);
    assert.equal(await table.run(isOver(table)), true);
    for (let id = 1; id <= 10; id++) assert.ok(table.stage.told(id).includes("raw GameOver"));
    assert.deepEqual(table.losses, []);
  });
});
