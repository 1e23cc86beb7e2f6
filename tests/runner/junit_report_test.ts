import assert from "node:assert/strict";
import { test } from "node:test";
import { countTests, filesThatFailedToLoad } from "./junit_report.ts";

const bunReport = `<?xml version="1.0" encoding="UTF-8"?>
<testsuites name="bun test" tests="5" assertions="0" failures="1" skipped="1" time="0.05">
  <testsuite name="tests/a_test.ts" file="tests/a_test.ts" tests="4" failures="1" skipped="1">
    <testcase name="keeps a &lt;b&gt; &amp; c" classname="" time="0.00091" file="tests/a_test.ts" />
    <testsuite name="Queue" file="tests/a_test.ts" line="6" tests="3" failures="1" skipped="1">
      <testcase name="is bounded" classname="Queue" time="0.00006" file="tests/a_test.ts">
        <failure type="Error" message="boom &quot;x&quot; &gt; 1">Error: boom&#10;</failure>
      </testcase>
      <testcase name="is fair" classname="Queue" time="0" file="tests/a_test.ts">
        <skipped />
      </testcase>
      <testcase name="is empty" classname="Queue" time="0" file="tests/a_test.ts" />
    </testsuite>
  </testsuite>
</testsuites>`;

const denoReport = `<?xml version="1.0" encoding="UTF-8"?>
<testsuites name="deno test" tests="10" failures="3" errors="0" time="0.136">
    <testsuite name="./tests/a_test.ts" tests="2" disabled="0" errors="0" failures="1">
        <testcase name="top" classname="./tests/a_test.ts" time="0.001" line="3" col="1">
        </testcase>
        <testcase name="Queue" classname="./tests/a_test.ts" time="0.003" line="6" col="1">
            <failure message="1 test step failed">1 test step failed.</failure>
        </testcase>
    </testsuite>
    <testsuite name="ext:deno_node/testing.ts" tests="2" disabled="1" errors="0" failures="1">
        <testcase name="Queue &gt; is bounded" classname="ext:deno_node/testing.ts" time="0.000">
            <failure message="Uncaught Error: boom">Error: boom
    at file:///a_test.ts:8:33</failure>
        </testcase>
        <testcase name="Queue &gt; is fair" classname="ext:deno_node/testing.ts" time="0.000">
            <skipped/>
        </testcase>
    </testsuite>
</testsuites>`;

test("countTests() counts Bun's cases with their groups", () => {
  assert.deepEqual(countTests(bunReport, ["tests/a_test.ts"]), {
    passed: 2,
    failed: 1,
    skipped: ["Queue > is fair"],
    failures: ["Queue > is bounded"],
  });
});

test("countTests() does not count Deno's groups as tests", () => {
  assert.deepEqual(countTests(denoReport, ["tests/a_test.ts"]), {
    passed: 1,
    failed: 1,
    skipped: ["Queue > is fair"],
    failures: ["Queue > is bounded"],
  });
});

test("countTests() counts a group that fails by itself", () => {
  const report = denoReport.replaceAll("1 test step failed", "Uncaught Error: hook");
  assert.deepEqual(countTests(report, []).failures, ["Queue", "Queue > is bounded"]);
});

test("countTests() counts a file that is missing from the report as failed", () => {
  for (const report of [bunReport, denoReport]) {
    const counts = countTests(report, ["tests/a_test.ts", "tests/b_test.ts"]);
    assert.equal(counts.failed, 2);
    assert.equal(counts.failures.at(-1), "tests/b_test.ts ran no test");
  }
});

test("countTests() counts a file without tests as failed", () => {
  const report =
    `<testsuites><testsuite name="./tests/a_test.ts" tests="0"></testsuite></testsuites>`;
  assert.equal(countTests(report, ["tests/a_test.ts"]).failed, 1);
});

test("filesThatFailedToLoad() finds what Deno tells of them, once each", () => {
  const output = "ERRORS\n\n./tests/b_test.ts (uncaught error)\nerror: load\n\n FAILURES \n\n" +
    "./tests/b_test.ts (uncaught error)\nQueue ... is fair => ./tests/a_test.ts:4:1\n";
  assert.deepEqual(filesThatFailedToLoad(output), ["tests/b_test.ts"]);
  assert.deepEqual(filesThatFailedToLoad("ok | 2 passed\n"), []);
});
