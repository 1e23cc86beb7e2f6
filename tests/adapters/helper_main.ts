/** Programs that the adapter tests start as processes of their own: `helper_main.ts <part> …`. */
import { spawn } from "node:child_process";
import process from "node:process";
import { pinoLog } from "../../src/adapters/node/log.ts";
import type { WaitWritable } from "../../src/adapters/node/poll.ts";
import { nodeProcess } from "../../src/adapters/node/process.ts";
import { sqliteHere } from "../fakes/sqlite.ts";
import { runtimeCommand } from "./helper_program.ts";

const [part, ...args] = process.argv.slice(2);
const path = args[0] ?? "";

/** The adapter under test, from within. */
const own = nodeProcess({ selfCommand: ["unused"] });

function say(line: string): void {
  own.writeStdout(`${line}\n`);
}

/** Kept as the program keeps its own, for as long as the process lives. */
const sqlite = await sqliteHere();

/** So that a lock whose database nobody refers to would show. */
function collectGarbage(): void {
  const { Bun } = globalThis as { Bun?: { gc(now: boolean): void } };
  Bun?.gc(true);
}

/** poll(2) as this runtime calls it. */
async function waitWritableHere(): Promise<WaitWritable> {
  if ("Bun" in globalThis) {
    return (await import("../../src/adapters/bun/poll.ts")).bunWaitWritable();
  }
  // Not a literal, so that the type checker of the one runtime does not read the other's files.
  const module: string = "../../src/adapters/deno/poll.ts";
  const adapter: { denoWaitWritable(): WaitWritable } = await import(module);
  return adapter.denoWaitWritable();
}

switch (part) {
  case "sqlite-lock": {
    const database = sqlite.open({ path, busyTimeoutMs: 0 });
    database.exec("PRAGMA locking_mode=EXCLUSIVE; BEGIN EXCLUSIVE");
    const second = sqlite.open({ path, busyTimeoutMs: 0 });
    try {
      second.exec("BEGIN EXCLUSIVE");
      say("the lock does not hold against its own process");
    } catch {
      // As it should be. Closing this one must not free the other's lock.
      second.close();
    }
    collectGarbage();
    say("locked");
    setInterval(() => sqlite.open, 1_000);
    break;
  }
  case "sqlite-wal": {
    const database = sqlite.open({ path, busyTimeoutMs: 0 });
    database.exec("PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; CREATE TABLE t (a)");
    const insert = database.prepare("INSERT INTO t VALUES (?)");
    let row = 0;
    setInterval(() => {
      insert.run(++row);
      say(`committed ${row}`);
    }, 0);
    break;
  }
  case "exit":
    own.exit(Number(args[0]));
    break;
  case "first-line":
    say(new TextDecoder().decode(await own.readInputLine(Number(args[0]))));
    break;
  case "print":
    own.writeStdout("x".repeat(Number(args[0])));
    own.writeStderr("problem\n");
    own.exit(7);
    break;
  case "echo":
    process.stdin.on("data", (bytes) => process.stdout.write(bytes));
    break;
  case "env":
    own.writeStdout(JSON.stringify(args.map((name) => own.env[name])));
    break;
  case "wait":
    say("ready");
    setInterval(() => {}, 1_000);
    break;
  case "cwd":
    own.writeStdout(own.cwd);
    break;
  case "signals": {
    setInterval(() => {}, 1_000);
    const stop = own.onSignal("SIGTERM", () => {
      say("got SIGTERM");
      stop();
      say("deaf again");
    });
    own.onSignal("SIGHUP", () => say("got SIGHUP"));
    say("ready");
    break;
  }
  case "uncaught":
    own.onUncaught((error) => {
      say(`told of ${error}`);
      own.exit(3);
    });
    setTimeout(() => {
      if (args[0] === "reject") void Promise.reject(new Error("reject"));
      else throw new Error("throw");
    });
    break;
  case "grandchild": {
    const grandchild = spawn("sleep", ["60"], { stdio: ["ignore", "inherit", "ignore"] });
    say(`grandchild ${grandchild.pid}`);
    own.exit(0);
    break;
  }
  case "broken-pipe":
    process.stdin.on("end", () => {
      own.writeStdout("x".repeat(100_000));
      own.writeStdout("nobody reads this");
      own.writeStderr("alive\n");
      own.exit(5);
    });
    process.stdin.resume();
    break;
  case "log": {
    const given = JSON.parse(args[0] ?? "{}");
    const logger = pinoLog().open(given.options);
    for (const [fields, message] of given.lines) logger.info(fields, message);
    logger.close();
    own.exit(0);
    break;
  }
  case "log-flood": {
    const count = Number(args[0]);
    const waitWritable = await waitWritableHere();
    const logger = pinoLog({ waitWritable }).open({ level: "info", format: "json", stderr: true });
    let longestMs = 0;
    const start = performance.now();
    for (let number = 0; number < count; number++) {
      const before = performance.now();
      logger.info({ number }, "flood");
      longestMs = Math.max(longestMs, performance.now() - before);
    }
    const totalMs = performance.now() - start;
    const stderr = nodeProcess({ selfCommand: ["unused"], waitWritable });
    stderr.writeStderr("x".repeat(1_000_000));
    say(JSON.stringify({ pid: own.pid, longestMs, totalMs }));
    process.stdin.on("end", () => {
      logger.info({}, "after");
      own.exit(0);
    });
    process.stdin.resume();
    break;
  }
  case "deaf-parent": {
    const [command, ...first] = runtimeCommand("./helper_main.ts");
    const child = spawn(command, [...first, "log-flood", args[0] ?? ""], {
      stdio: ["pipe", "inherit", "pipe"],
    });
    child.stderr.on("data", () => {});
    // Never reads again: as a watchdog that was stopped.
    child.once("spawn", () => Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0));
    break;
  }
  default:
    throw new Error(`There is no part ${part}`);
}
