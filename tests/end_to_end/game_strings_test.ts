import { Database } from "bun:sqlite";
import assert from "node:assert/strict";
import { join } from "node:path";
import { type CborItem, encode } from "../client/cbor.ts";
import type { GameClient } from "../client/game_client.ts";
import { RawData } from "../client/game_connection.ts";
import {
  describePrograms,
  dialog,
  Ear,
  refusedLogin,
  type Stage,
  unhurried,
} from "./game_stage.ts";
import { figureBecomes } from "./program_figures.ts";

const password = "secret";
const injections = [
  "x'); DROP TABLE userinfo; --",
  "' OR '1'='1",
  "' UNION SELECT name FROM sqlite_master --",
  '"; DELETE FROM gameSaves; --',
] as const;

describePrograms("serve: SQL in every string", { game: unhurried }, (stage, test) => {
  test("names, devices and avatars with it are refused, and stored nowhere", async () => {
    const tables = tablesOf(stage);
    const client = await stage.player("clean");
    for (const sql of injections) {
      const named = await refusedLogin(stage, { name: sql, password, uuid: "clean" });
      assert.deepEqual(named, dialog("invalid user name"));
      const device = await refusedLogin(stage, { name: "clean", password, uuid: sql });
      assert.deepEqual(device, dialog("you have been banned!"));
      const ear = await Ear.of(client);
      client.updateAvatar(sql);
      assert.deepEqual(await ear.heard(), []);
    }
    await written(stage);
    const found = rows(
      stage,
      "users.db",
      "SELECT avatar FROM userinfo WHERE name = ?",
      client.name,
    );
    assert.deepEqual(found, [{ avatar: "liubei" }]);
    assert.deepEqual(tablesOf(stage), tables);
  });

  test("passwords with it are passwords like others", async () => {
    for (const sql of injections) {
      const client = await stage.player("guarded", { password: sql });
      const { name } = client;
      client.updatePassword("' OR '1'='1' --", "stolen");
      assert.equal((await client.expect("UpdatePassword")).text, "0");
      const next = `${sql}, next`;
      client.updatePassword(sql, next);
      assert.equal((await client.expect("UpdatePassword")).text, "1");
      await client.close();
      for (const wrong of [sql, "stolen", "' OR 1=1"]) {
        const said = await refusedLogin(stage, { name, password: wrong });
        assert.deepEqual(said, dialog("username or password error"));
      }
      await stage.player("", { name, password: next });
    }
  });

  test("names that SQL's LIKE would widen mean only themselves", async () => {
    await stage.player("", { name: "victim" });
    const wild = await stage.player("", { name: "%", uuid: "%" });
    const one = await stage.player("", { name: "victi_", uuid: "_" });
    assert.equal(new Set([wild.id, one.id]).size, 2);
    assert.match((await stage.program.admin("ban v%")).stderr, /no player/);
    assert.match((await stage.program.admin(`ban "' OR '1'='1"`)).stderr, /no player/);
    await stage.player("", { name: "victim" });
  });

  test("game modes, save keys and room names with it are stored and shown as they are", async () => {
    const tables = tablesOf(stage);
    for (const sql of injections) {
      const lister = await stage.player("lister");
      const [owner, runner] = [await stage.player("owner"), await stage.player("runner")];
      const settings = { gameMode: sql, roomName: sql, password: sql };
      owner.createRoom({ name: sql, capacity: 2, settings });
      await owner.expect("RoomOwner");
      const listed = (await lister.rooms()).find(({ name }) => name === sql);
      assert.equal(listed?.gameMode, sql);
      runner.enterRoom(listed.id, "' OR '1'='1");
      if (sql !== "' OR '1'='1") {
        assert.equal((await runner.expect("ErrorMsg")).text, "room password error");
        runner.enterRoom(listed.id, sql);
      }
      await runner.expect("RoomOwner");
      runner.ready();
      owner.startGame();
      for (const player of [owner, runner]) await player.expect("Settings");
      owner.pushRequest('save,{"of":"mode"}');
      await owner.expect("Saved");
      owner.pushRequest(`save_global,${sql},{"of":"key"}`);
      await owner.expect("Saved");
      owner.readGlobalSaveState(sql);
      assert.equal((await owner.expect("ReadGlobalSaveState")).value, '{"of":"key"}');
      await runner.reset();
      await owner.expect("NetStateChanged");
      owner.pushRequest("end,win,lose");
      await owner.expect("AddTotalGameTime");
      await written(stage);
      const saves = rows(stage, "game.db", "SELECT mode FROM gameSaves WHERE uid = ?", owner.id);
      assert.deepEqual(saves, [{ mode: sql }]);
      const keys = rows(stage, "game.db", "SELECT key FROM globalSaves WHERE uid = ?", owner.id);
      assert.deepEqual(keys, [{ key: sql }]);
      const runs = rows(stage, "users.db", "SELECT mode, run FROM runRate WHERE id = ?", runner.id);
      assert.deepEqual(runs, [{ mode: sql, run: 1 }]);
    }
    assert.deepEqual(tablesOf(stage), tables);
    const [{ accounts } = {}] = rows(
      stage,
      "users.db",
      "SELECT count(*) AS accounts FROM userinfo",
    );
    assert.ok(Number(accounts) >= 12, `${accounts} accounts are left`);
  });
});

describePrograms(
  "serve: strings and settings at their limits",
  { game: unhurried },
  (stage, test) => {
    test("rooms have names of 1–128 bytes, 1–64 seats, 1–600 s, and settings of 64 KiB", async () => {
      const fine: Room[] = [
        { name: "a" },
        { name: "长".repeat(42) + "ab" },
        { capacity: 1 },
        { capacity: 64 },
        { capacity: 2.0 },
        { timeout: 1 },
        { timeout: 600 },
        { settings: settingsOf(65_536) },
        { settings: new RawData(Uint8Array.of(0xa0)) },
        { settings: new RawData(encode({ gameMode: "长".repeat(42) })) },
      ];
      const wrong: Room[] = [
        { name: "" },
        { name: "长".repeat(43) },
        { name: "x".repeat(129) },
        { capacity: 0 },
        { capacity: 65 },
        { capacity: -1 },
        { capacity: 2 ** 40 },
        { capacity: 2n ** 64n - 1n },
        { timeout: 0 },
        { timeout: 601 },
        { settings: settingsOf(65_537) },
        { settings: new RawData(encode({ gameMode: "长".repeat(43) })) },
      ];
      const ignored: Room[] = [
        { name: 7 },
        { capacity: 1.5 },
        { capacity: "2" },
        { timeout: null },
        { settings: new RawData(encode([])) },
        { settings: new RawData(Uint8Array.of(0xa1)) },
      ];
      const client = await stage.player("builder");
      for (const room of fine) {
        client.notify("CreateRoom", roomData(room));
        const entered = await client.expect("EnterRoom");
        const settings = room.settings?.bytes ?? plainSettings.bytes;
        assert.deepEqual(entered.data.subarray(-settings.length), settings);
        client.quitRoom();
        await client.expect("EnterLobby");
      }
      for (
        const [rooms, answer] of [[wrong, ['ErrorMsg raw "unk error"']], [ignored, []]] as const
      ) {
        for (const room of rooms) {
          const ear = await Ear.of(client);
          client.notify("CreateRoom", roomData(room));
          assert.deepEqual(await ear.heard(), answer, `${Object.entries(room)}`.slice(0, 80));
        }
      }
      assert.deepEqual(await client.rooms(), []);
    });

    test("names have at most 64 characters, devices 128, and no control characters", async () => {
      for (const name of ["长".repeat(64), "𝕏".repeat(64), "n"]) {
        await stage.player("", { name, uuid: "d".repeat(128) });
      }
      for (
        const name of [
          "长".repeat(65),
          "𝕏".repeat(65),
          "a\tb",
          "a\u001b[31m",
          "a\u0000b",
          "x\u0085",
        ]
      ) {
        const said = await refusedLogin(stage, { name, password, uuid: "d" });
        assert.deepEqual(said, dialog("invalid user name"), JSON.stringify(name));
      }
      const device = await refusedLogin(stage, { name: "long", password, uuid: "d".repeat(129) });
      assert.deepEqual(device, dialog("you have been banned!"));
    });

    test("avatars, passwords, chat and keys end at their limits", async () => {
      const client = await stage.player("limits");
      const says = async (act: (client: GameClient) => void) => {
        const ear = await Ear.of(client);
        act(client);
        return await ear.heard();
      };
      const avatar = "a".repeat(64);
      assert.deepEqual(await says((one) => one.updateAvatar(avatar)), [
        `UpdateAvatar raw "${avatar}"`,
      ]);
      assert.deepEqual(await says((one) => one.updateAvatar(`${avatar}a`)), []);
      for (
        const [next, answer] of [["p".repeat(214), "0"], ["", "0"], ["a\u0000b", "0"], [
          "p".repeat(213),
          "1",
        ]]
      ) {
        client.updatePassword(password, next ?? "");
        assert.equal((await client.expect("UpdatePassword")).text, answer);
      }
      await stage.player("", { name: client.name, password: "p".repeat(213) });
      assert.equal(await client.closed, "fin");
      const other = await stage.player("limits");
      for (
        const [said, heard] of [["长".repeat(100), "长".repeat(100)], [
          "x" + "长".repeat(100),
          "x" + "长".repeat(99),
        ]]
      ) {
        other.chat(said ?? "");
        const { msg } = (await other.expect("Chat")).value as { msg: string };
        assert.equal(msg, heard);
      }
      for (const key of ["", "k".repeat(256), "k".repeat(257), "k".repeat(500_000)]) {
        other.readGlobalSaveState(key);
        assert.equal((await other.expect("ReadGlobalSaveState")).value, "{}");
      }
    });
  },
);

interface Room {
  readonly name?: CborItem;
  readonly capacity?: CborItem;
  readonly timeout?: CborItem;
  readonly settings?: RawData;
}

const plainSettings = new RawData(encode({ gameMode: "m", password: "" }));

function roomData({ name = "room", capacity = 2, timeout = 15, settings = plainSettings }: Room) {
  const items = [name, capacity, timeout].map((item) => encode(item));
  return new RawData(Buffer.concat([Uint8Array.of(0x84), ...items, settings.bytes]));
}

/** A map of exactly so many bytes. */
function settingsOf(length: number): RawData {
  const empty = encode({ gameMode: "m", pad: "x".repeat(65_000) }).length - 65_000;
  return new RawData(encode({ gameMode: "m", pad: "x".repeat(length - empty) }));
}

/** Waits until the databases have all that was done before. */
function written({ program }: Stage): Promise<void> {
  return figureBecomes(program, "game_store_queue", (count) => count === 0);
}

function rows(
  { program }: Stage,
  file: string,
  sql: string,
  ...values: (string | number)[]
): Record<string, unknown>[] {
  const database = new Database(join(program.directory, "server", file), { readonly: true });
  try {
    return database.query(sql).all(...values) as Record<string, unknown>[];
  } finally {
    database.close();
  }
}

/** All that was ever created in the databases. */
function tablesOf(stage: Stage): unknown {
  const sql = "SELECT type, name, sql FROM sqlite_master ORDER BY name";
  return ["users.db", "game.db"].map((file) => rows(stage, file, sql));
}
