import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { StopSequence } from "../../src/watchdog/stop_sequence.ts";

describe("StopSequence.answered()", () => {
  const child = { listens: true, hangs: false, drainMs: 30_000 };

  it("leaves a child alone that does not listen any more: it drains already", () => {
    const sequence = new StopSequence(child, 1_000);
    assert.equal(sequence.answered("not_listening", 1_100), false);
    assert.equal(sequence.deadline, 35_000);
    assert.equal(sequence.due(35_000), "SIGTERM");
    assert.equal(sequence.deadline, 39_000);
    assert.equal(sequence.due(39_000), "SIGKILL");
  });

  it("asks for SIGTERM at once when that child hangs", () => {
    const sequence = new StopSequence({ ...child, hangs: true }, 1_000);
    assert.equal(sequence.answered("not_listening", 1_100), true);
    assert.equal(sequence.step, "terminated");
    assert.equal(sequence.deadline, 5_100);
  });
});
