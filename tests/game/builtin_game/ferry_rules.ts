import assert from "node:assert/strict";
import type { FerryView, LoadQuestion, Over, Shipped } from "./ferry_players.ts";
import type { FerryStage, Told } from "./ferry_stage.ts";

const values: Readonly<Record<string, number>> = { tea: 1, silk: 2, jade: 3 };

/** Coins after a crate, by the rules as they are told in game.lua. */
function coinsAfter(coins: readonly number[], { skipper, said, openers, kind }: Shipped): number[] {
  const value = values[said] ?? NaN;
  const isTrue = kind === said;
  const isSnake = kind === "snake";
  const forSkipper = openers.length === 0 || isSnake ? value : isTrue ? value + 1 : -1;
  const forOpeners = isTrue ? -1 : isSnake ? -2 : 2;
  return coins.map((had, at) => {
    const seat = at + 1;
    const gain = seat === skipper ? forSkipper : openers.includes(seat) ? forOpeners : 0;
    return Math.max(0, had + gain);
  });
}

/** Holds all that an account was told in one game to the rules; returns its end. */
export function checkGame(told: readonly Told[], seats: number): Over {
  let coins = Array.from({ length: seats }, () => 0);
  let crates = 32 - 3 * seats;
  let round = 0;
  let ended: Over | undefined;
  const turns: number[] = [];
  for (const { command, value } of told) {
    if (command === "FerryTurn") {
      const turn = value as { round: number; skipper: number };
      assert.ok(turn.round === round || turn.round === round + 1);
      if (turn.round > round) turns.length = 0;
      round = turn.round;
      turns.push(turn.skipper);
      assert.equal(new Set(turns).size, turns.length, "everybody is skipper once a round");
    } else if (command === "FerryShipped") {
      const shipped = value as unknown as Shipped;
      assert.equal(shipped.kind === undefined, shipped.openers.length === 0);
      coins = coinsAfter(coins, shipped);
      assert.deepEqual(shipped.coins, coins);
      crates = Math.max(0, crates - 1);
      assert.equal(shipped.crates, crates);
    } else if (command === "GameOver") {
      ended = value as unknown as Over;
    }
  }
  assert.ok(ended !== undefined, "it has an end");
  assert.deepEqual(ended.coins, coins);
  return ended;
}

const seatKeys = new Set(
  ["seat", "id", "name", "avatar", "state", "coins", "crates", "record"],
);

/** Nobody was told what only others may know. */
export function checkSecrets(
  stage: FerryStage,
  ids: readonly number[],
  seatOf: Map<number, number>,
) {
  for (const id of ids) {
    let skipper = 0;
    for (const { command, value } of stage.heard(id)) {
      const text = JSON.stringify(value);
      for (const seat of (value as Partial<FerryView> | null)?.seats ?? []) {
        for (const key of Object.keys(seat)) assert.ok(seatKeys.has(key), `${key} of a seat`);
      }
      if (command === "FerryTurn") skipper = (value as { skipper: number }).skipper;
      if (command === "FerryHand" || command === "FerryLoad") {
        assert.equal(skipper, seatOf.get(id), `${command} is for the skipper alone`);
      }
      if (command === "FerryOpen") assert.notEqual(skipper, seatOf.get(id));
      if (command === "FerryLoad") assert.ok((value as unknown as LoadQuestion).hand.length <= 3);
      if (command === "FerryTurn" || command === "FerryLoaded" || command === "FerryOpen") {
        assert.doesNotMatch(text, /straw|snake|hand/);
      }
    }
  }
}
