import type { BufferConfig } from "../../config/gateway_config.ts";
import type { Clock } from "../../ports/clock.ts";
import type { LogFilesPort } from "../../ports/log_file.ts";
import type { Logger } from "../../ports/log.ts";
import type { Random } from "../../ports/random.ts";
import { type DeadLetter, DeadLetters } from "./dead_letters.ts";
import { LogUpkeep } from "./log_upkeep.ts";
import { defaultLogLimits, type LogLimits } from "./log_limits.ts";
import { logNames } from "./log_names.ts";
import { LogWriter } from "./log_writer.ts";
import { MessageMemory } from "./message_memory.ts";
import type { MessageLog, MessageLogOwner, RecoveredId } from "./message_log_types.ts";
import { recoverFiles, type RecoveryReport, sequenceGapAfterDamage } from "./recovery.ts";
import { SegmentRecovery } from "./segment_recovery.ts";
import { WaitingMessages } from "./waiting_messages.ts";

export interface MessageLogOptions {
  readonly config: BufferConfig;
  readonly files: LogFilesPort;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  readonly owner: MessageLogOwner;
  /** For tests. */
  readonly limits?: Partial<LogLimits>;
}

export interface RecoveredLog {
  /** Visits the ids that stay known, oldest first; to be called before any message is released. The
   * object is the same each time. */
  eachId(visit: (id: RecoveredId) => void): void;
  readonly report: RecoveryReport;
}

export interface StoredMessageLog extends MessageLog {
  /** What the messages take in memory, with the room that is free in it. */
  readonly memoryBytes: number;
  /** The last `count` messages that were buried, the newest last. Rejects with FileError. */
  deadLetters(count: number): Promise<readonly DeadLetter[]>;
}

export type OpenedLog =
  | { readonly ok: true; readonly log: StoredMessageLog; readonly recovered: RecoveredLog }
  | { readonly ok: false; readonly reason: string };

/** Reads back what is on disk, and opens the log for more: the messages that wait are those from
 * `oldest` on. It writes nothing before the first new one. */
export async function openMessageLog(options: MessageLogOptions): Promise<OpenedLog> {
  const { config, files, clock, owner } = options;
  const memory = new MessageMemory();
  if (config.persistFile === "") {
    const log = new WaitingMessages({ ...options, memory, disk: undefined });
    return { ok: true, log, recovered: { eachId: () => {}, report: emptyReport() } };
  }
  const limits = { ...defaultLogLimits(config.maxBytes), ...options.limits };
  const names = logNames(config.persistFile);
  const into = new SegmentRecovery({
    memory,
    owner,
    clock,
    windowMs: config.dedupWindowMs,
    idsMax: limits.idsMax,
  });
  let found;
  try {
    found = await recoverFiles({ files, names, into, syncs: config.fsync !== "never" });
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    return { ok: false, reason: `Cannot open the message log "${config.persistFile}": ${why}` };
  }
  const { report, segments, nextNumber } = found;
  report.messages = memory.depth;
  into.link();
  const isDamaged = report.torn + report.corrupt > 0;
  const sequence = into.sequence + (isDamaged ? sequenceGapAfterDamage : 0);
  const writer = new LogWriter({
    ...options,
    memory,
    names,
    limits,
    fsync: config.fsync,
    fsyncMinIntervalMs: config.fsyncMinIntervalMs,
  });
  writer.resume({ segments, nextNumber, sequence, clients: into.clients });
  const upkeep = new LogUpkeep({
    ...options,
    names,
    limits,
    memory,
    writer,
    ids: found.ids,
    windowMs: config.dedupWindowMs,
  });
  writer.settled = () => upkeep.look();
  const disk = {
    clock,
    writer,
    upkeep,
    deadLetters: new DeadLetters({ ...options, names }, limits.deadLetterBytes),
    messageIdIn: (direction: "up" | "down", body: string) => owner.messageIdIn(direction, body),
  };
  const log = new WaitingMessages({ ...options, memory, disk });
  return { ok: true, log, recovered: { eachId: (visit) => into.eachId(visit), report } };
}

function emptyReport(): RecoveryReport {
  return {
    segments: 0,
    messages: 0,
    torn: 0,
    tornBytes: 0,
    corrupt: 0,
    corruptBytes: 0,
    orphaned: 0,
    renamed: [],
  };
}
