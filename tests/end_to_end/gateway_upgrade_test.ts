import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { withGateway } from "./gateway_stage.ts";

describe("gateway: what is refused before the upgrade", () => {
  it("the gateway wants a clientId of 1 to 256 printable bytes", () =>
    withGateway({}, async ({ gateway }) => {
      const wrong = [
        undefined,
        "",
        "x".repeat(257),
        "é".repeat(128) + "x",
        "a\u0001b",
        "a\nb",
        "\u007f",
      ];
      for (const clientId of wrong) {
        const { status, body } = await gateway.refused(clientId === undefined ? {} : { clientId });
        assert.equal(status, 400, JSON.stringify(clientId));
        assert.deepEqual(JSON.parse(body), { error: "clientId required" });
      }
      for (const clientId of ["x".repeat(256), "é".repeat(128), "a b", "客户-1", "%00", "a&b=c"]) {
        const client = await gateway.client(clientId);
        await client.close();
      }
    }));

  it("the gateway limits upgrades by address and says when to come again", () =>
    withGateway(
      { gateway: { rateLimit: { enabled: true, requestsPerSecond: 1, burstSize: 3 } } },
      async ({ gateway }) => {
        for (let i = 0; i < 3; i++) {
          await gateway.client(`c${i}`, "", { localAddress: "127.0.0.7" });
        }
        // A token a second comes back: on a slow machine some more get through.
        let refusal;
        for (let i = 0; i < 100 && refusal === undefined; i++) {
          refusal = await gateway.refused({ clientId: `d${i}`, localAddress: "127.0.0.7" })
            .catch(() => undefined);
        }
        assert.equal(refusal?.status, 429);
        assert.deepEqual(JSON.parse(refusal.body), { error: "rate limit exceeded" });
        assert.match(refusal.headers.get("retry-after") ?? "", /^[1-9]\d*$/);
        await gateway.client("other", "", { localAddress: "127.0.0.8" });
        assert.ok(await gateway.figure("rateLimitExceeded") >= 1);
      },
    ));

  it("the gateway believes X-Forwarded-For only of trusted proxies, from the right", () =>
    withGateway(
      {
        gateway: {
          rateLimit: { enabled: true, requestsPerSecond: 1, burstSize: 1 },
          trustedProxies: ["127.0.0.1", "10.0.0.0/8"],
        },
      },
      async ({ gateway }) => {
        let ids = 0;
        const isTaken = async ({ from, ...headers }: Origin) => {
          const localAddress = from ?? "127.0.0.1";
          try {
            await gateway.client(`c${ids++}`, "", { headers, localAddress });
            return true;
          } catch (error) {
            assert.match(String(error), /429/);
            return false;
          }
        };
        let addresses = 0;
        /** Whether the second of two from fresh addresses is refused because of the first. */
        const isOne = async (pairOf: (n: number) => readonly [Origin, Origin]) => {
          for (;;) {
            const [first, second] = pairOf(++addresses);
            const startedAt = performance.now();
            assert.equal(await isTaken(first), true, JSON.stringify(first));
            const isRefused = !await isTaken(second);
            // Later than that the first one's token would be back.
            if (performance.now() - startedAt < 900) return isRefused;
          }
        };
        const by = (forwarded: string, more: Origin = {}): Origin => {
          return { "X-Forwarded-For": forwarded, ...more };
        };
        const a = (n: number) => `198.51.100.${n}`;
        assert.ok(await isOne((n) => [by(a(n)), by(a(n))]));
        assert.ok(!await isOne((n) => [by(a(n)), by(`203.0.113.${n}`)]));
        assert.ok(await isOne((n) => [by(a(n)), by(`203.0.113.${n}, ${a(n)}`)]), "the last one");
        assert.ok(await isOne((n) => [by(a(n)), by(`${a(n)}, 10.1.2.3`)]), "the last untrusted");
        assert.ok(await isOne((n) => [by(`2001:db8:${n}::1`), by(`2001:db8:${n}::f:1`)]), "a /64");
        assert.ok(!await isOne((n) => [by(`2001:db8:${n}::1`), by(`2001:db8:${n}:1::1`)]));
        const stranger = (n: number) => ({ from: `127.0.1.${n}` });
        const strangers = (n: number) =>
          [by(a(n), stranger(n)), by(a(n + 100), stranger(n))] as const;
        assert.ok(await isOne(strangers), "who is no trusted proxy may write what it likes");
        const forged = (n: number): Origin => {
          return by(a(n), { "X-Real-IP": a(n + 100), Forwarded: `for=${a(n + 100)}` });
        };
        assert.ok(await isOne((n) => [by(a(n)), forged(n)]), "other headers say nothing");
        // Once only: it is the proxy's own address.
        assert.equal(await isTaken(by("nonsense")), true);
      },
    ));

  it("the gateway takes maxConnections and one more when one has gone", () =>
    withGateway({ gateway: { maxConnections: 2 } }, async ({ gateway }) => {
      const first = await gateway.client("a");
      await gateway.client("b");
      const { status, body } = await gateway.refused({ clientId: "c" });
      assert.equal(status, 503);
      assert.deepEqual(JSON.parse(body), { error: "max connections reached" });
      await first.close();
      await gateway.figureBecomes("connectionsActive", (active) => active === 1);
      await gateway.client("c");
    }));

  it("the gateway refuses an Origin that is not allowed", () =>
    withGateway(
      { gateway: { security: { allowedOrigins: ["https://game.example"] } } },
      async ({ gateway }) => {
        for (
          const Origin of ["https://evil.example", "https://game.example.evil.example", "null"]
        ) {
          const refusal = await gateway.refused({ clientId: "a", headers: { Origin } });
          assert.equal(refusal.status, 403, Origin);
        }
        await gateway.client("a", "", { headers: { Origin: "https://game.example" } });
        await gateway.client("b");
      },
    ));

  it("the gateway answers a plain request to /ws with an error and lives on", () =>
    withGateway({}, async ({ gateway }) => {
      const { status } = await gateway.get("/ws?clientId=a");
      assert.ok(status >= 400 && status < 500, `${status}`);
      await gateway.client("a");
    }));
});

describe("gateway: two connections of one client", () => {
  it("a second connection takes over, and the first one's end does not remove it", () =>
    withGateway({}, async ({ gateway, upstream }) => {
      const first = await gateway.client("a");
      const second = await gateway.client("a");
      assert.deepEqual(await first.expectClose(), { code: 4_409, reason: "replaced" });
      await gateway.figureBecomes("connectionsActive", (active) => active === 1);
      second.sendJson({ type: 0, data: "x" });
      assert.equal((await second.nextJson()).data, "x");
      await upstream.send({ type: 0, clientId: "a", data: "to the second" });
      assert.equal((await second.nextJson()).data, "to the second");
    }));

  it("more than 5 take-overs of an id in a minute are refused, and other ids are not", () =>
    withGateway({}, async ({ gateway }) => {
      let last = await gateway.client("a");
      for (let i = 0; i < 5; i++) last = await gateway.client("a");
      const { status } = await gateway.refused({ clientId: "a" });
      assert.equal(status, 429);
      assert.equal(last.isClosed, false);
      last.sendJson({ type: 0, data: "still here" });
      assert.equal((await last.nextJson()).data, "still here");
      await gateway.client("b");
      await gateway.client("b");
    }));

  it("who connects with v=2 gets a resume token, which a take-over then needs", () =>
    withGateway({}, async ({ gateway }) => {
      const first = await gateway.client("a", "v=2");
      const welcome = await first.nextJson();
      assert.equal(welcome.type, 2);
      assert.equal(welcome.action, "welcome");
      const resume = String(welcome.resume);
      assert.ok(resume.length >= 16, resume);
      for (const query of ["v=2", "", "v=2&resume=", "resume=nonsense", `resume=${resume}x`]) {
        const { status } = await gateway.refused({ clientId: "a", query });
        assert.ok(status === 401 || status === 403, `${query}: ${status}`);
      }
      assert.equal(first.isClosed, false);
      const again = await gateway.client("a", `v=2&resume=${encodeURIComponent(resume)}`);
      assert.equal((await first.expectClose()).code, 4_409);
      assert.equal((await again.nextJson()).action, "welcome");
      const another = await gateway.client("b", "v=2");
      assert.notEqual((await another.nextJson()).resume, resume);
    }));

  it("old clients' ids stay open unless requireIdentity is on", () =>
    withGateway({ gateway: { requireIdentity: true } }, async ({ gateway }) => {
      const { status } = await gateway.refused({ clientId: "a" });
      assert.equal(status, 401);
      const client = await gateway.client("a", "v=2");
      assert.equal((await client.nextJson()).action, "welcome");
    }));
});

describe("gateway: heartbeat", () => {
  it("the gateway pings, and closes who sends no frame at all", () =>
    withGateway(
      { gateway: { heartbeatInterval: "100ms", connectionTimeout: "1s" } },
      async ({ gateway }) => {
        const good = await gateway.client("good");
        const mute = await gateway.client("mute", "", { answersPings: false });
        await mute.expectClose();
        assert.ok(mute.pings >= 2, `${mute.pings} pings`);
        await good.untilPings(mute.pings + 5);
        assert.equal(good.isClosed, false);
      },
    ));
});

/** Headers of an upgrade, and the address that it comes from. */
type Origin = Record<string, string> & { from?: string };
