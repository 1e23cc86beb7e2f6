/**
 * Bytes that the gateway writes to its journal for each byte of message. They are what all its
 * threads gave to write() (`wchar` of /proc/<pid>/io), which does not count what is sent to sockets:
 * so copies by compaction are in, and files that are gone again. What a gateway without a journal
 * writes under the same load is taken off.
 */
import { readFileSync } from "node:fs";
import { type Contestant, enter, leave, refuseLosses } from "./gateway_contest.ts";
import { allTo, journal, startForwarder, startGateway } from "./gateway_processes.ts";
import type { RunResult } from "./load/gateway_load.ts";
import { numberFlag, report } from "./measure.ts";
import { freePort } from "./processes.ts";

const clients = numberFlag("clients", 1_000);
const messages = numberFlag("messages", 300_000);
const window = numberFlag("window", 8);

/** What is still to be written when the last answer has come. */
const settleMs = 1_000;

interface Written {
  readonly run: RunResult;
  /** By write(), and to the disk in whole pages, a byte of message. */
  readonly byProcess: number;
  readonly toDisk: number;
}

async function measure(contestant: Contestant): Promise<Written> {
  const { name, clients, server, awaited } = contestant;
  const before = ioOf(server.pid);
  const run = await clients.saturate({ messages, window, awaited, watch: contestant.watch });
  refuseLosses(name, [run]);
  await Bun.sleep(settleMs);
  const after = ioOf(server.pid);
  await leave([contestant]);
  const bytes = run.messages * run.messageBytes;
  return {
    run,
    byProcess: (after.wchar - before.wchar) / bytes,
    toDisk: (after.writeBytes - before.writeBytes) / bytes,
  };
}

function ioOf(pid: number): { wchar: number; writeBytes: number } {
  const text = readFileSync(`/proc/${pid}/io`, "utf8");
  const field = (name: string) => Number(new RegExp(`^${name}: (\\d+)$`, "m").exec(text)?.[1]);
  return { wchar: field("wchar"), writeBytes: field("write_bytes") };
}

const none = await measure(
  await enter(
    "no journal",
    { clients, awaited: "echo" },
    (url) => startGateway({ routes: allTo(url), persistFile: "" }),
  ),
);
const kept = await measure(
  await enter(
    "journal",
    { clients, awaited: "both" },
    (url) => startGateway({ routes: allTo(url), ...journal }),
  ),
);
const acking = await measure(
  await enter(
    "acking forwarder",
    { clients, awaited: "both" },
    (url) => startForwarder("acking", url),
  ),
);
// A tenth of the clients has an upstream that is away: what waits for it has to be copied forward.
// The journal is a small one, so that its segments are, and many of them come and go.
const away = `ws://127.0.0.1:${await freePort()}/`;
const tenth = await measure(
  await enter(
    "journal, a tenth waiting",
    { clients, awaited: "ack" },
    (url) =>
      startGateway({
        routes: [{ clientIdPrefix: "bench-0000", upstream: away }, ...allTo(url)],
        ...journal,
        buffer: { ...journal.buffer, maxBytes: 2 ** 26 },
      }),
  ),
);

report(
  `Gateway's journal, ${
    messages.toLocaleString("en-US")
  } messages of ${kept.run.messageBytes} bytes`,
  [
    {
      name: "freekill-gw: bytes a byte of message",
      value: kept.byProcess - none.byProcess,
      unit: "×",
      goal: { max: 1.3 },
    },
    {
      name: "freekill-gw: the same with a tenth waiting for its upstream",
      value: tenth.byProcess - none.byProcess,
      unit: "×",
      goal: { max: 1.3 },
    },
    { name: "freekill-gw: to the disk, in whole pages", value: kept.toDisk, unit: "×" },
    { name: "bare acking forwarder: bytes a byte of message", value: acking.byProcess, unit: "×" },
    { name: "bare acking forwarder: to the disk, in whole pages", value: acking.toDisk, unit: "×" },
    { name: "taken off: without a journal", value: none.byProcess, unit: "×" },
  ],
);
