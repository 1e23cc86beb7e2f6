/**
 * The message log alone: what an append costs, how long it takes to read 1,000,000 waiting messages
 * back, and what they take in memory. Each is measured in a process of its own. It runs from source,
 * without the binary.
 */
import { mkdtempSync, readdirSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { systemClock } from "../src/adapters/node/clock.ts";
import { nodeLogFiles } from "../src/adapters/node/message_log_files.ts";
import { nodeRandom } from "../src/adapters/node/random.ts";
import { openMessageLog } from "../src/gateway/log/message_log.ts";
import {
  type LogClient,
  type MessageLogOwner,
  noSlot,
} from "../src/gateway/log/message_log_types.ts";
import type { Logger } from "../src/ports/log.ts";
import { median, numberFlag, report, residentBytes } from "./measure.ts";

const [, , part, directory = ""] = process.argv;
const messages = numberFlag("messages", 1_000_000);
const clientCount = 1_000;

/** The members of a message as a client sends it, of about so many bytes in all. */
function bodies(bytes: number, count: number): string[] {
  return Array.from({ length: count }, (_, n) => {
    const start = `"type":0,"messageId":"01J9Z3K7Q8-${n}","data":"`;
    return `${start}${"x".repeat(bytes - start.length - 1)}"`;
  });
}

const quiet: Logger = {
  debug() {},
  info() {},
  warn() {},
  error: (fields) => console.error(fields),
  child: () => quiet,
  setLevel() {},
  close() {},
};

async function open(path: string) {
  const clients = new Map<string, LogClient>();
  const owner: MessageLogOwner = {
    clientNamed(id) {
      const known = clients.get(id);
      if (known !== undefined) return known;
      const made = { id, index: clients.size, logSegment: 0, logName: 0 };
      clients.set(id, made);
      return made;
    },
    messageIdIn(_direction, body) {
      const at = body.indexOf('"messageId":"');
      return at < 0 ? "" : body.slice(at + 13, body.indexOf('"', at + 13));
    },
    committed() {},
    notStored() {},
    troubleChanged() {},
  };
  const opened = await openMessageLog({
    config: {
      size: 2 * messages,
      persistFile: path,
      maxBytes: 4 * 2 ** 30,
      fsync: "always",
      fsyncMinIntervalMs: 2,
      upstreamAck: "auto",
      retries: 0,
      ttlSeconds: 0,
      overflow: "reject",
      dedupWindowMs: 600_000,
    },
    files: nodeLogFiles(),
    clock: systemClock(),
    random: nodeRandom(),
    logger: quiet,
    owner,
  });
  if (!opened.ok) throw new Error(opened.reason);
  const senders = Array.from({ length: clientCount }, (_, n) => owner.clientNamed(`client-${n}`));
  return { ...opened, senders };
}

/** Microseconds of an append and of a release of 200 bytes, with writing and syncing beside it. */
async function measureAppend(): Promise<object> {
  const { log, senders } = await open(join(directory, "append.log"));
  const texts = bodies(200, clientCount);
  const slots = new Int32Array(clientCount);
  const appends: number[] = [];
  const releases: number[] = [];
  for (let round = 0; round < 600; round++) {
    const startedAt = performance.now();
    for (let n = 0; n < clientCount; n++) {
      slots[n] = log.append({
        client: senders[n]!,
        direction: "up",
        messageId: "01J9Z3K7Q8-777",
        ackAsked: true,
        priority: 0,
        stampMs: 1_795_320_864_909,
        stampNs: n,
        body: texts[n]!,
      });
    }
    const appendedAt = performance.now();
    for (const slot of slots) log.release(slot);
    appends.push((appendedAt - startedAt) / clientCount * 1e3);
    releases.push((performance.now() - appendedAt) / clientCount * 1e3);
    await Bun.sleep(1);
  }
  const fsyncP99Ms = log.fsyncP99Ms;
  await log.close();
  return { append: median(appends), release: median(releases), fsyncP99Ms };
}

/** Fills a log with messages that wait. */
async function fill(): Promise<object> {
  const { log, senders } = await open(join(directory, "full.log"));
  const before = residentBytes(process.pid);
  const texts = bodies(150, clientCount);
  for (let n = 0; n < messages; n++) {
    log.append({
      client: senders[n % clientCount]!,
      direction: "up",
      messageId: `01J9Z3K7Q8-${n % clientCount}`,
      ackAsked: true,
      priority: 0,
      stampMs: Date.now(),
      stampNs: 0,
      body: texts[n % clientCount]!,
    });
    if (n % 5_000 === 0) await Bun.sleep(1);
  }
  await log.flush();
  // What was written lately is garbage now, and not part of it.
  Bun.gc(true);
  await Bun.sleep(200);
  Bun.gc(true);
  const megabytes = (residentBytes(process.pid) - before) / 2 ** 20;
  await log.close();
  const files = readdirSync(directory).filter((name) => name.startsWith("full.log"));
  const onDisk = files.reduce((sum, name) => sum + statSync(join(directory, name)).size, 0);
  return { megabytes, share: onDisk / (messages * 150) };
}

async function readBack(): Promise<object> {
  const before = residentBytes(process.pid);
  const startedAt = performance.now();
  const { log, recovered } = await open(join(directory, "full.log"));
  let count = 0;
  for (let slot = log.oldest; slot !== noSlot; slot = log.newer(slot)) {
    count += log.bodyBytes(slot) > 0 ? 1 : 0;
  }
  if (count !== messages) throw new Error(`${count} of ${messages} messages came back`);
  let known = 0;
  recovered.eachId((id) => known += id.slot === undefined ? 0 : 1);
  const seconds = (performance.now() - startedAt) / 1e3;
  Bun.gc(true);
  const megabytes = (residentBytes(process.pid) - before) / 2 ** 20;
  await log.close();
  return { seconds, megabytes, known };
}

async function inProcess(name: string, where: string): Promise<Record<string, number>> {
  const args = ["--messages", String(messages)];
  const child = Bun.spawn([process.execPath, import.meta.path, name, where, ...args], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  const output = await new Response(child.stdout).text();
  if (await child.exited !== 0) throw new Error(`${name} failed`);
  return JSON.parse(output);
}

if (part === "append" || part === "fill" || part === "readBack") {
  const measured = { append: measureAppend, fill, readBack }[part];
  console.log(JSON.stringify(await measured()));
} else {
  const where = mkdtempSync(join(tmpdir(), "freekill-gw-bench-"));
  try {
    const appended = await inProcess("append", where);
    const filled = await inProcess("fill", where);
    const found = await inProcess("readBack", where);
    const many = messages.toLocaleString("en-US");
    report("gateway_log", [
      { name: "append of 200 bytes", value: appended["append"]!, unit: "µs", goal: { max: 0.7 } },
      { name: "release", value: appended["release"]!, unit: "µs" },
      { name: "fdatasync, p99", value: appended["fsyncP99Ms"]!, unit: "ms" },
      {
        name: `${many} waiting messages of 150 bytes`,
        value: filled["megabytes"]!,
        unit: "MB",
        goal: { max: 260 },
      },
      {
        name: "bytes on disk for each byte of them",
        value: filled["share"]!,
        unit: "",
        goal: { max: 1.3 },
      },
      {
        name: `${many} read back after a restart`,
        value: found["seconds"]!,
        unit: "s",
        goal: { max: 4 },
      },
      { name: "memory after that", value: found["megabytes"]!, unit: "MB" },
    ]);
  } finally {
    rmSync(where, { recursive: true });
  }
}
