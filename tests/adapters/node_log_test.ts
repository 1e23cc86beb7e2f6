/** What pinoLog promises beyond the port: secrets, forged lines, rotation, failing disks. */
import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, it } from "node:test";
import { pinoLog } from "../../src/adapters/node/log.ts";
import { prettyLine } from "../../src/adapters/node/log_pretty.ts";
import { nodeProcess } from "../../src/adapters/node/process.ts";
import type { LogFields, LogOptions } from "../../src/ports/log.ts";
import { runtimeCommand } from "./helper_program.ts";
import { finished } from "./process_conformance.ts";

let directory = "";
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "log-"));
});
afterEach(() => rm(directory, { recursive: true }));

function openFile(limits: { bytesMax?: number; filesMax?: number } = {}) {
  const path = join(directory, "gw.log");
  const logger = pinoLog().open({
    level: "debug",
    format: "json",
    stderr: false,
    file: { path, bytesMax: limits.bytesMax ?? 1_000_000, filesMax: limits.filesMax ?? 3 },
  });
  return { path, logger };
}

async function linesOf(path: string): Promise<Record<string, unknown>[]> {
  const text = await readFile(path, "utf8");
  assert.ok(text === "" || text.endsWith("\n"));
  return text.split("\n").slice(0, -1).map((line) => JSON.parse(line));
}

async function loggedFields(fields: LogFields): Promise<Record<string, unknown>> {
  const { path, logger } = openFile();
  logger.info(fields, "m");
  logger.close();
  const { time: _, level: __, message: ___, ...shown } = (await linesOf(path))[0]!;
  return shown;
}

/** Runs pinoLog in a process of its own to see its stderr. */
async function stderrOf(
  options: Partial<LogOptions>,
  lines: readonly (readonly [LogFields, string])[],
): Promise<string> {
  const port = nodeProcess({ selfCommand: runtimeCommand("./helper_main.ts") });
  const given = { options: { level: "info", format: "json", stderr: true, ...options }, lines };
  const { exit, stderr } = await finished(port, { args: ["log", JSON.stringify(given)] });
  assert.deepEqual(exit, { code: 0, signal: null });
  return stderr;
}

describe("pinoLog fields", () => {
  it("replaces what is named like a secret, at every depth shown", async () => {
    const shown = await loggedFields({
      token: "t",
      control_token: "t",
      controlToken: "t",
      Authorization: "Bearer t",
      "Set-Cookie": "t",
      ADMIN_PASSWORD: 12345,
      cipher: Uint8Array.of(1),
      secrets: ["t"],
      nested: { password: "t", fine: 1, deeper: { api_key: "t", tokens: null, has_token: true } },
      fine: "yes",
    });
    assert.deepEqual(shown, {
      token: "[secret]",
      control_token: "[secret]",
      controlToken: "[secret]",
      Authorization: "[secret]",
      "Set-Cookie": "[secret]",
      ADMIN_PASSWORD: "[secret]",
      cipher: "[secret]",
      secrets: "[secret]",
      nested: {
        password: "[secret]",
        fine: 1,
        deeper: { api_key: "[secret]", tokens: null, has_token: true },
      },
      fine: "yes",
    });
  });

  it("hides secrets in child fields, and the password of a URL", async () => {
    const { path, logger } = openFile();
    logger.child({ token: "t" }).info({ url: new URL("ws://user:t@host/x") }, "m");
    logger.close();
    const [line] = await linesOf(path);
    assert.deepEqual([line?.["token"], line?.["url"]], ["[secret]", "ws://user:secret@host/x"]);
  });

  it("cuts long strings, fields and the message, and says so", async () => {
    const { path, logger } = openFile();
    logger.info({ long: "x".repeat(10_000) }, "y".repeat(5_000));
    logger.close();
    const [line] = await linesOf(path);
    assert.equal(line?.["long"], `${"x".repeat(4_096)}… (5904 characters cut)`);
    assert.equal(line?.["message"], `${"y".repeat(4_096)}… (904 characters cut)`);
  });

  it("shows whatever it gets: errors, bytes, bigint, cycles, depth, many members", async () => {
    const cycle: Record<string, unknown> = {};
    cycle["self"] = cycle;
    const error = Object.assign(new TypeError("bad", { cause: new Error("why") }), { code: "EX" });
    const shown = await loggedFields({
      error,
      bytes: new Uint8Array(9),
      big: 2n ** 70n,
      nan: NaN,
      date: new Date(0),
      call: () => 1,
      missing: undefined,
      cycle,
      many: Array.from({ length: 150 }, (_, index) => index),
      wide: Object.fromEntries(Array.from({ length: 150 }, (_, index) => [`k${index}`, index])),
    });
    const found = shown["error"] as Record<string, unknown>;
    assert.deepEqual([found["name"], found["message"], found["code"]], ["TypeError", "bad", "EX"]);
    assert.match(String(found["stack"]), /node_log_test/);
    assert.equal((found["cause"] as Record<string, unknown>)["message"], "why");
    assert.equal(shown["bytes"], "[9 bytes]");
    assert.equal(shown["big"], String(2n ** 70n));
    assert.equal(shown["nan"], "NaN");
    assert.equal(shown["date"], "1970-01-01T00:00:00.000Z");
    assert.equal(shown["call"], "[function]");
    assert.ok(!("missing" in shown));
    assert.match(JSON.stringify(shown["cycle"]), /^({"self":)+"\[deep\]"}+$/);
    assert.equal((shown["many"] as unknown[]).at(-1), "… (50 more)");
    assert.equal((shown["wide"] as Record<string, unknown>)["…"], "50 more");
  });

  it("does not throw for a getter that throws", async () => {
    const fields = {
      get trap(): string {
        throw new Error("sprung");
      },
    };
    assert.deepEqual(await loggedFields(fields), { log_fields_failed: "Error: sprung" });
  });
});

describe("pinoLog lines", () => {
  it("carry an ISO time and cannot be forged by fields or text", async () => {
    const { path, logger } = openFile();
    const evil = 'x\n{"level":"error","message":"forged"}\r\n\u2028\u2029\x1b[2J\x7f\x9b\u202e';
    logger.info({ time: "then", level: "error", message: "forged", evil }, evil);
    logger.close();
    const text = await readFile(path, "utf8");
    assert.equal(text.split("\n").length, 2);
    // deno-lint-ignore no-control-regex
    assert.doesNotMatch(text.trimEnd(), /[\x00-\x1f\x7f-\x9f\u2028\u2029\u202e]/);
    const [line] = await linesOf(path);
    assert.match(String(line?.["time"]), /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
    assert.equal(line?.["level"], "info");
    assert.equal(line?.["message"], evil);
    assert.equal(line?.["evil"], evil);
    assert.deepEqual(
      [line?.["time_"], line?.["level_"], line?.["message_"]],
      ["then", "error", "forged"],
    );
  });

  it("go to stderr as JSON, or for people as one escaped line each", async () => {
    const lines = [[{ room: 5, name: "a b", at: "x" }, "hello\x1b[31m\nworld"]] as const;
    const json = JSON.parse(await stderrOf({}, lines));
    assert.deepEqual([json.level, json.room, json.message], ["info", 5, lines[0][1]]);
    const pretty = await stderrOf({ format: "pretty" }, lines);
    assert.match(
      pretty,
      /^\d\d:\d\d:\d\d\.\d{3} INFO {2}hello\\u001b\[31m\\u000aworld room=5 name="a b" at=x\n$/,
    );
  });

  it("prettyLine() colours time, level and keys on a terminal only", () => {
    const json = '{"level":"warn","time":"2026-01-02T03:04:05.678Z","a":{"b":[1]},"message":"m"}';
    assert.equal(prettyLine(json, { isColored: false }), '03:04:05.678 WARN  m a={"b":[1]}\n');
    assert.equal(
      prettyLine(json, { isColored: true }),
      '\x1b[2m03:04:05.678\x1b[0m \x1b[33mWARN \x1b[0m m \x1b[2ma=\x1b[0m{"b":[1]}\n',
    );
  });
});

describe("pinoLog files", () => {
  it("are rotated by size, keep filesMax of them and lose no line of those", async () => {
    const { path, logger } = openFile({ bytesMax: 2_000, filesMax: 3 });
    for (let number = 0; number < 200; number++) logger.info({ number }, "line");
    logger.close();
    assert.deepEqual((await readdir(directory)).sort(), ["gw.log", "gw.log.1", "gw.log.2"]);
    const numbers: unknown[] = [];
    for (const name of [`${path}.2`, `${path}.1`, path]) {
      assert.ok((await stat(name)).size <= 2_000);
      numbers.push(...(await linesOf(name)).map((line) => line["number"]));
    }
    const first = Number(numbers[0]);
    assert.deepEqual(numbers, Array.from({ length: 200 - first }, (_, index) => first + index));
  });

  it("with filesMax 1 begin anew, and a line over bytesMax is still written whole", async () => {
    const { path, logger } = openFile({ bytesMax: 300, filesMax: 1 });
    for (let number = 0; number < 20; number++) logger.info({ number }, "line");
    logger.info({ long: "x".repeat(1_000) }, "last");
    logger.close();
    assert.deepEqual(await readdir(directory), ["gw.log"]);
    assert.deepEqual((await linesOf(path)).map((line) => line["message"]), ["last"]);
  });

  it("go on at the end of an old file, after a torn last line too, within its size", async () => {
    await writeFile(join(directory, "gw.log"), '{"whole":1}\n{"torn":');
    const { path, logger } = openFile({ bytesMax: 10_000 });
    logger.info({}, "next");
    logger.close();
    const lines = (await readFile(path, "utf8")).split("\n");
    assert.deepEqual(lines.slice(0, 2), ['{"whole":1}', '{"torn":']);
    assert.equal(JSON.parse(lines[2]!).message, "next");
  });

  it("are created for their owner alone, with missing directories", async () => {
    const path = join(directory, "a/b/gw.log");
    pinoLog().open({
      level: "info",
      format: "json",
      stderr: false,
      file: { path, bytesMax: 1_000, filesMax: 2 },
    }).close();
    assert.equal((await stat(path)).mode & 0o777, 0o600);
  });

  it("that cannot be opened make open() throw FileError", () => {
    const file = { path: directory, bytesMax: 1_000, filesMax: 2 };
    assert.throws(() => pinoLog().open({ level: "info", format: "json", stderr: false, file }), {
      name: "FileError",
      code: "EISDIR",
    });
  });

  it(
    "on a full disk lose lines, say so once on stderr and never throw",
    { skip: existsSync("/dev/full") ? false : "this system has no /dev/full" },
    async () => {
      const lines = Array.from({ length: 5 }, () => [{}, "lost"] as const);
      const stderr = await stderrOf({
        stderr: false,
        file: { path: "/dev/full", bytesMax: 1_000_000, filesMax: 2 },
      }, lines);
      assert.equal(
        stderr,
        'Cannot write log "/dev/full": no space is left on the device (ENOSPC)\n',
      );
    },
  );

  it("that cannot be renamed begin anew instead of growing", async () => {
    // A directory in the way of the oldest name fails for every user, also for root.
    await mkdir(join(directory, "gw.log.1/full"), { recursive: true });
    const path = join(directory, "gw.log");
    const lines = Array.from({ length: 50 }, (_, number) => [{ number }, "line"] as const);
    const stderr = await stderrOf(
      { stderr: false, file: { path, bytesMax: 1_000, filesMax: 2 } },
      lines,
    );
    assert.match(stderr, /^Cannot write log "/);
    assert.ok((await stat(path)).size <= 1_000);
    assert.equal((await linesOf(path)).at(-1)?.["number"], 49);
  });
});
