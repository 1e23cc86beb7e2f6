import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { linkLimits } from "../../src/gateway/link_batches.ts";
import { linkScene, numbers } from "./link_scene.ts";
import { latin1 } from "./raw_upstream.ts";

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

describe("UpstreamLink", () => {
  it("whatever happens: nothing lost or confirmed twice, order kept, never over the window", async () => {
    const limits = { ...linkLimits, windowMessages: 12, batchBytes: 2_000, heldMessages: 40 };
    const modes = fc.constantFrom("auto" as const, "required" as const, "none" as const);
    await fc.assert(
      fc.asyncProperty(
        modes,
        fc.array(step, { maxLength: 40, size: "max" }),
        async (mode, steps) => {
          const it = await linkScene(mode, {
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
            assert.deepEqual(
              slots,
              [...slots].sort((a, b) => a - b),
              "in order on each connection",
            );
          }
          await Promise.all([link.stop(), pass(3_000)]);
          assert.equal(it.clock.waiting, 0, "no timer is left");
        },
      ),
      { numRuns: 60 },
    );
  });
});
