import type { SqliteDatabase } from "../../ports/sqlite.ts";
import { numberOf, storableText, textOf } from "./store_batch.ts";
import type { GameResult, ModeFacts, UsersAnswers, UsersOperation } from "./users_operations.ts";

type Order<Kind extends UsersOperation["kind"]> = UsersOperation & { readonly kind: Kind };

/** Modes, roles and generals come from packages and room settings; real ones have under 40. */
const KEY_CHARS_MAX = 128;

/** Modes of one player that are read at a login: packages bring some dozens. */
const MODES_MAX = 1_000;

/** Wins, losses, draws and run-aways in `users.db`. */
export class StatisticsRows {
  readonly #database: SqliteDatabase;

  constructor(database: SqliteDatabase) {
    this.#database = database;
  }

  /** Robots, whose ids are negative, have no statistics. */
  recordResult({ uid, mode, role, result }: Order<"record_result">): null {
    if (uid <= 0) return null;
    this.#database.prepare(
      `INSERT INTO pWinRate (id, mode, role, win, lose, draw) VALUES (?, ?, ?, ?, ?, ?)
        ON CONFLICT (id, mode, role) DO UPDATE SET win = coalesce(win, 0) + excluded.win,
          lose = coalesce(lose, 0) + excluded.lose, draw = coalesce(draw, 0) + excluded.draw`,
    ).run(uid, keyText(mode), keyText(role), ...countsOf(result));
    return null;
  }

  recordGeneralResult(order: Order<"record_general_result">): null {
    this.#database.prepare(
      `INSERT INTO gWinRate (general, mode, role, win, lose, draw) VALUES (?, ?, ?, ?, ?, ?)
        ON CONFLICT (general, mode, role) DO UPDATE SET win = coalesce(win, 0) + excluded.win,
          lose = coalesce(lose, 0) + excluded.lose, draw = coalesce(draw, 0) + excluded.draw`,
    ).run(
      keyText(order.general),
      keyText(order.mode),
      keyText(order.role),
      ...countsOf(order.result),
    );
    return null;
  }

  recordRun({ uid, mode }: Order<"record_run">): null {
    if (uid <= 0) return null;
    this.#database.prepare(
      `INSERT INTO runRate (id, mode, run) VALUES (?, ?, 1)
        ON CONFLICT (id, mode) DO UPDATE SET run = coalesce(run, 0) + 1`,
    ).run(uid, keyText(mode));
    return null;
  }

  /** What `pWinRateView` and `runRate` hold for one player and mode. */
  gameData({ uid, mode }: Order<"game_data">): UsersAnswers["game_data"] {
    const key = keyText(mode);
    const played = this.#database.prepare(
      `SELECT sum(coalesce(win, 0) + coalesce(lose, 0) + coalesce(draw, 0)) AS total,
          sum(coalesce(win, 0)) AS win
        FROM pWinRate WHERE id = ? AND mode = ?`,
    ).get(uid, key);
    const ran = this.#database.prepare("SELECT run FROM runRate WHERE id = ? AND mode = ?")
      .get(uid, key);
    return {
      total: numberOf(played?.["total"]),
      win: numberOf(played?.["win"]),
      run: numberOf(ran?.["run"]),
    };
  }

  /** The same for all modes of a player, found by the key of each table. */
  allModes(uid: number): ModeFacts[] {
    const played = this.#database.prepare(
      `SELECT mode, sum(coalesce(win, 0) + coalesce(lose, 0) + coalesce(draw, 0)) AS total,
          sum(coalesce(win, 0)) AS win
        FROM pWinRate WHERE id = ? GROUP BY mode LIMIT ?`,
    ).all(uid, MODES_MAX);
    const ran = this.#database.prepare("SELECT mode, run FROM runRate WHERE id = ? LIMIT ?")
      .all(uid, MODES_MAX);
    const runs = new Map(ran.map((row) => [textOf(row["mode"]), numberOf(row["run"])]));
    const modes = played.map((row): ModeFacts => {
      const mode = textOf(row["mode"]);
      const run = runs.get(mode) ?? 0;
      runs.delete(mode);
      return { mode, total: numberOf(row["total"]), win: numberOf(row["win"]), run };
    });
    for (const [mode, run] of runs) modes.push({ mode, total: 0, win: 0, run });
    return modes;
  }
}

/** A mode or role as it is stored. */
export function keyText(text: string): string {
  return storableText(text.slice(0, KEY_CHARS_MAX));
}

/** Win, lose, draw. */
function countsOf(result: GameResult): [number, number, number] {
  return [result === 1 ? 1 : 0, result === 2 ? 1 : 0, result === 3 ? 1 : 0];
}
