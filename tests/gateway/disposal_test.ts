import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { Clients } from "../../src/gateway/clients.ts";
import { Disposal } from "../../src/gateway/disposal.ts";
import { emptyGatewayCounters } from "../../src/gateway/gateway_counters.ts";
import type { GatewayCounters } from "../../src/gateway/gateway_types.ts";
import { openMessageLog, type StoredMessageLog } from "../../src/gateway/log/message_log.ts";
import { noSlot, type Slot } from "../../src/gateway/log/message_log_types.ts";
import { MessageQueue } from "../../src/gateway/message_queue.ts";
import { type FakeClock, fakeClock } from "../fakes/clock.ts";
import { fakeLog } from "../fakes/log.ts";
import { type FakeDisk, fakeDisk } from "../fakes/log_files.ts";
import { fakeRandom } from "../fakes/random.ts";
import { roomyGateway } from "./door_fixture.ts";

const stem = "data/buffer.log";

interface Stage {
  readonly disposal: Disposal;
  readonly log: StoredMessageLog;
  readonly counters: GatewayCounters;
  readonly clients: Clients;
  readonly clock: FakeClock;
  readonly disk: FakeDisk;
  add(message?: { direction?: "up" | "down"; ackAsked?: boolean; data?: string }): Slot;
}

/** Messages that wait on a disk in memory; those to upstreams in one queue, which nobody empties. */
async function stageOf(options: { ttlSeconds: number; retries?: number }): Promise<Stage> {
  const clock = fakeClock();
  const disk = fakeDisk();
  const clients = new Clients(1);
  const counters = emptyGatewayCounters();
  const buffer = {
    ...roomyGateway.buffer,
    ...options,
    size: 2_000_000,
    maxBytes: 1 << 30,
    persistFile: stem,
  };
  const opened = await openMessageLog({
    config: buffer,
    files: disk.start(),
    clock,
    random: fakeRandom(),
    logger: fakeLog().logger,
    limits: { deadLetterBytes: 1 << 30 },
    owner: {
      clientNamed: (id) => clients.named(id),
      messageIdIn: () => "m",
      committed: () => {},
      notStored: () => {},
      troubleChanged: () => {},
    },
  });
  if (!opened.ok) throw new Error(opened.reason);
  const { log } = opened;
  const queue = new MessageQueue(log);
  const parts = {
    config: { ...roomyGateway, buffer, waiting: { ...roomyGateway.waiting, ttlSeconds: 60 } },
    clock,
    counters,
    clients,
    log,
    upstreams: { at: () => queue },
    downstream: { drop: (slot: Slot) => log.release(slot) },
  } as unknown as ConstructorParameters<typeof Disposal>[0];
  return {
    disposal: new Disposal(parts),
    log,
    counters,
    clients,
    clock,
    disk,
    add({ direction = "up", ackAsked = false, data = "x" } = {}) {
      const client = clients.named("a");
      const slot = log.append({
        client,
        direction,
        messageId: ackAsked ? "m" : "",
        ackAsked,
        priority: 0,
        stampMs: clock.now(),
        stampNs: 0,
        body: `"type":0,"messageId":"m","data":"${data}"`,
      });
      assert.notEqual(slot, noSlot);
      if (direction === "down") return slot;
      client.pendingUp++;
      queue.push(slot);
      return slot;
    },
  };
}

/** Rounds until it says that there is no more for now. */
function rounds({ disposal }: Stage): number {
  for (let count = 1;; count++) if (!disposal.expire()) return count;
}

function lettersOn(disk: FakeDisk): number {
  const name = `${stem}.dead`;
  if (!disk.names().includes(name)) return 0;
  return new TextDecoder().decode(disk.bytes(name)).split("\n").filter((line) => line !== "")
    .length;
}

const long = { timeout: 60_000 };

describe("Disposal.expire()", () => {
  it("goes on until all of 1,000,000 messages are gone", long, async () => {
    const stage = await stageOf({ ttlSeconds: 60 });
    for (let n = 0; n < 1_000_000; n++) stage.add();
    stage.clock.advance(30_000);
    stage.add();
    assert.equal(rounds(stage), 1);
    assert.equal(stage.log.depth, 1_000_001);
    stage.clock.advance(31_000);
    const took = rounds(stage);
    assert.deepEqual([stage.log.depth, stage.counters.expired], [1, 1_000_000]);
    assert.ok(took >= 10 && took <= 12, `${took} rounds`);
    assert.equal(stage.clients.named("a").pendingUp, 1);
  });

  it("reaches what expires behind 250,000 messages that never do", long, async () => {
    const stage = await stageOf({ ttlSeconds: 0 });
    for (let n = 0; n < 250_000; n++) stage.add();
    for (let n = 0; n < 10; n++) stage.add({ direction: "down" });
    stage.clock.advance(61_000);
    for (let seconds = 0; stage.counters.expired < 10; seconds++) {
      assert.ok(seconds < 10, "it never gets there");
      rounds(stage);
    }
    assert.equal(stage.log.depth, 250_000);
  });

  it(
    "begins with the oldest again when the message is gone with which it would go on",
    long,
    async () => {
      const stage = await stageOf({ ttlSeconds: 0 });
      const slots: Slot[] = [];
      for (let n = 0; n < 150_000; n++) slots.push(stage.add());
      for (let n = 0; n < 10; n++) stage.add({ direction: "down" });
      stage.clock.advance(61_000);
      assert.equal(stage.disposal.expire(), false);
      // Each of them is used again for a message that is young.
      for (const slot of slots.splice(0)) stage.log.release(slot);
      for (let n = 0; n < 150_000; n++) stage.add({ direction: "down" });
      assert.equal(stage.disposal.expire(), false);
      assert.deepEqual([stage.log.depth, stage.counters.expired], [150_000, 10]);
    },
  );

  it(
    "writes a dead letter of each acknowledged message, however many there are",
    long,
    async () => {
      const stage = await stageOf({ ttlSeconds: 60 });
      const count = 60_000;
      for (let n = 0; n < count; n++) stage.add({ ackAsked: true, data: "x".repeat(100) });
      await stage.clock.advanceAsync(61_000);
      for (let turns = 0; stage.log.depth > 0; turns++) {
        assert.ok(turns < 1_000, `${stage.log.depth} are left`);
        stage.disposal.expire();
        await stage.clock.advanceAsync(100);
      }
      await stage.log.flush();
      assert.deepEqual([lettersOn(stage.disk), stage.counters.expired], [count, count]);
      assert.equal(stage.clients.get("a"), undefined, "nothing of it is left");
    },
  );

  it(
    "gives up no more than dead letters have room for while they cannot be written",
    long,
    async () => {
      const stage = await stageOf({ ttlSeconds: 60 });
      const count = 200;
      for (let n = 0; n < count; n++) stage.add({ ackAsked: true, data: "x".repeat(100_000) });
      await stage.clock.advanceAsync(61_000);
      stage.disk.fails = ({ path }) => path.endsWith(".dead") ? "ENOSPC" : undefined;
      for (let n = 0; n < 100; n++) {
        stage.disposal.expire();
        await stage.clock.advanceAsync(100);
      }
      const { depth } = stage.log;
      assert.ok(depth > 100 && depth < count, `${depth} wait`);
      assert.ok(stage.clients.named("a").dying > 0);
      stage.disk.fails = undefined;
      for (let n = 0; n < 100; n++) {
        stage.disposal.expire();
        await stage.clock.advanceAsync(100);
      }
      assert.deepEqual([stage.log.depth, lettersOn(stage.disk)], [0, count]);
    },
  );
});

describe("Disposal.mayRetry()", () => {
  it("gives up after `retries`, but not what would cost another one its dead letter", async () => {
    const stage = await stageOf({ ttlSeconds: 0, retries: 1 });
    stage.disk.fails = ({ path }) => path.endsWith(".dead") ? "ENOSPC" : undefined;
    const tried: boolean[] = [];
    for (let n = 0; n < 3; n++) {
      const slot = stage.add({ ackAsked: true, data: "x".repeat(3_000_000) });
      stage.log.setTries(slot, 1);
      tried.push(stage.disposal.mayRetry(slot));
    }
    assert.deepEqual(tried, [false, true, true]);
    stage.disk.fails = undefined;
    await stage.clock.advanceAsync(3_000);
    assert.equal(lettersOn(stage.disk), 1);
  });
});
