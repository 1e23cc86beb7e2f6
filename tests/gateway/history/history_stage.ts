import type { HistoryConfig } from "../../../src/config/gateway_config.ts";
import type { HistoryLimits } from "../../../src/gateway/history/history_limits.ts";
import { MessageHistory } from "../../../src/gateway/history/message_history.ts";
import { type FakeClock, fakeClock } from "../../fakes/clock.ts";
import { type FakeLog, fakeLog } from "../../fakes/log.ts";
import { type FakeDisk, fakeDisk } from "../../fakes/log_files.ts";
import { fakeRandom } from "../../fakes/random.ts";

export const roomyHistory: HistoryConfig = {
  enabled: true,
  maxTotalMB: 64,
  maxPerClient: 500,
  maxMsgSizeKB: 64,
  cleanupHours: 24,
};

/** So small that every kind of work happens with a few messages. */
export const smallLimits: Partial<HistoryLimits> = {
  segmentBytes: 4_096,
  blockBytes: 1_024,
  cachedBytes: 4_096,
};

/** A piece of the history's work takes several turns of the event loop. */
const stepMs = 50;
const diskTurns = 6;
const closeTurns = 2_000;

/** A disk and a clock on which a history is opened again and again. */
export interface HistoryStage {
  readonly disk: FakeDisk;
  readonly clock: FakeClock;
  readonly log: FakeLog;
  open(config?: Partial<HistoryConfig>, options?: HistoryOptions): Promise<HistoryRun>;
}

export interface HistoryOptions {
  readonly limits?: Partial<HistoryLimits>;
  readonly persistFile?: string;
  readonly maxMemoryMB?: number;
}

export class HistoryRun {
  readonly history: MessageHistory;
  readonly #clock: FakeClock;

  constructor(history: MessageHistory, clock: FakeClock) {
    this.history = history;
    this.#clock = clock;
  }

  /** A message from the client, or to it. */
  add(clientId: string, messageId: string, text = bodyOf(messageId), isUp = true): void {
    const stampMs = this.#clock.now();
    this.history.add({ clientId, isUp, messageId, stampMs, stampNs: 7, text });
  }

  /** The texts that are there. */
  async texts(clientId: string, limit = 1_000, after = ""): Promise<string[]> {
    const reading = this.history.read(clientId, { limit, after, before: "" });
    await this.#clock.advanceAsync(0);
    return (await reading).map(({ text }) => text);
  }

  /** Lets time pass, with what the disk has to do in it. */
  async pass(ms: number): Promise<void> {
    for (let left = ms; left > 0; left -= stepMs) {
      await this.#clock.advanceAsync(Math.min(left, stepMs));
      for (let turn = 0; turn < diskTurns; turn++) await this.#clock.advanceAsync(0);
    }
  }

  /** Everything is written and safe, and nothing is left to tidy up. */
  async settle(): Promise<void> {
    for (let second = 0; second < 4; second++) {
      await this.pass(1_000);
      this.history.tick();
    }
    await this.pass(200);
  }

  async close(): Promise<void> {
    let isClosed = false;
    const closing = this.history.close().finally(() => isClosed = true);
    for (let turn = 0; turn < closeTurns && !isClosed; turn++) await this.#clock.advanceAsync(1);
    if (!isClosed) throw new Error("the history does not close");
    await closing;
  }
}

export function bodyOf(messageId: string): string {
  return `"messageId":"${messageId}","data":"${"x".repeat(60)}"`;
}

export function historyStage(): HistoryStage {
  const disk = fakeDisk();
  const clock = fakeClock();
  const log = fakeLog();
  const random = fakeRandom();
  return {
    disk,
    clock,
    log,
    async open(config = {}, { limits = {}, persistFile = "d/b.log", maxMemoryMB = 256 } = {}) {
      const history = await MessageHistory.open({
        config: { ...roomyHistory, ...config },
        persistFile,
        fsync: "always",
        maxMemoryMB,
        files: disk.start(),
        clock,
        random,
        logger: log.logger,
        limits,
      });
      return new HistoryRun(history, clock);
    },
  };
}
