import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { LoginRules } from "../../src/game/accounts/login_decision.ts";
import { LoginLimits } from "../../src/game/accounts/login_limits.ts";
import { localTime } from "../../src/game/accounts/refusals.ts";
import { type LoginParts, runLogin, upgradePassword } from "../../src/game/login_flow.ts";
import { fakeClock } from "../fakes/clock.ts";
import {
  FakeAccounts,
  fakeCipher,
  fakeCipherBytes,
  FakeCrypto,
  fakePassword,
} from "../fakes/game_accounts.ts";

const baseRules: LoginRules = {
  packagesMd5: "md5",
  banWords: ["bad"],
  enableWhitelist: false,
  maxPlayersPerDevice: 2,
  keepLegacyHash: false,
  cipherBytes: fakeCipherBytes,
  addressBan: () => undefined,
  accountBan: () => undefined,
  isDeviceBanned: (uuid) => uuid === "banned-device",
  isWhitelisted: (name) => name === "listed",
};

interface Claim {
  readonly name?: string;
  readonly password?: string | undefined;
  readonly cipher?: Uint8Array;
  readonly md5?: string;
  readonly version?: string;
  readonly uuid?: string;
  readonly ip?: string;
}

function stage(rules: Partial<LoginRules> = {}, limits?: { loginsPerMinutePerIp: number }) {
  const accounts = new FakeAccounts();
  const crypto = new FakeCrypto();
  const clock = fakeClock();
  const troubles: string[] = [];
  const parts: LoginParts = {
    users: accounts,
    crypto,
    limits: new LoginLimits({
      loginsPerMinutePerIp: 20,
      failuresPerMinutePerName: 10,
      ...limits,
    }),
    clock,
    rules: () => ({ ...baseRules, ...rules }),
    trouble: (reason) => void troubles.push(reason),
  };
  const login = (claim: Claim = {}) => {
    const { name = "caocao", md5 = "md5", version = "0.5.20", uuid = "device" } = claim;
    const cipher = claim.cipher ??
      fakeCipher("password" in claim ? claim.password : "secret");
    const { ip = "10.0.0.1" } = claim;
    const setup = { name, cipher, packagesMd5: md5, version, deviceId: uuid };
    return runLogin(parts, { setup, ip });
  };
  /** Refusal and what the client is told, or what became of it. */
  const outcome = async (claim?: Claim) => {
    const verdict = await login(claim);
    return verdict.kind === "refused"
      ? [verdict.refusal.reason, verdict.refusal.text]
      : [verdict.kind, verdict.isNew ? "new" : "known"];
  };
  return { accounts, crypto, clock, troubles, parts, login, outcome };
}

describe("runLogin()", () => {
  it("refuses before it asks anybody, in the order of the checks", async () => {
    const { accounts, crypto, outcome } = stage({ enableWhitelist: true });
    const version = '["server supports version %1, please update","0.5.19+"]';
    const worst = { version: "0.5.18", uuid: "banned-device", md5: "x", name: "a b" };
    assert.deepEqual(await outcome(worst), ["unsupported_version", version]);
    const { version: _, ...device } = worst;
    assert.deepEqual(await outcome(device), ["device_banned", "you have been banned!"]);
    assert.deepEqual(await outcome({ md5: "x", name: "a b" }), [
      "packages_differ",
      "MD5 check failed!",
    ]);
    for (const name of ["", "a b", "bad", "x--y"]) {
      assert.deepEqual(await outcome({ name }), ["invalid_name", "invalid user name"], name);
    }
    assert.deepEqual(await outcome({}), ["not_whitelisted", "user name not in whitelist"]);
    for (const cipher of [new Uint8Array(0), new Uint8Array(255)]) {
      assert.deepEqual(await outcome({ name: "listed", cipher }), [
        "unusable_cipher",
        "unknown password error",
      ]);
    }
    assert.deepEqual([accounts.operations, crypto.jobs], [[], []]);
  });

  it("accepts the right password of a known name, and says what is to be stored", async () => {
    const { accounts, crypto, login, clock } = stage();
    const account = accounts.add("caocao", "secret");
    assert.deepEqual(await login(), {
      kind: "accepted",
      account,
      isNew: false,
      upgradePassword: true,
      writes: [{
        kind: "record_login",
        uid: account.uid,
        ip: "10.0.0.1",
        uuid: "device",
        at: Math.floor(clock.now() / 1_000),
      }],
    });
    assert.deepEqual(accounts.operations, [{ kind: "look_up", name: "caocao", uuid: "device" }]);
    const cipher = fakeCipher("secret");
    assert.deepEqual(crypto.jobs, [{ kind: "login", cipher, stored: account.password }]);
  });

  it("refuses wrong and unreadable passwords with the same text, registering nobody", async () => {
    const { accounts, outcome } = stage();
    accounts.add("caocao", "secret");
    const wrong = ["wrong_password", "username or password error"];
    assert.deepEqual(await outcome({ password: "other" }), wrong);
    assert.deepEqual(await outcome({ password: undefined }), wrong);
    assert.deepEqual(await outcome({ name: "nobody", password: undefined }), wrong);
    assert.deepEqual(accounts.of("register"), []);
  });

  it("registers a new name once, with the values that came", async () => {
    const { accounts, clock, login, outcome } = stage();
    const verdict = await login({ name: "新人", uuid: "d" });
    assert.equal(verdict.kind, "accepted");
    assert.deepEqual(accounts.of("register"), [{
      kind: "register",
      name: "新人",
      password: fakePassword("secret").legacy,
      ip: "10.0.0.1",
      uuid: "d",
      at: Math.floor(clock.now() / 1_000),
      deviceAccountsMax: 2,
    }]);
    if (verdict.kind !== "accepted") return;
    assert.deepEqual([verdict.isNew, verdict.upgradePassword, verdict.writes], [true, true, []]);
    assert.deepEqual(await outcome({ name: "新人" }), ["accepted", "known"]);
  });

  it("refuses more accounts than a device may have", async () => {
    const { outcome } = stage();
    for (const name of ["a", "b"]) {
      assert.deepEqual(await outcome({ name }), ["accepted", "new"]);
    }
    assert.equal((await outcome({ name: "c" }))[0], "device_full");
    assert.deepEqual(await outcome({ name: "c", uuid: "other" }), ["accepted", "new"]);
  });

  it("a name of more than 64 characters logs in when it is known, and registers never", async () => {
    const { accounts, outcome } = stage();
    const name = "a".repeat(65);
    assert.deepEqual(await outcome({ name }), ["invalid_name", "invalid user name"]);
    accounts.add(name, "secret");
    assert.deepEqual(await outcome({ name }), ["accepted", "known"]);
  });

  it("tells a ban with its end, before it looks at the password; lifts one that is over", async () => {
    const { accounts, crypto, clock, outcome, login } = stage();
    const now = Math.floor(clock.now() / 1_000);
    accounts.add("ever", "secret", { banned: true });
    accounts.add("while", "secret", { banned: true, banExpiresAt: now + 1 });
    const { uid } = accounts.add("over", "secret", { banned: true, banExpiresAt: now });
    assert.deepEqual(await outcome({ name: "ever" }), ["account_banned", "you have been banned!"]);
    assert.deepEqual(await outcome({ name: "while" }), [
      "account_banned",
      JSON.stringify(["you have been banned! expire at %1", `${localTime(now + 1)}.`]),
    ]);
    assert.deepEqual(crypto.jobs, []);
    const verdict = await login({ name: "over" });
    assert.equal(verdict.kind, "accepted");
    if (verdict.kind !== "accepted") return;
    assert.deepEqual(verdict.writes[0], { kind: "lift_expired_ban", uid, at: now });
  });

  it("a store or crypto worker in trouble refuses as overloaded, and the log hears why", async () => {
    const { accounts, crypto, troubles, outcome } = stage();
    accounts.trouble = "disk full";
    const overloaded = ["overloaded", "the server is busy, please try again"];
    assert.deepEqual(await outcome(), overloaded);
    accounts.trouble = undefined;
    crypto.trouble = "16 jobs wait already";
    assert.deepEqual(await outcome(), overloaded);
    crypto.trouble = undefined;
    accounts.before = ({ kind }) => {
      if (kind === "register") accounts.trouble = "locked";
    };
    assert.deepEqual(await outcome(), overloaded);
    assert.deepEqual(troubles, [
      "cannot look up an account: disk full",
      "cannot check a password: 16 jobs wait already",
      "cannot register an account: locked",
    ]);
  });

  it("looks a name up again that somebody took while it registered", async () => {
    // One login is all that is allowed, and it is one, however often its name is looked up.
    const { accounts, crypto, login } = stage({}, { loginsPerMinutePerIp: 1 });
    accounts.before = ({ kind }) => {
      if (kind === "register") accounts.add("caocao", "secret");
    };
    const verdict = await login();
    assert.equal(verdict.kind === "accepted" && !verdict.isNew, true);
    assert.equal(accounts.of("look_up").length, 2);
    assert.equal(crypto.jobs.length, 2);
  });

  it("a name that is always taken and never found is given up after three attempts", async () => {
    const { accounts, outcome, parts } = stage();
    const users = parts.users.users.bind(parts.users);
    accounts.users =
      ((operation) =>
        operation.kind === "register"
          ? Promise.resolve({ ok: true, value: { outcome: "name_taken" } })
          : users(operation)) as typeof accounts.users;
    assert.equal((await outcome())[0], "overloaded");
    assert.equal(accounts.of("look_up").length, 3);
  });

  it("counts 20 logins a minute of an address, before it asks the store", async () => {
    const { accounts, clock, outcome } = stage();
    accounts.add("caocao", "secret");
    for (let i = 0; i < 20; i++) assert.deepEqual(await outcome(), ["accepted", "known"]);
    assert.equal((await outcome())[0], "too_many_logins");
    assert.equal(accounts.operations.length, 20);
    assert.deepEqual(await outcome({ ip: "10.0.0.2" }), ["accepted", "known"]);
    clock.advance(60_000);
    assert.deepEqual(await outcome(), ["accepted", "known"]);
  });

  it("counts 10 wrong passwords a minute of a name, from wherever, and nothing else", async () => {
    const { accounts, clock, outcome } = stage();
    accounts.add("caocao", "secret");
    let host = 1;
    const from = () => ({ ip: `10.0.1.${host++}` });
    for (let i = 0; i < 10; i++) {
      assert.equal((await outcome({ ...from(), md5: "x" }))[0], "packages_differ");
      assert.deepEqual(await outcome(from()), ["accepted", "known"]);
    }
    for (let i = 0; i < 10; i++) {
      assert.equal((await outcome({ ...from(), password: "no" }))[0], "wrong_password");
    }
    assert.equal((await outcome(from()))[0], "too_many_logins", "the right one neither");
    assert.equal((await outcome({ ...from(), name: "liubei" }))[0], "accepted");
    clock.advance(60_000);
    assert.deepEqual(await outcome(from()), ["accepted", "known"]);
  });
});

describe("upgradePassword()", () => {
  it("stores both forms, only if the password is still the one that was checked", async () => {
    const { accounts, crypto, parts } = stage({ keepLegacyHash: true });
    const account = accounts.add("caocao", "secret");
    const cipher = fakeCipher("secret");
    await upgradePassword(parts, { cipher, account });
    assert.deepEqual(crypto.jobs, [{ kind: "upgrade", cipher }]);
    assert.deepEqual(accounts.operations, [{
      kind: "set_password",
      uid: account.uid,
      password: fakePassword("secret"),
      keepLegacyHash: true,
      ifStored: account.password,
    }]);
  });

  it("stores nothing for a cipher that holds none, and leaves trouble to the next login", async () => {
    const { accounts, crypto, troubles, parts } = stage();
    const account = accounts.add("caocao", "secret");
    await upgradePassword(parts, { cipher: fakeCipher(undefined), account });
    crypto.trouble = "busy";
    await upgradePassword(parts, { cipher: fakeCipher("secret"), account });
    assert.deepEqual(accounts.operations, []);
    crypto.trouble = undefined;
    accounts.trouble = "disk full";
    await upgradePassword(parts, { cipher: fakeCipher("secret"), account });
    assert.equal(accounts.operations.length, 1);
    assert.deepEqual(troubles, []);
  });
});
