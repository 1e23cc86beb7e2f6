import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { linkLimits } from "../../src/gateway/link_batches.ts";
import { linkScene, numbers } from "./link_scene.ts";
import { latin1, serverFrame } from "./raw_upstream.ts";

describe("UpstreamLink", () => {
  it("start() dials, shakes hands and sends what waits, in order, in one write a turn", async () => {
    const { upstream, queue, owner, link, add, pass } = await linkScene("none");
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
    const { upstream, queue, link, add, pass } = await linkScene("required");
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
    const { queue, link, add, pass } = await linkScene("auto");
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
    const { upstream, queue, link, add, pass } = await linkScene("auto");
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

  it("auto: takes more when acknowledgements have emptied a window that was too full", async () => {
    const limits = { ...linkLimits, windowMessages: 10 };
    const { upstream, queue, link, add, pass } = await linkScene("auto", { options: { limits } });
    for (let i = 0; i < 5; i++) {
      await add(5);
      await pass(5);
    }
    assert.equal(link.unconfirmed, 25);
    upstream.last.acknowledge(queue.text(0));
    await pass();
    await add(5);
    assert.equal(upstream.texts.length, 25);
    for (const slot of numbers(25)) upstream.last.acknowledge(queue.text(slot));
    await pass();
    assert.equal(upstream.texts.length, 30);
  });

  it("sends again, first and in order, what was not confirmed when the connection went", async () => {
    const { upstream, queue, owner, link, add, pass } = await linkScene("required");
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
    const { upstream, queue, add, pass } = await linkScene("none", {
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
    const { upstream, queue, link, add, pass } = await linkScene("required", {
      options: { limits },
    });
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
    const { link, queue, add, pass } = await linkScene("auto", { options: { limits } });
    await add(100);
    for (let i = 0; i < 20; i++) await pass(5);
    assert.ok(link.unconfirmed >= 35 && link.unconfirmed <= 45, `${link.unconfirmed}`);
    await pass(5_000);
    for (let i = 0; i < 20; i++) await pass(5);
    assert.equal(queue.confirmed.length, 100);
  });

  it("an upstream that does not read holds up only what its socket takes, and loses nothing", async () => {
    const limits = { ...linkLimits, batchBytes: 3_000 };
    const { upstream, queue, link, owner, add, pass } = await linkScene("none", {
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
    const { upstream, owner, add, pass } = await linkScene("none", {
      network: { windowBytes: 4_000 },
    });
    upstream.last.connection.pause();
    await add(500);
    for (let i = 0; i < 40; i++) {
      upstream.last.sendText("{}");
      await pass(1_000);
    }
    assert.deepEqual(owner.ends, ["slow"]);
  });

  it("a dead upstream is noticed within 45 s of silence", async () => {
    const { upstream, owner, link, pass } = await linkScene("required", {
      manners: { answersPings: false },
    });
    upstream.last.answerPings();
    await pass(44_000);
    assert.equal(link.state, "open");
    await pass(1_100);
    assert.deepEqual(owner.ends, ["no_answer"]);
  });

  it("gives a dial and a handshake 5 s each", async () => {
    const silent = await linkScene("none", { manners: { handshake: "silent" } });
    await silent.pass(4_990);
    assert.equal(silent.link.state, "dialing");
    await silent.pass(20);
    assert.deepEqual(silent.owner.ends, ["handshake_failed"]);
    assert.equal(silent.upstream.last.isClosed || silent.gateway.openConnections === 0, true);
    const nobody = await linkScene("none", { options: { url: "ws://10.9.9.9/" } });
    await nobody.pass(5_010);
    assert.deepEqual(nobody.owner.ends, ["refused"]);
    assert.match(String(nobody.log.lines[0]?.fields.why), /no answer within 5000 ms/);
  });

  it("tries again with longer pauses while the upstream is away, and logs that once", async () => {
    const { owner, log, link, pass } = await linkScene("none", { mayReach: false });
    await pass(60_000);
    const dials = owner.states.filter((state) => state === "dialing").length;
    assert.ok(dials >= 5 && dials <= 20, `${dials} attempts in a minute`);
    assert.equal(log.lines.filter((line) => line.level === "warn").length, 1);
    assert.deepEqual(new Set(owner.ends), new Set(["refused"]));
    await link.stop();
    assert.equal(link.state, "closed");
  });

  it("answers pings of the upstream, the last of a turn for all", async () => {
    const { upstream, pass } = await linkScene("none");
    upstream.last.send(...numbers(1_000).map((i) => serverFrame(9, latin1(`ping ${i}`))));
    await pass();
    const pongs = upstream.last.frames.filter((frame) => frame.opcode === 10);
    assert.ok(pongs.length >= 1 && pongs.length <= 5, `${pongs.length} pongs`);
    assert.equal(pongs.at(-1)?.text, "ping 999");
  });

  it("a fault of the upstream ends the connection with its code, and nothing is lost", async () => {
    const faults: [string, number | undefined, Uint8Array][] = [
      ["protocol_error", 1002, new Uint8Array(2).fill(0xff)],
      ["protocol_error", 1002, Uint8Array.from([0x81, 0x82, 1, 2, 3, 4, 5, 6])],
      ["protocol_error", 1007, serverFrame(1, Uint8Array.from([0xff]))],
      ["too_big", 1009, serverFrame(1, new Uint8Array(10_001))],
      ["closed_by_upstream", 1001, serverFrame(8, Uint8Array.from([0x03, 0xe9]))],
      ["closed_by_upstream", 1000, serverFrame(8, new Uint8Array(0))],
    ];
    for (const [end, code, bytes] of faults) {
      const { upstream, queue, owner, link, add, pass } = await linkScene("required");
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
    const { upstream, queue, owner, add, pass } = await linkScene("required");
    await add(3);
    upstream.last.send(serverFrame(1, latin1("cut")).subarray(0, 4));
    upstream.last.connection.end();
    await pass();
    assert.deepEqual(owner.ends, ["lost"]);
    assert.deepEqual(owner.texts, []);
    assert.deepEqual(queue.waiting, [0, 1, 2]);
  });

  it("stop() sends what waits, awaits its confirmation, says 1001, and resolves", async () => {
    const { upstream, queue, link, owner, pass } = await linkScene("none");
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
    const { queue, link, add, pass, clock } = await linkScene("required");
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

  it("stop() ends early when the connection goes meanwhile", async () => {
    const { queue, link, upstream, add, pass, clock } = await linkScene("required");
    await add(5);
    let isStopped = false;
    link.stop().then(() => isStopped = true);
    await pass(100);
    upstream.last.connection.destroy();
    await pass();
    assert.equal(isStopped, true);
    assert.equal(link.state, "closed");
    assert.deepEqual(queue.waiting, numbers(5));
    assert.equal(clock.waiting, 0);
  });

  it("stop() while dialing or waiting to dial resolves at once, and nothing opens later", async () => {
    const { link, owner, pass, clock, gateway } = await linkScene("none", {
      manners: { handshake: "silent" },
    });
    assert.equal(link.state, "dialing");
    await link.stop();
    await pass(60_000);
    assert.deepEqual(owner.states, ["dialing", "closed"]);
    assert.equal(clock.waiting, 0);
    assert.equal(gateway.openConnections, 0);
  });

  it("stop() right after start() leaves no connection behind", async () => {
    const { link, upstream, pass, gateway } = await linkScene("none", { isStarted: false });
    link.start();
    assert.equal(link.state, "dialing");
    await link.stop();
    await pass();
    assert.equal(gateway.openConnections, 0);
    assert.equal(upstream.last.request, "");
  });

  it("passes on texts and binaries that come", async () => {
    const { upstream, owner, pass } = await linkScene("none");
    upstream.last.sendText('{"a":"ü"}');
    upstream.last.send(serverFrame(2, Uint8Array.from([1, 2, 3])));
    await pass();
    assert.deepEqual(owner.texts, ['{"a":"ü"}']);
    assert.deepEqual(owner.binaries.map((bytes) => [...bytes]), [[1, 2, 3]]);
  });

  it("refuses URLs that it cannot use, without repeating them", async () => {
    for (const url of ["http://a/", "ftp://a/", "ws://", "nonsense", "ws://a/#f", "ws://a:0/"]) {
      const make = () => linkScene("none", { options: { url: url.replace("a", "secret") } });
      await assert.rejects(make, (error: Error) => {
        assert.equal(error.name, "RangeError");
        return !error.message.includes("secret");
      });
    }
  });
});
