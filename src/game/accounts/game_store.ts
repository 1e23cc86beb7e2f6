import { unreachable } from "../../base/assert.ts";
import type { SqliteDatabase, SqliteValue } from "../../ports/sqlite.ts";
import {
  makeDurable,
  performBatch,
  rollBack,
  storableText,
  type StoreResult,
} from "./store_batch.ts";

/**
 * What can be asked of `server/game.db`. `uid` 0 is the server itself; for robots (below 0) nothing
 * is stored. Data is JSON in UTF-8, as Lua gave it.
 */
export type GameSaveOperation =
  | {
    readonly kind: "save_state";
    readonly uid: number;
    readonly mode: string;
    readonly data: Uint8Array;
  }
  | { readonly kind: "load_state"; readonly uid: number; readonly mode: string }
  | {
    readonly kind: "save_global";
    readonly uid: number;
    readonly key: string;
    readonly data: Uint8Array;
  }
  | { readonly kind: "load_global"; readonly uid: number; readonly key: string };

/** What was loaded; null when there is nothing, and for saves. */
export type GameSaveAnswer = Uint8Array | null;

/** A save beyond this is refused: packages keep some KB, and each load goes through a worker. */
export const saveBytesMax = 1_048_576;

/** Modes and keys beyond this are refused. */
export const saveKeyCharsMax = 256;

/** `server/game.db`, for the store worker; files of the original server work as they are. */
export class GameStore {
  readonly #database: SqliteDatabase;
  readonly #path: string;

  /** Takes over an open database and makes what is missing in it. Throws SqliteError. */
  constructor(database: SqliteDatabase, path: string) {
    this.#database = database;
    this.#path = path;
    makeDurable(database);
    prepareSchema(database);
  }

  /** One result for each operation, in order; durable when this returns. */
  perform(operations: readonly GameSaveOperation[]): StoreResult<GameSaveAnswer>[] {
    return performBatch({
      database: this.#database,
      path: this.#path,
      isReading: ({ kind }: GameSaveOperation) => kind === "load_state" || kind === "load_global",
      perform: (operation: GameSaveOperation) => this.#perform(operation),
    }, operations);
  }

  close(): void {
    this.#database.close();
  }

  #perform(operation: GameSaveOperation): GameSaveAnswer {
    const database = this.#database;
    const { uid } = operation;
    if (uid < 0) return null;
    switch (operation.kind) {
      case "save_state":
        database.prepare(
          `INSERT INTO gameSaves (uid, mode, data) VALUES (?, ?, ?)
            ON CONFLICT (uid, mode) DO UPDATE SET data = excluded.data`,
        ).run(uid, checkedKey(operation.mode), checkedData(operation.data));
        return null;
      case "load_state":
        return bytesOf(
          database.prepare("SELECT data FROM gameSaves WHERE uid = ? AND mode = ?")
            .get(uid, checkedKey(operation.mode))?.["data"],
        );
      case "save_global":
        database.prepare(
          `INSERT INTO globalSaves (uid, key, data) VALUES (?, ?, ?)
            ON CONFLICT (uid, key) DO UPDATE SET data = excluded.data`,
        ).run(uid, checkedKey(operation.key), checkedData(operation.data));
        return null;
      case "load_global":
        return bytesOf(
          database.prepare("SELECT data FROM globalSaves WHERE uid = ? AND key = ?")
            .get(uid, checkedKey(operation.key))?.["data"],
        );
      default:
        return unreachable(operation);
    }
  }
}

/** A table that is there keeps its own indexes; the original's may have other names. */
function prepareSchema(database: SqliteDatabase): void {
  const saves = [{ table: "gameSaves", key: "mode" }, { table: "globalSaves", key: "key" }];
  database.exec("BEGIN IMMEDIATE");
  try {
    for (const { table, key } of saves) {
      const found = database.prepare("SELECT 1 FROM sqlite_master WHERE type = ? AND name = ?")
        .get("table", table);
      if (found !== undefined) continue;
      database.exec(
        `CREATE TABLE ${table} (
          id INTEGER PRIMARY KEY AUTOINCREMENT,
          uid INTEGER NOT NULL,
          ${key} TEXT NOT NULL,
          data BLOB NOT NULL,
          UNIQUE (uid, ${key})
        )`,
      );
      for (const column of ["uid", key]) {
        database.exec(`CREATE INDEX IF NOT EXISTS idx_${table}_${column} ON ${table} (${column})`);
      }
    }
    database.exec("COMMIT");
  } catch (error) {
    rollBack(database);
    throw error;
  }
}

function checkedKey(text: string): string {
  if (text.length > saveKeyCharsMax) {
    throw new RangeError(
      `Cannot use a save's key of ${text.length} characters, ${saveKeyCharsMax} are allowed`,
    );
  }
  return storableText(text);
}

function checkedData(data: Uint8Array): Uint8Array {
  if (data.length > saveBytesMax) {
    throw new RangeError(
      `Cannot save ${data.length} bytes of game data, ${saveBytesMax} are allowed`,
    );
  }
  return data;
}

/** The original may have written text. */
function bytesOf(value: SqliteValue | undefined): Uint8Array | null {
  if (value === null || value === undefined) return null;
  return value instanceof Uint8Array ? value : new TextEncoder().encode(String(value));
}
