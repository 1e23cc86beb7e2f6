import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { addressKey, isAddress, storedAddress } from "../../../src/game/accounts/addresses.ts";
import { BanView } from "../../../src/game/accounts/ban_view.ts";

describe("BanView", () => {
  it("BanView knows a banned address in every spelling, whichever was stored", () => {
    const view = new BanView([
      { kind: "ip_banned", ip: "::ffff:1.2.3.4" },
      { kind: "ip_banned", ip: "5.6.7.8" },
      { kind: "ip_banned", ip: "2001:db8::1" },
    ]);
    for (const ip of ["1.2.3.4", "::ffff:1.2.3.4", "::ffff:102:304", "::ffff:5.6.7.8", "5.6.7.8"]) {
      assert.equal(view.isIpBanned(ip), true, ip);
    }
    assert.equal(view.isIpBanned("2001:DB8:0:0:0:0:0:1"), true);
    assert.equal(view.isIpBanned("1.2.3.5"), false);
    view.apply([{ kind: "ip_unbanned", ip: "1.2.3.4" }]);
    assert.equal(view.isIpBanned("::ffff:1.2.3.4"), false);
  });

  it("BanView follows bans of devices, the whitelist and mutes", () => {
    const view = new BanView([]);
    view.apply([
      { kind: "uuid_banned", uuid: "d" },
      { kind: "whitelisted", name: "刘备" },
      { kind: "muted", uid: 3, type: 1, expireAt: 100 },
    ]);
    assert.equal(view.isDeviceBanned("d"), true);
    assert.equal(view.isWhitelisted("刘备"), true);
    assert.deepEqual(view.muteOf(3, 99), { type: 1, expireAt: 100 });
    assert.equal(view.muteOf(3, 100), undefined, "expired");
    assert.equal(view.muteOf(4, 0), undefined);
    view.apply([
      { kind: "uuid_unbanned", uuid: "d" },
      { kind: "unwhitelisted", name: "刘备" },
      { kind: "muted", uid: 3, type: 1, expireAt: 200 },
      { kind: "unmuted", uid: 3 },
    ]);
    assert.equal(view.isDeviceBanned("d"), false);
    assert.equal(view.isWhitelisted("刘备"), false);
    assert.equal(view.muteOf(3, 0), undefined);
  });

  it("BanView knows the accounts that were banned since the start", () => {
    const view = new BanView([]);
    view.apply([
      { kind: "account_banned", uid: 1 },
      { kind: "account_banned", uid: 2, expireAt: 100 },
    ]);
    assert.deepEqual([1, 2, 3].map((uid) => view.accountBan(uid)), [
      {},
      { expireAt: 100 },
      undefined,
    ]);
    view.apply([{ kind: "account_unbanned", uid: 1 }, { kind: "account_banned", uid: 2 }]);
    assert.deepEqual([1, 2].map((uid) => view.accountBan(uid)), [undefined, {}]);
  });

  it("BanView.banIpTemporarily() holds until its end, or until it is lifted", () => {
    const view = new BanView([]);
    view.banIpTemporarily("1.2.3.4", 1_000);
    assert.equal(view.isIpTemporarilyBanned("::ffff:1.2.3.4", 999), true);
    assert.equal(view.isIpTemporarilyBanned("1.2.3.4", 1_000), false);
    view.banIpTemporarily("1.2.3.4", 5_000);
    view.apply([{ kind: "temporary_ip_ban_lifted", ip: "::ffff:1.2.3.4" }]);
    assert.equal(view.isIpTemporarilyBanned("1.2.3.4", 2_000), false);
  });

  it("BanView keeps a bounded number of temporary bans, the newest", () => {
    const view = new BanView([]);
    for (let i = 0; i <= 100_000; i++) view.banIpTemporarily(`a${i}`, 1_000);
    assert.equal(view.isIpTemporarilyBanned("a0", 0), false);
    assert.equal(view.isIpTemporarilyBanned("a1", 0), true);
    assert.equal(view.isIpTemporarilyBanned("a100000", 0), true);
  });

  it("storedAddress() maps IPv4 alone; addressKey() leaves what is no address", () => {
    assert.equal(storedAddress("1.2.3.4"), "::ffff:1.2.3.4");
    assert.equal(storedAddress("::ffff:1.2.3.4"), "::ffff:1.2.3.4");
    assert.equal(storedAddress("::1"), "::1");
    assert.equal(storedAddress("?"), "?");
    assert.equal(addressKey("?"), "?");
    assert.equal(isAddress("1.2.3"), false);
    assert.equal(isAddress("::1"), true);
  });
});
