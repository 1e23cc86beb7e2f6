import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { opcode } from "../adapters/raw_websocket.ts";
import { until } from "../adapters/http_recorder.ts";
import { withDoor } from "./door_fixture.ts";

const json = "application/json";

describe("GatewayDoor at the upgrade", () => {
  it("takes a client in, hands on what it sends, sends what it is to get, and sees it leave", async () => {
    await withDoor({}, async ({ connect, core, counters, door, errors }) => {
      core.onText = (session, text) => void session.send(`echo ${text}`);
      const peer = await connect("clientId=client%2D1%E2%82%AC&ack=1&raw=1");
      peer.send(opcode.text, "hello é");
      assert.equal(await peer.readText(), "echo hello é");
      peer.send(opcode.binary, Uint8Array.of(1, 2, 3));
      await until(() => core.messages.length === 2, "both messages");
      assert.deepEqual(core.messages, ["hello é", Uint8Array.of(1, 2, 3)]);
      const session = core.session("client-1€");
      assert.deepEqual(
        [session.wantsAcks, session.isModern, session.isRaw, session.takesChunks],
        [true, true, true, false],
      );
      assert.deepEqual(
        [counters.connectionsTotal, counters.messagesReceived, counters.bytesReceived, door.size],
        [1, 2, 11, 1],
      );
      peer.sendClose(1000);
      await until(() => door.size === 0, "its end");
      assert.deepEqual(core.events, ["joined client-1€", "left client-1€"]);
      assert.equal(session.send("too late"), "gone");
      assert.equal(core.clients.get("client-1€"), undefined);
      assert.deepEqual(errors, []);
    });
  });

  for (
    const [what, path, status, body] of [
      ["another path", "/elsewhere?clientId=a", 404, `{"error":"not found"}`],
      ["a path below", "/ws/?clientId=a", 404, `{"error":"not found"}`],
      ["no query", "/ws", 400, `{"error":"clientId required"}`],
      ["an empty id", "/ws?clientId=", 400, `{"error":"clientId required"}`],
      [
        "an id of 257 bytes",
        `/ws?clientId=${"%C3%A9".repeat(128)}a`,
        400,
        `{"error":"clientId required"}`,
      ],
      ["an id with a line feed", "/ws?clientId=a%0Ab", 400, `{"error":"clientId required"}`],
      ["an id that is not UTF-8", "/ws?clientId=a%ff", 400, `{"error":"clientId required"}`],
      [
        "an empty id after a good one",
        "/ws?clientId=a&clientId=",
        400,
        `{"error":"clientId required"}`,
      ],
    ] as const
  ) {
    it(`answers ${status} to ${what}`, async () => {
      await withDoor({}, async ({ refused, door }) => {
        const answer = await refused(path);
        assert.deepEqual([answer.status, answer.body], [status, body]);
        assert.equal(answer.headers.get("content-type"), json);
        assert.equal(door.size, 0);
      });
    });
  }

  it("answers 429 with Retry-After to an address over its rate, until time has passed", async () => {
    const rateLimit = { enabled: true, requestsPerSecond: 0.1, burstSize: 2 };
    await withDoor({ config: { rateLimit } }, async ({ connect, refused, clock, counters }) => {
      await connect("clientId=a");
      await connect("clientId=b");
      const answer = await refused("/ws?clientId=c");
      assert.deepEqual([answer.status, answer.body], [429, `{"error":"rate limit exceeded"}`]);
      assert.deepEqual([answer.headers.get("retry-after"), counters.rateLimitExceeded], ["10", 1]);
      clock.advance(10_000);
      await connect("clientId=c");
    });
  });

  it("counts by what a trusted proxy says", async () => {
    const config = {
      rateLimit: { enabled: true, requestsPerSecond: 0.1, burstSize: 1 },
      trustedProxies: ["127.0.0.0/8"],
    };
    await withDoor({ config }, async ({ refused }) => {
      const ask = async (forwarded: string) =>
        (await refused("/ws?clientId=", { "X-Forwarded-For": forwarded })).status;
      // A missing id is looked at first, and costs nothing.
      assert.equal(await ask("1.2.3.4"), 400);
      const knock = async (forwarded: string) =>
        (await refused("/ws?clientId=a", { "X-Forwarded-For": forwarded, Origin: "x" })).status;
      assert.equal(await knock("9.9.9.9, 2001:db8:1:1::5"), 101);
      assert.equal(await knock("8.8.8.8, 2001:db8:1:1::6"), 429);
      assert.equal(await knock("2001:db8:1:1::6, 7.7.7.7"), 101);
    });
  });

  it("answers 503 when it is full, and takes the next when somebody has left", async () => {
    await withDoor({ maxConnections: 1 }, async ({ connect, refused, door }) => {
      const peer = await connect("clientId=a");
      const answer = await refused("/ws?clientId=b");
      assert.deepEqual([answer.status, answer.body], [503, `{"error":"max connections reached"}`]);
      peer.sendClose(1000);
      await until(() => door.size === 0, "it to leave");
      await connect("clientId=b");
    });
  });

  it("answers 403 to an origin that is not listed; who names none is no browser", async () => {
    const security = { allowedOrigins: ["https://Play.example"], enableCompression: false };
    await withDoor({ config: { security } }, async ({ connect, refused }) => {
      const foreign = await refused("/ws?clientId=a", { Origin: "https://evil.example" });
      assert.equal(foreign.status, 403);
      assert.equal((await refused("/ws?clientId=a", { Origin: "null" })).status, 403);
      assert.equal(
        (await refused("/ws?clientId=a", { Origin: "https://play.example" })).status,
        101,
      );
      await connect("clientId=b");
    });
  });

  it("knows an origin that is configured in other words than browsers use", async () => {
    const allowedOrigins = ["https://a.example:443", "http://Spiel-f\u00fcr.example:80", "App://b"];
    const security = { allowedOrigins, enableCompression: false };
    await withDoor({ config: { security } }, async ({ refused }) => {
      const statusOf = async (Origin: string) =>
        (await refused("/ws?clientId=a", { Origin })).status;
      for (const origin of ["https://a.example", "http://xn--spiel-fr-d6a.example", "app://b"]) {
        assert.equal(await statusOf(origin), 101, origin);
      }
      for (const origin of ["http://a.example", "https://a.example:80", "app://", "null", ""]) {
        assert.equal(await statusOf(origin), 403, origin);
      }
    });
  });

  it("answers 401 to who can prove nothing, where that is required", async () => {
    await withDoor({ config: { requireIdentity: true } }, async ({ connect, refused }) => {
      const answer = await refused("/ws?clientId=a");
      assert.deepEqual([answer.status, answer.body], [401, `{"error":"identity required"}`]);
      await connect("clientId=a&v=2");
    });
  });

  it("welcomes v=2 with a token, and from then on wants it for that id", async () => {
    await withDoor({}, async ({ connect, refused, core }) => {
      core.onJoined = (session) => void session.send("what waited");
      const first = await connect("clientId=a&v=2");
      const welcome = JSON.parse(await first.readText());
      assert.deepEqual([welcome.type, welcome.action], [2, "welcome"]);
      assert.match(welcome.resume, /^[A-Za-z0-9_-]{43}$/);
      assert.equal(await first.readText(), "what waited");
      for (
        const guess of ["", "&resume=", `&resume=${"A".repeat(43)}`, `&resume=${welcome.resume}A`]
      ) {
        const answer = await refused(`/ws?clientId=a&v=2${guess}`);
        assert.deepEqual([answer.status, answer.body], [401, `{"error":"resume token required"}`]);
      }
      assert.equal((await refused("/ws?clientId=a")).status, 401);
      assert.deepEqual(core.events, ["joined a"]);
      const second = await connect(`clientId=a&v=2&resume=${welcome.resume}`);
      assert.deepEqual(JSON.parse(await second.readText()), welcome);
      assert.deepEqual(await first.readClose(), { code: 4409, reason: "replaced" });
      // A token is of its id alone.
      const other = JSON.parse(
        await (await connect(`clientId=b&v=2&resume=${welcome.resume}`)).readText(),
      );
      assert.notEqual(other.resume, welcome.resume);
    });
  });

  it("answers 503 while the gateway drains", async () => {
    await withDoor({}, async ({ door, refused }) => {
      door.startDraining();
      const answer = await refused("/ws?clientId=a");
      assert.deepEqual([answer.status, answer.body], [503, `{"error":"draining"}`]);
      assert.ok(Number(answer.headers.get("retry-after")) > 0);
    });
  });
});
