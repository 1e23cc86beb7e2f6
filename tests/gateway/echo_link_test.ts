import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { EchoLink } from "../../src/gateway/echo_link.ts";
import { fakeClock } from "../fakes/clock.ts";
import { CheckedQueue, NotingOwner } from "./tested_link.ts";

function scene() {
  const clock = fakeClock();
  const queue = new CheckedQueue();
  const owner = new NotingOwner();
  const turns: number[] = [];
  const soon = (call: () => void) =>
    clock.soon(() => {
      const before = owner.texts.length;
      call();
      turns.push(owner.texts.length - before);
    });
  const link = new EchoLink({ queue, owner, clock: { ...clock, soon } });
  return { clock, queue, owner, link, turns };
}

describe("EchoLink", () => {
  it("answers each message with its own text, in order, on a later turn, and confirms it", () => {
    const { clock, queue, owner, link } = scene();
    queue.add(2);
    link.wake();
    clock.advance(0);
    assert.deepEqual(owner.texts, [], "it has not started");
    link.start();
    assert.deepEqual(owner.states, ["open"]);
    queue.add(1, { bytes: 300_000 });
    link.wake();
    assert.deepEqual(owner.texts, []);
    clock.advance(0);
    assert.deepEqual(owner.texts, [0, 1, 2].map((slot) => queue.text(slot)));
    assert.deepEqual(queue.confirmed, [0, 1, 2]);
    assert.equal(queue.sends, 3);
  });

  it("takes turns of 1 MiB when much waits, and stop() sends the rest", async () => {
    const { clock, queue, owner, link, turns } = scene();
    link.start();
    queue.add(40, { bytes: 99_999 });
    link.wake();
    clock.advance(0);
    assert.equal(owner.texts.length, 40);
    assert.deepEqual(turns, [11, 11, 11, 7]);
    queue.add(3);
    await link.stop();
    await link.stop();
    assert.equal(owner.texts.length, 43);
    assert.deepEqual(owner.states, ["open", "closed"]);
    queue.add(1);
    link.wake();
    clock.advance(0);
    assert.equal(queue.waiting.length, 1);
  });
});
