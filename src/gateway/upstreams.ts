import type { RouteRule } from "../config/gateway_config.ts";
import type { Client, Route } from "./gateway_types.ts";
import { RouteTable } from "./route_table.ts";
import { chooseUpstream } from "./upstream_choice.ts";
import type { UpstreamTarget } from "./upstream_target.ts";

/** Fits the 16 bits that a message has for the number of its upstream. */
const upstreamsMax = 65_535;

interface TargetRoute extends Route {
  readonly upstreams: readonly UpstreamTarget[];
  /** Choices among them so far. */
  turn: number;
}

/**
 * Where clients' messages go: the rules, and one target for each upstream that is needed. A client
 * keeps the route that was found for it; one with several upstreams chooses anew only while nothing
 * of it is on its way.
 */
export class Upstreams {
  readonly #make: (url: string, index: number) => UpstreamTarget;
  readonly #targets = new Map<string, UpstreamTarget>();
  readonly #byIndex: UpstreamTarget[] = [];
  readonly #rules: readonly RouteRule[];
  readonly #table: RouteTable;
  /** Keeps messages of clients that have no rule now, until there is one. It has no link. */
  readonly unrouted: UpstreamTarget;
  /** How often it has changed which of them can be reached. */
  #changes = 0;
  /** Made when a client first needs them: of a million rules most never are. */
  readonly #routes = new Map<number, TargetRoute>();

  constructor(
    rules: readonly RouteRule[],
    make: (url: string, index: number) => UpstreamTarget,
  ) {
    this.#rules = rules;
    this.#table = RouteTable.of(rules);
    this.#make = make;
    this.unrouted = this.#add("");
  }

  all(): readonly UpstreamTarget[] {
    return this.#byIndex;
  }

  at(index: number): UpstreamTarget {
    return this.#byIndex[index] as UpstreamTarget;
  }

  /** The upstream for the next message of a client; undefined when no rule matches its id. */
  upstreamOf(client: Client): UpstreamTarget | undefined {
    const route = this.routeOf(client);
    if (route === undefined) return undefined;
    const { upstreams } = route;
    if (upstreams.length === 1) return upstreams[0];
    const chosen = client.upstream as UpstreamTarget | undefined;
    if (chosen !== undefined) {
      if (client.pendingUp > 0) return chosen;
      if (route.strategy === "hash" && client.chosenAt === this.#changes) return chosen;
    }
    client.chosenAt = this.#changes;
    return chooseUpstream(route, client.id);
  }

  /** One of them can be reached, or no longer: clients may be better off with another one. */
  reachChanged(): void {
    this.#changes++;
  }

  /** The route of a client, looked up once and then kept on it. */
  routeOf(client: Client): TargetRoute | undefined {
    if (client.route !== undefined) return (client.route ?? undefined) as TargetRoute | undefined;
    const rule = this.#table.find(client.id);
    const route = rule === undefined ? undefined : this.#routeOfRule(rule);
    client.route = route ?? null;
    return route;
  }

  #routeOfRule(index: number): TargetRoute {
    const known = this.#routes.get(index);
    if (known !== undefined) return known;
    const { upstreams, strategy } = this.#rules[index] as RouteRule;
    const made = { upstreams: upstreams.map((url) => this.#target(url)), strategy, turn: 0 };
    this.#routes.set(index, made);
    return made;
  }

  #target(url: string): UpstreamTarget {
    return this.#targets.get(url) ?? this.#add(url);
  }

  #add(url: string): UpstreamTarget {
    if (this.#byIndex.length >= upstreamsMax) {
      throw new RangeError(`More than ${upstreamsMax} upstreams are in use`);
    }
    const made = this.#make(url, this.#byIndex.length);
    this.#targets.set(url, made);
    this.#byIndex.push(made);
    return made;
  }
}
