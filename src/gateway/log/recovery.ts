import type { LogFileReader, LogFilesPort } from "../../ports/log_file.ts";
import type { LogNames } from "./log_names.ts";
import { decodeSegmentHeader, type SegmentHeader, segmentHeaderBytes } from "./segment_header.ts";
import { newSegment, type Segment } from "./segment.ts";
import { newReadBuffers, type ReadBuffers, SegmentReader } from "./segment_reader.ts";
import type { SegmentRecovery } from "./segment_recovery.ts";

/** What was found at start, for one line of the log. */
export interface RecoveryReport {
  segments: number;
  messages: number;
  /** Files whose end was cut off, and how much in all. */
  torn: number;
  tornBytes: number;
  /** Damaged stretches that were passed over. */
  corrupt: number;
  corruptBytes: number;
  /** Messages that belong to nobody, because what names their client is damaged. */
  orphaned: number;
  /** Files of another format, by their new names. */
  renamed: string[];
}

export interface RecoveredFiles {
  readonly segments: Segment[];
  /** Files of ids. */
  readonly ids: Segment[];
  readonly nextNumber: number;
  readonly report: RecoveryReport;
}

/** After damage, sequence numbers go on so far above the highest that was read: those that were
 * lost are not given to other messages. */
export const sequenceGapAfterDamage = 1_000_000;

/** Reads all files of the log, oldest first, in pieces. Rejects with FileError. */
export async function recoverFiles(
  parts: { files: LogFilesPort; names: LogNames; into: SegmentRecovery; syncs: boolean },
): Promise<RecoveredFiles> {
  const { files, names, into } = parts;
  await files.makeDirectory(names.directory);
  const report: RecoveryReport = {
    segments: 0,
    messages: 0,
    torn: 0,
    tornBytes: 0,
    corrupt: 0,
    corruptBytes: 0,
    orphaned: 0,
    renamed: [],
  };
  const found: { name: string; bytes: number; number: number; kind: "segment" | "ids" }[] = [];
  for (const { name, bytes } of await files.list(names.directory)) {
    const file = names.read(name);
    if (file === undefined) continue;
    if (file.kind === "foreign") await setAside(parts, name, report);
    else found.push({ name, bytes, ...file });
  }
  found.sort((one, other) => one.number - other.number);
  const segments: Segment[] = [];
  const ids: Segment[] = [];
  const buffers = newReadBuffers();
  const withSegment = new Set(found.filter((file) => file.kind === "segment").map((f) => f.number));
  for (const file of found) {
    const path = names.path(file.name);
    if (file.kind === "ids" && withSegment.has(file.number)) {
      // Its segment is still there, and says the same.
      await files.remove(path);
      continue;
    }
    const segment = await recoverFile({ ...parts, buffers }, file, report);
    if (segment === undefined) continue;
    (file.kind === "ids" ? ids : segments).push(segment);
    report.segments++;
  }
  report.orphaned = into.orphaned;
  if (parts.syncs) await syncAll(parts, segments);
  const nextNumber = (found.at(-1)?.number ?? 0) + 1;
  return { segments, ids, nextNumber, report };
}

/** A program that was killed may have left what it wrote in the system's memory alone; its messages
 * count as stored from now on. */
async function syncAll(
  parts: { files: LogFilesPort; names: LogNames },
  segments: readonly Segment[],
): Promise<void> {
  const { files, names } = parts;
  for (const { number } of segments) {
    const file = await files.openAppend(names.path(names.segment(number)));
    try {
      await file.dataSync();
    } finally {
      await file.close();
    }
  }
  if (segments.length > 0) await files.syncDirectory(names.directory);
}

async function recoverFile(
  parts: { files: LogFilesPort; names: LogNames; into: SegmentRecovery; buffers: ReadBuffers },
  file: { name: string; bytes: number; number: number; kind: "segment" | "ids" },
  report: RecoveryReport,
): Promise<Segment | undefined> {
  const { files, names, into } = parts;
  const path = names.path(file.name);
  const reader = await files.openRead(path);
  let header: SegmentHeader | "empty" | "foreign";
  let goodBytes = 0;
  let segment: Segment | undefined;
  try {
    header = await readHeader(reader, file);
    if (typeof header === "object") {
      segment = newSegment({ ...header, number: file.number });
      into.begin(segment);
      const records = new SegmentReader(reader, {
        bytes: file.bytes,
        salt: header.salt,
        from: Math.min(segmentHeaderBytes, file.bytes),
        buffers: parts.buffers,
      });
      const damage = await records.read((record) => into.record(record));
      into.end();
      goodBytes = damage.goodBytes;
      report.corrupt += damage.corrupt;
      report.corruptBytes += damage.corruptBytes;
    }
  } finally {
    await reader.close();
  }
  if (header === "foreign") {
    await setAside(parts, file.name, report);
    return undefined;
  }
  if (goodBytes < file.bytes) {
    report.torn++;
    report.tornBytes += file.bytes - goodBytes;
  }
  if (segment === undefined) {
    await files.remove(path);
    return undefined;
  }
  if (goodBytes < file.bytes) await files.truncate(path, goodBytes);
  segment.bytes = goodBytes;
  return segment;
}

async function readHeader(
  reader: LogFileReader,
  file: { bytes: number; number: number; kind: "segment" | "ids" },
): Promise<SegmentHeader | "empty" | "foreign"> {
  const bytes = new Uint8Array(Math.min(segmentHeaderBytes, file.bytes));
  await reader.read(bytes, 0);
  const header = decodeSegmentHeader(bytes);
  if (typeof header !== "object") return header;
  return header.kind === file.kind && header.number === file.number ? header : "foreign";
}

async function setAside(
  parts: { files: LogFilesPort; names: LogNames },
  name: string,
  report: RecoveryReport,
): Promise<void> {
  const { files, names } = parts;
  const taken = new Set((await files.list(names.directory)).map((file) => file.name));
  let free = `${name}.old`;
  for (let n = 2; taken.has(free); n++) free = `${name}.old.${n}`;
  await files.rename(names.path(name), names.path(free));
  report.renamed.push(free);
}
