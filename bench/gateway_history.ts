/**
 * The history alone: what taking a message in costs, with writing and syncing beside it, how long it
 * takes to put the last 500 of a client together for sending, from memory and from disk, what a
 * message takes in memory, and how long a start with a full history takes. It runs from source.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { systemClock } from "../src/adapters/node/clock.ts";
import { nodeLogFiles } from "../src/adapters/node/message_log_files.ts";
import { nodeRandom } from "../src/adapters/node/random.ts";
import { MessageHistory } from "../src/gateway/history/message_history.ts";
import type { Logger } from "../src/ports/log.ts";
import { median, numberFlag, report, residentBytes } from "./measure.ts";

const messages = numberFlag("messages", 1_000_000);
const clientCount = 2_000;
const perTurn = 1_000;

const quiet: Logger = {
  debug() {},
  info() {},
  warn: (fields) => console.error(fields),
  error: (fields) => console.error(fields),
  child: () => quiet,
  setLevel() {},
  close() {},
};

function open(persistFile: string): Promise<MessageHistory> {
  return MessageHistory.open({
    config: {
      enabled: true,
      maxTotalMB: 1_024,
      maxPerClient: 500,
      maxMsgSizeKB: 64,
      cleanupHours: 24,
    },
    persistFile,
    fsync: "always",
    maxMemoryMB: 2_048,
    files: nodeLogFiles(),
    clock: systemClock(),
    random: nodeRandom(),
    logger: quiet,
  });
}

const ids = Array.from({ length: clientCount }, (_, n) => `client-${n}`);
const texts = ids.map((_, n) => {
  const start = `"type":0,"messageId":"01J9Z3K7Q8-${n}","data":"`;
  return `${start}${"x".repeat(199 - start.length)}"`;
});

/** Microseconds a message, as the median of turns of `perTurn`. */
async function fill(history: MessageHistory, count: number): Promise<number> {
  const costs: number[] = [];
  for (let n = 0; n < count;) {
    const startedAt = performance.now();
    for (const end = n + perTurn; n < end; n++) {
      history.add({
        clientId: ids[n % clientCount]!,
        isUp: true,
        messageId: `01J9Z3K7Q8-${n}`,
        stampMs: 1_795_320_864_909,
        stampNs: n % 1_000_000,
        text: texts[n % clientCount]!,
      });
    }
    costs.push((performance.now() - startedAt) / perTurn * 1e3);
    await Bun.sleep(0);
  }
  return median(costs);
}

/** Milliseconds to read the last 500 messages of a client, as the median of several. */
async function replay(history: MessageHistory): Promise<number> {
  const times: number[] = [];
  for (let n = 0; n < 50; n++) {
    const startedAt = performance.now();
    const records = await history.read(ids[n * 7]!, { limit: 500, after: "", before: "" });
    times.push(performance.now() - startedAt);
    if (records.length !== 500) throw new Error(`${records.length} messages came back`);
  }
  return median(times);
}

const directory = mkdtempSync(join(tmpdir(), "freekill-gw-bench-"));
try {
  const path = join(directory, "buffer.log");
  const before = residentBytes(process.pid);
  const history = await open(path);
  const addUs = await fill(history, messages);
  await history.flush();
  const { figures } = history;
  Bun.gc(true);
  const residentMiB = (residentBytes(process.pid) - before) / 2 ** 20;
  const mixedMs = await replay(history);
  await history.close();

  const startedAt = performance.now();
  const again = await open(path);
  const startMs = performance.now() - startedAt;
  const kept = again.figures.messages;
  const diskMs = await replay(again);
  const few = await open("");
  await fill(few, 100_000);
  for (let n = 0; n < 500; n++) {
    for (let client = 0; client < 50; client++) {
      few.add({
        clientId: ids[client * 7]!,
        isUp: true,
        messageId: `m${n}`,
        stampMs: 1_795_320_864_909,
        stampNs: n,
        text: texts[n]!,
      });
    }
  }
  const memoryMs = await replay(few);
  await again.close();
  report("History", [
    { name: "taking in a message of 200 bytes", value: addUs, unit: "µs", goal: { max: 3 } },
    { name: "reading 500 messages, in memory", value: memoryMs, unit: "ms", goal: { max: 5 } },
    { name: "reading 500 messages, partly in memory", value: mixedMs, unit: "ms" },
    { name: "reading 500 messages from disk, far apart", value: diskMs, unit: "ms" },
    { name: `start with ${kept} messages`, value: startMs, unit: "ms" },
    { name: "index and cache in memory", value: figures.memoryBytes / 2 ** 20, unit: "MiB" },
    { name: "grown in memory", value: residentMiB, unit: "MiB" },
    { name: "on disk", value: figures.diskBytes / 2 ** 20, unit: "MiB" },
  ]);
} finally {
  rmSync(directory, { recursive: true, force: true });
}
