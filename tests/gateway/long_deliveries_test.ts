import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { Downstream } from "../../src/gateway/downstream.ts";
import { emptyGatewayCounters } from "../../src/gateway/gateway_counters.ts";
import type { Client, ClientSession } from "../../src/gateway/gateway_types.ts";
import { Mailbox } from "../../src/gateway/mailbox.ts";
import { MemoryAccount } from "../../src/gateway/memory_account.ts";
import { StampClock } from "../../src/gateway/stamp_clock.ts";
import type { HistoryRequest } from "../../src/gateway/upgrade_query.ts";
import { UpstreamTarget } from "../../src/gateway/upstream_target.ts";
import { Upstreams } from "../../src/gateway/upstreams.ts";
import { fakeRandom } from "../fakes/random.ts";
import { ChunkCollector, jsonFrame } from "../gateway_tools/chunks.ts";
import { runtimeUnderTest } from "../tested_runtime.ts";
import { historyStage } from "./history/history_stage.ts";
import { memoryLog } from "./memory_log.ts";

/** A connection that takes chunks, as many frames as the test lets it. */
class ChunkSession implements ClientSession {
  readonly wantsAcks = false;
  readonly isModern = true;
  readonly isRaw = false;
  readonly takesChunks = true;
  readonly priorityMax = 9;
  /** Ids of the messages that came whole, and the actions of control messages. */
  readonly seen: string[] = [];
  isStuck = false;
  readonly client: Client;
  readonly history: HistoryRequest | undefined;
  readonly #chunks = new ChunkCollector();
  readonly #end: (session: ChunkSession) => void;

  constructor(
    client: Client,
    options: { history: HistoryRequest | undefined; end: (session: ChunkSession) => void },
  ) {
    this.client = client;
    this.history = options.history;
    this.#end = options.end;
  }

  send(text: string): "sent" | "slow" | "gone" {
    if (this.isStuck) return "slow";
    const { messageId, action } = JSON.parse(text);
    this.seen.push(messageId ?? action);
    return "sent";
  }

  sendBinary(bytes: Uint8Array): "sent" | "slow" | "gone" {
    if (this.isStuck) return "slow";
    const whole = this.#chunks.push(bytes);
    if (whole !== undefined) this.seen.push(String(whole.start.messageId));
    return "sent";
  }

  sendAll(texts: readonly string[]): "sent" | "slow" | "gone" {
    if (this.isStuck) return "slow";
    for (const text of texts) this.send(text);
    return "sent";
  }

  hasRoom(): boolean {
    return !this.isStuck;
  }

  authenticate(): boolean {
    return false;
  }

  exemptPing(): void {}

  close(): void {
    this.#end(this);
  }
}

const roomyWaiting = {
  perClient: 10_000,
  perClientBytes: 1e9,
  total: 10_000,
  totalBytes: 1e9,
  ttlSeconds: 60,
};

async function scene({ maxMemoryMB = 64 } = {}) {
  const stage = historyStage();
  const { clock } = stage;
  const { crypto } = await runtimeUnderTest();
  const { log, clients } = await memoryLog({ maxBytes: 64 << 20 });
  const { history } = await stage.open({ maxMsgSizeKB: 4_096 }, { persistFile: "" });
  const mailbox = new Mailbox(log, roomyWaiting);
  const owner = { sent: () => {}, delivered: () => {}, mayRetry: () => true };
  const rules = [
    { clientIdPrefix: "", upstreams: ["ws://u"], strategy: "hash" },
    { clientIdPrefix: "other-", upstreams: ["ws://v"], strategy: "hash" },
  ] as const;
  const upstreams = new Upstreams(rules, {
    log,
    clients,
    clock,
    make: (what, moves) => new UpstreamTarget(what, { log, clients, owner, moves }),
  });
  const memory = new MemoryAccount({ maxMemoryMB, highWatermark: 0.8 });
  const downstream = new Downstream({
    log,
    clients,
    upstreams,
    mailbox,
    counters: emptyGatewayCounters(),
    stamp: new StampClock(clock),
    clock,
    crypto,
    memory,
    maxMessageSize: 1 << 26,
    history,
    heldBytesMax: () => 4_096,
    wasSeen: () => true,
  });
  const target = upstreams.upstreamOf(clients.named("a")) as UpstreamTarget;
  const leave = (session: ChunkSession) => {
    session.client.session = undefined;
    downstream.left(session);
    downstream.replays.left(session);
  };
  return {
    memory,
    mailbox,
    downstream,
    target,
    join(
      id: string,
      { history, isStuck = false }: { history?: HistoryRequest; isStuck?: boolean } = {},
    ): ChunkSession {
      const session = new ChunkSession(clients.named(id), { history, end: leave });
      session.isStuck = isStuck;
      session.client.session = session;
      downstream.replays.joined(session);
      return session;
    },
    leave,
    down(clientId: string, messageId: string, length = 10): void {
      const data = "x".repeat(length);
      downstream.text(target, JSON.stringify({ clientId, messageId, data }));
    },
    /** Everything that can go on without the clients does. */
    turns: async () => {
      for (let turn = 0; turn < 20; turn++) await clock.advanceAsync(1);
    },
  };
}

const longLength = 2 << 20;
const all: HistoryRequest = { limit: 500, lastMessageId: "" };

describe("LongDeliveries", () => {
  it("of a connection that breaks in the middle, everything comes again in its order", async () => {
    const { join, leave, down, turns, memory, mailbox } = await scene();
    const first = join("a");
    first.isStuck = true;
    down("a", "long", longLength);
    await turns();
    const small = Array.from({ length: 10 }, (_, n) => `m${n}`);
    // Some are held behind the long one, and the rest waits as if the client were away.
    for (const id of small) down("a", id, 1_000);
    assert.ok(mailbox.count > 0 && mailbox.count < 10, `${mailbox.count} wait`);
    leave(first);
    assert.equal(mailbox.count, 11);
    assert.equal(memory.bytes("transfers"), 0);
    const second = join("a");
    await turns();
    assert.deepEqual(second.seen, ["long", ...small]);
    assert.equal(mailbox.count, 0);
  });

  it("keeps the order of what came meanwhile when the connection is stuck again", async () => {
    const { join, downstream, down, turns, mailbox } = await scene();
    const session = join("a");
    session.isStuck = true;
    down("a", "long", longLength);
    down("a", "held");
    down("a", "long-2", longLength);
    const small = Array.from({ length: 6 }, (_, n) => `m${n}`);
    for (const id of small) down("a", id, 1_000);
    session.isStuck = false;
    downstream.drained(session);
    await turns();
    assert.deepEqual(session.seen, ["long", "held", "long-2", ...small]);
    assert.equal(mailbox.count, 0);
  });

  it("a long message that was held behind a history is not lost with its connection", async () => {
    const { join, leave, down, turns, downstream } = await scene();
    const first = join("a", { history: all, isStuck: true });
    down("a", "long", longLength);
    // The history goes out, and the long message begins.
    first.isStuck = false;
    downstream.drained(first);
    first.isStuck = true;
    await turns();
    leave(first);
    const second = join("a");
    await turns();
    assert.deepEqual([...first.seen, ...second.seen], ["history_complete", "long"]);
  });

  it("of an upstream is put together only for clients that it serves, present or not", async () => {
    const { join, leave, downstream, target, memory } = await scene();
    const start = (clientId: string) => {
      const head = { clientId, messageId: clientId, totalSize: 1 << 20, chunkCount: 1 };
      downstream.binary(target, jsonFrame(1, head));
      const bytes = memory.bytes("transfers");
      downstream.lost(target);
      return bytes;
    };
    leave(join("other-seen"));
    join("other-present");
    const announced = ["a", "other-seen", "other-never", "other-present"].map(start);
    assert.deepEqual(announced, [1 << 20, 0, 0, 0]);
  });

  it("goes to one client after the other when there is no memory for both at once", async () => {
    const { join, down, turns, downstream, memory } = await scene({ maxMemoryMB: 16 });
    memory.add("queues", 15 << 20);
    const one = join("a");
    const other = join("b");
    one.isStuck = true;
    down("a", "long", longLength);
    down("b", "long", longLength);
    down("b", "behind");
    await turns();
    assert.deepEqual(other.seen, []);
    one.isStuck = false;
    downstream.drained(one);
    await turns();
    assert.deepEqual(one.seen, ["long"]);
    assert.deepEqual(other.seen, ["long", "behind"]);
  });

  it("after any coming, going and being stuck: in order, none twice, none missing", async () => {
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 0, max: 2 ** 31 - 1 }), async (seed) => {
        const random = fakeRandom(seed);
        const below = (n: number) => Math.floor(random.fraction() * n);
        const maxMemoryMB = below(3) === 0 ? 9 : 64;
        const { join, leave, down, turns, downstream, mailbox, memory } = await scene({
          maxMemoryMB,
        });
        const clients = ["a", "b"].map((id) => ({ id, count: 0, sessions: [join(id)] }));
        for (let step = 0; step < 70; step++) {
          const client = clients[below(2)]!;
          const last = client.sessions.at(-1)!;
          const isHere = last.client.session === last;
          const choice = below(12);
          if (choice < 5) {
            for (let n = below(6); n >= 0; n--) {
              const length = below(12) === 0 ? 1_200_000 + below(900_000) : below(900);
              down(client.id, String(client.count++), length);
            }
          } else if (choice < 7) {
            if (!isHere) continue;
            last.isStuck = !last.isStuck;
            if (!last.isStuck) downstream.drained(last);
          } else if (choice < 9) {
            await turns();
          } else {
            if (isHere) leave(last);
            if (choice === 11) continue;
            const history = below(2) === 0 ? all : undefined;
            const isStuck = below(3) === 0;
            client.sessions.push(join(client.id, history && { history, isStuck }));
          }
        }
        for (const { id, sessions } of clients) {
          const last = sessions.at(-1)!;
          if (last.client.session === last) leave(last);
          sessions.push(join(id));
        }
        for (let round = 0; round < 8; round++) await turns();
        for (const { id, count, sessions } of clients) judge(id, count, sessions);
        assert.deepEqual([mailbox.count, memory.bytes("transfers")], [0, 0]);
      }),
      { numRuns: 10 },
    );
  });
});

/** Of all connections of a client: each message came once, in order, but again in a history. */
function judge(id: string, count: number, sessions: readonly ChunkSession[]): void {
  const came = new Set<number>();
  for (const { seen, history } of sessions) {
    const end = seen.indexOf("history_complete");
    const liveAt = history === undefined ? 0 : end < 0 ? seen.length : end + 1;
    const numbers = seen.map(Number).filter((n) => !Number.isNaN(n));
    assert.deepEqual(numbers, numbers.toSorted((one, other) => one - other), `${id} in order`);
    for (const n of seen.slice(liveAt).map(Number)) assert.ok(!came.has(n), `${id}: ${n} twice`);
    for (const n of numbers) came.add(n);
  }
  assert.deepEqual([...came].toSorted((one, other) => one - other), [...Array(count).keys()]);
}
