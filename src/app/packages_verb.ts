import { withoutCredentials } from "../admin/command.ts";
import { visibleText } from "../base/terminal_text.ts";
import type { PackageFacts } from "../game/packages/package_facts.ts";
import { PackagesClient } from "../game/packages/packages_client.ts";
import type { PackagesProgress } from "../game/packages/packages_progress.ts";
import type { Logger } from "../ports/log.ts";
import type { Runtime } from "../ports/runtime.ts";
import { type AdminAnswer, done, refusal } from "./admin_answer.ts";
import { askAdmin } from "./admin_client.ts";
import { readDoor } from "./admin_files.ts";
import { packageLines } from "./admin_tables.ts";
import { lockDirectory } from "./directory_lock.ts";
import type { Invocation } from "./invocation.ts";
import { carryOutChange } from "./package_change.ts";
import { progressBar, progressLines } from "./package_progress.ts";
import { type PackagesOrder, readPackagesWords } from "./packages_words.ts";

/**
 * `packages <verb>`: looks at the packages of the working directory and changes them, by the server
 * that runs there if there is one. The exit code: 0 done, 1 refused or failed, 2 a wrong command
 * line, 3 the directory cannot be used or its server not be asked.
 */
export async function packagesVerb(runtime: Runtime, invocation: Invocation): Promise<number> {
  const { process, clock, workers } = runtime;
  const order = readPackagesWords(invocation.words ?? []);
  if (typeof order === "string") {
    process.writeStderr(`${visibleText(order)}\n`);
    return 2;
  }
  const client = new PackagesClient({ workers, clock, logger: stderrLogger(runtime) });
  try {
    if (order.kind === "list" || order.kind === "md5") {
      return print(runtime, invocation, await look(client, order.kind));
    }
    return await changeAlone(runtime, invocation, { client, order });
  } finally {
    client.close();
  }
}

/** What may be done beside a server that runs. */
async function look(client: PackagesClient, kind: "list" | "md5"): Promise<AdminAnswer> {
  if (kind === "md5") return await tellMd5(client, []);
  const listed = await client.list();
  if (!listed.ok) return refusal(listed.reason);
  const rows = listed.packages.map(({ name, url, hash, enabled: isEnabled }) => ({
    name,
    url: withoutCredentials(url),
    hash,
    isEnabled,
  }));
  return done(packageLines(rows), rows);
}

type Change = Exclude<PackagesOrder, { readonly kind: "list" | "md5" | "sync" }> | {
  readonly kind: "sync";
};

async function changeAlone(
  runtime: Runtime,
  invocation: Invocation,
  { client, order }: { client: PackagesClient; order: PackagesOrder },
): Promise<number> {
  const { process, sqlite, files } = runtime;
  const lock = await lockDirectory({ sqlite, files, process, directory: process.cwd });
  if (!lock.ok) return await askServer(runtime, invocation, { order, reason: lock.reason });
  const cancel = new AbortController();
  const stopListening = process.onSignal("SIGINT", () => cancel.abort());
  const bar = progressWriter(runtime);
  try {
    const answer = await change(client, order as Change, { ...bar, signal: cancel.signal });
    bar.clear();
    return print(runtime, invocation, answer);
  } finally {
    stopListening();
    await lock.release();
  }
}

/** A server that runs here changes its packages itself, and knows at once. */
async function askServer(
  runtime: Runtime,
  invocation: Invocation,
  { order, reason }: { order: PackagesOrder; reason: string },
): Promise<number> {
  const { process, files, tcp, clock } = runtime;
  const no = (why: string) => {
    process.writeStderr(`${visibleText(why)}\n`);
    return 3;
  };
  const door = await readDoor(files, process.cwd);
  if (typeof door === "string" || door.url === null) {
    return no(`${reason}. A server that runs can be asked to do it where its http_port is not 0.`);
  }
  const reply = await askAdmin({ tcp, clock }, { ...door, url: door.url }, adminLine(order));
  return reply.kind === "no_server" ? no(reply.reason) : print(runtime, invocation, reply.answer);
}

function adminLine(order: PackagesOrder): string {
  const verb = order.kind === "sync" ? "syncpkgs" : order.kind;
  const argument = "url" in order ? order.url : "name" in order ? order.name : undefined;
  if (argument === undefined) return verb;
  return argument.includes('"') ? `${verb} '${argument}'` : `${verb} "${argument}"`;
}

interface Watch {
  progress(progress: PackagesProgress): void;
  readonly signal: AbortSignal;
}

async function change(client: PackagesClient, order: Change, watch: Watch): Promise<AdminAnswer> {
  const recovered = await client.recover();
  if (!recovered.ok) return refusal(recovered.reason);
  const outcome = await carryOutChange(client, order, watch);
  if (!outcome.ok) {
    // One of several may have been done.
    await client.scan();
    return refusal(outcome.reason);
  }
  return await tellMd5(client, outcome.lines);
}

async function tellMd5(client: PackagesClient, lines: readonly string[]): Promise<AdminAnswer> {
  const scan = await client.scan();
  if (!scan.ok) return refusal([...lines, scan.reason].join(" "));
  return done([...lines, md5Line(scan.facts)], { md5: scan.facts.md5, files: scan.facts.files });
}

function md5Line({ md5, files }: PackageFacts): string {
  return `md5 ${md5} (${files.lua} lua, ${files.qml} qml, ${files.js} js)`;
}

/** On a terminal one line that changes, else a line for each phase; on stderr, so that the results
 * stand alone in a pipe. */
function progressWriter({ process, clock }: Runtime) {
  const write = (text: string) => process.writeStderr(text);
  if (!process.isTerminal.stderr) {
    return { progress: progressLines((line) => write(`${visibleText(line)}\n`)), clear() {} };
  }
  const bar = progressBar(write, () => clock.monotonic());
  return { progress: bar.draw, clear: bar.clear };
}

function print({ process }: Runtime, { flags }: Invocation, answer: AdminAnswer): number {
  const { ok, lines, data } = answer;
  const texts = flags.json === true ? [JSON.stringify({ ok, lines, data })] : lines;
  const shown = texts.map((text) => `${visibleText(text)}\n`).join("");
  if (ok || flags.json === true) process.writeStdout(shown);
  else process.writeStderr(shown);
  return ok ? 0 : 1;
}

/** Warnings as plain lines: there is no server whose log they could go into. */
function stderrLogger({ process }: Runtime): Logger {
  const write = ({ troubles, reason }: Readonly<Record<string, unknown>>, message: string) => {
    const details = Array.isArray(troubles) ? troubles : reason === undefined ? [] : [reason];
    for (const line of [message, ...details.map((one) => `  ${String(one)}`)]) {
      process.writeStderr(`${visibleText(line)}\n`);
    }
  };
  const logger: Logger = {
    debug() {},
    info() {},
    warn: write,
    error: write,
    child: () => logger,
    setLevel() {},
    close() {},
  };
  return logger;
}
