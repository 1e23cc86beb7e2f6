import assert from "node:assert/strict";
import { it } from "node:test";
import { describeFerry } from "./ferry_hosts.ts";
import {
  type FerryView,
  type LoadQuestion,
  type Over,
  type Shipped,
  suspicious,
  trusting,
} from "./ferry_players.ts";
import { checkGame, checkSecrets } from "./ferry_rules.ts";
import type { Answers, FerryOpening, FerryStage } from "./ferry_stage.ts";

/** Says and opens whatever a small generator likes. */
function whimsical(seed: number): Answers {
  let state = seed;
  const next = (below: number) => {
    state = (state * 1_103_515_245 + 12_345) % 2_147_483_648;
    return Math.floor(state / 65_536) % below;
  };
  return ({ command, value }) => {
    if (command === "FerryOpen") return next(3) === 0;
    const { hand, sayings } = value as unknown as LoadQuestion;
    return [hand[next(hand.length)] ?? "", sayings[next(sayings.length)] ?? ""];
  };
}

function hexBytes(hex: string): FerryOpening {
  return { settings: Uint8Array.from(hex.match(/../g) ?? [], (byte) => parseInt(byte, 16)) };
}

function seatsOf(stage: FerryStage, id: number): Map<number, number> {
  const [view] = stage.values<FerryView>(id, "FerryBegin");
  return new Map(view?.seats.map((one) => [one.id, one.seat]));
}

describeFerry("Night Ferry", (start) => {
  for (
    const { humans, robots } of [
      { humans: 2, robots: 0 },
      { humans: 3, robots: 0 },
      { humans: 4, robots: 0 },
      { humans: 1, robots: 1 },
      { humans: 1, robots: 3 },
      { humans: 2, robots: 2 },
    ]
  ) {
    it(`is played to its end by ${humans} players and ${robots} robots, by its rules`, async () => {
      const stage = start();
      const ids = Array.from({ length: humans }, (_, at) => at + 1);
      for (let seed = 1; seed <= 5; seed++) {
        for (const id of ids) stage.answers.set(id, whimsical(seed * 10 + id));
        if (seed === 1) stage.open(ids, { robots, seed });
        else stage.again(ids, { robots });
        await stage.toTheEnd();
        const ends = ids.map((id) => checkGame(stage.heard(id), humans + robots));
        for (const end of ends) assert.deepEqual(end, ends[0]);
        const [end] = ends;
        assert.ok(end !== undefined && end.winners.length >= 1);
        assert.equal(end.reason === "goal", Math.max(...end.coins) >= 12);
        checkSecrets(stage, ids, seatsOf(stage, 1));
        assert.equal(stage.results.length, humans);
        stage.results.length = 0;
        for (const id of ids) stage.told.get(id)?.splice(0);
      }
      assert.deepEqual([stage.losses, stage.log], [[], []]);
    });
  }

  it("does what each player says, and opens for nobody else", async () => {
    const stage = start();
    const said: unknown[] = [];
    const opened: number[][] = [];
    for (const id of [1, 2, 3]) {
      const answers = whimsical(id);
      stage.answers.set(id, (told) => {
        const answer = answers(told);
        if (told.command === "FerryLoad") {
          said.push((answer as string[])[1]);
          opened.push([]);
        } else if (answer === true) opened.at(-1)?.push(id);
        return answer;
      });
    }
    stage.open([1, 2, 3], { pace: 0 });
    await stage.toTheEnd();
    const shipped = stage.values<Shipped>(1, "FerryShipped");
    assert.deepEqual(shipped.map((one) => one.said), said);
    assert.deepEqual(shipped.map((one) => one.openers), opened.map((seats) => seats.sort()));
    assert.ok(opened.some((seats) => seats.length === 0) && opened.some((seats) => seats.length));
  });

  for (
    const { sayings, winners, results } of [
      { sayings: ["tea", "jade", "silk"], winners: [2], results: [2, 1, 2] },
      { sayings: ["jade", "tea", "jade"], winners: [1, 3], results: [3, 2, 3] },
      { sayings: ["tea", "tea", "tea"], winners: [1, 2, 3], results: [3, 3, 3] },
    ]
  ) {
    it(`ends for those who say ${sayings} and are believed with results ${results}`, async () => {
      const stage = start();
      for (const [at, said] of sayings.entries()) {
        stage.answers.set(
          at + 1,
          ({ command, value }) =>
            command === "FerryOpen"
              ? false
              : [(value as unknown as LoadQuestion).hand[0] ?? "", said],
        );
      }
      stage.open([1, 2, 3], { goal: 1 });
      await stage.toTheEnd();
      assert.deepEqual(stage.values<Over>(1, "GameOver").map((over) => over.winners), [winners]);
      assert.deepEqual(stage.results.map(({ playerId, result }) => [playerId, result]), [
        [1, results[0]],
        [2, results[1]],
        [3, results[2]],
      ]);
    });
  }

  it("has each seat begin in turn, from game to game of a room", async () => {
    const stage = start();
    for (const id of [1, 2]) stage.answers.set(id, trusting);
    const firsts: unknown[] = [];
    for (let game = 1; game <= 3; game++) {
      if (game === 1) stage.open([1, 2], { pace: 0 });
      else stage.again([1, 2]);
      await stage.toTheEnd();
      firsts.push(stage.values<{ skipper: number }>(1, "FerryTurn")[0]?.skipper);
      stage.told.clear();
    }
    assert.deepEqual(firsts, [2, 1, 2]);
  });

  it("is the same game again from the same seed and answers, and another from another", async () => {
    const transcripts: string[] = [];
    for (const seed of [42, 42, 43, undefined, undefined]) {
      const stage = start();
      stage.answers.set(1, trusting);
      stage.answers.set(2, suspicious);
      stage.open([1, 2], { robots: 2, pace: 0, ...(seed === undefined ? {} : { seed }) });
      await stage.toTheEnd();
      transcripts.push(
        JSON.stringify(stage.heard(1).map(({ command, value }) => [command, value])),
      );
      assert.equal(stage.values<FerryView>(1, "FerryBegin")[0]?.seed, seed);
    }
    const [first, second, third, ...unseeded] = transcripts;
    assert.equal(first, second);
    assert.notEqual(first, third);
    assert.notEqual(unseeded[0], unseeded[1]);
  });

  it("gives time to look, as the settings say, and plays to their goal", async () => {
    const stage = start();
    for (const id of [1, 2]) stage.answers.set(id, trusting);
    stage.open([1, 2], { pace: 2_000, goal: 3 });
    await stage.toTheEnd();
    const crates = stage.values<Shipped>(1, "FerryShipped").length;
    assert.equal(stage.values<FerryView>(1, "FerryBegin")[0]?.goal, 3);
    assert.ok(crates <= 6, `${crates} crates`);
    assert.ok(stage.now >= crates * 2_000, `${crates} crates in ${stage.now} ms`);
  });

  it("takes no settings of a client at their word", async () => {
    const odd = [
      { seed: 1.5, pace: -1, goal: 0 },
      { seed: "x", pace: 1e9, goal: "12" },
      { seed: Number.MAX_SAFE_INTEGER, pace: [], goal: -7 },
      ...["", "f6", "80", "61", "a1", "a1655f67616d6507", "a1665f67616d6580", "bf01"].map(hexBytes),
      { settings: new Uint8Array(60_000).fill(0x81) },
    ] as unknown as FerryOpening[];
    for (const own of odd) {
      const stage = start();
      for (const id of [1, 2]) stage.answers.set(id, trusting);
      stage.open([1, 2], own);
      await stage.toTheEnd();
      const [view] = stage.values<FerryView>(1, "FerryBegin");
      assert.ok(view !== undefined && view.goal >= 1 && view.goal <= 60);
      assert.equal(stage.values<Over>(1, "GameOver").length, 1);
      assert.deepEqual([stage.losses, stage.log], [[], []]);
    }
  });

  it("says so in a room of another size, and leaves the room as it was", async () => {
    const stage = start();
    stage.open([1, 2, 3], { robots: 2 });
    await stage.toTheEnd();
    assert.deepEqual(stage.values(1, "GameOver"), [{ reason: "seats", winners: [], coins: [] }]);
    assert.deepEqual(stage.endings, ["told", "told", "told", "game_over", "decrease_ref_count"]);
    assert.deepEqual(stage.losses, []);
  });
});
