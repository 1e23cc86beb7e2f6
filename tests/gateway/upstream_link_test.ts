import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import {
  linkLimits,
  UpstreamLink,
  type UpstreamLinkOptions,
} from "../../src/gateway/upstream_link.ts";
import { fakeClock } from "../fakes/clock.ts";
import { fakeLog } from "../fakes/log.ts";
import { FakeNetwork } from "../fakes/network.ts";
import { fakeRandom } from "../fakes/random.ts";
import { CheckedQueue, NotingOwner, passAcks } from "./link_under_test.ts";
import { latin1, RawUpstream, serverFrame, type UpstreamManners } from "./raw_upstream.ts";

/** A link and its upstream on a network and a clock of the test. */
async function scene(
  upstreamAck: "auto" | "required" | "none",
  { manners = {}, options = {}, network = {}, mayReach = true }: {
    manners?: Partial<UpstreamManners>;
    options?: Partial<UpstreamLinkOptions>;
    network?: { windowBytes?: number; segmentBytes?: number };
    mayReach?: boolean;
  } = {},
) {
  const clock = fakeClock();
  const net = new FakeNetwork({ clock, ...network });
  const gateway = net.machine("10.0.0.1");
  const upstream = await RawUpstream.listen(net.machine("10.0.0.2").tcp, {
    host: "10.0.0.2",
    port: 9000,
    ...manners,
  });
  const queue = new CheckedQueue();
  const owner = new NotingOwner();
  const log = fakeLog();
  const link = new UpstreamLink({
    url: mayReach ? upstream.url : "ws://10.0.0.2:1/",
    queue,
    owner,
    tcp: gateway.tcp,
    clock,
    random: fakeRandom(),
    logger: log.logger,
    upstreamAck,
    messageBytesMax: 10_000,
    ...options,
  });
  passAcks({ owner, queue }, link);
  const pass = async (ms = 0) => {
    for (let round = 0; round < 20; round++) {
      await net.idle();
      await clock.advanceAsync(round === 0 ? ms : 0);
    }
  };
  const add = async (count: number, what: { bytes?: number; hasId?: boolean } = {}) => {
    queue.add(count, what);
    link.wake();
    await pass();
  };
  link.start();
  await pass();
  return { clock, net, gateway, upstream, queue, owner, log, link, pass, add };
}

const numbers = (count: number, from = 0) => Array.from({ length: count }, (_, i) => from + i);

describe("UpstreamLink", () => {
  it("start() dials, shakes hands and sends what waits, in order, in one write a turn", async () => {
    const { upstream, queue, owner, link, add, pass } = await scene("none");
    assert.match(upstream.last.request, /^GET \/up\?q=1 HTTP\/1\.1\r\nHost: 10\.0\.0\.2:9000\r\n/);
    assert.deepEqual(owner.states, ["dialing", "open"]);
    let writes = 0;
    const received = upstream.last.received.bind(upstream.last);
    upstream.last.received = (bytes) => {
      writes++;
      received(bytes);
    };
    await add(100);
    assert.deepEqual(upstream.texts, numbers(100).map((slot) => queue.text(slot)));
    assert.equal(writes, 1);
    await pass(5);
    assert.deepEqual(queue.confirmed, numbers(100));
    assert.equal(queue.sends, 100);
    assert.equal(link.unconfirmed, 0);
    assert.equal(link.reconnects, 0);
  });

  it("required: confirms by acknowledgements alone, and messages without an id by pongs", async () => {
    const { upstream, queue, link, add, pass } = await scene("required");
    await add(3);
    await add(2, { hasId: false });
    await pass(10);
    assert.deepEqual(queue.confirmed, [3, 4]);
    await pass(100_000);
    assert.deepEqual(queue.confirmed, [3, 4]);
    assert.equal(link.unconfirmed, 3);
    for (const slot of [1, 0, 2, 2, 99]) {
      upstream.last.acknowledge(queue.text(slot) || '{"messageId":"m99"}');
    }
    await pass();
    assert.deepEqual(queue.confirmed, [3, 4, 1, 0, 2]);
  });

  it("auto: holds what pongs answered until 5 s passed without an acknowledgement", async () => {
    const { queue, link, add, pass } = await scene("auto");
    await add(10);
    await add(1, { hasId: false });
    await pass(4_000);
    assert.deepEqual(queue.confirmed, [10]);
    assert.equal(link.unconfirmed, 10);
    await pass(2_000);
    assert.deepEqual(queue.confirmed, [10, ...numbers(10)]);
    await add(5);
    await pass(10);
    assert.equal(link.unconfirmed, 0);
  });

  it("auto: after the first acknowledgement what was held awaits its own", async () => {
    const { upstream, queue, link, add, pass } = await scene("auto");
    await add(10);
    await pass(1_000);
    upstream.last.acknowledge(queue.text(4));
    await pass(60_000);
    assert.deepEqual(queue.confirmed, [4]);
    assert.equal(link.unconfirmed, 9);
    for (const slot of numbers(10)) upstream.last.acknowledge(queue.text(slot));
    await pass();
    assert.equal(link.unconfirmed, 0);
  });

  it("sends again, first and in order, what was not confirmed when the connection went", async () => {
    const { upstream, queue, owner, link, add, pass } = await scene("required");
    await add(6);
    upstream.last.acknowledge(queue.text(1));
    upstream.last.acknowledge(queue.text(3));
    await pass();
    queue.add(2);
    upstream.last.connection.destroy();
    await pass(600);
    assert.equal(link.reconnects, 1);
    assert.deepEqual(owner.ends, ["lost"]);
    assert.deepEqual(upstream.last.texts, [0, 2, 4, 5, 6, 7].map((slot) => queue.text(slot)));
    for (const slot of numbers(8)) upstream.last.acknowledge(queue.text(slot));
    await pass();
    assert.equal(link.unconfirmed, 0);
  });

  it("a pong from before a reconnect, or to no ping, confirms nothing", async () => {
    const { upstream, queue, add, pass } = await scene("none", {
      manners: { answersPings: false },
    });
    await add(3);
    await pass(5);
    const pong = (value: number) => serverFrame(10, Uint8Array.from([0, 0, 0, 0, 0, 0, 0, value]));
    upstream.last.send(pong(9), serverFrame(10, latin1("hello")), serverFrame(10, latin1("")));
    await pass();
    assert.deepEqual(queue.confirmed, []);
    upstream.last.answerPings();
    await pass();
    assert.deepEqual(queue.confirmed, [0, 1, 2]);
  });

  it("keeps to its window of messages and of bytes, and goes on when confirmations come", async () => {
    const limits = { ...linkLimits, windowMessages: 10, windowBytes: 5_000 };
    const { upstream, queue, link, add, pass } = await scene("required", { options: { limits } });
    await add(25);
    assert.equal(link.unconfirmed, 10);
    upstream.last.acknowledge(queue.text(7));
    await pass();
    assert.equal(upstream.texts.length, 11);
    upstream.manners.acknowledges = true;
    for (const slot of numbers(11)) upstream.last.acknowledge(queue.text(slot));
    await pass();
    assert.equal(queue.confirmed.length, 25);
    upstream.manners.acknowledges = false;
    await add(10, { bytes: 2_000 });
    assert.equal(link.unconfirmed, 3, "as many as begin below 5,000 bytes");
    await add(5);
    upstream.last.acknowledge(queue.text(25));
    await pass();
    assert.equal(link.unconfirmed, 3);
  });

  it("auto: what is held takes no room in the window, but has a bound of its own", async () => {
    const limits = { ...linkLimits, windowMessages: 10, heldMessages: 35 };
    const { link, queue, add, pass } = await scene("auto", { options: { limits } });
    await add(100);
    for (let i = 0; i < 20; i++) await pass(5);
    assert.ok(link.unconfirmed >= 35 && link.unconfirmed <= 45, `${link.unconfirmed}`);
    await pass(5_000);
    for (let i = 0; i < 20; i++) await pass(5);
    assert.equal(queue.confirmed.length, 100);
  });

  it("an upstream that does not read holds up only what its socket takes, and loses nothing", async () => {
    const limits = { ...linkLimits, batchBytes: 3_000 };
    const { upstream, queue, link, owner, add, pass } = await scene("none", {
      options: { limits },
      network: { windowBytes: 4_000 },
    });
    upstream.last.connection.pause();
    await add(500);
    assert.ok(link.bufferedBytes > 0 && link.bufferedBytes < 4_000, `${link.bufferedBytes}`);
    assert.ok(queue.waiting.length > 300);
    await pass(20_000);
    assert.equal(link.state, "open");
    upstream.last.connection.resume();
    await pass(100);
    assert.deepEqual(upstream.texts, numbers(500).map((slot) => queue.text(slot)));
    assert.deepEqual(queue.confirmed, numbers(500));
    upstream.last.connection.pause();
    await add(500);
    await pass(46_000);
    assert.deepEqual(owner.ends, ["no_answer"]);
    await pass(1_000);
    assert.equal(link.state, "open");
    await pass(100);
    assert.equal(queue.confirmed.length, 1_000);
  });

  it("an upstream that sends but does not read is cut as slow", async () => {
    const { upstream, owner, add, pass } = await scene("none", { network: { windowBytes: 4_000 } });
    upstream.last.connection.pause();
    await add(500);
    for (let i = 0; i < 40; i++) {
      upstream.last.sendText("{}");
      await pass(1_000);
    }
    assert.deepEqual(owner.ends, ["slow"]);
  });

  it("a dead upstream is noticed within 45 s of silence", async () => {
    const { upstream, owner, link, pass } = await scene("required", {
      manners: { answersPings: false },
    });
    upstream.last.answerPings();
    await pass(44_000);
    assert.equal(link.state, "open");
    await pass(1_100);
    assert.deepEqual(owner.ends, ["no_answer"]);
  });

  it("gives a dial and a handshake 5 s each", async () => {
    const silent = await scene("none", { manners: { handshake: "silent" } });
    await silent.pass(4_990);
    assert.equal(silent.link.state, "dialing");
    await silent.pass(20);
    assert.deepEqual(silent.owner.ends, ["handshake_failed"]);
    assert.equal(silent.upstream.last.isClosed || silent.gateway.openConnections === 0, true);
    const nobody = await scene("none", { options: { url: "ws://10.9.9.9/" } });
    await nobody.pass(5_010);
    assert.deepEqual(nobody.owner.ends, ["refused"]);
    assert.match(String(nobody.log.lines[0]?.fields.why), /no answer within 5000 ms/);
  });

  it("tries again with longer pauses while the upstream is away, and logs that once", async () => {
    const { owner, log, link, pass } = await scene("none", { mayReach: false });
    await pass(60_000);
    const dials = owner.states.filter((state) => state === "dialing").length;
    assert.ok(dials >= 5 && dials <= 20, `${dials} attempts in a minute`);
    assert.equal(log.lines.filter((line) => line.level === "warn").length, 1);
    assert.deepEqual(new Set(owner.ends), new Set(["refused"]));
    await link.stop();
    assert.equal(link.state, "closed");
  });

  it("answers pings of the upstream, the last of a turn for all", async () => {
    const { upstream, pass } = await scene("none");
    upstream.last.send(...numbers(1_000).map((i) => serverFrame(9, latin1(`ping ${i}`))));
    await pass();
    const pongs = upstream.last.frames.filter((frame) => frame.opcode === 10);
    assert.ok(pongs.length >= 1 && pongs.length <= 5, `${pongs.length} pongs`);
    assert.equal(pongs.at(-1)?.text, "ping 999");
  });

  it("a fault of the upstream ends the connection with its code, and nothing is lost", async () => {
    const faults: [string, number | undefined, Uint8Array][] = [
      ["protocol_error", 1002, new Uint8Array(20).fill(0xff)],
      ["protocol_error", 1002, Uint8Array.from([0x81, 0x82, 1, 2, 3, 4, 5, 6])],
      ["protocol_error", 1007, serverFrame(1, Uint8Array.from([0xff]))],
      ["too_big", 1009, serverFrame(1, new Uint8Array(10_001))],
      ["closed_by_upstream", 1001, serverFrame(8, Uint8Array.from([0x03, 0xe9]))],
      ["closed_by_upstream", 1000, serverFrame(8, new Uint8Array(0))],
    ];
    for (const [end, code, bytes] of faults) {
      const { upstream, queue, owner, link, add, pass } = await scene("required");
      await add(3);
      const peer = upstream.last;
      peer.send(bytes);
      await pass();
      assert.deepEqual(owner.ends, [end]);
      assert.equal(peer.closeCode, code);
      assert.equal(link.state, "backoff");
      assert.deepEqual(queue.waiting, [0, 1, 2]);
      await pass(2_000);
      assert.deepEqual(upstream.last.texts.length, 3);
      assert.equal(peer.isClosed, true);
    }
  });

  it("a connection that ends in the middle of a frame is lost, and nothing is", async () => {
    const { upstream, queue, owner, add, pass } = await scene("required");
    await add(3);
    upstream.last.send(serverFrame(1, latin1("cut")).subarray(0, 4));
    upstream.last.connection.end();
    await pass();
    assert.deepEqual(owner.ends, ["lost"]);
    assert.deepEqual(owner.texts, []);
    assert.deepEqual(queue.waiting, [0, 1, 2]);
  });

  it("stop() sends what waits, awaits its confirmation, says 1001, and resolves", async () => {
    const { upstream, queue, link, owner, pass } = await scene("none");
    queue.add(50);
    let isStopped = false;
    link.stop().then(() => isStopped = true);
    await pass(5);
    assert.equal(isStopped, true);
    assert.equal(queue.confirmed.length, 50);
    assert.equal(upstream.last.closeCode, 1001);
    assert.deepEqual(owner.states.at(-1), "closed");
    await link.stop();
  });

  it("stop() gives up after 2 s, and puts back what is not confirmed", async () => {
    const { queue, link, add, pass, clock } = await scene("required");
    await add(5);
    let isStopped = false;
    link.stop().then(() => isStopped = true);
    await pass(1_990);
    assert.equal(isStopped, false);
    await pass(1_000);
    assert.equal(isStopped, true);
    assert.deepEqual(queue.waiting, numbers(5));
    assert.equal(clock.waiting, 0, "no timer is left");
  });

  it("stop() while dialing or waiting to dial resolves at once, and nothing opens later", async () => {
    const { link, owner, pass, clock, gateway } = await scene("none", {
      manners: { handshake: "silent" },
    });
    assert.equal(link.state, "dialing");
    await link.stop();
    await pass(60_000);
    assert.deepEqual(owner.states, ["dialing", "closed"]);
    assert.equal(clock.waiting, 0);
    assert.equal(gateway.openConnections, 0);
  });

  it("passes on texts and binaries that come", async () => {
    const { upstream, owner, pass } = await scene("none");
    upstream.last.sendText('{"a":"ü"}');
    upstream.last.send(serverFrame(2, Uint8Array.from([1, 2, 3])));
    await pass();
    assert.deepEqual(owner.texts, ['{"a":"ü"}']);
    assert.deepEqual(owner.binaries.map((bytes) => [...bytes]), [[1, 2, 3]]);
  });

  it("refuses URLs that it cannot use, without repeating them", async () => {
    for (const url of ["http://a/", "ftp://a/", "ws://", "nonsense", "ws://a/#f", "ws://a:0/"]) {
      const make = () => scene("none", { options: { url: url.replace("a", "secret") } });
      await assert.rejects(make, (error: Error) => {
        assert.equal(error.name, "RangeError");
        return !error.message.includes("secret");
      });
    }
  });

  type Step =
    | { kind: "add"; count: number; bytes: number; hasId: boolean }
    | { kind: "time"; ms: number }
    | { kind: "ack"; which: number }
    | { kind: "manner"; acknowledges: boolean; answersPings: boolean }
    | { kind: "pongs" | "drop" | "garbage" | "pause" | "resume" };

  const step: fc.Arbitrary<Step> = fc.oneof(
    {
      weight: 6,
      arbitrary: fc.record({
        kind: fc.constant("add" as const),
        count: fc.integer({ min: 1, max: 30 }),
        bytes: fc.constantFrom(0, 300, 3_000),
        hasId: fc.boolean(),
      }),
    },
    {
      weight: 4,
      arbitrary: fc.record({
        kind: fc.constant("time" as const),
        ms: fc.constantFrom(1, 5, 400, 3_000, 50_000),
      }),
    },
    {
      weight: 6,
      arbitrary: fc.record({ kind: fc.constant("ack" as const), which: fc.nat(1_000) }),
    },
    {
      weight: 2,
      arbitrary: fc.record({
        kind: fc.constant("manner" as const),
        acknowledges: fc.boolean(),
        answersPings: fc.boolean(),
      }),
    },
    {
      weight: 3,
      arbitrary: fc.record({
        kind: fc.constantFrom("pongs", "drop", "garbage", "pause", "resume"),
      }) as fc.Arbitrary<Step>,
    },
  );

  it("whatever happens: nothing lost or confirmed twice, order kept, never over the window", async () => {
    const limits = { ...linkLimits, windowMessages: 12, batchBytes: 2_000, heldMessages: 40 };
    const modes = fc.constantFrom("auto" as const, "required" as const, "none" as const);
    await fc.assert(
      fc.asyncProperty(modes, fc.array(step, { maxLength: 40 }), async (mode, steps) => {
        const it = await scene(mode, {
          options: { limits },
          network: { windowBytes: 5_000, segmentBytes: 700 },
        });
        const { upstream, queue, link, add, pass } = it;
        for (const one of steps) {
          const peer = upstream.peers.at(-1);
          if (one.kind === "add") await add(one.count, one);
          else if (one.kind === "time") await pass(one.ms);
          else if (one.kind === "manner") {
            upstream.manners.acknowledges = one.acknowledges;
            upstream.manners.answersPings = one.answersPings;
          } else if (one.kind === "ack") {
            const text = peer?.texts[one.which % peer.texts.length];
            if (text !== undefined) peer?.acknowledge(text);
          } else if (one.kind === "pongs") peer?.answerPings();
          else if (one.kind === "drop") peer?.connection.destroy();
          else if (one.kind === "garbage") peer?.send(latin1("\xff\xff garbage"));
          else if (one.kind === "pause") peer?.connection.pause();
          else peer?.connection.resume();
          await pass();
          assert.equal(link.unconfirmed, queue.onLink.size);
          const most = mode === "auto" ? limits.heldMessages + 12 : 12;
          assert.ok(link.unconfirmed <= most, `${link.unconfirmed} unconfirmed`);
        }
        // All is well again: everything is delivered in the end.
        upstream.manners.acknowledges = mode !== "none";
        upstream.manners.answersPings = true;
        upstream.peers.at(-1)?.connection.destroy();
        for (let i = 0; i < 400 && queue.confirmed.length < queue.added; i++) await pass(200);
        assert.deepEqual([...queue.confirmed].sort((a, b) => a - b), numbers(queue.added));
        for (const peer of upstream.peers) {
          const slots = peer.texts.map((text) => (JSON.parse(text) as { slot: number }).slot);
          assert.deepEqual(slots, [...slots].sort((a, b) => a - b), "in order on each connection");
        }
        await Promise.all([link.stop(), pass(3_000)]);
        assert.equal(it.clock.waiting, 0, "no timer is left");
      }),
      { numRuns: 60 },
    );
  });
});
