import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { forecastAccount, forecastPassword } from "../../../src/game/accounts/account_forecast.ts";
import type { UsersOperation } from "../../../src/game/accounts/users_operations.ts";
import { ask, openStore, register } from "./users_fixture.ts";

const legacy = (seed: number) => ({ hash: `${seed}`.repeat(64), salt: "0a1b2c3d" });
const password = (seed: number) => ({
  legacy: legacy(seed),
  scrypt: {
    hash: new Uint8Array(32).fill(seed),
    salt: new Uint8Array(16).fill(seed),
    cost: { N: 16_384, r: 8, p: 1 },
  },
});

const uid = fc.constant(1);
const mode = fc.constantFrom("a", "b", "m".repeat(200), "nul\u0000", "\ud800");
const seed = fc.integer({ min: 1, max: 3 });
const stored = fc.oneof(
  seed.map((seed) => ({ legacy: legacy(seed) })),
  seed.map((seed) => ({ scrypt: password(seed).scrypt })),
  seed.map((seed) => password(seed)),
);
const writes: fc.Arbitrary<UsersOperation> = fc.oneof(
  fc.record({
    kind: fc.constant("set_password" as const),
    uid,
    password: seed.map(password),
    keepLegacyHash: fc.boolean(),
  }),
  fc.record({
    kind: fc.constant("set_password" as const),
    uid,
    password: seed.map(password),
    keepLegacyHash: fc.boolean(),
    ifStored: stored,
  }),
  fc.record({
    kind: fc.constant("set_avatar" as const),
    uid,
    avatar: fc.constantFrom("", "caocao", "\ud800", "a\u0000b"),
  }),
  fc.record({ kind: fc.constant("add_game_time" as const), uid, seconds: fc.nat(1_000) }),
  fc.record({ kind: fc.constant("ban" as const), name: fc.constant("a") }),
  fc.record({
    kind: fc.constant("ban" as const),
    name: fc.constant("a"),
    expireAt: fc.integer({ min: 1, max: 9 }),
  }),
  fc.record({ kind: fc.constant("unban" as const), name: fc.constant("a") }),
  fc.record({
    kind: fc.constant("lift_expired_ban" as const),
    uid,
    at: fc.integer({ min: 1, max: 9 }),
  }),
  fc.record({
    kind: fc.constant("record_login" as const),
    uid,
    ip: fc.constantFrom("10.1.1.2", "2001:db8::5", "nonsense"),
    uuid: fc.constant("device"),
    at: fc.nat(9),
  }),
  fc.record({
    kind: fc.constant("record_result" as const),
    uid,
    mode,
    role: fc.constantFrom("lord", "rebel"),
    result: fc.constantFrom(1 as const, 2 as const, 3 as const),
  }),
  fc.record({ kind: fc.constant("record_run" as const), uid, mode }),
);

const sorted = <Found extends { readonly statistics: readonly { mode: string }[] }>(
  found: Found,
) => ({
  ...found,
  statistics: [...found.statistics].sort((a, b) => a.mode < b.mode ? -1 : 1),
});

describe("forecastAccount()", () => {
  it("forecastAccount() tells what look_up finds once the writes are done", () => {
    fc.assert(
      fc.property(fc.array(writes, { maxLength: 12 }), (operations) => {
        const store = openStore(":memory:");
        register(store, "a");
        const lookUp = () => ask(store, { kind: "look_up", name: "a", uuid: "x" }).account!;
        const lookUpPassword = () => ask(store, { kind: "look_up_password", uid: 1 });
        const expected = forecastAccount(lookUp(), operations);
        const expectedPassword = forecastPassword(lookUpPassword(), operations);
        assert.ok(store.perform(operations).every(({ ok }) => ok));
        assert.deepEqual(sorted(expected), sorted(lookUp()));
        assert.deepEqual(expectedPassword, lookUpPassword());
        store.close();
      }),
      { numRuns: 200 },
    );
  });
});
