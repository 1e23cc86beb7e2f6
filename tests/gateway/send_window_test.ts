import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { noSlot, type Slot } from "../../src/gateway/log/message_log_types.ts";
import { SendWindow } from "../../src/gateway/send_window.ts";

/** The same, written for its meaning alone. */
class PlainWindow {
  entries: { slot: Slot; bytes: number; hasId: boolean; number: number; isHeld: boolean }[] = [];
  lastNumber = 0;

  push(slot: Slot, bytes: number, hasId: boolean): void {
    this.entries.push({ slot, bytes, hasId, number: ++this.lastNumber, isHeld: false });
  }

  answer(number: number, confirms: "without_id" | "all"): Slot[] {
    const isAnswered = (entry: { number: number; isHeld: boolean }) =>
      entry.number <= number && !entry.isHeld;
    const done = this.entries.filter((entry) =>
      isAnswered(entry) && (confirms === "all" || !entry.hasId)
    );
    this.entries = this.entries.filter((entry) => !done.includes(entry));
    for (const entry of this.entries) if (entry.number <= number) entry.isHeld = true;
    return done.map((entry) => entry.slot);
  }

  confirmHeld(): Slot[] {
    const held = this.entries.filter((entry) => entry.isHeld);
    this.entries = this.entries.filter((entry) => !entry.isHeld);
    return held.map((entry) => entry.slot);
  }

  takeMatching(matches: (slot: Slot) => boolean): Slot {
    const found = this.entries.find((entry) => entry.hasId && matches(entry.slot));
    this.entries = this.entries.filter((entry) => entry !== found);
    return found?.slot ?? noSlot;
  }
}

const sum = (numbers: readonly number[]) => numbers.reduce((total, one) => total + one, 0);

type Step =
  | { kind: "push"; count: number; bytes: number; idEvery: number }
  | { kind: "answer"; share: number; confirms: "without_id" | "all" }
  | { kind: "confirm_held" }
  | { kind: "take"; modulus: number; rest: number; times: number }
  | { kind: "all" };

const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 5,
    arbitrary: fc.record({
      kind: fc.constant("push" as const),
      count: fc.integer({ min: 1, max: 90 }),
      bytes: fc.nat(1_000),
      idEvery: fc.integer({ min: 1, max: 3 }),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constant("answer" as const),
      share: fc.double({ min: 0, max: 1, noNaN: true }),
      confirms: fc.constantFrom("without_id" as const, "all" as const),
    }),
  },
  { weight: 1, arbitrary: fc.constant({ kind: "confirm_held" as const }) },
  {
    weight: 4,
    arbitrary: fc.record({
      kind: fc.constant("take" as const),
      modulus: fc.integer({ min: 1, max: 7 }),
      rest: fc.nat(6),
      times: fc.integer({ min: 1, max: 60 }),
    }),
  },
  { weight: 1, arbitrary: fc.constant({ kind: "all" as const }) },
);

describe("SendWindow", () => {
  it("does for any calls what a plain list does", () => {
    fc.assert(fc.property(fc.array(step, { maxLength: 60, size: "max" }), (steps) => {
      const window = new SendWindow();
      const plain = new PlainWindow();
      let next = 0;
      for (const one of steps) {
        if (one.kind === "push") {
          const before = window.lastNumber;
          const slots: Slot[] = [];
          for (let i = 0; i < one.count; i++) {
            const slot = next++;
            slots.push(slot);
            window.push(slot, one.bytes, slot % one.idEvery === 0);
            plain.push(slot, one.bytes, slot % one.idEvery === 0);
          }
          const sent: Slot[] = [];
          window.sentAfter(before, (slot) => sent.push(slot));
          assert.deepEqual(sent, slots);
        } else if (one.kind === "answer") {
          const number = Math.round(window.lastNumber * one.share);
          const confirmed: Slot[] = [];
          window.answer(number, one.confirms, (slot) => confirmed.push(slot));
          assert.deepEqual(confirmed, plain.answer(number, one.confirms));
        } else if (one.kind === "confirm_held") {
          const confirmed: Slot[] = [];
          window.confirmHeld((slot) => confirmed.push(slot));
          assert.deepEqual(confirmed, plain.confirmHeld());
        } else if (one.kind === "take") {
          const matches = (slot: Slot) => slot % one.modulus === one.rest;
          for (let i = 0; i < one.times; i++) {
            assert.equal(window.takeMatching(matches), plain.takeMatching(matches));
          }
        } else {
          assert.deepEqual(window.takeAll(), plain.entries.map((entry) => entry.slot));
          plain.entries = [];
          plain.lastNumber = 0;
        }
        const held = plain.entries.filter((entry) => entry.isHeld);
        assert.equal(window.size, plain.entries.length);
        assert.equal(window.bytes, sum(plain.entries.map((entry) => entry.bytes)));
        assert.equal(window.heldSize, held.length);
        assert.equal(window.heldBytes, sum(held.map((entry) => entry.bytes)));
        assert.equal(window.lastNumber, plain.lastNumber);
      }
    }));
  });

  it("takeMatching() looks at no more than twice what is unconfirmed, one message never being", () => {
    const window = new SendWindow();
    window.push(7_777_777, 1, true);
    let looks = 0;
    for (let slot = 0; slot < 100_000; slot++) {
      window.push(slot, 1, true);
      assert.equal(window.takeMatching((one) => (looks++, one === slot)), slot);
    }
    assert.equal(looks, 200_000);
    assert.deepEqual(window.takeAll(), [7_777_777]);
  });

  it("holds 500,000 messages, and confirms them in order", () => {
    const window = new SendWindow();
    for (let slot = 0; slot < 500_000; slot++) window.push(slot, 100, true);
    window.answer(window.lastNumber, "without_id", () => assert.fail("held, not confirmed"));
    assert.equal(window.heldSize, 500_000);
    let expected = 0;
    window.confirmHeld((slot) => assert.equal(slot, expected++));
    assert.equal(expected, 500_000);
    assert.equal(window.size, 0);
  });
});
