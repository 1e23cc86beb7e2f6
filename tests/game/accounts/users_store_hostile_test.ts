import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { nodeCrypto } from "../../../src/adapters/node/crypto.ts";
import { nodeRandom } from "../../../src/adapters/node/random.ts";
import { makePassword } from "../../../src/game/accounts/passwords.ts";
import type { UsersAnswers, UsersOperation } from "../../../src/game/accounts/users_operations.ts";
import { ask, openFile, register, withStore } from "./users_fixture.ts";

const parts = { crypto: nodeCrypto(), random: nodeRandom() };
const bytes = (text: string) => new TextEncoder().encode(text);

describe("UsersStore and hostile texts", () => {
  const hostile = [
    "'; DROP TABLE userinfo; --",
    '" OR 1=1 --',
    "a'||(SELECT password FROM userinfo)||'",
    "\u0000",
    "a\u0000b",
    "\ud800",
    "?1",
    "%_",
    "x".repeat(70_000),
  ];

  it("UsersStore binds every text of every operation", () =>
    withStore(async (store, path) => {
      register(store, "victim");
      const password = await makePassword(parts, bytes("x"));
      for (const text of hostile) {
        const orders: UsersOperation[] = [
          { kind: "look_up", name: text, uuid: text },
          {
            kind: "register",
            name: text,
            password: { hash: "h", salt: "s" },
            ip: text.slice(0, 40),
            uuid: text,
            at: 1,
            deviceAccountsMax: 5,
          },
          { kind: "record_login", uid: 1, ip: "1.1.1.1", uuid: text, at: 1 },
          { kind: "set_avatar", uid: 1, avatar: text },
          { kind: "set_password", uid: 1, password, keepLegacyHash: true },
          { kind: "find_player", name: text },
          { kind: "ban", name: text },
          { kind: "unban", name: text },
          { kind: "ban_ip", target: { name: text } },
          { kind: "ban_ip", target: { address: text } },
          { kind: "unban_ip", target: { address: text } },
          { kind: "ban_uuid", name: text },
          { kind: "unban_uuid", name: text },
          { kind: "mute", name: text, type: 1, expireAt: 5 },
          { kind: "unmute", name: text },
          { kind: "whitelist_add", name: text },
          { kind: "whitelist_remove", name: text },
          { kind: "record_result", uid: 1, mode: text, role: text, result: 1 },
          { kind: "record_general_result", general: text, mode: text, role: text, result: 2 },
          { kind: "record_run", uid: 1, mode: text },
          { kind: "game_data", uid: 1, mode: text },
        ];
        const results = store.perform(orders);
        const failed = results.flatMap((result, i) =>
          result.ok ? [] : [`${orders[i]?.kind}: ${result.reason}`]
        );
        assert.deepEqual(failed, [], JSON.stringify(text.slice(0, 40)));
        const last = results.at(-1);
        assert.ok(last?.ok && (last.value as UsersAnswers["game_data"]).win >= 1);
      }
      const database = openFile(path);
      const names = database.prepare("SELECT name FROM userinfo ORDER BY id").all();
      database.close();
      assert.equal(names[0]?.["name"], "victim");
      assert.equal(names[1]?.["name"], hostile[0]);
    }));

  it("UsersStore.perform() fails one faulty operation alone, and all when the file is locked", () =>
    withStore((store, path) => {
      register(store, "a");
      const faulty = { kind: "set_avatar", uid: NaN, avatar: "x" } as const;
      const good = { kind: "set_avatar", uid: 1, avatar: "kept" } as const;
      const mixed = store.perform([good, faulty, { ...good, avatar: "last" }]);
      assert.deepEqual(mixed.map(({ ok }) => ok), [true, false, true]);
      assert.equal(ask(store, { kind: "look_up", name: "a", uuid: "" }).account?.avatar, "last");
      const other = openFile(path);
      other.exec("BEGIN IMMEDIATE");
      const locked = store.perform([good, { kind: "look_up", name: "a", uuid: "" }]);
      assert.ok(locked.every((result) => !result.ok && result.reason.includes("locked")));
      const [reading] = store.perform([{ kind: "look_up", name: "a", uuid: "" }]);
      assert.equal(reading?.ok, true, "reading goes on");
      other.exec("ROLLBACK");
      other.close();
      assert.equal(ask(store, { kind: "look_up", name: "a", uuid: "" }).account?.avatar, "last");
    }));

  it("UsersStore ignores results of robots", () =>
    withStore((store) => {
      ask(store, { kind: "record_result", uid: -2, mode: "m", role: "r", result: 1 });
      ask(store, { kind: "record_run", uid: -2, mode: "m" });
      assert.deepEqual(ask(store, { kind: "game_data", uid: -2, mode: "m" }), {
        total: 0,
        win: 0,
        run: 0,
      });
    }));
});
