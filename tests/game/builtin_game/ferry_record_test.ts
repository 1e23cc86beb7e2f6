import assert from "node:assert/strict";
import { it } from "node:test";
import { describeFerry } from "./ferry_hosts.ts";
import { type FerryView, type LoadQuestion } from "./ferry_players.ts";
import type { Answers } from "./ferry_stage.ts";

/** Says it, whatever it loads, and opens nothing. */
const saying = (said: string): Answers => ({ command, value }) =>
  command === "FerryOpen" ? false : [(value as unknown as LoadQuestion).hand[0] ?? "", said];

describeFerry("Night Ferry's records", (start) => {
  it("count games, wins and wins in a row of each player, and are shown at the next table", async () => {
    const stage = start();
    stage.open([1, 2], { goal: 1, pace: 0 });
    for (const [game, winner] of [1, 1, 2, 1].entries()) {
      stage.answers.set(winner, saying("jade"));
      stage.answers.set(3 - winner, saying("tea"));
      if (game > 0) stage.again([1, 2]);
      await stage.toTheEnd();
    }
    assert.equal(stage.saves.get(1), '{"played":4,"won":3,"streak":1,"best":2}');
    assert.equal(stage.saves.get(2), '{"played":4,"won":1,"streak":0,"best":1}');
    assert.equal(stage.saves.size, 2);
    stage.again([1, 2]);
    await stage.toTheEnd();
    const view = stage.values<FerryView>(2, "FerryBegin").at(-1);
    assert.deepEqual(view?.seats.map(({ record }) => record), [
      { played: 4, won: 3, streak: 1, best: 2 },
      { played: 4, won: 1, streak: 0, best: 1 },
    ]);
  });

  it("begin anew where a save is none of this game's, and know nothing of robots", async () => {
    const odd = ["[]", '{"played":"many"}', `{"won":${"9".repeat(400)}}`, '{"won":-3,"best":1.5}'];
    for (const json of odd) {
      const stage = start();
      stage.saves.set(1, json);
      stage.answers.set(1, saying("jade"));
      stage.open([1], { robots: 1, goal: 1, pace: 0 });
      await stage.toTheEnd();
      const [view] = stage.values<FerryView>(1, "FerryBegin");
      assert.equal(view?.seats.find(({ id }) => id < 0)?.record, undefined);
      assert.ok(Object.values(view?.seats[0]?.record ?? { none: NaN }).every(Number.isSafeInteger));
      assert.match(stage.saves.get(1) ?? "", /^\{"played":1,"won":\d+,"streak":\d,"best":\d+\}$/);
      assert.deepEqual([...stage.saves.keys()], [1]);
    }
  });

  it("are left alone, and hold up no game, when the store does not answer", async () => {
    const stage = start();
    stage.isStoreSilent = true;
    for (const id of [1, 2]) stage.answers.set(id, saying("tea"));
    stage.open([1, 2], { goal: 1, pace: 0 });
    await stage.toTheEnd();
    assert.equal(stage.values<FerryView>(1, "FerryBegin")[0]?.seats[0]?.record, undefined);
    assert.equal(stage.saves.size, 0);
    assert.equal(stage.results.length, 2);
  });
});

describeFerry("Night Ferry's last turn", (start) => {
  it("tells everybody, records the results, and lets go of the room, in this order", async () => {
    const stage = start();
    for (const id of [1, 2]) stage.answers.set(id, saying("tea"));
    stage.open([1, 2], { robots: 1, goal: 3, pace: 0 });
    await stage.question(2, "FerryOpen");
    stage.observe(3);
    await stage.toTheEnd();
    assert.deepEqual(stage.endings, [
      "told",
      "told",
      "told",
      "result",
      "result",
      "game_over",
      "decrease_ref_count",
    ]);
    assert.equal(stage.endingTurns, 1);
    const [first] = stage.results;
    assert.deepEqual([first?.mode, first?.role], ["night_ferry", "skipper"]);
  });

  it("has nothing to do for a task of the lobby", async () => {
    const stage = start();
    stage.login(1);
    stage.say(1, { command: "LobbyTask", taskType: "anything", data: Uint8Array.of(0xf6) });
    await stage.until("its end", () => !stage.isPlaying);
    assert.deepEqual([stage.losses, stage.log, stage.heard(1)], [[], [], []]);
  });
});
