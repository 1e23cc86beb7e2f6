import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { OutboundBuffer } from "../../src/base/outbound_buffer.ts";

const bytes = (...values: number[]) => new Uint8Array(values);

describe("OutboundBuffer", () => {
  it("push() and drop() keep a stream in order", () => {
    const step = fc.oneof(
      fc.record({ push: fc.uint8Array({ maxLength: 9_000 }), offset: fc.nat(10) }),
      fc.record({ drop: fc.nat(12_000) }),
    );
    fc.assert(fc.property(fc.array(step), fc.integer({ min: 1, max: 20_000 }), (steps, most) => {
      const buffer = new OutboundBuffer(most);
      let model: number[] = [];
      for (const one of steps) {
        if ("push" in one) {
          const offset = Math.min(one.offset, one.push.length);
          const added = [...one.push.subarray(offset)];
          const fits = model.length + added.length <= most;
          assert.equal(buffer.push(one.push, offset), fits);
          if (fits) model = model.concat(added);
        } else {
          const count = Math.min(one.drop, model.length);
          buffer.drop(count);
          model = model.slice(count);
        }
        assert.equal(buffer.length, model.length);
        assert.deepEqual([...buffer.peek()], model);
      }
    }));
  });

  it("push() copies", () => {
    const buffer = new OutboundBuffer(10);
    const given = bytes(1, 2, 3);
    buffer.push(given);
    given.fill(9);
    assert.deepEqual([...buffer.peek()], [1, 2, 3]);
  });

  it("push() takes exactly its maximum and nothing of what is more", () => {
    const buffer = new OutboundBuffer(4);
    assert.equal(buffer.push(bytes(1, 2, 3, 4)), true);
    assert.equal(buffer.push(bytes(5)), false);
    assert.deepEqual([...buffer.peek()], [1, 2, 3, 4]);
    buffer.drop(1);
    assert.equal(buffer.push(bytes(5)), true);
    assert.deepEqual([...buffer.peek()], [2, 3, 4, 5]);
  });

  it("peek() shows at most what it is asked for", () => {
    const buffer = new OutboundBuffer(10);
    buffer.push(bytes(1, 2, 3));
    assert.deepEqual([...buffer.peek(2)], [1, 2]);
    assert.deepEqual([...buffer.peek(9)], [1, 2, 3]);
    assert.deepEqual([...new OutboundBuffer(10).peek()], []);
  });
});
