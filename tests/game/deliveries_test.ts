import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { Deliveries } from "../../src/game/deliveries.ts";
import type { GamePeer } from "../../src/game/game_peer.ts";
import { fakeClock } from "../fakes/clock.ts";
import { peerProbe } from "./peer_probe.ts";

function stage(outboundBytesMax = 1_000) {
  const clock = fakeClock();
  const slow: GamePeer[] = [];
  const deliveries = new Deliveries({
    clock,
    outboundBytesMax,
    slow: (peer) => {
      slow.push(peer);
      peer.queued = undefined;
    },
  });
  const turn = (work: () => void) => {
    deliveries.begin();
    work();
    deliveries.turnEnded();
  };
  return { clock, deliveries, slow, turn };
}

const packet = (...bytes: number[]) => Uint8Array.from(bytes);

describe("Deliveries", () => {
  it("writes once for each peer and turn, in the order of add()", () => {
    const { deliveries, turn } = stage();
    const [first, second, idle] = [peerProbe(1), peerProbe(2), peerProbe(3)];
    turn(() => {
      deliveries.add(first.peer, packet(1));
      deliveries.add(second.peer, packet(2, 2));
      deliveries.add(first.peer, packet(3));
      assert.deepEqual(first.socket.writes, [], "not before the end of the turn");
    });
    assert.deepEqual(first.socket.writes, [packet(1, 3)]);
    assert.deepEqual(second.socket.writes, [packet(2, 2)]);
    assert.deepEqual(idle.socket.writes, []);
    const { writes, packets, bytes } = deliveries;
    assert.deepEqual({ writes, packets, bytes }, { writes: 2, packets: 3, bytes: 4 });
    turn(() => {});
    assert.equal(first.socket.writes.length, 1);
  });

  it("takes turns within a turn for one", () => {
    const { deliveries, turn } = stage();
    const { peer, socket } = peerProbe();
    turn(() => {
      turn(() => deliveries.add(peer, packet(1)));
      assert.deepEqual(socket.writes, []);
      turn(() => deliveries.add(peer, packet(2)));
    });
    assert.deepEqual(socket.writes, [packet(1, 2)]);
  });

  it("joins what a crowd gets only where it is the same", () => {
    const { deliveries, turn } = stage();
    const peers = [1, 2, 3, 4].map((id) => peerProbe(id));
    const [hello, news] = [packet(7), packet(8, 9)];
    turn(() => {
      for (const { peer } of peers) {
        deliveries.add(peer, hello);
        deliveries.add(peer, peer.id === 3 ? packet(1) : news);
      }
    });
    assert.deepEqual(peers.map(({ socket }) => socket.writes), [
      [packet(7, 8, 9)],
      [packet(7, 8, 9)],
      [packet(7, 1)],
      [packet(7, 8, 9)],
    ]);
    assert.equal(peers[0]?.socket.writes[0], peers[1]?.socket.writes[0], "joined once for both");
  });

  it("gathers for 8 ms after a turn that went to 48 peers, and not after one to 47", () => {
    for (const crowd of [47, 48]) {
      const { clock, deliveries, turn } = stage();
      const peers = Array.from({ length: crowd }, (_, id) => peerProbe(id));
      const tellAll = (byte: number) =>
        turn(() => peers.forEach(({ peer }) => deliveries.add(peer, packet(byte))));
      const written = () => peers[0]!.socket.writes.map((bytes) => [...bytes]);
      tellAll(1);
      assert.deepEqual(written(), [[1]], "the first waits for nothing");
      tellAll(2);
      clock.advance(3);
      tellAll(3);
      if (crowd === 47) {
        assert.deepEqual(written(), [[1], [2], [3]]);
        continue;
      }
      assert.deepEqual(written(), [[1]]);
      clock.advance(4.9);
      assert.deepEqual(written(), [[1]]);
      clock.advance(0.2);
      assert.deepEqual(written(), [[1], [2, 3]]);
      clock.advance(100);
      assert.equal(clock.waiting, 0);
      tellAll(4);
      assert.deepEqual(written(), [[1], [2, 3], [4]], "a quiet time is over");
    }
  });

  it("flushPeer() writes while others wait, and nothing twice", () => {
    const { clock, deliveries, turn } = stage();
    const peers = Array.from({ length: 48 }, (_, id) => peerProbe(id));
    const [{ peer, socket }] = peers as [ReturnType<typeof peerProbe>];
    turn(() => peers.forEach(({ peer: each }) => deliveries.add(each, packet(1))));
    turn(() => peers.forEach(({ peer: each }) => deliveries.add(each, packet(2))));
    deliveries.flushPeer(peer);
    assert.deepEqual(socket.writes, [packet(1), packet(2)]);
    turn(() => deliveries.add(peer, packet(3)));
    clock.advance(8);
    assert.deepEqual(socket.writes, [packet(1), packet(2), packet(3)]);
    assert.deepEqual(peers[1]?.socket.writes, [packet(1), packet(2)]);
  });

  it("gives up who has more waiting than outboundBytesMax, and not at the limit itself", () => {
    const { deliveries, slow, turn } = stage(10);
    const { peer, socket } = peerProbe();
    socket.bufferedBytes = 8;
    turn(() => deliveries.add(peer, packet(1, 2)));
    assert.deepEqual([socket.writes.length, slow.length], [1, 0]);
    turn(() => deliveries.add(peer, packet(1, 2, 3)));
    assert.deepEqual([socket.writes.length, slow], [1, [peer]]);
    const wider = stage(11);
    wider.turn(() => wider.deliveries.add(peer, packet(1, 2, 3)));
    assert.deepEqual([socket.writes.length, wider.slow.length], [2, 0]);
  });

  it("gives up within a turn who gets too much in it, and joins nothing for him", () => {
    const { deliveries, slow, turn } = stage(10);
    const { peer, socket } = peerProbe();
    turn(() => {
      deliveries.add(peer, packet(1, 2, 3, 4, 5));
      deliveries.add(peer, packet(6, 7, 8, 9, 10));
      assert.deepEqual(slow, []);
      deliveries.add(peer, packet(11));
      assert.deepEqual(slow, [peer]);
    });
    assert.deepEqual(socket.writes, []);
    assert.equal(deliveries.writes, 0);
  });

  it("sends what is added while it flushes, to those before and after", () => {
    const clock = fakeClock();
    const [first, slow, last] = [peerProbe(1), peerProbe(2), peerProbe(3)];
    const deliveries: Deliveries = new Deliveries({
      clock,
      outboundBytesMax: 10,
      slow: () => {
        deliveries.begin();
        deliveries.add(first.peer, packet(9));
        deliveries.add(last.peer, packet(9));
        deliveries.turnEnded();
      },
    });
    slow.socket.bufferedBytes = 10;
    deliveries.begin();
    for (const { peer } of [first, slow, last]) deliveries.add(peer, packet(1));
    deliveries.turnEnded();
    assert.deepEqual(first.socket.writes, [packet(1), packet(9)]);
    assert.deepEqual(slow.socket.writes, []);
    assert.deepEqual(last.socket.writes, [packet(1, 9)]);
  });

  it("close() writes what waits and leaves no timer", () => {
    const { clock, deliveries, turn } = stage();
    const peers = Array.from({ length: 48 }, (_, id) => peerProbe(id));
    for (const byte of [1, 2]) {
      turn(() => peers.forEach(({ peer }) => deliveries.add(peer, packet(byte))));
    }
    assert.equal(clock.waiting, 1);
    deliveries.close();
    assert.equal(clock.waiting, 0);
    assert.deepEqual(peers[47]?.socket.writes, [packet(1), packet(2)]);
  });
});
