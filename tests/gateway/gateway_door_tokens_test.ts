import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { GatewayConfig, JwtConfig } from "../../src/config/gateway_config.ts";
import { until } from "../adapters/http_recorder.ts";
import {
  opcode,
  rawConnect,
  type RawConnection,
  sampleAccept,
  upgradeText,
} from "../adapters/raw_websocket.ts";
import { type OpenDoor, roomyGateway, withDoor } from "./door_fixture.ts";
import { makeToken, sharedSecret, type Signer } from "./identity/token_maker.ts";

describe("GatewayDoor with tokens", () => {
  it("takes a client in by ?token= and by the subprotocol, which it answers", async () => {
    await withTokens({}, async ({ connect, core, clock, port, errors }) => {
      const token = tokenOf(clock, "a");
      await connect(`clientId=a&token=${token}`);
      const peer = await rawConnect(port);
      const offered = `bearer, ${tokenOf(clock, "b")}`;
      peer.write(upgradeText("/ws?clientId=b", { "Sec-WebSocket-Protocol": offered }));
      const head = await peer.readHead();
      assert.deepEqual(
        [head.status, head.headers.get("sec-websocket-protocol")],
        [101, "bearer"],
      );
      assert.equal(head.headers.get("sec-websocket-accept"), sampleAccept);
      peer.send(opcode.text, "hello");
      await until(() => core.messages.length === 1, "the message");
      assert.deepEqual(core.events, ["joined a", "joined b"]);
      assert.deepEqual(errors, []);
      peer.destroy();
    });
  });

  it("answers the subprotocol bearer where no tokens are in use, for browsers want it", async () => {
    await withDoor({}, async ({ port }) => {
      const peer = await rawConnect(port);
      const headers = { "Sec-WebSocket-Protocol": "bearer, x.y.z" };
      peer.write(upgradeText("/ws?clientId=b", headers));
      const head = await peer.readHead();
      assert.equal(head.headers.get("sec-websocket-protocol"), "bearer");
      peer.destroy();
    });
  });

  it("answers 401 to a missing or bad token, without telling it back", async () => {
    await withTokens({}, async ({ refused, clock, door, errors, core }) => {
      const other: Signer = { alg: "HS256", secret: "x".repeat(32) };
      for (
        const [query, error] of [
          ["", "token required"],
          ["&token=", "token required"],
          ["&token=nonsense", "invalid token"],
          [`&token=${tokenOf(clock, "a", 60, other)}`, "invalid token"],
          [`&token=${tokenOf(clock, "a", 60, { alg: "none" })}`, "invalid token"],
          [`&token=${tokenOf(clock, "b")}`, "token of another client"],
          [`&token=${tokenOf(clock, "a", -60)}`, "token expired"],
          [`&token=${"x".repeat(9_000)}`, "invalid token"],
        ]
      ) {
        const answer = await refused(`/ws?clientId=a${query}`);
        assert.deepEqual([answer.status, answer.body], [401, JSON.stringify({ error })]);
      }
      const byProtocol = await refused("/ws?clientId=a", { "Sec-WebSocket-Protocol": "bearer, x" });
      assert.equal(byProtocol.status, 401);
      const both = await refused(`/ws?clientId=a&token=${tokenOf(clock, "a")}`, {
        "Sec-WebSocket-Protocol": "bearer, x",
      });
      assert.equal(both.status, 401, "the subprotocol's token counts");
      assert.deepEqual([door.size, core.events, errors], [0, [], []]);
    });
  });

  it("lets a token take over an id without its resume token, and nobody else", async () => {
    const jwt = { required: false };
    await withTokens({ jwt }, async ({ connect, refused, clock, core }) => {
      const first = await connect("clientId=a&v=2");
      assert.match(await first.readText(), /"welcome"/);
      assert.equal((await refused("/ws?clientId=a&v=2")).status, 401);
      await connect(`clientId=a&token=${tokenOf(clock, "a")}`);
      assert.equal((await first.readClose()).code, 4409);
      assert.deepEqual(core.events, ["joined a", "left a", "joined a"]);
    });
  });

  it("keeps an id that came with a token from those without, also when it is away", async () => {
    const jwt = { required: false };
    await withTokens({ jwt }, async ({ connect, refused, clock, door }) => {
      await connect("clientId=open");
      const peer = await connect(`clientId=a&token=${tokenOf(clock, "a")}`);
      assert.equal((await refused("/ws?clientId=a")).status, 401);
      peer.destroy();
      await until(() => door.size === 1, "its end");
      assert.deepEqual((await refused("/ws?clientId=a")).body, `{"error":"resume token required"}`);
      assert.equal((await refused("/ws?clientId=a&token=bad")).status, 401);
      await connect(`clientId=a&token=${tokenOf(clock, "a")}`);
    });
  });

  it("has requireIdentity take a token as well as v=2", async () => {
    const config = { jwt: { required: false }, requireIdentity: true };
    await withTokens(config, async ({ connect, refused, clock }) => {
      assert.deepEqual((await refused("/ws?clientId=a")).body, `{"error":"identity required"}`);
      await connect("clientId=a&v=2");
      await connect(`clientId=b&token=${tokenOf(clock, "b")}`);
    });
  });

  it("looks again how full it is when a token was found good", async () => {
    await withTokens({ maxConnections: 3 }, async ({ port, clock, door, core }) => {
      const answers = await Promise.all(Array.from({ length: 12 }, async (_, i) => {
        const peer = await rawConnect(port);
        peer.write(upgradeText(`/ws?clientId=c${i}&token=${tokenOf(clock, `c${i}`)}`));
        return { peer, status: (await peer.readHead()).status };
      }));
      // Where several were found good at once, it shows only when they open.
      const ended = await Promise.all(answers.map(async ({ peer, status }, i) => {
        if (status !== 101) return status;
        return core.clients.get(`c${i}`)?.session ? 0 : (await peer.readClose()).code;
      }));
      assert.equal(door.size, 3);
      assert.equal(ended.filter((code) => code === 0).length, 3);
      assert.ok(ended.every((code) => code === 0 || code === 503 || code === 1013), `${ended}`);
      for (const { peer } of answers) peer.destroy();
    });
  });

  it("caps a client's priority by its token, and never above what all may have", async () => {
    const config = { priorityMax: 5 };
    await withTokens(config, async ({ connect, core, clock }) => {
      const priorityWith = async (id: string, priority?: number) => {
        await connect(`clientId=${id}&token=${tokenOf(clock, id, 60, undefined, { priority })}`);
        return core.session(id).priorityMax;
      };
      assert.equal(await priorityWith("a", 2), 2);
      assert.equal(await priorityWith("b", 0), 0);
      assert.equal(await priorityWith("c", 9), 5);
      assert.equal(await priorityWith("d"), 5);
    });
  });
});

describe("GatewayDoor when tokens end", () => {
  it("closes with 1008 once exp and leeway are over, and not a client without a token", async () => {
    const jwt = { required: false, leewaySeconds: 10 };
    await withTokens({ jwt }, async ({ connect, clock, door, core }) => {
      await connect("clientId=free");
      const peer = await connect(`clientId=a&token=${tokenOf(clock, "a", 60)}`);
      const later = await connect(`clientId=b&token=${tokenOf(clock, "b", 65)}`);
      clock.advance(69_000);
      assert.equal(door.size, 3);
      clock.advance(2_000);
      assert.deepEqual(await peer.readClose(), { code: 1008, reason: "token expired" });
      assert.equal(door.size, 2);
      clock.advance(5_000);
      assert.deepEqual(await later.readClose(), { code: 1008, reason: "token expired" });
      assert.deepEqual(core.events.slice(-2), ["left a", "left b"]);
    });
  });

  it("is put off by a new token, which is answered, whatever the client announced", async () => {
    await withTokens({ jwt: { leewaySeconds: 0 } }, async (open) => {
      const { connect, clock, door } = open;
      const peer = await connect(`clientId=a&token=${tokenOf(clock, "a", 60)}`);
      const exp = Math.floor(clock.now() / 1_000) + 120;
      assert.deepEqual(await shown(open, peer, tokenOf(clock, "a", 120)), {
        type: 2,
        action: "auth_ok",
        exp,
      });
      clock.advance(90_000);
      assert.equal(door.size, 1);
      clock.advance(31_000);
      assert.deepEqual(await peer.readClose(), { code: 1008, reason: "token expired" });
    });
  });

  it("is not put off by a token that is bad, of another client, or shown before", async () => {
    await withTokens({ jwt: { leewaySeconds: 0 } }, async (open) => {
      const { connect, clock, counters } = open;
      const short = tokenOf(clock, "a", 30);
      const peer = await connect(`clientId=a&token=${tokenOf(clock, "a", 60)}`);
      for (
        const [token, message] of [
          ["nonsense", "invalid token"],
          [tokenOf(clock, "b", 600), "token of another client"],
          [tokenOf(clock, "a", -1), "token expired"],
          [7, "invalid token"],
          [undefined, "invalid token"],
        ] as const
      ) {
        const answer = await shown(open, peer, token);
        assert.deepEqual(answer, { type: 2, action: "error", code: "unauthorized", message });
      }
      assert.equal(counters.messagesFailed, 5);
      // An older one takes nothing back, and gives nothing.
      const exp = Math.floor(clock.now() / 1_000) + 60;
      assert.deepEqual(await shown(open, peer, short), { type: 2, action: "auth_ok", exp });
      clock.advance(61_000);
      assert.deepEqual(await peer.readClose(), { code: 1008, reason: "token expired" });
    });
  });

  it("changes the priority with the token", async () => {
    await withTokens({}, async (open) => {
      const { connect, clock, core } = open;
      const first = tokenOf(clock, "a", 60, undefined, { priority: 1 });
      const peer = await connect(`clientId=a&token=${first}&ack=1&raw=1`);
      assert.equal(core.session("a").priorityMax, 1);
      await shown(open, peer, tokenOf(clock, "a", 60, undefined, { priority: 4 }));
      const session = core.session("a");
      assert.deepEqual([session.priorityMax, session.isRaw, session.wantsAcks], [4, true, true]);
    });
  });

  it("looks at one new token of a client at a time", async () => {
    await withTokens({}, async (open) => {
      const { connect, clock } = open;
      const token = tokenOf(clock, "a", 60);
      const peer = await connect(`clientId=a&token=${token}`);
      open.core.onText = (session, text) => {
        for (let i = 0; i < 3; i++) session.authenticate(text);
      };
      peer.send(opcode.text, authMessage(token));
      const answers = [await peer.readText(), await peer.readText(), await peer.readText()];
      assert.deepEqual(answers.map((text) => /rate_limited|auth_ok/.exec(text)?.[0]), [
        "rate_limited",
        "rate_limited",
        "auth_ok",
      ]);
    });
  });

  it("survives a client that leaves while its new token is looked at", async () => {
    await withTokens({}, async (open) => {
      const { connect, clock, core, errors, door } = open;
      const token = tokenOf(clock, "a", 60);
      await connect(`clientId=a&token=${token}`);
      const session = core.session("a");
      assert.equal(session.authenticate(authMessage(token)), true);
      session.close(1000, "");
      await until(() => door.size === 0, "its end");
      clock.advance(600_000);
      assert.deepEqual(errors, []);
    });
  });

  it("is no matter where no tokens are in use", async () => {
    await withDoor({}, async ({ connect, core }) => {
      await connect("clientId=a&token=whatever");
      assert.equal(core.session("a").authenticate(authMessage("x")), false);
    });
  });
});

type Options = Partial<Omit<GatewayConfig, "jwt">> & {
  jwt?: Partial<JwtConfig>;
};

function withTokens(
  { jwt, maxConnections, ...config }: Options,
  use: (open: OpenDoor) => Promise<void>,
): Promise<void> {
  const all = { ...roomyGateway.jwt, secret: sharedSecret, ...jwt };
  const most = maxConnections === undefined ? {} : { maxConnections };
  const patient = { connectionTimeoutMs: 3_600_000, heartbeatIntervalMs: 1_800_000 };
  return withDoor({ config: { ...patient, ...config, jwt: all }, ...most }, use);
}

function tokenOf(
  clock: { now(): number },
  clientId: string,
  seconds = 60,
  signer?: Signer,
  more: Readonly<Record<string, unknown>> = {},
): string {
  const exp = Math.floor(clock.now() / 1_000) + seconds;
  return makeToken({ sub: clientId, exp, ...more }, signer);
}

function authMessage(token: unknown): string {
  return JSON.stringify({ type: 2, action: "auth", token });
}

/** The answer to a new token. */
async function shown(open: OpenDoor, peer: RawConnection, token: unknown): Promise<unknown> {
  open.core.onText = (session, text) => void session.authenticate(text);
  peer.send(opcode.text, authMessage(token));
  return JSON.parse(await peer.readText());
}
