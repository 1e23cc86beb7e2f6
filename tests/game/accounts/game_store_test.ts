import assert from "node:assert/strict";
import { join } from "node:path";
import { describe, it } from "node:test";
import {
  type GameSaveOperation,
  GameStore,
  saveBytesMax,
} from "../../../src/game/accounts/game_store.ts";
import { runtimeUnderTest } from "../../tested_runtime.ts";
import { originalGameSql } from "./original_database.ts";
import { inDirectory } from "./temporary_directory.ts";

const { sqlite } = await runtimeUnderTest();
const openFile = (path: string) => sqlite.open({ path, busyTimeoutMs: 0 });
const openStore = (path: string) => new GameStore(openFile(path), path);
const bytes = (text: string) => new TextEncoder().encode(text);
const saved = (value: Uint8Array | null) => [{ ok: true, value }];

describe("GameStore", () => {
  it("GameStore keeps saves of players and of the server apart, over a close", () =>
    inDirectory((directory) => {
      const path = join(directory, "game.db");
      const first = openStore(path);
      first.perform([
        { kind: "save_state", uid: 1, mode: "m", data: bytes("{}") },
        { kind: "save_state", uid: 1, mode: "m", data: bytes('{"密":1}') },
        { kind: "save_global", uid: 0, key: "k", data: bytes("[]") },
        { kind: "save_global", uid: 1, key: "k", data: new Uint8Array([0, 255]) },
      ]);
      first.close();
      const second = openStore(path);
      assert.deepEqual(
        second.perform([
          { kind: "load_state", uid: 1, mode: "m" },
          { kind: "load_state", uid: 2, mode: "m" },
          { kind: "load_global", uid: 0, key: "k" },
          { kind: "load_global", uid: 1, key: "k" },
        ]),
        [
          ...saved(bytes('{"密":1}')),
          ...saved(null),
          ...saved(bytes("[]")),
          ...saved(new Uint8Array([0, 255])),
        ],
      );
      second.close();
    }));

  it("GameStore opens the original's file as it is, data in text included", () =>
    inDirectory((directory) => {
      const path = join(directory, "game.db");
      const original = openFile(path);
      original.exec(originalGameSql);
      const schema = "SELECT type, name, sql FROM sqlite_master ORDER BY name";
      const before = original.prepare(schema).all();
      original.close();
      const store = openStore(path);
      assert.deepEqual(
        store.perform([{ kind: "load_state", uid: 7, mode: "m" }]),
        saved(bytes('{"a":1}')),
      );
      assert.deepEqual(
        store.perform([{ kind: "load_global", uid: 0, key: "k" }]),
        saved(bytes("{}")),
      );
      store.close();
      const after = openFile(path);
      assert.deepEqual(after.prepare(schema).all(), before);
      after.exec("INSERT INTO gameSaves VALUES (NULL, 8, 'm', '{}')");
      after.close();
    }));

  it("GameStore stores nothing for robots", () =>
    inDirectory((directory) => {
      const store = openStore(join(directory, "game.db"));
      store.perform([{ kind: "save_state", uid: -2, mode: "m", data: bytes("{}") }]);
      assert.deepEqual(store.perform([{ kind: "load_state", uid: -2, mode: "m" }]), saved(null));
      store.close();
    }));

  it("GameStore binds hostile keys and refuses what is too large, without harm to others", () =>
    inDirectory((directory) => {
      const store = openStore(join(directory, "game.db"));
      for (const key of ["'; DROP TABLE gameSaves; --", "a\u0000b", "\ud800", ""]) {
        store.perform([{ kind: "save_global", uid: 1, key, data: bytes(key) }]);
        assert.deepEqual(
          store.perform([{ kind: "load_global", uid: 1, key }]),
          saved(bytes(key)),
        );
      }
      const data = new Uint8Array(saveBytesMax + 1);
      const operations: GameSaveOperation[] = [
        { kind: "save_state", uid: 1, mode: "m", data },
        { kind: "save_state", uid: 1, mode: "x".repeat(257), data: bytes("{}") },
        { kind: "save_state", uid: 1, mode: "m", data: bytes("{}") },
      ];
      assert.deepEqual(store.perform(operations).map(({ ok }) => ok), [false, false, true]);
      assert.deepEqual(
        store.perform([{ kind: "load_state", uid: 1, mode: "m" }]),
        saved(bytes("{}")),
      );
      store.close();
    }));
});
