import type { Clock } from "../ports/clock.ts";
import type { Logger } from "../ports/log.ts";
import { RecentLatency } from "./gateway_counters.ts";
import type { HistoryReplays } from "./history_replays.ts";
import type { MessageHistory } from "./history/message_history.ts";
import type { MessageLog } from "./log/message_log_types.ts";
import type { Mailbox } from "./mailbox.ts";
import type { MemoryAccount } from "./memory_account.ts";
import type { MessageGateway } from "./message_gateway.ts";
import type { Upstreams } from "./upstreams.ts";

/** How often lateness is measured and memory counted. */
const tickMs = 100;
/** Every so many of them: what has waited for too long is given up. */
const ticksPerExpiry = 10;
/** Every so many of them: percentiles forget what is older than twice that. */
const ticksPerPeriod = 300;

/** When so much more waits than before, and no more comes, what taking it in has left is collected:
 * the engine would keep it for long, as nothing calls for it any more. It stops the thread for 2 to
 * 11 ms with 19,000 clients (`BUN_JSC_logGC=1`). */
const collectAtBytes = 32 << 20;
const calmBytesASecond = 1 << 20;

/** What the regular line in the log shows. */
const summaryFigures = [
  "connectionsActive",
  "openclawConnections",
  "messagesReceived",
  "messagesSent",
  "messagesFailed",
  "bufferDepth",
  "bufferOldestSeconds",
  "waitingMessages",
  "acksSent",
  "memoryUsedMB",
  "ackP99Ms",
  "forwardP99Ms",
  "fsyncP99Ms",
  "eventLoopLagP99Ms",
] as const;

export interface UpkeepParts {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly core: MessageGateway;
  readonly log: MessageLog;
  readonly history: MessageHistory;
  readonly mailbox: Mailbox;
  readonly memory: MemoryAccount;
  readonly replays: HistoryReplays;
  readonly upstreams: Upstreams;
  figures(): Record<string, number>;
  /** As of the runtime. */
  collectGarbage?: (() => void) | undefined;
}

/** What a gateway does now and then, whatever comes in: counts memory, gives up what is too old,
 * measures how late its thread is, and writes a summary into the log. */
export class GatewayUpkeep {
  /** How late the ticks came. */
  readonly lateness: RecentLatency = new RecentLatency();
  readonly #parts: UpkeepParts;
  readonly #stopTicks: () => void;
  #stopSummaries = () => {};
  /** More messages are too old than one round takes. */
  #isExpiring = false;
  #bytesBefore = 0;
  #bytesCollected = 0;

  constructor(parts: UpkeepParts) {
    this.#parts = parts;
    const { clock } = parts;
    let ticks = 0;
    let dueAt = clock.monotonic() + tickMs;
    this.#stopTicks = clock.every(tickMs, () => {
      const now = clock.monotonic();
      this.lateness.add(Math.max(0, now - dueAt));
      dueAt = now + tickMs;
      this.#tick(++ticks);
    });
  }

  /** A summary line in this distance from now on; 0: none. */
  summarise(everyMs: number): void {
    const { clock, logger, figures } = this.#parts;
    this.#stopSummaries();
    this.#stopSummaries = () => {};
    if (everyMs === 0) return;
    this.#stopSummaries = clock.every(everyMs, () => {
      const all = figures();
      logger.info(Object.fromEntries(summaryFigures.map((name) => [name, all[name]])), "gateway");
    });
  }

  stop(): void {
    this.#stopTicks();
    this.#stopSummaries();
  }

  #tick(ticks: number): void {
    const { core, log, history, mailbox, memory, replays, upstreams } = this.#parts;
    memory.set("waiting", mailbox.bytes);
    // Behind a disk that hangs, delivered messages stay as well.
    memory.set("queues", Math.max(log.bytes, log.unwrittenBytes) - mailbox.bytes);
    memory.set("history", history.memoryBytes + replays.heldBytes);
    const isSecond = ticks % ticksPerExpiry === 0;
    if (isSecond || this.#isExpiring) this.#isExpiring = core.disposal.expire();
    if (isSecond) {
      core.expireTransfers();
      upstreams.leaveUnnamed();
      history.tick();
      this.#collectWhenCalm(log.bytes);
    }
    if (ticks % ticksPerPeriod !== 0) return;
    this.lateness.turn();
    core.acknowledgements.latency.turn();
    core.forwardLatency.turn();
  }

  /** Once a second. */
  #collectWhenCalm(bytes: number): void {
    const isCalm = bytes - this.#bytesBefore < calmBytesASecond;
    this.#bytesBefore = bytes;
    this.#bytesCollected = Math.min(this.#bytesCollected, bytes);
    if (!isCalm || bytes - this.#bytesCollected < collectAtBytes) return;
    this.#bytesCollected = bytes;
    this.#parts.collectGarbage?.();
  }
}
