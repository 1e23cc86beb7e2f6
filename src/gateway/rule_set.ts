import type { RouteRule } from "../config/gateway_config.ts";
import { RouteTable } from "./route_table.ts";
import type { Slices } from "./slices.ts";

/** Steps between two looks at the clock. */
const stepsBetweenLooks = 256;

/** Rules with all that is worked out of them once. */
export class RuleSet {
  readonly rules: readonly RouteRule[];
  readonly table: RouteTable;
  /** The URLs of all their upstreams. */
  readonly urls: ReadonlySet<string>;

  private constructor(rules: readonly RouteRule[], table: RouteTable, urls: ReadonlySet<string>) {
    this.rules = rules;
    this.table = table;
    this.urls = urls;
  }

  /** The list is kept and must not change. */
  static of(rules: readonly RouteRule[]): RuleSet {
    const urls = new Set<string>();
    for (const { upstreams } of rules) for (const url of upstreams) urls.add(url);
    return new RuleSet(rules, RouteTable.of(rules), urls);
  }

  /** The same, while messages go. */
  static async build(rules: readonly RouteRule[], slices: Slices): Promise<RuleSet> {
    const urls = new Set<string>();
    let last: readonly string[] | undefined;
    for (let place = 0; place < rules.length; place++) {
      if (place % stepsBetweenLooks === 0 && slices.isOver) await slices.next();
      const { upstreams } = rules[place] as RouteRule;
      // Rules that lead to the same place share their list.
      if (upstreams === last) continue;
      for (const url of upstreams) urls.add(url);
      last = upstreams;
    }
    return new RuleSet(rules, await RouteTable.build(rules, slices), urls);
  }
}
