import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { BanView } from "../../../src/game/accounts/ban_view.ts";
import type { BanOutcome, UsersOperation } from "../../../src/game/accounts/users_operations.ts";
import type { UsersStore } from "../../../src/game/accounts/users_store.ts";
import { ask, dump, openFile, register, withStore } from "./users_fixture.ts";

describe("UsersStore bans", () => {
  const found = (store: UsersStore, name = "a") =>
    ask(store, { kind: "look_up", name, uuid: "" }).account;

  it("ban makes an end of an older temporary ban, or it would expire with it", () =>
    withStore((store) => {
      register(store, "a");
      ask(store, { kind: "ban", name: "a", expireAt: 500 });
      assert.equal(found(store)?.banned, true);
      assert.equal(found(store)?.banExpiresAt, 500);
      ask(store, { kind: "ban", name: "a" });
      assert.equal(found(store)?.banExpiresAt, undefined);
      ask(store, { kind: "lift_expired_ban", uid: 1, at: 9_999 });
      assert.equal(found(store)?.banned, true, "for ever");
    }));

  it("lift_expired_ban lifts what is over and nothing else", () =>
    withStore((store) => {
      register(store, "a");
      ask(store, { kind: "ban", name: "a", expireAt: 500 });
      ask(store, { kind: "lift_expired_ban", uid: 1, at: 499 });
      assert.equal(found(store)?.banned, true);
      ask(store, { kind: "lift_expired_ban", uid: 1, at: 500 });
      assert.equal(found(store)?.banned, false);
      assert.equal(found(store)?.banExpiresAt, undefined);
    }));

  it("unban lifts the account's, the device's and the address's temporary ban", () =>
    withStore((store) => {
      register(store, "a", { uuid: "d" });
      const view = new BanView(store.bans(0));
      const apply = (operation: UsersOperation) => {
        const outcome = ask(store, operation) as BanOutcome;
        view.apply(outcome.changes);
        return outcome;
      };
      view.banIpTemporarily("10.1.1.1", 1e15);
      apply({ kind: "ban", name: "a", expireAt: 500 });
      assert.equal(apply({ kind: "ban_uuid", name: "a" }).changed, true);
      assert.equal(apply({ kind: "ban_uuid", name: "a" }).changed, false);
      assert.equal(view.isDeviceBanned("d"), true);
      assert.equal(apply({ kind: "unban", name: "a" }).changed, true);
      assert.equal(view.isDeviceBanned("d"), false);
      assert.equal(view.isIpTemporarilyBanned("10.1.1.1", 0), false);
      assert.equal(found(store)?.banned, false);
      assert.equal(apply({ kind: "unban", name: "a" }).changed, false);
      assert.equal(new BanView(store.bans(0)).isDeviceBanned("d"), false);
    }));

  it("ban_ip takes a player's last address or an address, and unban_ip every spelling of it", () =>
    withStore((store, path) => {
      register(store, "a");
      const ban = ask(store, { kind: "ban_ip", target: { name: "a" } });
      assert.deepEqual(ban.player?.uid, 1);
      assert.equal(ban.changed, true);
      const again = ask(store, { kind: "ban_ip", target: { address: "10.1.1.1" } });
      assert.equal(again.changed, false);
      const database = openFile(path);
      assert.deepEqual(dump(database)["banip"], [{ ip: "::ffff:10.1.1.1" }]);
      database.exec("INSERT INTO banip VALUES ('10.1.1.1'), ('10.2.2.2')");
      database.close();
      const lifted = ask(store, { kind: "unban_ip", target: { name: "a" } });
      assert.equal(lifted.changed, true);
      const view = new BanView(store.bans(0));
      assert.equal(view.isIpBanned("10.1.1.1"), false);
      assert.equal(view.isIpBanned("10.2.2.2"), true);
      const none = ask(store, { kind: "unban_ip", target: { address: "10.1.1.1" } });
      assert.equal(none.changed, false);
    }));

  it("bans of accounts are told to logins that are under way", () =>
    withStore((store) => {
      register(store, "a");
      const view = new BanView([]);
      const bans: unknown[] = [];
      const orders: UsersOperation[] = [
        { kind: "ban", name: "a", expireAt: 900 },
        { kind: "ban", name: "a" },
        { kind: "unban", name: "a" },
      ];
      for (const result of store.perform(orders)) {
        assert.ok(result.ok);
        view.apply((result.value as BanOutcome).changes);
        bans.push(view.accountBan(1));
      }
      assert.deepEqual(bans, [{ expireAt: 900 }, {}, undefined]);
    }));

  it("bans of unknown players change nothing", () =>
    withStore((store) => {
      const orders: UsersOperation[] = [
        { kind: "ban", name: "nobody" },
        { kind: "unban", name: "nobody" },
        { kind: "ban_ip", target: { name: "nobody" } },
        { kind: "unban_uuid", name: "nobody" },
        { kind: "mute", name: "nobody", type: 1, expireAt: 9 },
        { kind: "unmute", name: "nobody" },
      ];
      for (const result of store.perform(orders)) {
        assert.deepEqual(result, {
          ok: true,
          value: { player: undefined, changed: false, changes: [] },
        });
      }
      assert.deepEqual(store.bans(0), []);
    }));

  it("mute and whitelist are written through and found at the next start", () =>
    withStore((store) => {
      register(store, "a");
      const live = new BanView([]);
      const orders: UsersOperation[] = [
        { kind: "mute", name: "a", type: 2, expireAt: 900 },
        { kind: "whitelist_add", name: "不在" },
        { kind: "whitelist_add", name: "b" },
        { kind: "whitelist_remove", name: "b" },
      ];
      for (const result of store.perform(orders)) {
        assert.ok(result.ok);
        live.apply((result.value as BanOutcome).changes);
      }
      for (const view of [live, new BanView(store.bans(0))]) {
        assert.deepEqual(view.muteOf(1, 0), { type: 2, expireAt: 900 });
        assert.equal(view.isWhitelisted("不在"), true);
        assert.equal(view.isWhitelisted("b"), false);
      }
      live.apply(ask(store, { kind: "unmute", name: "a" }).changes);
      assert.equal(live.muteOf(1, 0), undefined);
      assert.deepEqual(store.bans(0).filter(({ kind }) => kind === "muted"), []);
    }));
});
