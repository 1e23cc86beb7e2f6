import { allCases } from "./all_cases.ts";
import type { CaseResult, ConformanceCase } from "./case_types.ts";
import { playCase, type Subject } from "./play_case.ts";

/** Cases of one subject that run at the same time: most wait for their peer. */
const casesAtOnce = 8;

/** More would wait for a processor instead of their peer. */
const subjectsAtOnce = 2;

export interface SubjectSource {
  readonly name: string;
  /** Calls `use` while the subject is there. */
  with(use: (subject: Subject) => Promise<void>): Promise<void>;
}

export interface SubjectResults {
  readonly name: string;
  readonly results: ReadonlyMap<string, CaseResult>;
  readonly seconds: number;
}

/** Plays all cases against all subjects. A subject that cannot be started throws. */
export async function runSubjects(
  sources: readonly SubjectSource[],
): Promise<readonly SubjectResults[]> {
  const results = new Map<string, SubjectResults>();
  await inLanes(sources, subjectsAtOnce, async (source) => {
    results.set(source.name, await runSubject(source));
  });
  return sources.flatMap(({ name }) => results.get(name) ?? []);
}

/** Plays all cases against one subject: small ones side by side, then the heavy ones alone. */
export async function runSubject(
  source: SubjectSource,
  cases: readonly ConformanceCase[] = allCases,
): Promise<SubjectResults> {
  const results = new Map<string, CaseResult>();
  const startedAt = performance.now();
  await source.with(async (subject) => {
    await inLanes(cases.filter(({ isHeavy }) => !isHeavy), casesAtOnce, play);
    await inLanes(cases.filter(({ isHeavy }) => isHeavy), 1, play);
    async function play(one: ConformanceCase): Promise<void> {
      results.set(one.id, await playCase(one, subject));
    }
  });
  return { name: source.name, results, seconds: (performance.now() - startedAt) / 1_000 };
}

async function inLanes<T>(
  all: readonly T[],
  lanes: number,
  use: (one: T) => Promise<void>,
): Promise<void> {
  const waiting = [...all];
  const lane = async () => {
    for (let one = waiting.shift(); one !== undefined; one = waiting.shift()) await use(one);
  };
  const ends = await Promise.allSettled(Array.from({ length: lanes }, lane));
  // Only now, so that no other lane goes on with what is taken away.
  for (const end of ends) if (end.status === "rejected") throw end.reason;
}
