import { Glob } from "bun";

export const parts = ["static", "unit", "adapters", "conformance", "e2e"] as const;
export type Part = (typeof parts)[number];

/** One command of the test run. */
export interface Stage {
  readonly name: string;
  readonly command: readonly string[];
  readonly env?: Record<string, string>;
  readonly timeoutMs: number;
  /** The stage is one test, or its runner's report says how many it had. */
  readonly counts: "one" | {
    readonly runner: "bun" | "deno";
    readonly reportPath: string;
    readonly files: readonly string[];
  };
}

/** Stages that may run at the same time; the next batch starts when all of them are over. */
export type Batch = readonly Stage[];

const bun = process.execPath;
const deno = ".tools/bin/deno";

/** Limits for hangs, not for speed: each is several times what the stage takes on two slow cores. */
const timeoutMs = { static: 180_000, tests: 900_000, endToEnd: 1_800_000 };

/** A single test under Bun, whose own default of 5 s is too near on a busy machine. */
const bunTestTimeoutMs = { tests: 30_000, endToEnd: 180_000 };

/** What to run for the chosen parts, or for single test files. */
export function planStages(chosen: readonly Part[], testFiles?: readonly string[]): Batch[] {
  const all = testFiles ?? findTestFiles();
  const has = (part: Part) => testFiles !== undefined ? part !== "static" : chosen.includes(part);
  const unit = all.filter((file) =>
    !isAdapterTest(file) && !isConformanceTest(file) && !isEndToEnd(file)
  );
  const adapters = all.filter(isAdapterTest);
  const conformance = all.filter(isConformanceTest);
  const endToEnd = all.filter(isEndToEnd);
  const batches: Batch[] = [];
  const first: Stage[] = [];
  const drivesBinary = (has("e2e") && endToEnd.length > 0) ||
    (has("conformance") && conformance.length > 0);
  if (drivesBinary && process.env.FREEKILL_GW_BINARY === undefined) first.push(compileStage());
  if (has("static")) first.push(...staticStages());
  batches.push(first);
  if (has("unit")) batches.push([...bunTests("unit", unit), ...denoTests("unit", unit)]);
  if (has("adapters")) {
    // Together: most of their time is spent waiting for limits to pass.
    batches.push([
      ...bunTests("adapters", adapters.filter((file) => !isDenoOnly(file))),
      ...denoTests("adapters", adapters.filter((file) => !isBunOnly(file))),
    ]);
  }
  // By itself: it starts the other runtime too, and says how long cases took.
  if (has("conformance")) batches.push(bunTests("conformance", conformance));
  if (has("e2e")) batches.push(bunTests("e2e", endToEnd));
  return batches.filter((batch) => batch.length > 0);
}

export const compileStageName = "compile";

function compileStage(): Stage {
  return oneTest(compileStageName, ["./build"]);
}

function staticStages(): Stage[] {
  const sources = [...new Glob("src/**/*.ts").scanSync()].sort();
  const denoFiles = [...sources, ...findTestFiles().filter((file) => !isEndToEnd(file))].filter(
    (file) => !isBunOnly(file),
  );
  const shell = "sh -n build && sh -n install && bash -n .ci/run && " +
    "if command -v shellcheck >/dev/null; then shellcheck build install .ci/run; fi";
  return [
    oneTest("format", [deno, "fmt", "--check", "--quiet"]),
    oneTest("lint", [deno, "lint", "--quiet"]),
    oneTest("types (bun)", [bun, "node_modules/typescript/bin/tsc", "-p", "tsconfig.json"]),
    oneTest("types (deno)", [deno, "check", "--quiet", ...denoFiles]),
    oneTest("scripts", ["sh", "-c", shell]),
  ];
}

function oneTest(name: string, command: string[]): Stage {
  return { name, command, timeoutMs: timeoutMs.static, counts: "one" };
}

function bunTests(part: Part, files: readonly string[]): Stage[] {
  if (files.length === 0) return [];
  const reportPath = `.build/test/${part}_bun.xml`;
  const kind = part === "e2e" ? "endToEnd" : "tests";
  return [{
    name: `${part} (bun)`,
    command: [
      bun,
      "test",
      "--only-failures",
      `--timeout=${bunTestTimeoutMs[kind]}`,
      "--reporter=junit",
      `--reporter-outfile=${reportPath}`,
      ...files.map((file) => `./${file}`),
    ],
    timeoutMs: timeoutMs[kind],
    counts: { runner: "bun", reportPath, files },
  }];
}

function denoTests(part: Part, files: readonly string[]): Stage[] {
  if (files.length === 0) return [];
  const reportPath = `.build/test/${part}_deno.xml`;
  return [{
    name: `${part} (deno)`,
    // Types are a stage of their own.
    command: [
      deno,
      "test",
      "-A",
      "--no-check",
      "--quiet",
      `--junit-path=${reportPath}`,
      ...files,
    ],
    timeoutMs: timeoutMs.tests,
    counts: { runner: "deno", reportPath, files },
  }];
}

function findTestFiles(): string[] {
  return [...new Glob("tests/**/*_test.ts").scanSync()].sort();
}

function isAdapterTest(file: string): boolean {
  return file.startsWith("tests/adapters/");
}

function isConformanceTest(file: string): boolean {
  return file.startsWith("tests/conformance/");
}

/** Whether a stage drives the compiled binary. */
export function needsBinary(stageName: string): boolean {
  return stageName.startsWith("e2e") || stageName.startsWith("conformance");
}

function isEndToEnd(file: string): boolean {
  return file.startsWith("tests/end_to_end/");
}

function isBunOnly(file: string): boolean {
  return file.includes("/adapters/bun/") || file.endsWith(".bun.ts");
}

function isDenoOnly(file: string): boolean {
  return file.includes("/adapters/deno/") || file.endsWith(".deno.ts");
}
