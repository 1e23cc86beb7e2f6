import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import {
  decideGreeting,
  decideLogin,
  decideRegistration,
  type LoginDecision,
  type LoginFacts,
  type LoginRules,
  type SetupClaim,
} from "../../../src/game/accounts/login_decision.ts";
import { localTime, refusal } from "../../../src/game/accounts/refusals.ts";
import type { AccountFacts } from "../../../src/game/accounts/users_operations.ts";
import { noRecordings, recordedLogins, recordedMd5 } from "./recorded_setups.ts";

const now = 1_700_000_000_000;
const ip = "127.0.0.1";

const rules: LoginRules = {
  packagesMd5: recordedMd5,
  banWords: ["badword"],
  enableWhitelist: false,
  maxPlayersPerDevice: 50,
  keepLegacyHash: false,
  cipherBytes: 256,
  addressBan: () => undefined,
  accountBan: () => undefined,
  isDeviceBanned: () => false,
  isWhitelisted: () => false,
};
const claim: SetupClaim = {
  name: "liubei",
  cipher: new Uint8Array(256),
  md5: recordedMd5,
  version: "0.5.19",
  uuid: "device",
};
const legacy = { hash: "0".repeat(64), salt: "0a1b2c3d" };
const account: AccountFacts = {
  uid: 7,
  name: "liubei",
  avatar: "liubei",
  lastLoginIp: "",
  banned: false,
  password: { legacy },
  totalGameTime: 60,
  statistics: [],
};
const known = (changes: Partial<AccountFacts> = {}): LoginFacts["account"] => ({
  account: { ...account, ...changes },
  deviceAccounts: 1,
});
const unknown = (deviceAccounts = 0): LoginFacts["account"] => ({
  account: undefined,
  deviceAccounts,
});
const right = { readable: true, matches: true, fresh: legacy };
const wrong = { readable: true, matches: false, fresh: legacy };
const unreadable = { readable: false, matches: false, fresh: legacy };

function decide(
  changed: Partial<SetupClaim>,
  facts: LoginFacts = {},
  changedRules: Partial<LoginRules> = {},
): LoginDecision {
  const parts = { rules: { ...rules, ...changedRules }, facts, ip, now };
  return decideLogin({ ...claim, ...changed }, parts);
}

function outcome(decision: LoginDecision): string {
  if (decision.kind === "refuse") return `${decision.refusal.command} ${decision.refusal.text}`;
  return decision.kind === "need" ? `need ${decision.what}` : decision.kind;
}

const banned = "ErrorDlg you have been banned!";
const badName = "ErrorDlg invalid user name";
const badPassword = "ErrorDlg username or password error";
const tooOld = 'ErrorDlg ["server supports version %1, please update","0.5.19+"]';

interface Case {
  readonly name: string;
  readonly claim?: Partial<SetupClaim>;
  readonly rules?: Partial<LoginRules>;
  readonly facts?: LoginFacts;
  readonly expected: string;
}

const cases: readonly Case[] = [
  { name: "an old version", claim: { version: "0.5.18" }, expected: tooOld },
  { name: "a device id with a quote", claim: { uuid: "it's" }, expected: banned },
  { name: "a banned device", rules: { isDeviceBanned: () => true }, expected: banned },
  {
    name: "an address that was banned since it connected",
    rules: { addressBan: () => "ip_banned" },
    facts: { account: known(), password: right },
    expected: banned,
  },
  {
    name: "an address that was banned for a while since it connected",
    rules: { addressBan: () => "ip_temporarily_banned" },
    expected: "ErrorDlg you have been temporarily banned!",
  },
  {
    name: "an account that was banned since it was looked up",
    rules: { accountBan: (uid) => uid === account.uid ? {} : undefined },
    facts: { account: known(), password: right },
    expected: banned,
  },
  {
    name: "a new ban that is over already",
    rules: { accountBan: () => ({ expireAt: now / 1_000 }) },
    facts: { account: known(), password: right },
    expected: "accept",
  },
  { name: "other packages", claim: { md5: "0" }, expected: "ErrorMsg MD5 check failed!" },
  { name: "an empty name", claim: { name: "" }, expected: badName },
  { name: "a name with SQL", claim: { name: "'; DROP TABLE userinfo" }, expected: badName },
  { name: "a ban word in the name", claim: { name: "xbadwordx" }, expected: badName },
  {
    name: "a name that is not in the whitelist",
    rules: { enableWhitelist: true },
    expected: "ErrorDlg user name not in whitelist",
  },
  {
    name: "a name in the whitelist",
    rules: { enableWhitelist: true, isWhitelisted: (name) => name === "liubei" },
    expected: "need account",
  },
  {
    name: "a cipher of 255 bytes",
    claim: { cipher: new Uint8Array(255) },
    expected: "ErrorDlg unknown password error",
  },
  {
    name: "an empty cipher",
    claim: { cipher: new Uint8Array(0) },
    expected: "ErrorDlg unknown password error",
  },
  { name: "nothing known yet", expected: "need account" },
  { name: "a known account", facts: { account: known() }, expected: "need password" },
  { name: "a right password", facts: { account: known(), password: right }, expected: "accept" },
  { name: "a wrong password", facts: { account: known(), password: wrong }, expected: badPassword },
  {
    name: "an unreadable cipher of a known account",
    facts: { account: known(), password: unreadable },
    expected: badPassword,
  },
  {
    name: "an unreadable cipher of an unknown name: never a registration",
    facts: { account: unknown(), password: unreadable },
    expected: badPassword,
  },
  {
    name: "an unreadable cipher from a full device",
    facts: { account: unknown(50), password: unreadable },
    expected: badPassword,
  },
  { name: "an unknown name", facts: { account: unknown() }, expected: "need password" },
  {
    name: "an unknown name with a password",
    facts: { account: unknown(49), password: wrong },
    expected: "register",
  },
  {
    name: "a full device",
    facts: { account: unknown(50), password: wrong },
    expected: "ErrorDlg cannot register more new users on this device",
  },
  {
    name: "a known account on a full device",
    facts: { account: { ...known()!, deviceAccounts: 99 }, password: right },
    expected: "accept",
  },
  {
    name: "a banned account, before its password is looked at",
    facts: { account: known({ banned: true }) },
    expected: banned,
  },
  {
    name: "a temporary ban",
    facts: { account: known({ banned: true, banExpiresAt: now / 1_000 + 1 }), password: right },
    expected: `ErrorDlg ["you have been banned! expire at %1","${localTime(now / 1_000 + 1)}."]`,
  },
  {
    name: "an expired ban with a wrong password",
    facts: { account: known({ banned: true, banExpiresAt: now / 1_000 }), password: wrong },
    expected: badPassword,
  },
  { name: "a long name", claim: { name: "a".repeat(65) }, expected: "need account" },
  {
    name: "a long name that is unknown",
    claim: { name: "a".repeat(65) },
    facts: { account: unknown() },
    expected: badName,
  },
  {
    name: "a long name that an old database holds",
    claim: { name: "a".repeat(65) },
    facts: { account: known(), password: right },
    expected: "accept",
  },
];

describe("decideLogin()", () => {
  for (const one of cases) {
    it(`decideLogin() answers ${one.name}`, () => {
      assert.equal(outcome(decide(one.claim ?? {}, one.facts, one.rules)), one.expected);
    });
  }

  it("decideLogin() checks in the order of the protocol", () => {
    const faults: { claim?: Partial<SetupClaim>; rules?: Partial<LoginRules>; text: string }[] = [
      { claim: { version: "abc" }, text: tooOld },
      { claim: { uuid: "a b" }, text: banned },
      { claim: { md5: "x" }, text: "ErrorMsg MD5 check failed!" },
      { claim: { name: "a'b" }, text: badName },
      { rules: { enableWhitelist: true }, text: "ErrorDlg user name not in whitelist" },
      { claim: { cipher: new Uint8Array(1) }, text: "ErrorDlg unknown password error" },
    ];
    fc.assert(fc.property(fc.subarray(faults, { minLength: 1 }), (chosen) => {
      const claims = Object.assign({}, ...chosen.map((fault) => fault.claim ?? {}));
      const changed = Object.assign({}, ...chosen.map((fault) => fault.rules ?? {}));
      const facts = { account: known(), password: right };
      assert.equal(outcome(decide(claims, facts, changed)), chosen[0]!.text);
    }));
  });

  it("decideLogin() accepts with what is to be written, and lifts an expired ban", () => {
    const record = { kind: "record_login", uid: 7, ip, uuid: "device", at: now / 1_000 };
    const accepted = decide({}, { account: known(), password: right });
    assert.deepEqual(accepted, {
      kind: "accept",
      account,
      writes: [record],
      upgradePassword: true,
    });
    const expired = known({ banned: true, banExpiresAt: now / 1_000 });
    const lifted = decide({}, { account: expired, password: right });
    assert.deepEqual(lifted.kind === "accept" ? lifted.writes : [], [
      { kind: "lift_expired_ban", uid: 7, at: now / 1_000 },
      record,
    ]);
    const kept = decide({}, { account: known(), password: right }, { keepLegacyHash: true });
    assert.equal(kept.kind === "accept" && kept.upgradePassword, true);
  });

  it("decideRegistration() accepts the new account, refuses a full device, starts over on a race", () => {
    const decision = decide({}, { account: unknown(), password: wrong });
    assert.equal(decision.kind, "register");
    if (decision.kind !== "register") return;
    assert.deepEqual(decision.write, {
      kind: "register",
      name: "liubei",
      password: legacy,
      ip,
      uuid: "device",
      at: now / 1_000,
      deviceAccountsMax: 50,
    });
    const created = decideRegistration(decision.write, {
      outcome: "created",
      uid: 9,
      avatar: "liubei",
    });
    assert.equal(created.kind === "accept" && created.account.uid, 9);
    assert.equal(created.kind === "accept" && created.upgradePassword, true);
    const full = decideRegistration(decision.write, { outcome: "device_full" });
    assert.equal(full.kind === "refuse" && full.refusal.reason, "device_full");
    assert.deepEqual(decideRegistration(decision.write, { outcome: "name_taken" }), {
      kind: "again",
    });
  });

  it("refusal() marks what else is to be done", () => {
    assert.equal(refusal("packages_differ").sendPackages, true);
    assert.equal(refusal("wrong_password").isFailedLogin, true);
    assert.equal(refusal("account_banned").isFailedLogin, false);
  });

  it("localTime() writes YYYY-MM-DD hh:mm:ss, also of times that are none", () => {
    assert.match(localTime(1_700_000_000), /^20\d\d-\d\d-\d\d \d\d:\d\d:\d\d$/);
    const at = new Date(2024, 0, 2, 3, 4, 5);
    assert.equal(localTime(at.getTime() / 1_000), "2024-01-02 03:04:05");
    assert.equal(localTime(1e18), "1000000000000000000");
  });
});

describe("decideGreeting()", () => {
  it("decideGreeting() checks bans before the capacity, and takes capacity 0 as none", () => {
    const fine = { isIpBanned: false, isIpTemporarilyBanned: false, loggedIn: 1, capacity: 2 };
    assert.equal(decideGreeting(fine), undefined);
    const full = { ...fine, loggedIn: 2 };
    assert.equal(decideGreeting(full)?.text, "server is full!");
    const away = { ...full, isIpTemporarilyBanned: true };
    assert.equal(decideGreeting(away)?.text, "you have been temporarily banned!");
    assert.equal(decideGreeting({ ...away, isIpBanned: true })?.text, "you have been banned!");
    assert.equal(decideGreeting({ ...fine, loggedIn: 0, capacity: 0 })?.reason, "server_full");
  });
});

/** Where this server differs on purpose from the recorded one, by the note of the connection. */
const deviations: Readonly<Record<string, string>> = {
  "password shorter than prefix": badPassword,
  "empty password (prefix only)": badPassword,
  "uuid with quote (refused without any answer)": banned,
};

describe("decideLogin() against recordings", { skip: noRecordings }, () => {
  for (const trace of ["wrong_version", "wrong_md5", "bad_setup"]) {
    it(`decideLogin() answers as ${trace} does`, () => {
      let compared = 0;
      for (const { note, claim, answer } of recordedLogins(trace)) {
        if (claim === undefined) continue; // Not five strings: refused before this is asked.
        const short = note.includes("password shorter") || note.includes("empty password");
        const password = short ? unreadable : wrong;
        const found = decideLogin(claim, {
          rules,
          facts: { account: unknown(), password },
          ip,
          now,
        });
        const recorded = answer?.command === "Setup"
          ? "register"
          : `${answer?.command} ${answer?.text}`;
        assert.equal(outcome(found), deviations[note] ?? recorded, note);
        compared++;
      }
      assert.equal(compared, { wrong_version: 7, wrong_md5: 1, bad_setup: 9 }[trace]);
    });
  }

  it("decideLogin() refuses as register_login and uuid_ban do", () => {
    const wrongPassword = recordedLogins("register_login")[2];
    const device = recordedLogins("uuid_ban")[1];
    assert.equal(wrongPassword?.answer?.text, refusal("wrong_password").text);
    assert.equal(device?.answer?.text, refusal("device_banned").text);
    assert.ok(device?.claim);
    const parts = {
      rules: { ...rules, isDeviceBanned: (uuid: string) => uuid === device.claim?.uuid },
      facts: {},
      ip,
      now,
    };
    assert.equal(outcome(decideLogin(device.claim, parts)), banned);
  });

  it("decideGreeting() and refusal() say what ip_ban, server_full, wrong_md5 and bad_setup say", () => {
    assert.equal(recordedLogins("ip_ban")[1]?.answer?.text, refusal("ip_banned").text);
    assert.equal(recordedLogins("server_full")[1]?.answer?.text, refusal("server_full").text);
    assert.equal(recordedLogins("bad_setup")[0]?.answer?.text, refusal("invalid_setup").text);
    const [packages] = recordedLogins("wrong_md5");
    assert.deepEqual(packages?.commands, [refusal("packages_differ").command, "UpdatePackage"]);
  });
});
