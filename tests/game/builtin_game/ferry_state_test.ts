import assert from "node:assert/strict";
import { it, test } from "node:test";
import { builtinGameDirectory, builtinGameFiles } from "../../../src/game/builtin_game/files.ts";
import { packageTreeOf } from "../../../src/game/lua/package_tree.ts";
import { runtimeUnderTest } from "../../tested_runtime.ts";
import { describeFerry, embeddedFerry } from "./ferry_hosts.ts";
import { type Over, trusting } from "./ferry_players.ts";
import { FerryStage } from "./ferry_stage.ts";

/** 200 games take some seconds, on a busy machine more. */
const timeoutMs = 120_000;
/** Allocators keep some pages, a twentieth; rooms that are not forgotten would be as much again. */
const slack = 1.25;

describeFerry("a state that runs Night Ferry", (start, memoryBytes) => {
  it("is after 200 games no larger than after 20", { timeout: timeoutMs }, async () => {
    const stage = start();
    for (const id of [1, 2]) stage.answers.set(id, trusting);
    const play = async (games: number) => {
      for (let game = 0; game < games; game++) {
        stage.open([1, 2], { robots: 1, pace: 0 });
        await stage.toTheEnd();
        for (const id of [1, 2]) stage.say(id, { command: "QuitRoom" });
        stage.told.clear();
        stage.lobby.effects.length = 0;
      }
    };
    await play(20);
    const before = memoryBytes();
    await play(180);
    const after = memoryBytes();
    assert.equal(stage.results.length, 400);
    if (Number.isNaN(before)) return;
    assert.ok(after <= before * slack, `${before} bytes became ${after}`);
  });

  it("plays 20 games at the same time", async () => {
    const stage = start();
    for (let id = 1; id <= 20; id++) {
      stage.answers.set(id, trusting);
      stage.open([id], { robots: 3, pace: 0 });
    }
    await stage.toTheEnd();
    for (let id = 1; id <= 20; id++) {
      assert.deepEqual(stage.values<Over>(id, "GameOver").length, 1, `player ${id}`);
    }
    assert.deepEqual([stage.losses, stage.log], [[], []]);
  });

  it("refuses what it cannot do, and lives on", async () => {
    const stage = start();
    const lost = { reason: "Internal error (-32603): Room not found", roomIds: [77], taskIds: [] };
    stage.rules.call({ kind: "new_room", roomId: 77 });
    await stage.until("the loss of a room that is not there", () => stage.losses.length > 0);
    assert.deepEqual(stage.losses, [lost]);
    stage.losses.length = 0;
    for (const id of [1, 2]) stage.answers.set(id, trusting);
    stage.open([1, 2], { pace: 0 });
    await stage.toTheEnd();
    assert.deepEqual(stage.losses, []);
  });
});

test("an error in the course of one game ends that game alone, and is logged with its place", async () => {
  const place = "lua/ferry/play.lua";
  const sound = builtinGameFiles.get(place) ?? "";
  const faulty = sound.replace(
    "game.round = game.round + 1",
    `game.round = game.round + 1
    if game.round == 2 and game.seats == 2 then error("a fault of the test") end`,
  );
  assert.notEqual(faulty, sound);
  const files = new Map([...builtinGameFiles, [place, faulty]]);
  const tree = packageTreeOf(
    [...files].map(([path, text]) => [`${builtinGameDirectory}/${path}`, text] as const),
  );
  let stage: FerryStage | undefined = undefined;
  const host = () => stage as unknown as FerryStage;
  const { rules } = embeddedFerry.open(
    {
      host: new Proxy({} as FerryStage["reads"], {
        get: (_, name) => host().reads[name as keyof FerryStage["reads"]],
      }),
      turnDone: (turn) => host().turnDone(turn),
      stateLost: (loss) => host().stateLost(loss),
    },
    await runtimeUnderTest(),
    tree,
  );
  stage = new FerryStage(rules);
  rules.start();
  try {
    for (const id of [1, 2, 3, 4, 5]) stage.answers.set(id, trusting);
    stage.open([3, 4, 5], { pace: 0 });
    stage.open([1, 2], { pace: 0 });
    await stage.toTheEnd();
    assert.deepEqual(stage.values<Over>(1, "GameOver")[0]?.reason, "error");
    assert.notEqual(stage.values<Over>(3, "GameOver")[0]?.reason, "error");
    assert.equal(stage.results.length, 3);
    assert.equal(stage.log.length, 1);
    assert.match(stage.log[0] ?? "", /^error .*play\.lua:\d+: a fault of the test/);
    assert.deepEqual(stage.losses, []);
  } finally {
    await rules.close();
  }
});
