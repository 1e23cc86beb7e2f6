import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { join } from "node:path";
import type { GameClient } from "../client/game_client.ts";
import { traceLines } from "../wire/golden_traces.ts";
import { isOfRules } from "./recording_masks.ts";

/** The md5 of the core that was recorded (commit 88a912f). */
export const md5OfCore = "1472a5d0de9b704a281027e348f8b6d7";

/** A copy of that core, which is not part of this repository. */
export const realCore = process.env.FREEKILL_CORE_DIR ?? "";

/** Why tests with a real core are skipped, or false. */
export const withoutCore: string | false = existsSync(join(realCore, "lua/server/rpc/entry.lua"))
  ? false
  : "FREEKILL_CORE_DIR names no freekill-core";

/** Kinds of the rules' words in the order in which one client first heard them in a game. */
type Kinds = readonly string[];

/** What all recorded games have in common; cards and generals are dealt anew each time. */
export class RecordedGames {
  readonly #games: readonly Kinds[];

  constructor(traces: readonly string[]) {
    const games: Kinds[] = [];
    for (const trace of traces) {
      const heard = new Map<string, string[]>();
      for (const { dir, conn = "", decoded } of traceLines(trace)) {
        if (dir !== "s2c" || decoded == null) continue;
        heard.set(conn, [...heard.get(conn) ?? [], decoded.command]);
      }
      for (const commands of heard.values()) {
        const kinds = kindsOf(commands);
        if (kinds !== undefined) games.push(kinds);
      }
    }
    this.#games = games;
  }

  /**
   * Asserts of a client that saw the beginning of a game: it heard every kind that comes before the
   * choice of generals in all recorded games, and whatever it heard came in an order that they agree
   * on. What comes later depends on the cards.
   */
  assertAlike(client: GameClient): void {
    const kinds = kindsOf(client.received.map(({ command }) => command));
    if (kinds === undefined) return;
    const comesBefore = (first: string, second: string) =>
      this.#games.every((game) => game.indexOf(first) < game.indexOf(second));
    const common = (this.#games[0] ?? []).filter((kind) =>
      this.#games.every((game) => game.includes(kind))
    );
    const opening = common.filter((kind) => comesBefore(kind, "AskForGeneral"));
    assert.ok(opening.length > 0);
    const missing = opening.filter((kind) => !kinds.includes(kind));
    assert.deepEqual(missing, [], `${client.name} heard ${kinds}`);
    const heard = common.filter((kind) => kinds.includes(kind));
    for (const [first, second] of heard.flatMap((one) => heard.map((other) => [one, other]))) {
      if (first === undefined || second === undefined || !comesBefore(first, second)) continue;
      assert.ok(kinds.indexOf(first) < kinds.indexOf(second), `${second}, ${first}: ${kinds}`);
    }
  }
}

function kindsOf(commands: readonly string[]): Kinds | undefined {
  const start = commands.indexOf("StartGame");
  if (start < 0) return undefined;
  return [...new Set(commands.slice(start).filter(isOfRules))];
}
