import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { until } from "../adapters/http_recorder.ts";
import { opcode, rawWebSocket } from "../adapters/raw_websocket.ts";
import { type OpenDoor, withDoor } from "./door_fixture.ts";

const text = new TextDecoder();

describe("GatewayDoor take-over", () => {
  it("closes the old connection with 4409, and its end does not touch the new one", async () => {
    await withDoor({}, async ({ connect, core, door }) => {
      const old = await connect("clientId=a");
      const before = core.session("a");
      const young = await connect("clientId=a");
      assert.deepEqual(core.events, ["joined a", "left a", "joined a"]);
      assert.notEqual(core.session("a"), before);
      assert.equal(before.send("not for you"), "gone");
      core.session("a").send("for you");
      assert.deepEqual(await old.readFrame().then(({ opcode }) => opcode), opcode.close);
      old.sendClose(4409);
      await old.closed;
      assert.equal(await young.readText(), "for you");
      young.send(opcode.text, "still here");
      await until(() => core.messages.length === 1, "the message");
      assert.deepEqual([door.size, core.events.length], [1, 3]);
    });
  });

  it("is refused with 429 after five in a minute, for that id alone and while it is connected", async () => {
    await withDoor({}, async ({ connect, refused, clock, core }) => {
      for (let i = 0; i <= 5; i++) await connect("clientId=a");
      const answer = await refused("/ws?clientId=a");
      assert.deepEqual([answer.status, answer.headers.get("retry-after")], [429, "60"]);
      await connect("clientId=b");
      core.session("a").close(1000, "");
      const last = await connect("clientId=a");
      assert.equal((await refused("/ws?clientId=a")).status, 429);
      clock.advance(60_000);
      await connect("clientId=a");
      assert.equal((await last.readClose()).code, 4409);
    });
  });

  it(
    "survives a storm: one connection stays, every join has its leave",
    { timeout: 60_000 },
    async () => {
      await withDoor({}, async ({ port, clock, core, door }) => {
        for (let round = 0; round < 20; round++) {
          clock.advance(60_000);
          const storm = Array.from(
            { length: 5 },
            () => rawWebSocket(port, { path: "/ws?clientId=a" }),
          );
          for (const peer of await Promise.all(storm)) if (round % 2 === 0) peer.destroy();
        }
        const last = await rawWebSocket(port, { path: "/ws?clientId=b" });
        last.destroy();
        await until(() => !core.events.includes("joined b") || core.events.includes("left b"), "b");
        const of = (what: string) => core.events.filter((event) => event === `${what} a`).length;
        await until(() => of("joined") - of("left") === door.size && door.size <= 1, "one or none");
        assert.equal(of("joined"), 100);
      });
    },
  );
});

describe("GatewayDoor heartbeat", () => {
  it("pings who was not heard lately once a round, spread over it", async () => {
    const config = { heartbeatIntervalMs: 10_000 };
    await withDoor({ config }, async ({ connect, clock }) => {
      const peers = [];
      for (let i = 0; i < 20; i++) peers.push(await connect(`clientId=c${i}`));
      // In the first half of the first round everybody has just come.
      clock.advance(10_000);
      assert.equal((await peers[19]?.readFrame())?.opcode, opcode.ping);
      clock.advance(5_000);
      const first = await Promise.race(peers.slice(0, 1).map((peer) => peer.readFrame()));
      assert.equal(first.opcode, opcode.ping);
      const late = peers[19]?.readFrame().then(() => "pinged");
      const none = await Promise.race([late, peers[9]?.readFrame().then(() => "tenth")]);
      assert.equal(none, "tenth");
      clock.advance(5_000);
      assert.equal(await late, "pinged");
    });
  });

  it("closes who sends nothing for connectionTimeout, not who only answers pings", async () => {
    const config = { heartbeatIntervalMs: 1_000, connectionTimeoutMs: 3_000 };
    await withDoor({ config }, async ({ connect, clock, core, door }) => {
      const silent = await connect("clientId=silent");
      const lively = await connect("clientId=lively");
      const probe = await connect("clientId=probe");
      for (let second = 0; second < 6; second++) {
        clock.advance(1_000);
        lively.send(opcode.pong, "");
        await lively.flush();
        probe.send(opcode.text, String(second));
        await until(() => core.messages.length > second, "what was sent after the pong");
      }
      assert.equal((await lively.readFrame()).opcode, opcode.ping);
      assert.deepEqual(await silent.readClose(), { code: 1008, reason: "connection timeout" });
      assert.deepEqual([door.size, core.events.at(-1)], [2, "left silent"]);
    });
  });

  it("counts no silence while this process stood still, and none by the wall clock", async () => {
    const config = { heartbeatIntervalMs: 1_000, connectionTimeoutMs: 30_000 };
    await withDoor({ config }, async ({ connect, clock, door, stall }) => {
      await connect("clientId=a");
      clock.jumpWallClock(86_400_000);
      stall(600_000);
      clock.advance(29_000);
      assert.equal(door.size, 1);
      clock.advance(2_500);
      assert.equal(door.size, 0);
    });
  });
});

describe("GatewayDoor message rate", () => {
  const config = { messagesPerSecond: 10, messageBurst: 20 };

  it("refuses what is over it, by id, to those who understand that", async () => {
    await withDoor({ config }, async ({ connect, core, counters, clock }) => {
      const modern = await connect("clientId=modern&ack=1");
      for (let i = 0; i < 25; i++) {
        modern.send(opcode.text, `{"type":0,"messageId":"m${i}","data":"x"}`);
      }
      for (let i = 20; i < 25; i++) {
        const error = JSON.parse(await modern.readText());
        assert.deepEqual([error.code, error.messageId], ["rate_limited", `m${i}`]);
      }
      assert.deepEqual([core.messages.length, counters.rateLimitExceeded], [20, 5]);
      const old = await connect("clientId=old");
      for (let i = 0; i < 25; i++) old.send(opcode.text, String(i));
      await until(() => counters.messagesReceived === 50, "all of them");
      core.session("old").send("nothing came before");
      assert.equal(await old.readText(), "nothing came before");
      clock.advance(1_000);
      for (let i = 0; i < 15; i++) old.send(opcode.text, String(i));
      await until(() => counters.messagesReceived === 65, "all of them");
      assert.deepEqual([core.messages.length, counters.rateLimitExceeded], [50, 15]);
    });
  });

  it("closes a flood with 1008", async () => {
    await withDoor({ config }, async ({ connect, core }) => {
      const peer = await connect("clientId=a");
      for (let i = 0; i < 600; i++) peer.send(opcode.text, "x");
      assert.deepEqual(await peer.readClose(), { code: 1008, reason: "flood" });
      assert.deepEqual([core.messages.length, core.events], [20, ["joined a", "left a"]]);
    });
  });

  it("takes heartbeats for no flood, and what the core exempts for no message", async () => {
    await withDoor({ config }, async ({ connect, core, counters, door }) => {
      core.onText = (session, message) => void (message.includes("ping") && session.exemptPing());
      const peer = await connect("clientId=a&ack=1");
      const ping = `{"type":2,"data":"ping"}`;
      for (let i = 0; i < 900; i++) peer.send(opcode.text, ping);
      for (let i = 0; i < 20; i++) peer.send(opcode.text, "a message");
      for (let i = 0; i < 900; i++) peer.send(opcode.text, ping);
      await until(() => counters.messagesReceived === 1_820, "all of them");
      assert.equal(core.messages.filter((message) => message === "a message").length, 20);
      assert.deepEqual([counters.pingsDropped, counters.rateLimitExceeded, door.size], [900, 0, 1]);
    });
  });
});

describe("GatewayDoor and slow clients", () => {
  const config = { outboundBytesMax: 1 << 18, slowConsumerSeconds: 5 };

  it("says slow, sends nothing of it, and says when there is room again", async () => {
    await withDoor({ config }, async (open) => {
      const peer = await open.connect("clientId=a");
      peer.stopReading();
      const sent = fill(open, "a");
      assert.equal(open.core.session("a").send("x".repeat(8_192)), "slow");
      assert.equal(open.core.session("a").sendAll(["x".repeat(8_192), "y"]), "slow");
      open.clock.advance(250);
      assert.ok(open.memory.bytes("outbound") > 1 << 17);
      peer.startReading();
      for (let i = 0; i < sent; i++) assert.equal((await peer.readFrame()).payload.length, 8_192);
      await until(() => open.core.events.includes("drained a"), "the drain");
      open.clock.advance(60_000);
      assert.deepEqual([open.memory.bytes("outbound"), open.door.size], [0, 1]);
      assert.equal(open.core.session("a").sendAll(["last", "of all"]), "sent");
      const left = [];
      for (let kind = 0; left.length < 2;) {
        const frame = await peer.readFrame();
        kind = frame.opcode;
        if (kind === opcode.text) left.push(text.decode(frame.payload));
      }
      assert.deepEqual(left, ["last", "of all"]);
    });
  });

  it("closes with 1013 who stays slow, and keeps no more for it than the limit", async () => {
    await withDoor({ config }, async (open) => {
      const peer = await open.connect("clientId=a");
      const other = await open.connect("clientId=b");
      peer.stopReading();
      fill(open, "a");
      const [facts] = open.door.list().filter(({ clientId }) => clientId === "a");
      assert.equal(facts?.remoteHost, "127.0.0.1");
      assert.ok((facts?.bufferedBytes ?? 0) < config.outboundBytesMax + 16_384);
      open.clock.advance(4_000);
      assert.equal(open.door.size, 2);
      open.clock.advance(1_500);
      assert.deepEqual([open.door.size, open.core.events.at(-1)], [1, "left a"]);
      open.core.session("b").send("not held back");
      assert.equal(await other.readText(), "not held back");
    });
  });
});

describe("GatewayDoor.closeAll()", () => {
  it("asks those who understand it to come back, and closes with 1001 over the time", async () => {
    await withDoor({}, async ({ connect, door, clock, core }) => {
      const modern = await connect("clientId=modern&v=2");
      await modern.readText();
      const old = await connect("clientId=old");
      const over = door.closeAll(1_000);
      await clock.advanceAsync(900);
      await clock.advanceAsync(200);
      await over;
      const reconnect = JSON.parse(await modern.readText());
      assert.deepEqual([reconnect.type, reconnect.action], [2, "reconnect"]);
      assert.ok(reconnect.afterMs >= 500);
      assert.equal((await modern.readClose()).code, 1001);
      assert.equal((await old.readFrame()).opcode, opcode.close);
      assert.deepEqual(
        [door.size, core.events.filter((event) => event.startsWith("left")).length],
        [0, 2],
      );
    });
  });

  it("spreads the closes evenly", async () => {
    await withDoor({}, async ({ connect, door, clock }) => {
      for (let i = 0; i < 40; i++) await connect(`clientId=c${i}`);
      const over = door.closeAll(1_000);
      await clock.advanceAsync(525);
      assert.equal(door.size, 20);
      await clock.advanceAsync(475);
      await over;
      assert.equal(door.size, 0);
    });
  });

  it("gives each of few clients its own part of the time, and the last one all of it", async () => {
    for (const clients of [1, 2, 3, 7, 19, 23, 30]) {
      await withDoor({}, async ({ connect, door, clock }) => {
        for (let i = 0; i < clients; i++) await connect(`clientId=c${i}`);
        let isOver = false;
        const over = door.closeAll(1_000).then(() => isOver = true);
        for (let ms = 0; ms < 1_000; ms += 10) {
          const due = clients * (1 - ms / 1_000);
          // Those of which no two fall into one step of 50 ms go one by one.
          const late = door.size - due;
          const lateMax = clients <= 20 ? 1 : 2;
          assert.ok(late > -1e-6 && late < lateMax, `${door.size} of ${clients} at ${ms} ms`);
          assert.equal(isOver, false, `over at ${ms} ms`);
          await clock.advanceAsync(10);
        }
        await clock.advanceAsync(1);
        await over;
        assert.deepEqual([door.size, clock.waiting], [0, 0]);
      });
    }
  });

  it("is over before its time when all have left by themselves", async () => {
    await withDoor({}, async ({ connect, door, clock, core }) => {
      const peer = await connect("clientId=a");
      const over = door.closeAll(60_000);
      peer.destroy();
      await until(() => core.events.includes("left a"), "the client's end");
      await clock.advanceAsync(100);
      await over;
      assert.equal(door.size, 0);
    });
  });

  it("with no time to spread closes everybody now", async () => {
    await withDoor({}, async ({ connect, door, clock }) => {
      for (let i = 0; i < 10; i++) await connect(`clientId=c${i}`);
      await door.closeAll(0);
      assert.deepEqual([door.size, clock.waiting], [0, 0]);
    });
  });
});

describe("GatewayDoor.kick()", () => {
  it("closes a client's connection, and says whether there was one", async () => {
    await withDoor({}, async ({ connect, door }) => {
      const peer = await connect("clientId=a");
      assert.deepEqual([door.kick("b"), door.kick("a"), door.kick("a")], [false, true, false]);
      assert.deepEqual(await peer.readClose(), { code: 1008, reason: "kicked" });
    });
  });
});

describe("GatewayDoor and bad input", () => {
  it("stands 500 half-open handshakes and takes the next client", { timeout: 30_000 }, async () => {
    await withDoor({}, async ({ port, connect, door }) => {
      const { rawConnect } = await import("../adapters/raw_websocket.ts");
      const half = await Promise.all(Array.from({ length: 500 }, () => rawConnect(port)));
      for (const peer of half) peer.write("GET /ws?clientId=a HTTP/1.1\r\nHost: x\r\nUpgr");
      await connect("clientId=b");
      assert.equal(door.size, 1);
      for (const peer of half) peer.destroy();
    });
  });

  it("joins a message of thousands of pieces and counts it once", async () => {
    await withDoor({ config: { messagesPerSecond: 10, messageBurst: 10 } }, async (open) => {
      const peer = await open.connect("clientId=a");
      for (let i = 0; i < 5_000; i++) {
        peer.send(i === 0 ? opcode.text : opcode.continuation, "x", { fin: i === 4_999 });
      }
      await until(() => open.core.messages.length > 0, "the message");
      assert.equal(open.core.messages[0]?.length, 5_000);
      assert.equal(open.counters.messagesReceived, 1);
    });
  });

  it("closes with 1009 after a message over maxMessageSize", async () => {
    await withDoor({ config: { maxMessageSize: 1_000 } }, async ({ connect, core }) => {
      const peer = await connect("clientId=a");
      peer.send(opcode.text, "x".repeat(1_001));
      assert.equal((await peer.readClose()).code, 1009);
      await until(() => core.events.includes("left a"), "its end");
      assert.deepEqual(core.messages, []);
    });
  });
});

/** Sends a client as much as it takes in; the number of messages. */
function fill({ core }: OpenDoor, id: string): number {
  const session = core.session(id);
  const piece = "x".repeat(8_192);
  for (let sent = 0; sent < 10_000; sent++) {
    const result = session.send(piece);
    if (result === "slow") return sent;
    assert.equal(result, "sent");
  }
  throw new Error("80 MB went to a client that does not read");
}
