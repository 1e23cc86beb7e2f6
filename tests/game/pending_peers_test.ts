import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { GamePeer } from "../../src/game/game_peer.ts";
import { PendingPeers } from "../../src/game/pending_peers.ts";
import { fakeClock } from "../fakes/clock.ts";
import { peerProbe } from "./peer_probe.ts";

function stage(timeoutMs = 1_000) {
  const clock = fakeClock();
  const expired: number[] = [];
  const pending = new PendingPeers({
    clock,
    timeoutMs,
    expired: (peer) => void expired.push(peer.id),
  });
  const add = (id: number, group = "a", groupMax = 100): GamePeer | undefined => {
    const { peer } = peerProbe(id);
    return pending.add(peer, group, groupMax) ? peer : undefined;
  };
  return { clock, expired, pending, add };
}

describe("PendingPeers", () => {
  it("add() refuses one more than an address may have, until one is removed", () => {
    const { pending, add } = stage();
    const first = add(1, "a", 2);
    assert.ok(first && add(2, "a", 2));
    assert.equal(add(3, "a", 2), undefined);
    assert.ok(add(4, "b", 2));
    assert.equal(pending.size, 3);
    pending.remove(first);
    pending.remove(first);
    assert.ok(add(5, "a", 2));
    assert.equal(add(6, "a", 2), undefined);
    assert.deepEqual([...pending.peers].map(({ id }) => id), [2, 4, 5]);
  });

  it("each expires after its own timeout, once, with one timer for all", () => {
    const { clock, expired, pending, add } = stage();
    add(1);
    clock.advance(400);
    add(2);
    add(3);
    assert.equal(clock.waiting, 1);
    clock.advance(599);
    assert.deepEqual(expired, []);
    clock.advance(1);
    assert.deepEqual(expired, [1]);
    clock.advance(400);
    assert.deepEqual(expired, [1, 2, 3]);
    assert.deepEqual([pending.size, pending.groups, clock.waiting], [0, 0, 0]);
    assert.ok(add(4, "a", 1), "those who expired count no more");
  });

  it("remove() saves from expiring, whoever comes after it keeps his time", () => {
    const { clock, expired, pending, add } = stage();
    const first = add(1)!;
    clock.advance(500);
    add(2);
    pending.remove(first);
    clock.advance(999);
    assert.deepEqual(expired, []);
    clock.advance(1);
    assert.deepEqual(expired, [2]);
  });

  it("timeoutMs counts for those that wait already, shorter or longer", () => {
    const { clock, expired, pending, add } = stage(1_000);
    add(1);
    clock.advance(100);
    pending.timeoutMs = 300;
    clock.advance(199);
    assert.deepEqual(expired, []);
    clock.advance(1);
    assert.deepEqual(expired, [1]);
    add(2);
    pending.timeoutMs = 5_000;
    clock.advance(4_999);
    assert.deepEqual(expired, [1]);
    clock.advance(1);
    assert.deepEqual(expired, [1, 2]);
    assert.equal(clock.waiting, 0);
  });

  it("stop() lets nobody expire and leaves no timer", () => {
    const { clock, expired, pending, add } = stage();
    add(1);
    pending.stop();
    assert.equal(clock.waiting, 0);
    clock.advance(10_000);
    assert.deepEqual(expired, []);
  });
});
