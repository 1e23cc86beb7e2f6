/** Programs that the adapter tests start as processes of their own: `helper_main.ts <part> …`. */
import { spawn } from "node:child_process";
import process from "node:process";
import { pinoLog } from "../../src/adapters/node/log.ts";
import { nodeProcess } from "../../src/adapters/node/process.ts";
import { sqliteHere } from "../fakes/sqlite.ts";

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
  default:
    throw new Error(`There is no part ${part}`);
}
