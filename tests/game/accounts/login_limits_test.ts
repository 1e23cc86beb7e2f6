import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { addressGroup, LoginLimits } from "../../../src/game/accounts/login_limits.ts";
import { fakeClock } from "../../fakes/clock.ts";

/** A login whose outcome is known at once. */
function admit(limits: LoginLimits, login: { ip: string; name: string; now: number }): boolean {
  const isAdmitted = limits.admit(login);
  if (isAdmitted) limits.settled(login);
  return isAdmitted;
}

describe("LoginLimits", () => {
  it("LoginLimits.admit() lets 20 logins of an address through in any minute", () => {
    const clock = fakeClock();
    const limits = new LoginLimits();
    const login = (ip: string) => admit(limits, { ip, name: "a", now: clock.monotonic() });
    for (let i = 0; i < 20; i++) {
      assert.equal(login("1.2.3.4"), true);
      clock.advance(1_000);
    }
    assert.equal(login("1.2.3.4"), false, "the 21st after 20 s");
    assert.equal(login("::ffff:1.2.3.4"), false, "in the other spelling too");
    assert.equal(login("1.2.3.5"), true, "another address");
    clock.advance(39_999);
    assert.equal(login("1.2.3.4"), false, "59.999 s after the first");
    clock.advance(1);
    assert.equal(login("1.2.3.4"), true, "60 s after the first");
    assert.equal(login("1.2.3.4"), false, "the second is 59 s old");
  });

  it("LoginLimits.failed() keeps a name shut after 10 wrong passwords in a minute, from anywhere", () => {
    const clock = fakeClock();
    const limits = new LoginLimits();
    const attempt = (ip: string, name: string) =>
      admit(limits, { ip, name, now: clock.monotonic() });
    for (let i = 0; i < 10; i++) {
      assert.equal(attempt(`10.0.0.${i}`, "victim"), true);
      limits.failed({ name: "victim", now: clock.monotonic() });
    }
    assert.equal(attempt("10.1.0.1", "victim"), false);
    assert.equal(attempt("10.1.0.1", "other"), true);
    clock.advance(60_000);
    assert.equal(attempt("10.1.0.1", "victim"), true);
  });

  it("LoginLimits.admit() counts what is under way: none of a crowd at once gets more guesses", () => {
    const limits = new LoginLimits();
    const guess = (i: number) => limits.admit({ ip: `10.0.0.${i}`, name: "victim", now: 0 });
    const admitted = Array.from({ length: 30 }, (_, i) => guess(i)).filter((one) => one);
    assert.equal(admitted.length, 10);
    for (let i = 0; i < 10; i++) {
      if (i < 4) limits.failed({ name: "victim", now: 0 });
      limits.settled({ name: "victim" });
    }
    assert.equal(
      Array.from({ length: 30 }, (_, i) => guess(100 + i)).filter((one) => one).length,
      6,
    );
  });

  it("LoginLimits never lets more than the limit through in any 60 seconds", () => {
    fc.assert(fc.property(fc.array(fc.nat(15_000), { maxLength: 120 }), (pauses) => {
      const limits = new LoginLimits({ loginsPerMinutePerIp: 5, failuresPerMinutePerName: 5 });
      const admitted: number[] = [];
      let now = 0;
      for (const pause of pauses) {
        now += pause;
        if (admit(limits, { ip: "1.1.1.1", name: "a", now })) admitted.push(now);
      }
      admitted.forEach((at, i) => assert.ok(i < 5 || at - admitted[i - 5]! >= 60_000));
    }));
  });

  it("LoginLimits keeps a bounded number of addresses and names", () => {
    const limits = new LoginLimits();
    for (let i = 0; i < 25_000; i++) {
      const name = `n${i}`;
      admit(limits, { ip: `10.${i >> 16}.${(i >> 8) & 255}.${i & 255}`, name, now: i });
      limits.failed({ name, now: i });
    }
    assert.equal(limits.size, 20_000);
  });

  it("addressGroup() takes IPv4 singly and IPv6 by its /64", () => {
    assert.equal(addressGroup("::ffff:9.8.7.6"), addressGroup("9.8.7.6"));
    assert.equal(addressGroup("2001:db8:1:2::1"), addressGroup("2001:db8:1:2:ffff::2"));
    assert.notEqual(addressGroup("2001:db8:1:2::1"), addressGroup("2001:db8:1:3::1"));
    assert.equal(addressGroup("nonsense"), "nonsense");
  });
});
