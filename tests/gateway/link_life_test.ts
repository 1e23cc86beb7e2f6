import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { LinkLife, linkTimes } from "../../src/gateway/link_life.ts";
import { type UpstreamWay, UpstreamWays } from "../../src/gateway/upstream_ways.ts";

const second = 1_000;

/** One that is open since `now`, its first ping sent and answered. */
function openLife(
  upstreamAck: "auto" | "required" | "none",
  now = 0,
  way?: UpstreamWay,
): LinkLife {
  const life = new LinkLife({ upstreamAck, ...way && { way } });
  life.start(now);
  assert.deepEqual(life.wake(now), { kind: "dial" });
  reopen(life, now);
  return life;
}

function reopen(life: LinkLife, now: number): void {
  life.opened(now);
  assert.deepEqual(life.wake(now), { kind: "ping" });
  life.pinged(now);
  life.heard(now);
  life.ponged(now, { isLatest: true });
}

/** Sends heartbeats and answers them until `until`; returns the other orders. */
function idle(life: LinkLife, until: number): string[] {
  const orders: string[] = [];
  for (let now = life.nextWake(); now <= until; now = life.nextWake()) {
    const order = life.wake(now);
    if (order?.kind === "ping") {
      life.pinged(now);
      life.heard(now);
      life.ponged(now, { isLatest: true });
    } else if (order !== undefined) orders.push(`${order.kind} at ${now}`);
  }
  return orders;
}

describe("LinkLife", () => {
  it("ended() pauses from 250 ms up to a bound that doubles to 30 s, spread by chance", () => {
    const life = new LinkLife({ upstreamAck: "auto" });
    life.start(0);
    const bounds: number[] = [];
    for (let attempt = 0; attempt < 10; attempt++) {
      assert.equal(life.wake(life.nextWake())?.kind, "dial");
      life.ended(0, 0);
      assert.equal(life.nextWake(), 250);
      life.wake(250);
      life.ended(0, 1);
      bounds.push(life.nextWake());
    }
    assert.deepEqual(bounds, [1_000, 4_000, 16_000, ...Array(7).fill(30_000)]);
    assert.equal(life.attempts, 20);
    assert.equal(life.wake(29_999), undefined);
    assert.equal(life.state, "backoff");
  });

  it("a pong, an acknowledgement, or 5 s make a connection a good one: the next pause is short", () => {
    const makeGood: [string, (life: LinkLife) => number][] = [
      ["pong", (life) => (life.ponged(1, { isLatest: true }), 1)],
      ["ack", (life) => (life.acked(1), 1)],
      ["5 s", () => 5_000],
    ];
    for (const [what, good] of makeGood) {
      const life = new LinkLife({ upstreamAck: "required" });
      life.start(0);
      for (let i = 0; i < 6; i++) {
        life.wake(life.nextWake());
        life.ended(0, 1);
      }
      life.wake(life.nextWake());
      life.opened(0);
      const now = good(life);
      life.ended(now, 1);
      assert.equal(life.nextWake() - now, 500, what);
    }
    const life = new LinkLife({ upstreamAck: "required" });
    life.start(0);
    life.wake(0);
    life.ended(0, 1);
    life.wake(500);
    life.opened(500);
    life.ended(501, 1);
    assert.equal(life.nextWake() - 501, 1_000, "it opened, and ended at once");
  });

  it("pings at once, then every 15 s", () => {
    const life = openLife("required");
    assert.equal(life.nextWake(), 15 * second);
    assert.deepEqual(idle(life, 300 * second), []);
  });

  it("30 s without any bytes after a ping cut the connection, not while other frames come", () => {
    const life = openLife("none");
    life.pinged(1 * second);
    assert.equal(life.wake(16 * second)?.kind, "ping");
    life.pinged(16 * second);
    assert.equal(life.wake(30_999), undefined);
    life.heard(20 * second);
    assert.equal(life.wake(31 * second)?.kind, "ping");
    life.pinged(31 * second);
    assert.equal(life.wake(49_999)?.kind, "ping");
    life.pinged(49_999);
    const order = life.wake(50 * second);
    assert.deepEqual(order?.kind === "cut" && order.end, "no_answer");
  });

  it("120 s of frames without a pong cut the connection", () => {
    const life = openLife("none");
    life.pinged(1 * second);
    for (let now = 2 * second; now < 121 * second; now += second) {
      life.heard(now);
      const order = life.wake(now);
      if (order?.kind === "ping") life.pinged(now);
      else assert.equal(order, undefined);
    }
    const order = life.wake(121 * second);
    assert.deepEqual(order?.kind === "cut" && order.end, "no_answer");
  });

  it("30 s in which nothing of what waits leaves cut the connection, though frames come", () => {
    const life = openLife("none");
    life.blocked(1 * second);
    life.blocked(5 * second);
    life.heard(34 * second);
    assert.equal(life.wake(34_999), undefined, "and no ping, which could not leave");
    assert.equal(life.nextWake(), 35 * second);
    const order = life.wake(35 * second);
    assert.deepEqual(order?.kind === "cut" && order.end, "slow");
    life.unblocked();
    assert.equal(life.wake(35 * second)?.kind, "ping");
  });

  it("wantsPing() lets one ping answer for the batches of 5 ms, and none where acks confirm all", () => {
    const life = openLife("none");
    assert.equal(life.wantsPing(100, { needsPong: true }), true);
    life.pinged(100);
    assert.equal(life.wantsPing(101, { needsPong: true }), false);
    assert.equal(life.wantsPing(103, { needsPong: true }), false);
    assert.equal(life.nextWake(), 105);
    assert.equal(life.wake(104), undefined);
    assert.deepEqual(life.wake(105), { kind: "ping" });
    life.pinged(105);
    assert.equal(life.wantsPing(200, { needsPong: false }), false);
  });

  it("auto decides for pongs when nothing was acknowledged 5 s after the first was held", () => {
    const life = openLife("auto");
    assert.equal(life.confirmedBy, "undecided");
    assert.deepEqual(idle(life, 60 * second), [], "there is nothing to decide about");
    life.held(60 * second);
    life.held(62 * second);
    assert.deepEqual(idle(life, 64_999), []);
    assert.equal(life.confirmedBy, "undecided");
    assert.deepEqual(idle(life, 100 * second), ["confirm_held at 65000"]);
    assert.equal(life.confirmedBy, "pongs");
  });

  it("auto decides for acks at the first one, also after it had decided otherwise", () => {
    const life = openLife("auto");
    life.held(1);
    life.acked(2);
    assert.equal(life.confirmedBy, "acks");
    life.held(3);
    assert.deepEqual(idle(life, 600 * second), [], "and stays with that");

    const late = openLife("auto");
    late.held(0);
    assert.deepEqual(idle(late, 10 * second), ["confirm_held at 5000"]);
    late.acked(11 * second);
    assert.equal(late.confirmedBy, "acks");
  });

  it("auto remembers an upstream that acknowledged, and doubts it only after 60 s", () => {
    const life = openLife("auto");
    life.acked(1);
    life.ended(2, 0);
    life.wake(1 * second);
    reopen(life, 1 * second);
    assert.equal(life.confirmedBy, "acks");
    life.held(2 * second);
    assert.deepEqual(idle(life, 61_999), []);
    assert.deepEqual(idle(life, 62 * second), ["confirm_held at 62000"]);
    assert.equal(life.confirmedBy, "pongs");
    life.ended(63 * second, 0);
    life.wake(64 * second);
    reopen(life, 64 * second);
    assert.equal(life.confirmedBy, "undecided", "the next connection is asked anew");
  });

  it("auto asks an upstream once whether it acknowledges, on whatever connection and link", () => {
    const ways = new UpstreamWays();
    const first = openLife("auto", 0, ways.of("ws://a/"));
    first.held(0);
    assert.deepEqual(idle(first, 10 * second), ["confirm_held at 5000"]);
    first.ended(11 * second, 0);
    first.wake(12 * second);
    reopen(first, 12 * second);
    assert.equal(first.confirmedBy, "pongs");
    const later = openLife("auto", 0, ways.of("ws://a/"));
    assert.equal(later.confirmedBy, "pongs");
    later.acked(1);
    assert.equal(later.confirmedBy, "acks", "it may have learned to");
    assert.equal(openLife("auto", 0, ways.of("ws://a/")).confirmedBy, "acks");
    assert.equal(openLife("auto", 0, ways.of("ws://b/")).confirmedBy, "undecided");
    assert.equal(openLife("required", 0, { confirmedBy: "pongs" }).confirmedBy, "acks");
    assert.equal(openLife("none", 0, { confirmedBy: "acks" }).confirmedBy, "pongs");
  });

  it("forgets the ways of the upstream that was not used for longest beyond 10,000", () => {
    const ways = new UpstreamWays();
    ways.of("ws://first/").confirmedBy = "acks";
    ways.of("ws://used/").confirmedBy = "acks";
    for (let n = 0; n < 9_999; n++) {
      ways.of(`ws://${n}/`);
      if (n === 5_000) ways.of("ws://used/");
    }
    assert.equal(ways.of("ws://used/").confirmedBy, "acks");
    assert.equal(ways.of("ws://first/").confirmedBy, undefined);
  });

  it("required and none never change their mind", () => {
    const required = openLife("required");
    required.held(0);
    assert.deepEqual(idle(required, 600 * second), []);
    assert.equal(required.confirmedBy, "acks");
    const none = openLife("none");
    none.held(0);
    none.acked(1);
    assert.equal(none.confirmedBy, "pongs");
  });

  it("stopped() leaves nothing to wait for", () => {
    const life = openLife("auto");
    life.stopped();
    assert.equal(life.state, "closed");
    assert.equal(life.nextWake(), Infinity);
    assert.equal(life.wake(1e9), undefined);
    assert.ok(linkTimes.backoffMsMin < linkTimes.backoffMsMax);
  });
});
