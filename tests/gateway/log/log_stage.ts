import assert from "node:assert/strict";
import type { BufferConfig } from "../../../src/config/gateway_config.ts";
import {
  openMessageLog,
  type RecoveredLog,
  type StoredMessageLog,
} from "../../../src/gateway/log/message_log.ts";
import type { LogLimits } from "../../../src/gateway/log/log_limits.ts";
import {
  type LogClient,
  noSlot,
  type RecoveredId,
  type Slot,
} from "../../../src/gateway/log/message_log_types.ts";
import { defaultGateway } from "../../config/default_gateway.ts";
import { type FakeClock, fakeClock } from "../../fakes/clock.ts";
import { fakeLog } from "../../fakes/log.ts";
import { type FakeDisk, fakeDisk } from "../../fakes/log_files.ts";
import { fakeRandom } from "../../fakes/random.ts";

export const stem = "data/buffer.log";

export const bufferConfig: BufferConfig = {
  ...defaultGateway.buffer,
  size: 10_000,
  persistFile: stem,
  maxBytes: 16 * 1024 * 1024,
};

/** A message that was read back. */
export interface ReadBack {
  readonly slot: Slot;
  readonly client: LogClient;
  readonly direction: "up" | "down";
  readonly messageId: string;
  readonly ackAsked: boolean;
}

export interface LogRun {
  readonly log: StoredMessageLog;
  readonly messages: readonly ReadBack[];
  readonly ids: readonly (RecoveredId & { readonly client: LogClient })[];
  readonly report: RecoveredLog["report"];
  /** Highest sequence number that is stored; ranges that were refused; how often trouble came or
   * went. */
  committed: number;
  readonly refused: [number, number][];
  changes: number;
  client(id: string): LogClient;
  append(
    clientId: string,
    messageId: string,
    more?: { ackAsked?: boolean; direction?: "up" | "down"; text?: string; priority?: number },
  ): Slot;
}

export interface LogStage {
  readonly disk: FakeDisk;
  readonly clock: FakeClock;
  readonly logger: ReturnType<typeof fakeLog>;
  open(config?: Partial<BufferConfig>, limits?: Partial<LogLimits>): Promise<LogRun>;
}

export function bodyOf(messageId: string, text = "hello"): string {
  return `"type":0,"messageId":"${messageId}","data":"${text}"`;
}

export function logStage(disk = fakeDisk(), clock = fakeClock(), seed = 1): LogStage {
  const logger = fakeLog();
  const random = fakeRandom(seed);
  return {
    disk,
    clock,
    logger,
    async open(config = {}, limits = {}) {
      const clients = new Map<string, LogClient>();
      const named = (id: string): LogClient => {
        const known = clients.get(id);
        if (known !== undefined) return known;
        const client = { id, index: clients.size, logSegment: 0, logName: 0 };
        clients.set(id, client);
        return client;
      };
      const run = { committed: 0, refused: [] as [number, number][], changes: 0 };
      const opened = await openMessageLog({
        config: { ...bufferConfig, ...config },
        limits,
        files: disk.start(),
        clock,
        random,
        logger: logger.logger,
        owner: {
          clientNamed: named,
          messageIdIn: (_direction, body) => messageIdIn(body),
          committed: (sequence) => {
            assert.ok(sequence > run.committed, "committed goes up");
            run.committed = sequence;
          },
          notStored: (from, through) => void run.refused.push([from, through]),
          troubleChanged: () => void run.changes++,
        },
      });
      if (!opened.ok) throw new Error(opened.reason);
      const { log, recovered } = opened;
      const byIndex = [...clients.values()];
      const messages: ReadBack[] = [];
      for (let slot = log.oldest; slot !== noSlot; slot = log.newer(slot)) {
        messages.push({
          slot,
          client: byIndex[log.clientIndex(slot)]!,
          direction: log.isUp(slot) ? "up" : "down",
          messageId: messageIdIn(log.bodyText(slot)),
          ackAsked: log.isAckAsked(slot),
        });
      }
      const ids: (RecoveredId & { client: LogClient })[] = [];
      recovered.eachId((id) => ids.push({ ...id, client: byIndex[id.clientIndex]! }));
      return Object.assign(run, {
        log,
        messages,
        ids,
        report: recovered.report,
        client: named,
        append: (
          clientId: string,
          messageId: string,
          more: Parameters<LogRun["append"]>[2] = {},
        ) =>
          log.append({
            client: named(clientId),
            direction: more.direction ?? "up",
            messageId,
            ackAsked: more.ackAsked ?? false,
            priority: more.priority ?? 0,
            stampMs: clock.now(),
            stampNs: 999_999,
            body: bodyOf(messageId, more.text),
          }),
      });
    },
  };
}

function messageIdIn(body: string): string {
  return /"messageId":"([^"]*)"/.exec(body)?.[1] ?? "";
}

/** All that waits, oldest first, as `client/body`. */
export function waiting(run: LogRun): string[] {
  const found: string[] = [];
  for (let slot = run.log.oldest; slot !== noSlot; slot = run.log.newer(slot)) {
    found.push(run.log.bodyText(slot));
  }
  return found;
}
