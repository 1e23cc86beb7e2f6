import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { runCommand } from "../runner/run_command.ts";
import { planStages } from "../runner/stages.ts";
import { root, runProgram, withDirectory } from "./run_program.ts";

const enoughMs = 30_000;

test("runCommand() keeps both outputs in order, and the exit code", async () => {
  await withDirectory(async (directory) => {
    const result = await runCommand({
      command: ["sh", "-c", "echo one; echo two >&2; echo three; exit 7"],
      logPath: join(directory, "log"),
      timeoutMs: enoughMs,
      signal: new AbortController().signal,
    });
    assert.equal(result.output, "one\ntwo\nthree\n");
    assert.equal(result.exitCode, 7);
    assert.equal(result.timedOut, false);
    assert.equal(result.leftProcesses, false);
  });
});

test("runCommand() kills a command that hangs with all that it started", async () => {
  await withDirectory(async (directory) => {
    const result = await runCommand({
      command: ["sh", "-c", "sleep 1000 & echo $!; wait"],
      logPath: join(directory, "log"),
      timeoutMs: 300,
      signal: new AbortController().signal,
    });
    assert.equal(result.timedOut, true);
    assert.equal(result.exitCode, undefined);
    await gone(Number(result.output));
  });
});

test("runCommand() reports and kills what a command leaves behind", async () => {
  await withDirectory(async (directory) => {
    const result = await runCommand({
      command: ["sh", "-c", "sleep 1000 & echo $!"],
      logPath: join(directory, "log"),
      timeoutMs: enoughMs,
      signal: new AbortController().signal,
    });
    assert.equal(result.exitCode, 0);
    assert.equal(result.leftProcesses, true);
    await gone(Number(result.output));
  });
});

test("planStages() gives every test file to the runtimes that it is for", () => {
  const files = [
    "tests/a_test.ts",
    "tests/adapters/bun/b_test.ts",
    "tests/adapters/deno/d_test.ts",
  ];
  const plan = planStages([], [...files, "tests/adapters/node/n_test.ts"]).flat();
  const given = plan.map((stage) => [
    stage.name,
    stage.counts === "one" ? [] : stage.counts.files,
  ]);
  assert.deepEqual(given, [
    ["unit (bun)", ["tests/a_test.ts"]],
    ["unit (deno)", ["tests/a_test.ts"]],
    ["adapters (bun)", ["tests/adapters/bun/b_test.ts", "tests/adapters/node/n_test.ts"]],
    ["adapters (deno)", ["tests/adapters/deno/d_test.ts", "tests/adapters/node/n_test.ts"]],
  ]);
});

for (
  const { args, says } of [
    { args: ["everything"], says: /Cannot run 'everything': name parts \(static, unit, / },
    { args: ["tests/no_such_test.ts"], says: /Cannot run 'tests\/no_such_test\.ts'/ },
    { args: ["unit", "tests/import_table_test.ts"], says: /Cannot run both parts and files/ },
  ]
) {
  test(`tests/run.ts refuses ${args.join(" ")}`, async () => {
    const command = [process.execPath, join(root, "tests/run.ts"), ...args];
    const { exitCode, stderr } = await runProgram(command, { cwd: root });
    assert.equal(exitCode, 2);
    assert.match(stderr, says);
  });
}

/** Resolves when the process is no more, or only a zombie that waits to be reaped. */
async function gone(pid: number): Promise<void> {
  const end = performance.now() + enoughMs;
  assert.ok(pid > 1);
  while (isAlive(pid)) {
    assert.ok(performance.now() < end, `process ${pid} lives on`);
    await Bun.sleep(10);
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return !/\) Z /.test(readFileSync(`/proc/${pid}/stat`, "utf8"));
  } catch (error) {
    // Without /proc a process that takes signals is alive.
    return error instanceof Error && "code" in error && error.code === "ENOENT" &&
      !existsSync("/proc");
  }
}
