import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { nodeCrypto } from "../../../src/adapters/node/crypto.ts";
import { nodeRandom } from "../../../src/adapters/node/random.ts";
import { BanView } from "../../../src/game/accounts/ban_view.ts";
import { isPassword, makePassword } from "../../../src/game/accounts/passwords.ts";
import type { UsersOperation } from "../../../src/game/accounts/users_operations.ts";
import {
  ask,
  dump,
  openFile,
  openStore,
  register,
  schema,
  withOriginal,
  withStore,
} from "./users_fixture.ts";

const crypto = nodeCrypto();
const parts = { crypto, random: nodeRandom() };
const bytes = (text: string) => new TextEncoder().encode(text);

describe("UsersStore with a file of the original server", () => {
  it("UsersStore opens it without changing a row, table or view", () =>
    withOriginal((path) => {
      const before = openFile(path);
      const rows = dump(before);
      const tables = schema(before);
      before.close();
      openStore(path).close();
      openStore(path).close();
      const after = openFile(path);
      assert.deepEqual(dump(after), rows);
      assert.deepEqual(schema(after), tables);
      assert.equal(after.prepare("PRAGMA integrity_check").get()?.["integrity_check"], "ok");
      after.close();
    }));

  it("UsersStore leaves a file that the original writes as it always did", () =>
    withOriginal(async (path) => {
      const store = openStore(path);
      const password = await makePassword(parts, bytes("new"));
      ask(store, { kind: "set_password", uid: 1, password, keepLegacyHash: true });
      register(store, "newcomer");
      store.close();
      const original = openFile(path);
      original.exec(
        "INSERT INTO userinfo VALUES (NULL, 'x', 'p', 's', 'a', '::ffff:1.1.1.1', FALSE)",
      );
      original.exec("INSERT INTO usergameinfo VALUES (99, 1, 2, 3)");
      original.exec("REPLACE INTO uuidinfo VALUES (1, 'other')");
      const row = original.prepare("SELECT password, salt FROM userinfo WHERE id = 1").get();
      assert.deepEqual(row, { password: password.legacy.hash, salt: password.legacy.salt });
      original.close();
    }));

  it("look_up finds the lowest id of a name, its password, its device's accounts", () =>
    withOriginal(async (path) => {
      const store = openStore(path);
      const found = ask(store, { kind: "look_up", name: "caocao", uuid: "device-1" });
      assert.equal(found.deviceAccounts, 2);
      const { account } = found;
      assert.ok(account);
      assert.deepEqual({ ...account, password: undefined }, {
        uid: 1,
        name: "caocao",
        avatar: "caocao",
        lastLoginIp: "::ffff:10.0.0.1",
        banned: false,
        password: undefined,
        totalGameTime: 300,
        statistics: [{ mode: "aaa_role_mode", total: 7, win: 4, run: 2 }],
      });
      const given = { password: bytes("1234"), stored: account.password };
      assert.equal(await isPassword(crypto, given), true);
      const long = ask(store, { kind: "look_up", name: "长".repeat(80), uuid: "" });
      assert.equal(long.account?.uid, 5);
      store.close();
    }));

  it("look_up reads a row of NULLs as an account that nobody can log into", () =>
    withOriginal((path) => {
      const store = openStore(path);
      assert.deepEqual(ask(store, { kind: "look_up", name: "sunquan", uuid: "" }).account, {
        uid: 3,
        name: "sunquan",
        avatar: "liubei",
        lastLoginIp: "",
        banned: false,
        password: {},
        totalGameTime: 0,
        statistics: [],
      });
      assert.equal(ask(store, { kind: "look_up", name: "", uuid: "" }).account, undefined);
      ask(store, { kind: "add_game_time", uid: 3, seconds: 9 });
      assert.equal(
        ask(store, { kind: "look_up", name: "sunquan", uuid: "" }).account
          ?.totalGameTime,
        9,
      );
      store.close();
    }));

  it("bans() holds addresses, devices, the whitelist and mutes that are in force", () =>
    withOriginal((path) => {
      const store = openStore(path);
      const view = new BanView(store.bans(1_000));
      assert.equal(view.isIpBanned("10.9.9.9"), true);
      assert.equal(view.isIpBanned("::ffff:10.8.8.8"), true);
      assert.equal(view.isIpBanned("10.0.0.1"), false);
      assert.equal(view.isDeviceBanned("bad-device"), true);
      assert.equal(view.isWhitelisted("caocao"), true);
      assert.deepEqual(view.muteOf(1, 1_000), { type: 1, expireAt: 2_000 });
      assert.equal(view.muteOf(2, 5), undefined, "it was over at the start");
      store.close();
    }));

  it("game_data gives what the original's views give", () =>
    withOriginal((path) => {
      const store = openStore(path);
      const mode = "aaa_role_mode";
      const data = () => ask(store, { kind: "game_data", uid: 1, mode });
      assert.deepEqual(data(), { total: 7, win: 4, run: 2 });
      ask(store, { kind: "record_result", uid: 1, mode, role: "rebel", result: 1 });
      ask(store, { kind: "record_result", uid: 1, mode, role: "spy", result: 2 });
      ask(store, { kind: "record_run", uid: 1, mode });
      ask(store, { kind: "record_general_result", general: "caocao", mode, role: "x", result: 3 });
      assert.deepEqual(data(), { total: 9, win: 5, run: 3 });
      store.close();
      const original = openFile(path);
      const { pWinRateView, gWinRateView } = dump(original);
      assert.deepEqual(pWinRateView, [
        { id: 1, name: "caocao", mode, win: 5, lose: 3, draw: 1, total: 9, winRate: 55.56 },
      ]);
      assert.deepEqual(gWinRateView, [
        { general: "caocao", mode, win: 1, lose: 2, draw: 4, total: 7, winRate: 14.29 },
      ]);
      original.close();
    }));
});

describe("UsersStore accounts", () => {
  it("register makes an account as the original would, once a name", () =>
    withStore((store) => {
      assert.deepEqual(register(store, "刘备"), { outcome: "created", uid: 1, avatar: "liubei" });
      assert.deepEqual(register(store, "刘备"), { outcome: "name_taken" });
      const found = ask(store, { kind: "look_up", name: "刘备", uuid: "device" });
      assert.equal(found.deviceAccounts, 1);
      assert.equal(found.account?.lastLoginIp, "::ffff:10.1.1.1");
      assert.deepEqual(found.account?.password.legacy, { hash: "h".repeat(64), salt: "0a1b2c3d" });
    }));

  it("register holds the limit of a device, also within one batch", () =>
    withStore((store) => {
      const order = (name: string): UsersOperation => ({
        kind: "register",
        name,
        password: { hash: "h", salt: "s" },
        ip: "::1",
        uuid: "one",
        at: 1,
        deviceAccountsMax: 2,
      });
      const results = store.perform([order("a"), order("b"), order("c"), order("a")]);
      assert.deepEqual(
        results.map((result) => result.ok && (result.value as { outcome: string }).outcome),
        ["created", "created", "device_full", "name_taken"],
      );
    }));

  it("record_login keeps the last address and device, and the time of registration", () =>
    withStore((store, path) => {
      register(store, "a");
      ask(store, { kind: "record_login", uid: 1, ip: "2001:db8::5", uuid: "second", at: 2_000 });
      const database = openFile(path);
      const { uuidinfo, usergameinfo } = dump(database);
      database.close();
      assert.deepEqual(uuidinfo, [{ id: 1, uuid: "second" }]);
      assert.deepEqual(usergameinfo, [
        { id: 1, registerTime: 1_000, lastLoginTime: 2_000, totalGameTime: 0 },
      ]);
      assert.deepEqual(ask(store, { kind: "find_player", name: "a" }), {
        uid: 1,
        ip: "2001:db8::5",
        uuid: "second",
      });
    }));

  it("set_password empties the old columns, or fills them for the original", () =>
    withStore(async (store, path) => {
      register(store, "a");
      const password = await makePassword(parts, bytes("pw"));
      const columns = () => {
        const database = openFile(path);
        const row = database.prepare("SELECT password, salt FROM userinfo").get();
        database.close();
        return row;
      };
      const order = { kind: "set_password", uid: 1, password } as const;
      assert.equal(ask(store, { ...order, keepLegacyHash: false }), true);
      assert.deepEqual(columns(), { password: "", salt: "" });
      assert.deepEqual(ask(store, { kind: "look_up_password", uid: 1 }), {
        scrypt: password.scrypt,
      });
      ask(store, { ...order, keepLegacyHash: true });
      assert.deepEqual(columns(), {
        password: password.legacy.hash,
        salt: password.legacy.salt,
      });
      assert.deepEqual(ask(store, { kind: "look_up_password", uid: 1 }), password);
      assert.equal(ask(store, { ...order, uid: 99, keepLegacyHash: true }), false);
      assert.deepEqual(ask(store, { kind: "look_up_password", uid: 99 }), {});
    }));

  it("set_password does nothing when the password was changed meanwhile", () =>
    withStore(async (store) => {
      register(store, "a");
      const seen = ask(store, { kind: "look_up_password", uid: 1 });
      const mine = await makePassword(parts, bytes("mine"));
      const late = await makePassword(parts, bytes("late"));
      const order = { kind: "set_password", uid: 1, keepLegacyHash: false } as const;
      assert.equal(ask(store, { ...order, password: mine, ifStored: seen }), true);
      assert.equal(ask(store, { ...order, password: late, ifStored: seen }), false);
      const stored = ask(store, { kind: "look_up_password", uid: 1 });
      assert.equal(await isPassword(crypto, { password: bytes("mine"), stored }), true);
    }));

  it("look_up_password goes by the original's columns when it has changed them since", () =>
    withStore(async (store, path) => {
      register(store, "a");
      for (const keepLegacyHash of [true, false]) {
        const password = await makePassword(parts, bytes("ours"));
        ask(store, { kind: "set_password", uid: 1, password, keepLegacyHash });
        const original = openFile(path);
        original.exec("UPDATE userinfo SET password = 'theirs', salt = 's' WHERE id = 1");
        original.close();
        assert.deepEqual(ask(store, { kind: "look_up_password", uid: 1 }), {
          legacy: { hash: "theirs", salt: "s" },
        });
      }
    }));

  it("set_avatar and add_game_time add up", () =>
    withStore((store) => {
      register(store, "a");
      ask(store, { kind: "set_avatar", uid: 1, avatar: "sunquan'; --" });
      ask(store, { kind: "add_game_time", uid: 1, seconds: 5 });
      ask(store, { kind: "add_game_time", uid: 1, seconds: 6 });
      const { account } = ask(store, { kind: "look_up", name: "a", uuid: "" });
      assert.equal(account?.avatar, "sunquan'; --");
      assert.equal(account?.totalGameTime, 11);
    }));
});
