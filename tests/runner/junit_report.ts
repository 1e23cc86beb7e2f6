export interface TestCounts {
  passed: number;
  failed: number;
  skipped: string[];
  /** What failed, for the summary. */
  failures: string[];
}

/**
 * Counts the tests in a JUnit report of `bun test` or `deno test`. `files` are those that have to be
 * in it: one without a single test counts as failed, because neither runner reports a file that
 * throws while it loads. For Bun these are all files; Deno reports a test under the file that calls
 * `it`, which may be a shared suite, so there they are `filesThatFailedToLoad`.
 */
export function countTests(report: string, files: readonly string[]): TestCounts {
  const cases = readCases(report);
  const counts: TestCounts = { passed: 0, failed: 0, skipped: [], failures: [] };
  for (const found of cases) {
    // Deno reports a `describe` as a test of its own beside the tests in it.
    const isGroup = cases.some((other) => other.name.startsWith(`${found.name} > `));
    if (isGroup && (found.outcome !== "failed" || found.isStepFailure)) continue;
    if (found.outcome === "passed") counts.passed++;
    else if (found.outcome === "skipped") counts.skipped.push(found.name);
    else {
      counts.failed++;
      counts.failures.push(found.name);
    }
  }
  const reported = readFiles(report);
  for (const file of files) {
    if (reported.has(file)) continue;
    counts.failed++;
    counts.failures.push(`${file} ran no test`);
  }
  return counts;
}

/** The files of which `deno test` says in its output that they could not be loaded. */
export function filesThatFailedToLoad(output: string): string[] {
  const lines = output.matchAll(/^\.\/(\S+) \(uncaught error\)/gm);
  return [...new Set([...lines].map(([, file = ""]) => file))];
}

interface Case {
  readonly name: string;
  readonly outcome: "passed" | "failed" | "skipped";
  /** It failed only because one of the tests in it did. */
  readonly isStepFailure: boolean;
}

function readCases(report: string): Case[] {
  const cases: Case[] = [];
  for (const [, attributes = "", body = ""] of report.matchAll(caseElement)) {
    const name = readAttribute(attributes, "name") ?? "(without a name)";
    // Bun names the group in `classname`, Deno in the name itself.
    const group = readAttribute(attributes, "classname") ?? "";
    const isDenoGroup = group.includes("/") || group.endsWith(".ts");
    cases.push({
      name: group === "" || isDenoGroup ? name : `${group} > ${name}`,
      outcome: /<(failure|error)\b/.test(body)
        ? "failed"
        : /<skipped\b/.test(body)
        ? "skipped"
        : "passed",
      isStepFailure: /<failure message="\d+ test steps? failed/.test(body),
    });
  }
  return cases;
}

/** `<testcase …/>` or `<testcase …>…</testcase>`; both runners escape `<` and `"` in texts. */
const caseElement = /<testcase\b((?:[^>"]|"[^"]*")*?)(?:\/>|>([\s\S]*?)<\/testcase>)/g;

function readFiles(report: string): Set<string> {
  const files = new Set<string>();
  for (const [, attributes = ""] of report.matchAll(/<testsuite\b((?:[^>"]|"[^"]*")*)>/g)) {
    if (readAttribute(attributes, "tests") === "0") continue;
    const file = readAttribute(attributes, "file") ?? readAttribute(attributes, "name") ?? "";
    files.add(file.replace(/^\.\//, ""));
  }
  return files;
}

function readAttribute(attributes: string, name: string): string | undefined {
  const value = new RegExp(`(?:^|\\s)${name}="([^"]*)"`).exec(attributes)?.[1];
  return value
    ?.replaceAll("&lt;", "<")
    .replaceAll("&gt;", ">")
    .replaceAll("&quot;", '"')
    .replaceAll("&#10;", "\n")
    .replaceAll("&apos;", "'")
    .replaceAll("&#39;", "'")
    .replaceAll("&amp;", "&");
}
