import type { RouteRule } from "../config/gateway_config.ts";
import type { Clock } from "../ports/clock.ts";
import type { Clients } from "./clients.ts";
import { Detour } from "./detour.ts";
import type { Client, Route, Upstream } from "./gateway_types.ts";
import type { MessageLog } from "./log/message_log_types.ts";
import { type Place, Places } from "./places.ts";
import { Rerouting } from "./rerouting.ts";
import { RuleSet } from "./rule_set.ts";
import { Slices } from "./slices.ts";
import { chooseUpstream } from "./upstream_choice.ts";
import type { TargetMoves, UpstreamTarget } from "./upstream_target.ts";

/** Steps between two looks at the clock. */
const stepsBetweenLooks = 64;

/** Upstreams that are dialled together open one after the other: what waits for any of them is spread
 * over those that opened within this time. */
const reachMs = 100;

interface TargetRoute extends Route {
  readonly upstreams: readonly UpstreamTarget[];
  /** Choices among them so far. */
  turn: number;
  /** Of the rules that it is from. */
  readonly generation: number;
}

export interface UpstreamsParts {
  readonly log: MessageLog;
  readonly clients: Clients;
  readonly clock: Clock;
  make(
    what: { url: string; index: number; generation: number },
    moves: TargetMoves,
  ): UpstreamTarget;
}

/**
 * Where clients' messages go: the rules, and one target for each upstream that is needed. A client
 * keeps the route that was found for it until the rules change; one with several upstreams chooses
 * anew only while nothing of it is on its way.
 */
export class Upstreams {
  readonly #parts: UpstreamsParts;
  readonly #places = new Places();
  readonly #moves: Rerouting;
  readonly #targets = new Map<string, UpstreamTarget>();
  /** Those that no rule names any more, as long as they have messages. */
  readonly #unnamed = new Set<UpstreamTarget>();
  /** Those whose connection is being closed. */
  readonly #closing = new Set<UpstreamTarget>();
  #ruleSet: RuleSet;
  #generation = 0;
  /** Of clients that no rule matches. */
  #none: TargetRoute = noRoute(0);
  /** Keeps messages of clients that have no rule now, or several upstreams and none that can be
   * reached, until that has changed. It has no link. */
  readonly unrouted: UpstreamTarget;
  #isSweepDue = false;
  /** How often it has changed which of them can be reached. */
  #changes = 0;
  /** Of connections that were left for good. */
  #reconnectsBefore = 0;
  /** Made when a client first needs them: of a million rules most never are. */
  #routes = new Map<number, TargetRoute>();

  constructor(rules: readonly RouteRule[], parts: UpstreamsParts) {
    this.#ruleSet = RuleSet.of(rules);
    this.#parts = parts;
    this.#moves = new Rerouting({
      ...parts,
      places: this.#places,
      generation: () => this.#generation,
      mayStay: (client, target) => this.#mayStay(client, target),
      choose: (client) => this.#choose(client),
    });
    this.unrouted = this.#add("");
  }

  /** The rules of now. */
  get rules(): readonly RouteRule[] {
    return this.#ruleSet.rules;
  }

  all(): readonly UpstreamTarget[] {
    return [...this.#targets.values(), ...this.#closing];
  }

  /** Connections to upstreams that opened after the first, since the start. */
  get reconnects(): number {
    let sum = this.#reconnectsBefore;
    for (const { link } of this.all()) sum += link?.reconnects ?? 0;
    return sum;
  }

  /** Where a message waits that carries this number. */
  at(place: number): Place {
    return this.#places.at(place);
  }

  /** The upstream for the next message of a client; undefined when no rule matches its id. */
  upstreamOf(client: Client): Upstream | undefined {
    const route = this.routeOf(client);
    if (route === undefined) return undefined;
    const { upstreams } = route;
    const held = client.upstream as UpstreamTarget | Detour | undefined;
    if (held !== undefined && client.pendingUp > 0) {
      if (held === upstreams[0]) return held;
      const isNamed = held instanceof Detour ? false : upstreams.includes(held);
      return isNamed ? held : this.#moves.placeBehind(client, held);
    }
    if (upstreams.length === 1) return upstreams[0];
    const isKept = route.strategy === "hash" && client.chosenAt === this.#changes &&
      held !== undefined && !(held instanceof Detour) && upstreams.includes(held);
    return isKept ? held : this.#choose(client);
  }

  /** One of them can be reached, or no longer: clients may be better off with another one, and what
   * waits for any of several to be reached may go. */
  reachChanged(): void {
    this.#changes++;
    if (this.unrouted.queued === 0 || this.#isSweepDue) return;
    this.#isSweepDue = true;
    this.#parts.clock.after(reachMs, () => {
      this.#isSweepDue = false;
      void this.#moves.inTurn((slices) => this.#moves.sweep(this.unrouted, slices));
    });
  }

  /** The route of a client, looked up once and then kept on it. */
  routeOf(client: Client): TargetRoute | undefined {
    const known = client.route as TargetRoute | undefined;
    const route = known !== undefined && known.generation === this.#generation
      ? known
      : this.#lookUp(client);
    return route === this.#none ? undefined : route;
  }

  /** Whether an upstream may speak to a client: it is routed there, or something of it is on its
   * way there. */
  serves(target: UpstreamTarget, client: Client): boolean {
    const { upstream } = client;
    if (client.pendingUp > 0) {
      if (upstream === target) return true;
      if (upstream instanceof Detour && upstream.from === target) return true;
    }
    const route = this.routeOf(client);
    return route !== undefined && route.upstreams.includes(target);
  }

  /**
   * Puts other rules in place of those of now, in slices: what waits for upstreams goes to where the
   * new rules lead, in order. Clients that are connected have their upstreams dialled; upstreams
   * that no rule names are left when nothing is on its way to them. Resolves when all of that is
   * done; of two calls the second waits for the first. Says why when there are too many upstreams.
   */
  replaceRules(rules: readonly RouteRule[]): Promise<string | undefined> {
    return this.changeRules(() => rules);
  }

  /** The same with rules that are worked out of those of then; a reason in place of rules refuses. */
  async changeRules(
    change: (now: readonly RouteRule[]) => readonly RouteRule[] | string,
  ): Promise<string | undefined> {
    let refused: string | undefined;
    await this.#moves.inTurn(async (slices) => {
      const rules = change(this.rules);
      if (typeof rules === "string") {
        refused = rules;
        return;
      }
      const ruleSet = await RuleSet.build(rules, slices);
      const more = [...ruleSet.urls].filter((url) => !this.#targets.has(url)).length;
      // One place is for what is being swept.
      if (more + 1 > this.#places.room) {
        refused = `${more} more upstreams are too many beside the ${this.#targets.size} in use`;
        return;
      }
      this.#ruleSet = ruleSet;
      this.#generation++;
      this.#none = noRoute(this.#generation);
      this.#routes = new Map();
      for (const target of [...this.#targets.values()]) {
        await this.#moves.sweep(target, slices);
        if (slices.isOver) await slices.next();
      }
      await this.#dialForClients(slices);
      this.#unnamed.clear();
      for (const target of this.#targets.values()) {
        if (target !== this.unrouted && !ruleSet.urls.has(target.url)) this.#unnamed.add(target);
      }
      this.leaveUnnamed();
    });
    return refused;
  }

  /** Whether these are the rules of now; looked at in slices. */
  async hasRules(rules: readonly RouteRule[]): Promise<boolean> {
    const now = this.rules;
    if (rules.length !== now.length) return false;
    const slices = new Slices(this.#parts.clock);
    for (let place = 0; place < rules.length; place++) {
      if (place % stepsBetweenLooks === 0 && slices.isOver) await slices.next();
      if (!isSameRule(rules[place] as RouteRule, now[place] as RouteRule)) return false;
    }
    return true;
  }

  /** Closes the connections to upstreams that are not needed any more. To be called now and then. */
  leaveUnnamed(): void {
    for (const target of this.#unnamed) {
      if (target.pending > 0) continue;
      this.#unnamed.delete(target);
      this.#targets.delete(target.url);
      this.#places.free(target.index);
      const { link } = target;
      if (link === undefined) continue;
      this.#closing.add(target);
      void link.stop().finally(() => {
        this.#closing.delete(target);
        this.#reconnectsBefore += link.reconnects;
      });
    }
  }

  /** Closes all connections; those that take longer than `msMax` are closed behind its back. */
  async leaveAll(msMax: number): Promise<void> {
    const left = Promise.all(this.all().map(({ link }) => link?.stop()));
    let cancel = () => {};
    const late = new Promise<void>((resolve) => {
      cancel = this.#parts.clock.after(msMax, resolve);
    });
    await Promise.race([left, late]);
    cancel();
  }

  /** An upstream may have something for a client before that says anything itself. */
  async #dialForClients(slices: Slices): Promise<void> {
    let steps = 0;
    for (const client of this.#parts.clients.all()) {
      if (client.session !== undefined) this.routeOf(client);
      if (++steps % stepsBetweenLooks === 0 && slices.isOver) await slices.next();
    }
  }

  #lookUp(client: Client): TargetRoute {
    const rule = this.#ruleSet.table.find(client.id);
    const route = rule === undefined ? this.#none : this.#routeOfRule(rule);
    client.route = route;
    return route;
  }

  #mayStay(client: Client, target: UpstreamTarget): boolean {
    const route = this.routeOf(client);
    if (target === this.unrouted) return route === undefined || isWaitingForAny(route);
    return route !== undefined && route.upstreams.includes(target);
  }

  #choose(client: Client): UpstreamTarget {
    const route = this.routeOf(client);
    if (route === undefined) return this.unrouted;
    const [first] = route.upstreams;
    if (route.upstreams.length === 1 && first !== undefined) return first;
    // One that is chosen now may not be back for long, when another one is.
    if (isWaitingForAny(route)) return this.unrouted;
    client.chosenAt = this.#changes;
    return chooseUpstream(route, client.id);
  }

  #routeOfRule(index: number): TargetRoute {
    const known = this.#routes.get(index);
    if (known !== undefined) return known;
    const { upstreams, strategy } = this.#ruleSet.rules[index] as RouteRule;
    const made = {
      upstreams: upstreams.map((url) => this.#target(url)),
      strategy,
      turn: 0,
      generation: this.#generation,
    };
    this.#routes.set(index, made);
    return made;
  }

  #target(url: string): UpstreamTarget {
    return this.#targets.get(url) ?? this.#add(url);
  }

  #add(url: string): UpstreamTarget {
    const index = this.#places.next();
    const made = this.#parts.make({ url, index, generation: this.#generation }, this.#moves);
    this.#places.add(made);
    this.#targets.set(url, made);
    return made;
  }
}

/** Whether a client has several upstreams, and none of them can be reached. */
function isWaitingForAny({ upstreams }: TargetRoute): boolean {
  return upstreams.length > 1 && !upstreams.some((upstream) => upstream.isOpen);
}

function isSameRule(a: RouteRule, b: RouteRule): boolean {
  return a.clientIdPrefix === b.clientIdPrefix && a.strategy === b.strategy &&
    a.upstreams.length === b.upstreams.length &&
    a.upstreams.every((url, place) => url === b.upstreams[place]);
}

function noRoute(generation: number): TargetRoute {
  return { upstreams: [], strategy: "hash", turn: 0, generation };
}
