import { allCases, allGroups } from "./all_cases.ts";
import type { CaseGroup, ConformanceCase, Verdict } from "./case_types.ts";
import type { SubjectResults } from "./conformance_run.ts";
import { deviationsOf, type KnownDeviation } from "./known_deviations.ts";

/** What a cell shows: a failure that is listed is one by itself. */
type Shown = Verdict | "known";

const words: Readonly<Record<Shown, { readonly short: string; readonly means: string }>> = {
  ok: { short: "ok", means: "as the RFC says and recommends" },
  non_strict: { short: "non-strict", means: "allowed by the RFC, though not what it recommends" },
  informational: { short: "info", means: "the RFC leaves it open" },
  known: { short: "known", means: "against the RFC or its recommendation, and listed below" },
  failed: { short: "FAILED", means: "against the RFC" },
  unimplemented: { short: "off", means: "needs what is switched off" },
  not_for_it: { short: "–", means: "a case for the other side of a connection" },
};

const verdicts = Object.keys(words) as Shown[];

/** One line for each subject: how many cases had which verdict. */
export function summaryLine(subject: SubjectResults): string {
  const { name, seconds } = subject;
  const counts = verdicts
    .map((verdict) => [verdict, count(subject, verdict)] as const)
    .filter(([, cases]) => cases > 0)
    .map(([verdict, cases]) => `${cases} ${words[verdict].short}`);
  return `conformance of ${name}: ${counts.join(", ")} (${seconds.toFixed(1)} s)`;
}

/** All results as one HTML page that needs nothing else. */
export function conformancePage(
  subjects: readonly SubjectResults[],
  deviations: readonly KnownDeviation[],
): string {
  return `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>WebSocket conformance</title>
<style>${style}</style>
<h1>WebSocket conformance</h1>
<p>${allCases.length} cases of RFC 6455 and RFC 7692 against ${subjects.length} subjects: the gateway
of the whole program, the WebSocket server of each runtime's HTTP port, and the gateway's link to its
upstreams as a client.</p>
${summaryTable(subjects)}
<p>${verdicts.map(legend).join(" ")}</p>
${deviationList(deviations)}
<p><label><input type="checkbox" id="only"> Show only cases that are not ok everywhere</label></p>
<table class="cases">
<thead><tr><th>Case</th>${subjects.map(({ name }) => `<th>${escapeHtml(name)}</th>`).join("")}
<th>Remarks</th></tr></thead>
${allGroups.map((group) => groupRows(group, subjects)).join("\n")}
</table>
</html>
`;
}

function summaryTable(subjects: readonly SubjectResults[]): string {
  const head = verdicts.map((verdict) => `<th>${words[verdict].short}</th>`).join("");
  const rows = subjects.map((subject) => {
    const { name, seconds } = subject;
    const cells = verdicts.map((verdict) => {
      const cases = count(subject, verdict);
      return `<td class="${cases > 0 ? verdict : "none"}">${cases}</td>`;
    });
    const time = `<td>${seconds.toFixed(1)} s</td>`;
    return `<tr><th>${escapeHtml(name)}</th>${cells.join("")}${time}</tr>`;
  });
  return `<table><tr><th>Subject</th>${head}<th>time</th></tr>\n${rows.join("\n")}\n</table>`;
}

function legend(verdict: Shown): string {
  const { short, means } = words[verdict];
  return `<span class="key ${verdict}">${short}</span> ${means}.`;
}

function deviationList(deviations: readonly KnownDeviation[]): string {
  if (deviations.length === 0) return "<p>No known deviation.</p>";
  const items = deviations.map(({ subject, cases, reason }) => {
    const ids = cases.map((id) => `<code>${escapeHtml(id)}</code>`).join(", ");
    return `<li><b>${escapeHtml(subject)}</b>: ${escapeHtml(reason)} (${ids})</li>`;
  });
  return `<h2>Known deviations</h2><ul>${items.join("\n")}</ul>`;
}

function groupRows({ number, name }: CaseGroup, subjects: readonly SubjectResults[]): string {
  const cases = allCases.filter(({ group }) => group.number === number);
  const columns = subjects.length + 2;
  const title = `${number}. ${name.replaceAll("_", " ")} – ${cases.length} cases`;
  return `<tbody><tr class="group"><th colspan="${columns}">${escapeHtml(title)}</th></tr>
${cases.map((one) => caseRow(one, subjects)).join("\n")}</tbody>`;
}

function caseRow({ id, title }: ConformanceCase, subjects: readonly SubjectResults[]): string {
  const results = subjects.map((subject) => ({
    name: subject.name,
    verdict: shownOf(subject, id),
    note: subject.results.get(id)?.note ?? "was not run",
  }));
  const isFine = results.every(({ verdict }) => verdict === "ok" || verdict === "not_for_it");
  const cells = results.map(({ verdict, note }) => {
    const tip = note === "" ? "" : ` title="${escapeHtml(note)}"`;
    return `<td class="${verdict}"${tip}>${words[verdict].short}</td>`;
  });
  const byNote = new Map<string, string[]>();
  for (const { name, note } of results) {
    if (note !== "") byNote.set(note, [...(byNote.get(note) ?? []), name]);
  }
  const remarks = [...byNote].map(([note, names]) =>
    `${names.length === subjects.length ? "all" : names.join(", ")}: ${note}`
  );
  return `<tr${isFine ? ' class="fine"' : ""}><td><code>${escapeHtml(id)}</code>` +
    `<br><small>${escapeHtml(title)}</small></td>${cells.join("")}` +
    `<td class="remarks">${remarks.map(escapeHtml).join("<br>")}</td></tr>`;
}

function count(subject: SubjectResults, shown: Shown): number {
  return allCases.filter(({ id }) => shownOf(subject, id) === shown).length;
}

function shownOf({ name, results }: SubjectResults, id: string): Shown {
  const verdict = results.get(id)?.verdict ?? "failed";
  return verdict === "failed" && deviationsOf(name).has(id) ? "known" : verdict;
}

function escapeHtml(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll('"', "&quot;");
}

const style = `
body { font: 15px/1.45 system-ui, sans-serif; margin: 2rem auto; max-width: 1500px; padding: 0 1rem;
  color: #1c2024; background: #fff; }
table { border-collapse: collapse; margin: 1rem 0; }
.cases { width: 100%; }
th, td { padding: .2rem .5rem; border-bottom: 1px solid #e3e6ea; text-align: left;
  vertical-align: top; }
thead th { position: sticky; top: 0; background: #fff; }
.cases td:nth-child(n+2):not(.remarks) { text-align: center; white-space: nowrap; }
.group th { background: #f0f2f5; padding-top: .6rem; }
small, .remarks { color: #59636e; font-size: 85%; }
.ok { background: #dff5e3; } .non_strict { background: #fff3c9; }
.informational { background: #dcecfb; } .failed { background: #c62828; color: #fff; }
.known { background: #f6d6c3; }
.unimplemented { background: #eceef0; color: #59636e; } .not_for_it, .none { color: #8a939c; }
.key { padding: .1rem .4rem; border-radius: .2rem; }
body:has(#only:checked) .fine { display: none; }
`;
