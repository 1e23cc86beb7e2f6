import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { Downstream } from "../../src/gateway/downstream.ts";
import { emptyGatewayCounters } from "../../src/gateway/gateway_counters.ts";
import type { Client, ClientSession } from "../../src/gateway/gateway_types.ts";
import { Mailbox } from "../../src/gateway/mailbox.ts";
import { MemoryAccount } from "../../src/gateway/memory_account.ts";
import { StampClock } from "../../src/gateway/stamp_clock.ts";
import { UpstreamTarget } from "../../src/gateway/upstream_target.ts";
import type { HistoryRequest } from "../../src/gateway/upgrade_query.ts";
import { Upstreams } from "../../src/gateway/upstreams.ts";
import { fakeRandom } from "../fakes/random.ts";
import { runtimeUnderTest } from "../tested_runtime.ts";
import { historyStage } from "./history/history_stage.ts";
import { memoryLog } from "./memory_log.ts";

type Outcome = "sent" | "slow" | "gone";

/** A connection of a client that takes as much as the test lets it. */
class ScriptedSession implements ClientSession {
  readonly client: Client;
  readonly wantsAcks = false;
  readonly isModern = true;
  readonly isRaw = false;
  readonly takesChunks = false;
  readonly priorityMax = 9;
  readonly history: HistoryRequest | undefined;
  readonly texts: string[] = [];
  closedWith = 0;
  /** Characters that wait to be read, and that may. */
  buffered = 0;
  readonly bufferedMax: number;
  isSlow = false;
  readonly #end: (session: ScriptedSession) => void;

  constructor(
    client: Client,
    options: {
      history: HistoryRequest | undefined;
      bufferedMax: number;
      end: (session: ScriptedSession) => void;
    },
  ) {
    this.client = client;
    this.history = options.history;
    this.bufferedMax = options.bufferedMax;
    this.#end = options.end;
  }

  send(text: string): Outcome {
    return this.sendAll([text]);
  }

  sendBinary(): Outcome {
    throw new Error("no binary frame is due");
  }

  sendAll(texts: readonly string[]): Outcome {
    if (this.client.session !== this) return "gone";
    const length = texts.reduce((sum, text) => sum + text.length, 0);
    // As the real one: what is larger than the limit goes alone.
    if (this.buffered > 0 && this.buffered + length > this.bufferedMax) {
      this.isSlow = true;
      return "slow";
    }
    this.buffered += length;
    this.texts.push(...texts);
    return "sent";
  }

  hasRoom(): boolean {
    if (this.buffered * 2 <= this.bufferedMax) return true;
    this.isSlow = true;
    return false;
  }

  authenticate(): boolean {
    return false;
  }

  exemptPing(): void {}

  close(code: number): void {
    this.closedWith = code;
    this.#end(this);
  }
}

/** One client and one upstream, with everything between them but the sockets. */
async function scene({ heldBytesMax = 1_000_000, maxMsgSizeKB = 64 } = {}) {
  const stage = historyStage();
  const { clock } = stage;
  const { crypto } = await runtimeUnderTest();
  const { log, clients } = await memoryLog();
  const limits = { segmentBytes: 4_096, blockBytes: 1_024, cachedBytes: 2_048 };
  const run = await stage.open({ maxMsgSizeKB }, { limits });
  const waiting = {
    perClient: 10_000,
    perClientBytes: 1e9,
    total: 10_000,
    totalBytes: 1e9,
    ttlSeconds: 60,
  };
  const mailbox = new Mailbox(log, waiting);
  const owner = { sent: () => {}, delivered: () => {}, mayRetry: () => true };
  const rules = [{ clientIdPrefix: "", upstreams: ["ws://u"], strategy: "hash" }] as const;
  const upstreams = new Upstreams(rules, {
    log,
    clients,
    clock,
    make: (what, moves) => new UpstreamTarget(what, { log, clients, owner, moves }),
  });
  const counters = emptyGatewayCounters();
  const downstream = new Downstream({
    log,
    clients,
    upstreams,
    mailbox,
    counters,
    stamp: new StampClock(clock),
    clock,
    crypto,
    memory: new MemoryAccount({ maxMemoryMB: 64, highWatermark: 0.8 }),
    maxMessageSize: 1 << 20,
    history: run.history,
    heldBytesMax: () => heldBytesMax,
    wasSeen: () => true,
  });
  const client = () => clients.named("a");
  const target = upstreams.upstreamOf(client()) as UpstreamTarget;
  const leave = (session: ScriptedSession) => {
    if (client().session !== session) return;
    client().session = undefined;
    downstream.left(session);
    downstream.replays.left(session);
  };
  return {
    run,
    mailbox,
    counters,
    downstream,
    client,
    leave,
    join(history: HistoryRequest | undefined, bufferedMax = Infinity): ScriptedSession {
      const before = client().session;
      if (before instanceof ScriptedSession) leave(before);
      const session = new ScriptedSession(client(), { history, bufferedMax, end: leave });
      session.client.session = session;
      downstream.replays.joined(session);
      return session;
    },
    /** The n-th message of the upstream. */
    down(n: number, withId = true): void {
      const id = withId ? `,"messageId":"m${n}"` : "";
      downstream.text(
        target,
        `{"clientId":"a","n":${n}${id},"data":"${"x".repeat(20 + n * 37 % 200)}"}`,
      );
    },
    /** The client reads so many characters. */
    drain(session: ScriptedSession, length: number): void {
      session.buffered = Math.max(0, session.buffered - length);
      if (!session.isSlow || session.client.session !== session || !session.hasRoom()) return;
      session.isSlow = false;
      downstream.drained(session);
    },
    turn: () => run.pass(50),
  };
}

interface Received {
  /** Numbers of the messages before and behind the end note. */
  readonly history: number[];
  readonly live: number[];
  readonly note: Record<string, unknown> | undefined;
}

function received({ texts, history }: ScriptedSession): Received {
  const all = texts.map((text) => JSON.parse(text) as Record<string, unknown>);
  const at = all.findIndex(({ action }) => action === "history_complete");
  const end = history === undefined ? -1 : at < 0 ? all.length : at;
  const numbers = (messages: typeof all) => messages.map(({ n }) => Number(n));
  return {
    history: numbers(all.slice(0, Math.max(0, end))),
    live: numbers(all.slice(end + 1)),
    note: all[at],
  };
}

const all: HistoryRequest = { limit: 500, lastMessageId: "" };
const upTo = (count: number, from = 0) => Array.from({ length: count }, (_, n) => from + n);

describe("HistoryReplays", () => {
  it("sends what waited and is not in the history behind it, then what came meanwhile", async () => {
    const { join, down, turn, drain, mailbox, leave, run } = await scene();
    leave(join(undefined));
    for (const n of upTo(60)) down(n);
    assert.equal(mailbox.count, 60);
    await run.settle();
    const session = join({ limit: 40, lastMessageId: "" }, 1_000);
    for (const n of upTo(10, 60)) down(n, n % 2 === 0);
    for (let round = 0; round < 40; round++) {
      await turn();
      drain(session, 600);
    }
    assert.deepEqual(received(session), {
      history: upTo(40, 20),
      live: [...upTo(20), ...upTo(10, 60)],
      note: {
        type: 2,
        action: "history_complete",
        total: 40,
        oldestMessageId: "m20",
        newestMessageId: "m59",
      },
    });
    assert.equal(mailbox.count, 0);
    down(70);
    drain(session, 1_000);
    assert.deepEqual(received(session).live.slice(-1), [70], "and then all is as ever");
  });

  it("a client that lets too much come together is closed with 1013, and loses nothing with an id", async () => {
    const { join, down, turn, mailbox, client } = await scene({ heldBytesMax: 1_000 });
    for (const n of upTo(400)) down(n);
    const session = join(all, 1);
    await turn();
    for (const n of upTo(20, 400)) down(n);
    assert.equal(session.closedWith, 1013);
    assert.equal(client().session, undefined);
    const sent = received(session).history.length;
    assert.ok(sent > 0 && sent < 400, `${sent} were sent`);
    assert.equal(mailbox.count, 420 - sent);
    const next = join(all);
    for (let round = 0; round < 10; round++) await turn();
    assert.deepEqual(received(next).history, upTo(420));
    assert.deepEqual(received(next).live, []);
  });

  it("of what only the metadata was sent, the whole still waits, however small it is", async () => {
    const { join, down, leave, mailbox } = await scene({ maxMsgSizeKB: 0 });
    leave(join(undefined));
    for (const n of upTo(3)) down(n);
    const session = join(all);
    assert.deepEqual(received(session).history, upTo(3));
    assert.deepEqual(received(session).live, upTo(3));
    assert.deepEqual(session.texts.map((text) => text.includes('"data"')), [
      ...[false, false, false],
      ...[false, true, true, true],
    ]);
    assert.equal(mailbox.count, 0);
  });

  it("holds in memory what it says it holds", async () => {
    const { join, down, leave, downstream } = await scene();
    for (const n of upTo(400)) down(n);
    const session = join(all, 1);
    down(400);
    down(401, false);
    assert.ok(downstream.replays.heldBytes > 100);
    leave(session);
    assert.deepEqual([downstream.replays.heldBytes, downstream.replays.size], [0, 0]);
  });

  it("after any coming, going and slowness: in order, none twice, none with an id missing", async () => {
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 0, max: 2 ** 31 - 1 }), async (seed) => {
        const random = fakeRandom(seed);
        const below = (n: number) => Math.floor(random.fraction() * n);
        const { join, down, turn, drain, leave, client, mailbox, run } = await scene();
        const sessions: ScriptedSession[] = [];
        const withId: number[] = [];
        const present = () => client().session as ScriptedSession | undefined;
        let sent = 0;
        for (let step = 0; step < 80; step++) {
          const choice = below(10);
          const session = present();
          if (choice < 4) {
            for (let count = below(6); count >= 0; count--) {
              const hasId = below(4) > 0;
              if (hasId) withId.push(sent);
              down(sent++, hasId);
            }
          } else if (choice < 6) {
            await turn();
            if (below(4) === 0) await run.settle();
          } else if (choice < 8) {
            if (session !== undefined) drain(session, below(4_000));
          } else if (choice === 8 || session === undefined) {
            const limit = 1 + below(60);
            const lastMessageId = below(3) > 0 ? "" : `m${below(sent + 1)}`;
            const history = below(4) === 0 ? undefined : { limit, lastMessageId };
            sessions.push(join(history, 1 + below(3_000)));
          } else leave(session);
        }
        const end = join(undefined);
        sessions.push(end);
        const seen = new Set<number>();
        for (const session of sessions) {
          const { history, live } = received(session);
          const inOrder = (list: number[]) => [...new Set(list)].sort((a, b) => a - b);
          assert.deepEqual(history, inOrder(history), "the history is in order");
          assert.deepEqual(live, inOrder(live), "what follows is in order");
          for (const n of live) assert.ok(!seen.has(n), `${n} came before`);
          for (const n of [...history, ...live]) seen.add(n);
          assert.equal(new Set([...history, ...live]).size, history.length + live.length);
        }
        assert.deepEqual(withId.filter((n) => !seen.has(n)), []);
        assert.equal(mailbox.count, 0);
      }),
      { numRuns: 150 },
    );
  });
});
