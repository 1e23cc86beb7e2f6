import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { UpstreamStrategy } from "../../src/config/gateway_config.ts";
import { type ChoiceOf, chooseUpstream } from "../../src/gateway/upstream_choice.ts";

interface FakeUpstream {
  readonly url: string;
  pending: number;
  isOpen: boolean;
}

function choiceOf(strategy: UpstreamStrategy, count: number): ChoiceOf<FakeUpstream> {
  const upstreams = Array.from({ length: count }, (_, index) => ({
    url: `ws://10.0.0.${index}:9000/`,
    pending: 0,
    isOpen: true,
  }));
  return { upstreams, strategy, turn: 0 };
}

const clients = Array.from({ length: 10_000 }, (_, index) => `client-${index}`);

function places(choice: ChoiceOf<FakeUpstream>): Map<string, string> {
  return new Map(clients.map((client) => [client, chooseUpstream(choice, client).url]));
}

describe("chooseUpstream() by hash", () => {
  it("gives each upstream its share of the clients", () => {
    const choice = choiceOf("hash", 5);
    const counts = new Map<string, number>();
    for (const url of places(choice).values()) counts.set(url, (counts.get(url) ?? 0) + 1);
    assert.equal(counts.size, 5);
    for (const count of counts.values()) assert.ok(count > 1_700 && count < 2_300, String(count));
  });

  it("does not depend on the order of the list, nor on the choices before", () => {
    const choice = choiceOf("hash", 4);
    const reversed = { ...choice, upstreams: [...choice.upstreams].reverse() };
    assert.deepEqual(places(choice), places(reversed));
    assert.deepEqual(places(choice), places(choice));
  });

  it("moves only the clients of an upstream that is lost, and back when it returns", () => {
    const choice = choiceOf("hash", 5);
    const before = places(choice);
    for (const lost of choice.upstreams) {
      lost.isOpen = false;
      const without = places(choice);
      const removed = { ...choice, upstreams: choice.upstreams.filter((one) => one !== lost) };
      assert.deepEqual(places(removed), without);
      for (const [client, url] of before) {
        if (url === lost.url) assert.notEqual(without.get(client), url);
        else assert.equal(without.get(client), url);
      }
      // They are spread over all the others.
      const heirs = [...before].filter(([, url]) => url === lost.url)
        .map(([client]) => without.get(client));
      assert.equal(new Set(heirs).size, 4);
      lost.isOpen = true;
    }
    assert.deepEqual(places(choice), before);
  });
});

describe("chooseUpstream() by round-robin", () => {
  const choose = (choice: ChoiceOf<FakeUpstream>, count: number) =>
    Array.from(
      { length: count },
      () => choice.upstreams.indexOf(chooseUpstream(choice, "c")),
    );

  it("takes one after the other", () => {
    assert.deepEqual(choose(choiceOf("round-robin", 3), 7), [0, 1, 2, 0, 1, 2, 0]);
  });

  it("leaves out what cannot be reached, evenly, unless nothing can", () => {
    const choice = choiceOf("round-robin", 4);
    choice.upstreams[1]!.isOpen = false;
    assert.deepEqual(choose(choice, 6), [0, 2, 3, 0, 2, 3]);
    for (const upstream of choice.upstreams) upstream.isOpen = false;
    choice.turn = 0;
    assert.deepEqual(choose(choice, 5), [0, 1, 2, 3, 0]);
  });
});

describe("chooseUpstream() by least-pending", () => {
  it("takes the one with the fewest messages that can be reached, and turns among equal ones", () => {
    const choice = choiceOf("least-pending", 3);
    const [first, second, third] = choice.upstreams as [FakeUpstream, FakeUpstream, FakeUpstream];
    first.pending = 5;
    second.pending = 2;
    third.pending = 3;
    for (let turn = 0; turn < 3; turn++) assert.equal(chooseUpstream(choice, "c"), second);
    second.isOpen = false;
    assert.equal(chooseUpstream(choice, "c"), third);
    second.isOpen = true;
    first.pending = second.pending = third.pending = 1;
    const chosen = Array.from({ length: 6 }, () => chooseUpstream(choice, "c"));
    for (const upstream of choice.upstreams) {
      assert.equal(chosen.filter((one) => one === upstream).length, 2);
    }
  });
});

describe("chooseUpstream()", () => {
  it("has no answer for an empty list, which no rule has", () => {
    assert.throws(
      () => chooseUpstream({ upstreams: [], strategy: "hash", turn: 0 }, "c"),
      RangeError,
    );
  });
});
