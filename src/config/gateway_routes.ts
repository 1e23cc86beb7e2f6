/** The rules that lead clients to upstreams, as they stand in files. */
import { nearestWord } from "../base/suggest.ts";
import { type Fault, showFound, showKey, unknownKey, wrongValue } from "./faults.ts";
import type { RouteRule, UpstreamStrategy } from "./gateway_config.ts";
import { isObject } from "./read_document.ts";

/** One rule chooses among so many at most. */
const upstreamsPerRuleMax = 64;
/** A message in the buffer has 16 bits for its upstream; some are left for those that a reload has
 * taken out of the rules. */
const upstreamsMax = 60_000;
/** A longer one matches no client: ids have 256 bytes at most. */
const prefixCharsMax = 256;
const urlCharsMax = 2_048;
/** A file with more faults than that is another file. */
const faultsMax = 10;
/** Far above what anybody has; each rule takes some 100 bytes. */
const rulesMax = 5_000_000;

const strategies: readonly UpstreamStrategy[] = ["hash", "round-robin", "least-pending"];
/** In the order in which they are described; the second is the original's name. */
const upstreamKeys = ["upstream", "openclawGateway", "upstreams"] as const;
const ruleKeys: readonly string[] = ["clientIdPrefix", ...upstreamKeys, "strategy"];

const urlAllowed = 'a URL such as "ws://127.0.0.1:9000/path", "wss://…" or "echo:"';
const oneUpstream = "a rule with one of upstream, openclawGateway and upstreams";
/** Most URLs; the others are looked at more closely. */
const usualUrl = /^wss?:\/\/[0-9A-Za-z.-]{1,255}(?::[1-9]\d{0,3})?(?:\/[0-9A-Za-z._~/-]*)?$/;
const echoUrl = /^echo:[0-9A-Za-z._/-]{0,255}$/;

export type RoutesResult =
  | {
    readonly ok: true;
    /** Of equal prefixes only the first rule. */
    readonly rules: readonly RouteRule[];
    readonly notices: readonly string[];
  }
  | { readonly ok: false; readonly faults: readonly Fault[] };

export interface RoutesPlace {
  /** How faults name the file. */
  readonly source: string;
  /** Of the list in it: `routes`, or "" when the file is the list. */
  readonly path: string;
  /** Old files may hold keys that the original has ignored. */
  readonly mayHoldUnknownKeys: boolean;
}

/** Checks a list of rules. It is written for a million of them: what is equal is kept once. */
export function checkRoutes(list: readonly unknown[], place: RoutesPlace): RoutesResult {
  const reader = new RuleReader(place);
  if (list.length > rulesMax) {
    const found = `${list.length} rules`;
    const allowed = `a list of at most ${rulesMax} rules`;
    return { ok: false, faults: [wrongValue({ ...place, found, allowed })] };
  }
  for (let index = 0; index < list.length && reader.faults.length < faultsMax; index++) {
    reader.read(list[index], index);
  }
  if (reader.faults.length > 0) return { ok: false, faults: reader.faults };
  return { ok: true, rules: reader.rules, notices: reader.notices() };
}

class RuleReader {
  readonly rules: RouteRule[] = [];
  readonly faults: Fault[] = [];
  readonly #place: RoutesPlace;
  readonly #prefixes = new Set<string>();
  /** Lists of one URL, by it: rules that lead to the same place share it. */
  readonly #single = new Map<string, readonly string[]>();
  readonly #urls = new Set<string>();
  readonly #repeated: number[] = [];
  readonly #unknown = new Set<string>();

  constructor(place: RoutesPlace) {
    this.#place = place;
  }

  read(rule: unknown, index: number): void {
    if (!isObject(rule)) {
      this.#refuse(index, "", rule, oneUpstream);
      return;
    }
    for (const key in rule) {
      if (!ruleKeys.includes(key) && Object.hasOwn(rule, key)) this.#strange(index, key);
    }
    const { clientIdPrefix, strategy } = rule;
    if (typeof clientIdPrefix !== "string" || clientIdPrefix.length > prefixCharsMax) {
      const allowed = `a text of at most ${prefixCharsMax} characters`;
      this.#refuse(index, "clientIdPrefix", clientIdPrefix, allowed);
      return;
    }
    if (strategy !== undefined && !strategies.includes(strategy as UpstreamStrategy)) {
      const allowed = `one of ${strategies.map((name) => `"${name}"`).join(", ")}`;
      this.#refuse(index, "strategy", strategy, allowed);
    }
    const upstreams = this.#upstreamsOf(rule, index);
    if (upstreams === undefined) return;
    if (this.#prefixes.has(clientIdPrefix)) {
      this.#repeated.push(index);
      return;
    }
    this.#prefixes.add(clientIdPrefix);
    this.rules.push({
      clientIdPrefix,
      upstreams,
      strategy: strategy === undefined ? "hash" : strategy as UpstreamStrategy,
    });
  }

  notices(): string[] {
    const notices: string[] = [];
    const [first] = this.#repeated;
    if (first !== undefined) {
      const others = this.#repeated.length - 1;
      const more = others === 0 ? "" : ` and ${others} more`;
      notices.push(
        `In ${this.#place.source}, ${
          this.#pathOf(first, "")
        }${more} has the prefix of an earlier ` +
          "rule and is ignored: of equal prefixes the first rule counts.",
      );
    }
    if (this.#unknown.size > 0) {
      const shown = [...this.#unknown].map(showKey).join(", ");
      notices.push(`In ${this.#place.source} these keys of rules are ignored: ${shown}.`);
    }
    return notices;
  }

  #upstreamsOf(
    rule: Readonly<Record<string, unknown>>,
    index: number,
  ): readonly string[] | undefined {
    const { upstream, openclawGateway, upstreams } = rule;
    const single = openclawGateway === undefined ? upstream : openclawGateway;
    const given = Number(upstream !== undefined) + Number(openclawGateway !== undefined) +
      Number(upstreams !== undefined);
    if (given !== 1) {
      const named = upstreamKeys.filter((key) => rule[key] !== undefined);
      const found = named.length === 0 ? "none of them" : named.join(" and ");
      this.faults.push(
        wrongValue({ ...this.#placeOf(index, ""), found, allowed: oneUpstream }),
      );
      return undefined;
    }
    if (upstreams === undefined) {
      const key = openclawGateway === undefined ? "upstream" : "openclawGateway";
      return this.#url(single, index, key) ? this.#listOf(single as string) : undefined;
    }
    const isList = Array.isArray(upstreams) && upstreams.length > 0 &&
      upstreams.length <= upstreamsPerRuleMax;
    if (!isList) {
      this.#refuse(index, "upstreams", upstreams, `a list of 1–${upstreamsPerRuleMax} URLs`);
      return undefined;
    }
    if (!upstreams.every((url, place) => this.#url(url, index, `upstreams[${place}]`))) {
      return undefined;
    }
    if (new Set(upstreams).size < upstreams.length) {
      this.#refuse(index, "upstreams", upstreams, "a list without repetitions");
      return undefined;
    }
    return upstreams.length === 1 ? this.#listOf(upstreams[0]) : upstreams;
  }

  #listOf(url: string): readonly string[] {
    const known = this.#single.get(url);
    if (known !== undefined) return known;
    const list = [url];
    this.#single.set(url, list);
    return list;
  }

  #url(url: unknown, index: number, key: string): boolean {
    if (typeof url === "string" && this.#urls.has(url)) return true;
    if (typeof url !== "string" || !isUpstreamUrl(url)) {
      this.#refuse(index, key, typeof url === "string" ? withoutPassword(url) : url, urlAllowed);
      return false;
    }
    this.#urls.add(url);
    if (this.#urls.size <= upstreamsMax) return true;
    const allowed = `one of at most ${upstreamsMax} different upstreams`;
    this.#refuse(index, key, withoutPassword(url), allowed);
    return false;
  }

  #strange(index: number, key: string): void {
    if (this.#place.mayHoldUnknownKeys) {
      if (this.#unknown.size < faultsMax) this.#unknown.add(key);
      return;
    }
    const near = nearestWord(key, ruleKeys);
    const meant = near === undefined ? undefined : this.#pathOf(index, near);
    const { source, path } = this.#placeOf(index, showKey(key));
    this.faults.push(unknownKey({ source, path, meant }));
  }

  #refuse(index: number, key: string, found: unknown, allowed: string): void {
    this.faults.push(
      wrongValue({ ...this.#placeOf(index, key), found: showFound(found), allowed }),
    );
  }

  #placeOf(index: number, key: string): { source: string; path: string } {
    return { source: this.#place.source, path: this.#pathOf(index, key) };
  }

  #pathOf(index: number, key: string): string {
    return `${this.#place.path}[${index}]${key === "" ? "" : `.${key}`}`;
  }
}

/** Whether a text names an upstream that a link can be made to. */
function isUpstreamUrl(text: string): boolean {
  if (text.length > urlCharsMax) return false;
  if (usualUrl.test(text) || echoUrl.test(text)) return true;
  if (!/^wss?:\/\/[^\s\p{Cc}]+$/iu.test(text)) return false;
  try {
    const { hostname, port, hash } = new URL(text);
    // A WebSocket's URL has no fragment (RFC 6455 §3).
    return hostname !== "" && hash === "" && port !== "0";
  } catch {
    // Its message would repeat the URL, which may hold a password.
    return false;
  }
}

/** A URL to be shown: a password, or what might be one, stays out. */
export function withoutPassword(url: string): string {
  return url.replace(/\/\/[^/]*@/, "//(not shown)@");
}

/** Of the section `routes`, for the published schema. */
export const routesJsonSchema: Readonly<Record<string, unknown>> = {
  description: "Which upstream gets the messages of which clients; the longest prefix wins",
  type: "array",
  items: {
    type: "object",
    properties: {
      clientIdPrefix: { type: "string", description: 'Beginning of client ids; "": all' },
      upstream: { type: "string", description: "URL of the upstream (ws:, wss:, echo:)" },
      openclawGateway: { type: "string", description: "Old name of upstream" },
      upstreams: {
        type: "array",
        items: { type: "string" },
        minItems: 1,
        maxItems: upstreamsPerRuleMax,
        description: "Several in its place",
      },
      strategy: { enum: strategies, default: "hash", description: "How one of them is chosen" },
    },
    required: ["clientIdPrefix"],
    additionalProperties: false,
  },
};
