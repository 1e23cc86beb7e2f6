import assert from "node:assert/strict";
import { join } from "node:path";
import { describe, it } from "node:test";
import { BanView } from "../../../src/game/accounts/ban_view.ts";
import { CryptoClient } from "../../../src/game/accounts/crypto_client.ts";
import {
  decideLogin,
  type LoginDecision,
  type LoginFacts,
  type SetupClaim,
} from "../../../src/game/accounts/login_decision.ts";
import { openServerKeys } from "../../../src/game/accounts/server_keys.ts";
import type { UsersAnswers } from "../../../src/game/accounts/users_operations.ts";
import { UsersStore } from "../../../src/game/accounts/users_store.ts";
import { fakeLog } from "../../fakes/log.ts";
import { runtimeUnderTest } from "../../tested_runtime.ts";
import { clientCipher } from "./client_cipher.ts";
import { originalUsersSql } from "./original_database.ts";
import { inDirectory } from "./temporary_directory.ts";

const runtime = await runtimeUnderTest();

/** Key, store, worker and decision together, as the game server will put them. */
async function withServer(
  test: (server: {
    store: UsersStore;
    login: (name: string, password: string) => Promise<LoginDecision>;
    upgrade: (name: string, password: string, keepLegacyHash?: boolean) => Promise<boolean>;
    columns: (name: string) => unknown;
  }) => Promise<void>,
): Promise<void> {
  await inDirectory(async (directory) => {
    const path = join(directory, "users.db");
    const file = runtime.sqlite.open({ path, busyTimeoutMs: 0 });
    file.exec(originalUsersSql);
    const { workers, clock, files } = runtime;
    const client = new CryptoClient({ workers, clock, logger: fakeLog().logger });
    const store = new UsersStore(runtime.sqlite.open({ path, busyTimeoutMs: 0 }), path);
    const view = new BanView(store.bans(0));
    try {
      const keys = await openServerKeys({ files, keys: client, directory });
      const claimOf = (name: string, password: string): SetupClaim => ({
        name,
        cipher: clientCipher(keys.publicPem, password),
        md5: "m",
        version: "0.5.20",
        uuid: "device",
      });
      const rules = {
        packagesMd5: "m",
        banWords: [],
        enableWhitelist: false,
        maxPlayersPerDevice: 50,
        keepLegacyHash: false,
        cipherBytes: keys.modulusBytes,
        addressBan: (ip: string) => view.addressBan(ip, clock.now()),
        accountBan: (uid: number) => view.accountBan(uid),
        isDeviceBanned: (uuid: string) => view.isDeviceBanned(uuid),
        isWhitelisted: (name: string) => view.isWhitelisted(name),
      };
      const lookUp = (name: string, uuid: string) => {
        const [found] = store.perform([{ kind: "look_up", name, uuid }]);
        assert.ok(found?.ok);
        return found.value as UsersAnswers["look_up"];
      };
      await test({
        store,
        async login(name, password) {
          const claim = claimOf(name, password);
          let facts: LoginFacts = {};
          for (;;) {
            const parts = { rules, facts, ip: "127.0.0.1", now: clock.now() };
            const decision = decideLogin(claim, parts);
            if (decision.kind !== "need") {
              if (decision.kind === "accept") store.perform(decision.writes);
              if (decision.kind === "register") store.perform([decision.write]);
              return decision;
            }
            if (decision.what === "account") {
              facts = { ...facts, account: lookUp(name, claim.uuid) };
            } else {
              const stored = facts.account?.account?.password;
              const result = await client.run({ kind: "login", cipher: claim.cipher, stored });
              assert.ok(result.ok);
              facts = { ...facts, password: result.value };
            }
          }
        },
        async upgrade(name, password, keepLegacyHash = false) {
          const { account } = lookUp(name, "");
          assert.ok(account);
          const { cipher } = claimOf(name, password);
          const made = await client.run({ kind: "upgrade", cipher });
          assert.ok(made.ok && made.value !== null);
          const [set] = store.perform([{
            kind: "set_password",
            uid: account.uid,
            password: made.value,
            keepLegacyHash,
            ifStored: account.password,
          }]);
          return set?.ok === true && set.value === true;
        },
        columns: (name) =>
          file.prepare("SELECT password, salt FROM userinfo WHERE name = ? ORDER BY id").get(name),
      });
    } finally {
      client.close();
      store.close();
      file.close();
    }
  });
}

const kindOf = (decision: LoginDecision) =>
  decision.kind === "refuse" ? decision.refusal.text : decision.kind;

describe("a login, all parts together", () => {
  it("an account of the original server logs in, and its hash is upgraded afterwards", () =>
    withServer(async ({ login, upgrade, columns }) => {
      const first = await login("caocao", "1234");
      assert.equal(first.kind === "accept" && first.upgradePassword, true);
      assert.equal(kindOf(await login("caocao", "wrong")), "username or password error");
      assert.equal(await upgrade("caocao", "1234"), true);
      assert.deepEqual(columns("caocao"), { password: "", salt: "" });
      const second = await login("caocao", "1234");
      assert.equal(second.kind === "accept" && second.upgradePassword, false);
      assert.equal(kindOf(await login("caocao", "wrong")), "username or password error");
    }));

  it("keepLegacyHash leaves columns that the original server accepts", () =>
    withServer(async ({ login, upgrade, columns }) => {
      assert.equal(await upgrade("caocao", "1234", true), true);
      const { password, salt } = columns("caocao") as { password: string; salt: string };
      assert.match(password, /^[0-9a-f]{64}$/);
      assert.match(salt, /^[0-9a-f]{8}$/);
      assert.equal((await login("caocao", "1234")).kind, "accept");
    }));

  it("a new name registers once, and only its password logs in", () =>
    withServer(async ({ login }) => {
      assert.equal((await login("新人", "pw")).kind, "register");
      assert.equal((await login("新人", "pw")).kind, "accept");
      assert.equal(kindOf(await login("新人", "pw2")), "username or password error");
    }));

  it("an empty password neither registers nor logs in", () =>
    withServer(async ({ login, store }) => {
      assert.equal(kindOf(await login("新人", "")), "username or password error");
      assert.equal(kindOf(await login("sunquan", "")), "username or password error");
      const [found] = store.perform([{ kind: "find_player", name: "新人" }]);
      assert.deepEqual(found, { ok: true, value: null });
    }));

  it("a temporary ban is told with its end, and lifted after it", () =>
    withServer(async ({ login, store }) => {
      const now = Math.floor(runtime.clock.now() / 1_000);
      store.perform([{ kind: "ban", name: "caocao", expireAt: now + 1_000 }]);
      assert.match(
        kindOf(await login("caocao", "1234")),
        /^\["you have been banned! expire at %1","20/,
      );
      store.perform([{ kind: "ban", name: "caocao", expireAt: now - 1 }]);
      assert.equal((await login("caocao", "1234")).kind, "accept");
      const [found] = store.perform([{ kind: "look_up", name: "caocao", uuid: "" }]);
      assert.ok(found?.ok);
      assert.equal((found.value as UsersAnswers["look_up"]).account?.banned, false);
    }));
});
