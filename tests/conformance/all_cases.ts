import type { CaseGroup, ConformanceCase } from "./case_types.ts";
import { closeCases } from "./cases/close_cases.ts";
import { deflateCases, deflateOfferCases } from "./cases/deflate_cases.ts";
import { autoFragmentCases, fragmentCases } from "./cases/fragment_cases.ts";
import { framingCases } from "./cases/framing_cases.ts";
import { limitCases } from "./cases/limit_cases.ts";
import { opcodeCases } from "./cases/opcode_cases.ts";
import { pingCases } from "./cases/ping_cases.ts";
import { reservedBitCases } from "./cases/reserved_cases.ts";
import { utf8Cases } from "./cases/utf8_cases.ts";

/** All cases, group by group. */
export const allCases: readonly ConformanceCase[] = [
  ...framingCases(),
  ...pingCases(),
  ...reservedBitCases(),
  ...opcodeCases(),
  ...fragmentCases(),
  ...utf8Cases(),
  ...closeCases(),
  ...limitCases(),
  ...autoFragmentCases(),
  ...deflateCases(),
  ...deflateOfferCases(),
];

/** Their groups, in order. */
export const allGroups: readonly CaseGroup[] = [
  ...new Map(allCases.map(({ group }) => [group.number, group])).values(),
];
