import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { nodeCrypto } from "../../../src/adapters/node/crypto.ts";
import { nodeRandom } from "../../../src/adapters/node/random.ts";
import { CryptoClient } from "../../../src/game/accounts/crypto_client.ts";
import { isPassword } from "../../../src/game/accounts/passwords.ts";
import {
  type CryptoReply,
  type CryptoRequest,
  runCryptoWorker,
} from "../../../src/game/crypto_work.ts";
import { CryptoError } from "../../../src/ports/crypto.ts";
import type { WorkerScope, WorkersPort } from "../../../src/ports/workers.ts";
import { fakeClock } from "../../fakes/clock.ts";
import { fakeLog } from "../../fakes/log.ts";
import { fakeWorkers } from "../../fakes/workers.ts";
import { runtimeUnderTest } from "../../tested_runtime.ts";
import { clientCipher, encrypt } from "./client_cipher.ts";

const runtime = await runtimeUnderTest();
const bytes = (text: string) => new TextEncoder().encode(text);
const pair = await nodeCrypto().generateRsaKeyPair();
const turns = async () => {
  for (let i = 0; i < 20; i++) await Promise.resolve();
};

async function withRealWorker(test: (client: CryptoClient) => Promise<void>): Promise<void> {
  const { logger } = fakeLog();
  const client = new CryptoClient({ workers: runtime.workers, clock: runtime.clock, logger });
  try {
    await client.openKey(pair.privatePem);
    await test(client);
  } finally {
    client.close();
  }
}

/** A worker whose jobs end when the test says so. */
function heldWorkers() {
  const posted: CryptoRequest[] = [];
  let handlers: { message(reply: CryptoReply): void; error(error: Error): void } | undefined;
  let started = 0;
  const workers: WorkersPort = {
    start: (options) => {
      started++;
      handlers = options.handlers as unknown as typeof handlers;
      return { post: (request) => posted.push(request as CryptoRequest), terminate() {} };
    },
  };
  return {
    workers,
    posted,
    kinds: () => posted.map(({ job }) => job.kind),
    started: () => started,
    finish: (index: number) => handlers?.message({ id: posted[index]!.id, ok: true, value: null }),
    crash: () => handlers?.error(new Error("Worker crypto failed: gone")),
  };
}

const cipher = new Uint8Array(256);
const legacyLogin = { kind: "login", cipher, stored: undefined } as const;
const upgrade = { kind: "upgrade", cipher } as const;
const hash = { kind: "new_password", password: bytes("x") } as const;

describe("CryptoClient with the real worker", () => {
  it("CryptoClient tells a right password from wrong ones and from ciphers without one", () =>
    withRealWorker(async (client) => {
      const opened = await client.openKey(pair.privatePem);
      assert.deepEqual(opened, { publicPem: pair.publicPem, modulusBytes: 256 });
      const password = "密码 with spaces";
      const good = clientCipher(pair.publicPem, password);
      const fresh = await client.run({ kind: "login", cipher: good, stored: undefined });
      assert.ok(fresh.ok);
      assert.equal(fresh.value.readable, true);
      const legacy = fresh.value.fresh;
      assert.ok(legacy);
      const upgraded = await client.run({ kind: "upgrade", cipher: good });
      assert.ok(upgraded.ok && upgraded.value !== null);
      const ciphers = {
        good,
        other: clientCipher(pair.publicPem, "other"),
        empty: clientCipher(pair.publicPem, ""),
        short: encrypt(pair.publicPem, bytes("no prefix")),
        garbage: new Uint8Array(256).fill(0xff),
      };
      for (const stored of [{ legacy }, { scrypt: upgraded.value.scrypt }]) {
        const answers = await Promise.all(
          Object.entries(ciphers).map(async ([name, cipher]) => {
            const result = await client.run({ kind: "login", cipher, stored });
            assert.ok(result.ok);
            return [name, result.value.readable, result.value.matches];
          }),
        );
        assert.deepEqual(answers, [
          ["good", true, true],
          ["other", true, false],
          ["empty", false, false],
          ["short", false, false],
          ["garbage", false, false],
        ]);
      }
      const none = await client.run({ kind: "upgrade", cipher: ciphers.short });
      assert.deepEqual(none, { ok: true, value: null });
    }));

  it("CryptoClient changes a password only for who knows the old one", () =>
    withRealWorker(async (client) => {
      const first = await client.run({ kind: "new_password", password: bytes("old") });
      assert.ok(first.ok);
      const stored = { scrypt: first.value.scrypt };
      const change = (given: string) =>
        client.run({ kind: "change", given: bytes(given), wanted: bytes("new"), stored });
      assert.deepEqual(await change("guess"), { ok: true, value: null });
      const changed = await change("old");
      assert.ok(changed.ok && changed.value !== null);
      const given = { password: bytes("new"), stored: { legacy: changed.value.legacy } };
      assert.equal(await isPassword(nodeCrypto(), given), true);
    }));

  it("CryptoClient.generateKeyPair() makes keys that it can open, and refuses others", () =>
    withRealWorker(async (client) => {
      const made = await client.generateKeyPair();
      assert.equal((await client.openKey(made.privatePem)).publicPem, made.publicPem);
      await assert.rejects(client.openKey("no key"), CryptoError);
    }));

  it("CryptoClient answers a cipher of the wrong length with a failure, and goes on", () =>
    withRealWorker(async (client) => {
      const bad = await client.run({ ...legacyLogin, cipher: new Uint8Array(3) });
      assert.equal(!bad.ok && bad.why, "failed");
      assert.match(bad.ok ? "" : bad.reason, /3 bytes, must be 256/);
      assert.equal((await client.run(legacyLogin)).ok, true);
    }));
});

describe("CryptoClient queues", () => {
  it("CryptoClient keeps few jobs in flight and refuses what waits too long", async () => {
    const held = heldWorkers();
    const client = new CryptoClient({ workers: held.workers, clock: fakeClock(), ...fakeLog() });
    const logins = Array.from({ length: 2_032 }, () => client.run(legacyLogin));
    assert.equal(held.posted.length, 32);
    const refused = await client.run(legacyLogin);
    assert.equal(!refused.ok && refused.why, "overloaded");
    const hashes = Array.from({ length: 1_002 }, () => client.run(hash));
    assert.equal(held.posted.length, 34, "slow jobs have a lane of their own");
    assert.equal((await client.run(hash)).ok, false);
    for (let i = 0; i < held.posted.length; i++) held.finish(i);
    assert.equal((await Promise.all([...logins, ...hashes])).every(({ ok }) => ok), true);
    assert.equal(client.pending, 0);
    client.close();
  });

  it("CryptoClient upgrades passwords only when no login came for 250 ms", async () => {
    const held = heldWorkers();
    const clock = fakeClock();
    const client = new CryptoClient({ workers: held.workers, clock, ...fakeLog() });
    void client.run(legacyLogin);
    clock.advance(10);
    held.finish(0);
    void client.run(upgrade);
    clock.advance(239);
    assert.deepEqual(held.kinds(), ["login"], "249 ms after the login came");
    clock.advance(1);
    assert.deepEqual(held.kinds(), ["login", "upgrade"]);
    client.close();
  });

  it("CryptoClient upgrades one by one, and none while a login runs", async () => {
    const held = heldWorkers();
    const clock = fakeClock();
    const client = new CryptoClient({ workers: held.workers, clock, ...fakeLog() });
    void client.run(legacyLogin);
    void client.run(upgrade);
    void client.run(upgrade);
    clock.advance(1_000);
    assert.deepEqual(held.kinds(), ["login"], "a login still runs");
    held.finish(0);
    assert.deepEqual(held.kinds(), ["login", "upgrade"]);
    void client.run(legacyLogin);
    held.finish(2);
    held.finish(1);
    assert.deepEqual(held.kinds(), ["login", "upgrade", "login"]);
    clock.advance(250);
    assert.deepEqual(held.kinds(), ["login", "upgrade", "login", "upgrade"]);
    client.close();
    assert.equal(clock.waiting, 0);
  });

  it("CryptoClient fails what a dead worker had, and starts another with the same key", async () => {
    const clock = fakeClock();
    const log = fakeLog();
    const parts = { crypto: nodeCrypto(), random: nodeRandom() };
    const workers = fakeWorkers({
      crypto_worker: (scope) =>
        runCryptoWorker(scope as WorkerScope<CryptoRequest, CryptoReply>, parts),
    });
    const client = new CryptoClient({ workers, clock, logger: log.logger });
    await client.openKey(pair.privatePem);
    const lost = client.run(legacyLogin);
    workers.fail("crypto", "gone");
    assert.deepEqual(await lost, {
      ok: false,
      why: "failed",
      reason: "Worker crypto failed: gone",
    });
    assert.equal((await client.run(legacyLogin)).ok, false, "not at once");
    clock.advance(1_000);
    const cipher = clientCipher(pair.publicPem, "x");
    const result = await client.run({ ...legacyLogin, cipher });
    assert.equal(result.ok && result.value.readable, true);
    assert.deepEqual(log.lines.map(({ message }) => message), ["crypto worker failed"]);
    assert.ok(!JSON.stringify(log.lines).includes("PRIVATE"));
    client.close();
  });

  it("CryptoClient.close() answers what waits, and refuses what comes", async () => {
    const held = heldWorkers();
    const client = new CryptoClient({ workers: held.workers, clock: fakeClock(), ...fakeLog() });
    const waiting = [client.run(legacyLogin), client.run(upgrade)];
    client.close();
    await turns();
    const results = await Promise.all([...waiting, client.run(legacyLogin)]);
    assert.ok(results.every((result) => !result.ok && result.reason.includes("closed")));
  });
});
