/**
 * RFC 6455 and RFC 7692, case by case, against everything of this program that speaks WebSocket.
 * Writes `.build/conformance.html`.
 */
import assert from "node:assert/strict";
import { mkdirSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { test } from "node:test";
import { allCases, allGroups } from "./all_cases.ts";
import type { CaseGroup } from "./case_types.ts";
import { runSubjects, type SubjectResults } from "./conformance_run.ts";
import { deviationsOf, knownDeviations } from "./known_deviations.ts";
import { conformancePage, summaryLine } from "./report_page.ts";
import { allSubjects } from "./subjects/all_subjects.ts";

const reportPath = fileURLToPath(new URL("../../.build/conformance.html", import.meta.url));

// Before the tests are made, because what is skipped shows only then.
const all = await runSubjects(allSubjects);
mkdirSync(fileURLToPath(new URL(".", `file://${reportPath}`)), { recursive: true });
writeFileSync(reportPath, conformancePage(all, knownDeviations));
for (const one of all) console.log(`summary: ${summaryLine(one)}`);

test("allCases has at least 500 cases, each with an id of its own", () => {
  assert.ok(allCases.length >= 500, `${allCases.length} cases`);
  assert.equal(new Set(allCases.map(({ id }) => id)).size, allCases.length);
});

for (const one of all) {
  for (const group of allGroups) testGroup(one, group);
  test(`${one.name} fails what known_deviations.ts lists`, () => {
    const listed = [...deviationsOf(one.name).keys()];
    const untrue = listed.filter((id) => {
      const verdict = one.results.get(id)?.verdict;
      return verdict !== "failed" && verdict !== "unimplemented";
    });
    assert.deepEqual(untrue, [], "listed as failing, but they do not fail, or do not exist");
  });
}

test("known_deviations.ts lists only subjects that there are", () => {
  const names = all.map(({ name }) => name);
  const unknown = knownDeviations.filter(({ subject }) => !names.includes(subject));
  assert.deepEqual(unknown, []);
});

function testGroup(one: SubjectResults, { number, name }: CaseGroup): void {
  const found = allCases.filter(({ group }) => group.number === number).flatMap(({ id }) => {
    const result = one.results.get(id);
    return result === undefined || result.verdict === "not_for_it" ? [] : [{ id, ...result }];
  });
  if (found.length === 0) return;
  const reason = found.every(({ verdict }) => verdict === "unimplemented") ? found[0]?.note : "";
  const what = `${one.name} passes the ${found.length} cases of group ${number}, ${name}`;
  test(reason ? `${what} (${reason})` : what, reason ? { skip: reason } : {}, () => {
    const listed = deviationsOf(one.name);
    const failed = found.filter(({ id, verdict }) => verdict === "failed" && !listed.has(id));
    assert.deepEqual(failed.map(({ id, note }) => `${id}: ${note}`), []);
  });
}
