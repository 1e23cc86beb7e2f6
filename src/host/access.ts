import { type AddressBlock, isInBlock, isLoopback, parseAddressBlock } from "../base/address.ts";
import { equalInConstantTime } from "../base/constant_time.ts";
import type { HostVerb } from "../wire/host_text.ts";

/** Wrong tokens on one connection before it is closed (host protocol, "Who may send what"). */
export const authFailuresMax = 5;

/** Who may send what, from the configuration. */
export interface AccessRules {
  readonly allow: readonly AddressBlock[];
  readonly token: string;
  /** The watchdog's own, or "". Accepted from this machine besides all other rules. */
  readonly childToken: string;
}

/** Rules from `control_allow` (addresses and blocks, checked when the configuration was read). */
export function accessRules(
  from: { allow: readonly string[]; token: string; childToken: string },
): AccessRules {
  return {
    allow: from.allow.map(parseAddressBlock).filter((block) => block !== undefined),
    token: from.token,
    childToken: from.childToken,
  };
}

/** One who sends commands. */
export interface Peer {
  readonly host: string;
  readonly transport: "tcp" | "udp";
  /** Has shown a token on this connection. */
  readonly authenticated: boolean;
}

/** Whether a verb may be run for a peer. */
export function mayRun(verb: HostVerb, peer: Peer, rules: AccessRules): boolean {
  if (openVerbs.has(verb)) return true;
  const local = isLoopback(peer.host);
  if (peer.transport === "udp" && !local && changingVerbs.has(verb)) return false;
  if (peer.authenticated) return true;
  if (rules.token !== "") return false;
  return local || rules.allow.some((block) => isInBlock(peer.host, block));
}

/** Whether a token opens the control verbs to a peer. */
export function opensControl(given: string, host: string, rules: AccessRules): boolean {
  const local = isLoopback(host);
  // Both comparisons always run, so that the time does not tell which tokens exist.
  const isChild = equalInConstantTime(given, rules.childToken) && rules.childToken !== "" && local;
  const isControl = equalInConstantTime(given, rules.token) && rules.token !== "";
  const named = rules.allow.length === 0 || local ||
    rules.allow.some((block) => isInBlock(host, block));
  return isChild || (isControl && named);
}

const openVerbs: ReadonlySet<HostVerb> = new Set<HostVerb>([
  "M1_CONN_PING",
  "M1_UDP_PING",
  "M6_STABILITY",
]);

const changingVerbs: ReadonlySet<HostVerb> = new Set<HostVerb>([
  "M3_REGISTER_FUNC:",
  "M3_HOT_RELOAD",
  "M4_SAVE_STATE:",
  "M4_DELETE_STATE",
  // Looking a route up for the first time stores it.
  "M4_ROUTE_THREAD:",
  "__STOP__",
]);
