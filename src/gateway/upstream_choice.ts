import type { UpstreamStrategy } from "../config/gateway_config.ts";

/** What a choice depends on. */
export interface Choosable {
  readonly url: string;
  /** Messages that wait for it or are on their way to it. */
  readonly pending: number;
  readonly isOpen: boolean;
}

/** Several upstreams of one rule. */
export interface ChoiceOf<U extends Choosable> {
  readonly upstreams: readonly U[];
  readonly strategy: UpstreamStrategy;
  /** Choices so far, counted here. */
  turn: number;
}

/**
 * The upstream for a client, among those that can be reached; among all when none can, since one of
 * them may come back. Equal ones take turns.
 *
 * `hash` gives a client the same one as long as it can be reached: each upstream has a weight of its
 * own for each client, and the heaviest wins (rendezvous hashing), so the loss of one moves only its
 * clients, and its return brings them back.
 */
export function chooseUpstream<U extends Choosable>(choice: ChoiceOf<U>, clientId: string): U {
  const { upstreams, strategy } = choice;
  const turn = choice.turn++;
  let open = 0;
  for (const upstream of upstreams) open += Number(upstream.isOpen);
  const count = open === 0 ? upstreams.length : open;
  const client = hashOf(clientId, 0);
  // The first of equal ones wins: each turn begins with another one, but a hash knows no turns.
  const first = strategy === "hash" ? 0 : startOf(upstreams, open > 0, turn % count);
  let chosen: U | undefined;
  let best = 0;
  for (let step = 0; step < upstreams.length; step++) {
    const upstream = upstreams[(first + step) % upstreams.length] as U;
    if (open > 0 && !upstream.isOpen) continue;
    const merit = meritOf(upstream, strategy, client);
    if (chosen !== undefined && merit <= best) continue;
    best = merit;
    chosen = upstream;
  }
  if (chosen === undefined) throw new RangeError("A rule has no upstream to choose from");
  return chosen;
}

/** The place of the n-th upstream, or of the n-th that is open. */
function startOf(upstreams: readonly Choosable[], openOnly: boolean, nth: number): number {
  let left = nth;
  for (const [place, upstream] of upstreams.entries()) {
    if (openOnly && !upstream.isOpen) continue;
    if (left === 0) return place;
    left -= 1;
  }
  return 0;
}

function meritOf(upstream: Choosable, strategy: UpstreamStrategy, client: number): number {
  switch (strategy) {
    case "hash":
      return mixed(hashOf(upstream.url, urlSeed) ^ client);
    case "least-pending":
      return -upstream.pending;
    case "round-robin":
      return 0;
  }
}

/** So that a client named like an upstream is nothing special. */
const urlSeed = 0x9e3779b9;

/** FNV-1a over UTF-16 units. */
function hashOf(text: string, seed: number): number {
  let hash = 0x811c9dc5 ^ seed;
  for (let at = 0; at < text.length; at++) {
    hash = Math.imul(hash ^ text.charCodeAt(at), 0x01000193);
  }
  return hash;
}

/** Spreads each bit over all (the finish of MurmurHash3); 0 to 2^32−1. */
function mixed(hash: number): number {
  let bits = hash;
  bits = Math.imul(bits ^ (bits >>> 16), 0x85ebca6b);
  bits = Math.imul(bits ^ (bits >>> 13), 0xc2b2ae35);
  return (bits ^ (bits >>> 16)) >>> 0;
}
