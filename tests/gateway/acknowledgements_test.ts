import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { Acknowledgements } from "../../src/gateway/acknowledgements.ts";
import { DedupWindow } from "../../src/gateway/dedup_window.ts";
import { Downstream, type DownstreamParts } from "../../src/gateway/downstream.ts";
import { emptyGatewayCounters } from "../../src/gateway/gateway_counters.ts";
import type { ClientSession } from "../../src/gateway/gateway_types.ts";
import type { Slot } from "../../src/gateway/log/message_log_types.ts";
import type { UpstreamTarget } from "../../src/gateway/upstream_target.ts";
import { fakeClock } from "../fakes/clock.ts";
import { memoryLog } from "./memory_log.ts";

describe("Acknowledgements", () => {
  it("notStored() takes nothing back from a repetition of what is stored", async () => {
    const { log, clients, add } = await memoryLog();
    const known = new DedupWindow({ windowMs: 600_000, perClient: 10, total: 10 }, () => {});
    const counters = emptyGatewayCounters();
    const acknowledgements = new Acknowledgements({ clock: fakeClock(), counters, log, known });
    const texts: string[] = [];
    const asker = {
      client: clients.named("c"),
      isModern: true,
      send: (text: string) => texts.push(text),
    } as unknown as ClientSession;
    asker.client.session = asker;
    const take = (messageId: string): Slot => {
      const slot = add({ messageId, ackAsked: true });
      acknowledgements.remember(asker, slot, messageId);
      return slot;
    };
    const first = take("first");
    const second = take("second");
    assert.equal(acknowledgements.repetition(asker, "first", "x"), "same");
    acknowledgements.committed(log.sequence(first));
    acknowledgements.notStored(log.sequence(second));
    const heard = texts.map((text) => JSON.parse(text) as Record<string, unknown>);
    assert.deepEqual(
      heard.map(({ action, messageId }) => `${action} ${messageId}`),
      ["ack first", "error second", "ack first"],
    );
    assert.equal(acknowledgements.repetition(asker, "first", "x"), "same");
    assert.equal(acknowledgements.repetition(asker, "second", "x"), "new");
  });
});

describe("Downstream", () => {
  it("an acknowledgement for a client of other upstreams shows nothing about its sender", async () => {
    const { log, clients } = await memoryLog();
    clients.named("theirs");
    clients.named("ours");
    const counters = emptyGatewayCounters();
    const downstream = new Downstream({
      log,
      clients,
      counters,
      upstreams: { serves: (_target: unknown, { id }: { id: string }) => id === "ours" },
    } as unknown as DownstreamParts);
    let shown = 0;
    const link = {
      acknowledged: () => {
        shown++;
        return false;
      },
    };
    const target = { link } as unknown as UpstreamTarget;
    const acknowledge = (clientId: string) =>
      downstream.text(target, JSON.stringify({ type: 2, action: "ack", clientId, messageId: "m" }));
    acknowledge("theirs");
    acknowledge("nobody");
    assert.equal(shown, 0);
    acknowledge("ours");
    assert.deepEqual([shown, counters.acksUnmatched], [1, 3]);
  });
});
