/**
 * Runs every check and test: `./build test [part…|file…]`. Prints a line for each stage, the output
 * of those that fail, and at the end `N passed, N failed[, N skipped]` over all runners.
 */
import { existsSync, mkdirSync, readFileSync, rmSync } from "node:fs";
import process from "node:process";
import { type CommandResult, runCommand } from "./runner/run_command.ts";
import { countTests, filesThatFailedToLoad, type TestCounts } from "./runner/junit_report.ts";
import {
  type Batch,
  compileStageName,
  needsBinary,
  parts,
  planStages,
  type Stage,
} from "./runner/stages.ts";

/** At the same time; more would measure the machine instead of the code. */
const stagesAtOnce = 2;

/** What is shown of a runner that was killed. */
const linesOfHang = 40;

/** What a stage says about itself even when nothing failed. */
const summaryLine = /^summary: (.*)$/gm;

const resultsDirectory = ".build/test";

process.exit(await main(process.argv.slice(2)));

async function main(args: string[]): Promise<number> {
  process.chdir(new URL("..", import.meta.url).pathname);
  const batches = readArguments(args);
  if (batches === undefined) return 2;
  mkdirSync(resultsDirectory, { recursive: true });
  const stop = new AbortController();
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
    process.once(signal, () => stop.abort());
  }
  const start = performance.now();
  const total: TestCounts = { passed: 0, failed: 0, skipped: [], failures: [] };
  for (const batch of batches) await runBatch(batch, total, stop.signal);
  if (stop.signal.aborted) {
    console.log("interrupted");
    return 130;
  }
  printSummary(total, (performance.now() - start) / 1000);
  return total.failed === 0 ? 0 : 1;
}

function readArguments(args: string[]): Batch[] | undefined {
  const chosen = parts.filter((part) => args.includes(part));
  const files = args.filter((arg) => !parts.some((part) => part === arg));
  const wrong = files.find((file) =>
    !/^(\.\/)?tests\/.*_test\.ts$/.test(file) || !existsSync(file)
  );
  if (wrong !== undefined || (files.length > 0 && chosen.length > 0)) {
    const found = wrong === undefined ? "both parts and files" : `'${wrong}'`;
    console.error(`Cannot run ${found}: name parts (${parts.join(", ")}) or files tests/…_test.ts`);
    return undefined;
  }
  if (files.length > 0) return planStages([], files.map((file) => file.replace(/^\.\//, "")));
  return planStages(chosen.length > 0 ? chosen : parts);
}

async function runBatch(batch: Batch, total: TestCounts, signal: AbortSignal): Promise<void> {
  const waiting = [...batch];
  const lane = async () => {
    for (let stage = waiting.shift(); stage !== undefined; stage = waiting.shift()) {
      if (signal.aborted) return;
      add(total, await runStage(stage, total, signal));
    }
  };
  await Promise.all(Array.from({ length: stagesAtOnce }, lane));
}

async function runStage(
  stage: Stage,
  total: TestCounts,
  signal: AbortSignal,
): Promise<TestCounts> {
  if (needsBinary(stage.name) && total.failures.includes(compileStageName)) {
    const counts = failure(`${stage.name}: not run, because the binary could not be compiled`);
    console.log(counts.failures[0]);
    return counts;
  }
  if (stage.counts !== "one") rmSync(stage.counts.reportPath, { force: true });
  const result = await runCommand({
    command: stage.command,
    // A backtrace of the runner itself says nothing about a test.
    env: { NO_COLOR: "1", RUST_BACKTRACE: "0", ...stage.env },
    logPath: `${resultsDirectory}/${stage.name.replaceAll(/\W+/g, "_")}.log`,
    timeoutMs: stage.timeoutMs,
    signal,
  });
  if (signal.aborted) return failure(stage.name);
  const counts = countStage(stage, result);
  printStage(stage, result, counts);
  return counts;
}

function countStage(stage: Stage, result: CommandResult): TestCounts {
  if (result.timedOut) return failure(`${stage.name}: killed after ${stage.timeoutMs / 1000} s`);
  if (stage.counts === "one") {
    if (result.exitCode !== 0) return failure(stage.name);
    return { passed: 1, failed: 0, skipped: [], failures: [] };
  }
  const { runner, reportPath, files } = stage.counts;
  if (!existsSync(reportPath)) return failure(`${stage.name}: ended without a report`);
  const counts = countTests(
    readFileSync(reportPath, "utf8"),
    runner === "bun" ? files : filesThatFailedToLoad(result.output),
  );
  if (counts.failed === 0 && result.exitCode !== 0) {
    add(counts, failure(`${stage.name}: ended with ${result.exitCode ?? "a signal"}`));
  }
  if (counts.failed === 0 && counts.passed === 0) {
    add(counts, failure(`${stage.name}: ran no test`));
  }
  return counts;
}

function printStage(stage: Stage, result: CommandResult, counts: TestCounts): void {
  const word = counts.failed === 0 ? "ok  " : "FAIL";
  const numbers = stage.counts === "one" ? "" : describeCounts(counts);
  const time = `${result.seconds.toFixed(1)} s`.padStart(7);
  console.log(`${word} ${time}  ${stage.name.padEnd(16)} ${numbers}`.trimEnd());
  if (result.leftProcesses) {
    console.log(`     ${stage.name} left processes behind; they were killed`);
  }
  for (const [, summary] of result.output.matchAll(summaryLine)) console.log(`     ${summary}`);
  if (counts.failed === 0) return;
  console.log(indent(tellingPart(stage, result.output)));
}

function printSummary(total: TestCounts, seconds: number): void {
  if (total.skipped.length > 0) {
    console.log(`\nskipped:\n${indent(total.skipped.join("\n"))}`);
  }
  if (total.failures.length > 0) console.log(`\nfailed:\n${indent(total.failures.join("\n"))}`);
  console.log(`\n${seconds.toFixed(1)} s`);
  console.log(describeCounts(total));
}

function describeCounts(counts: TestCounts): string {
  const line = `${counts.passed} passed, ${counts.failed} failed`;
  return counts.skipped.length > 0 ? `${line}, ${counts.skipped.length} skipped` : line;
}

/** Deno names each test before it tells what failed; of a hang the last names are what there is. */
function tellingPart(stage: Stage, output: string): string {
  if (stage.counts === "one" || stage.counts.runner !== "deno") return output.trim();
  const errors = output.search(/^\s*ERRORS\s*$/m);
  return (errors < 0 ? output.split("\n").slice(-linesOfHang).join("\n") : output.slice(errors))
    .trim();
}

function indent(text: string): string {
  return text.replaceAll(/^(?=.)/gm, "     ");
}

function failure(what: string): TestCounts {
  return { passed: 0, failed: 1, skipped: [], failures: [what] };
}

function add(total: TestCounts, counts: TestCounts): void {
  total.passed += counts.passed;
  total.failed += counts.failed;
  total.skipped.push(...counts.skipped);
  total.failures.push(...counts.failures);
}
