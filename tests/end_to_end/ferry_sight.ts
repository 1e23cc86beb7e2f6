import assert from "node:assert/strict";
import type { FerryView, LoadQuestion, Shipped } from "../game/builtin_game/ferry_players.ts";
import type { Told } from "../game/builtin_game/ferry_stage.ts";

/** All that a client may be told, and by which command. A `?`: not always. */
const keysOf: Readonly<Record<string, string>> = {
  FerryTurn: "round skipper",
  FerryLoad: "hand sayings",
  FerryLoaded: "skipper said",
  FerryOpen: "skipper said",
  FerryShipped: "skipper said openers coins crates kind?",
  GameOver: "reason winners coins",
};
const viewKeys = "game owner timeout goal round skipper phase said? crates shown seed? seats";
const seatKeys = "seat id name avatar state coins crates record?";
const recordKeys = "played won streak best";
const views = new Set(["FerryBegin", "Reconnect", "Observe", "FerryView"]);

/**
 * Holds all that a client was told of one game to what its seat may know; `seat` is undefined for who
 * looks on. His own crates are told to a player alone, and a crate that nobody opened to nobody.
 */
export function checkSight(told: readonly Told[], seat: number | undefined): void {
  let hand: readonly string[] | undefined;
  let skipper = 0;
  let opened: Record<string, number> | undefined;
  for (const { command, value } of told) {
    if (command === "StartGame") {
      assert.equal(value, null);
    } else if (views.has(command)) {
      const view = value as unknown as FerryView;
      checkView(view, { seat, hand });
      if (opened !== undefined) assert.deepEqual(view.shown, opened);
      ({ hand, skipper } = view);
      opened = { ...view.shown };
    } else if (command === "FerryHand") {
      assert.equal(skipper, seat, "only the skipper is told of his crates");
      hand = value as string[];
    } else {
      hasOnly(value, keysOf[command] ?? "", command);
    }
    if (command === "FerryTurn") ({ skipper } = value as { skipper: number });
    if (command === "FerryLoad") {
      assert.equal(skipper, seat, "only the skipper loads");
      assert.deepEqual((value as unknown as LoadQuestion).hand, hand);
    }
    if (command === "FerryOpen") assert.ok(seat !== undefined && seat !== skipper);
    if (command === "FerryShipped") {
      const { kind, openers } = value as unknown as Shipped;
      assert.equal(kind === undefined, openers.length === 0, "only what was opened is seen");
      if (kind !== undefined && opened !== undefined) opened[kind] = (opened[kind] ?? 0) + 1;
    }
  }
}

function checkView(
  view: FerryView,
  known: { readonly seat: number | undefined; readonly hand: readonly string[] | undefined },
): void {
  hasOnly(view, `${viewKeys} ${known.seat === undefined ? "" : "you hand"}`, "a view");
  assert.equal(view.you, known.seat);
  const hasLoaded = view.phase === "open" && view.skipper === known.seat;
  if (known.hand !== undefined && !hasLoaded) assert.deepEqual(view.hand, known.hand);
  for (const seat of view.seats) {
    hasOnly(seat, seatKeys, "a seat");
    if (seat.record !== undefined) hasOnly(seat.record, recordKeys, "a record");
  }
  for (const count of Object.values(view.shown)) assert.equal(typeof count, "number");
}

function hasOnly(value: unknown, keys: string, what: string): void {
  const allowed = keys.split(" ").filter((key) => key !== "");
  const found = Object.keys(value as object);
  const needed = allowed.filter((key) => !key.endsWith("?"));
  const unknown = found.filter((key) => !allowed.includes(key) && !allowed.includes(`${key}?`));
  assert.deepEqual(unknown, [], `${what} tells more than it may`);
  assert.deepEqual(needed.filter((key) => !found.includes(key)), [], `${what} lacks something`);
}
