import type { Expectation, Message, Verdict } from "./case_types.ts";
import { equalBytes } from "./wire_frames.ts";

/** What the runner saw of its peer in one case. */
export interface Seen {
  readonly messages: readonly Message[];
  readonly pongs: readonly Uint8Array[];
  readonly closed: { readonly code: number; readonly reason: string } | undefined;
  readonly hasEnded: boolean;
  /** The runner has sent a close frame that was no answer. */
  readonly closedByUs: boolean;
  /** It went on after the fault could be known. */
  readonly isLate: boolean;
  readonly fault: string | undefined;
}

export interface Judgement {
  readonly verdict: Verdict;
  readonly note: string;
}

/** Holds what was seen against what the RFCs want. */
export function judgeCase(expect: Expectation, seen: Seen): Judgement {
  if (seen.fault !== undefined) return { verdict: "failed", note: `the peer ${seen.fault}` };
  if (!seen.hasEnded) return failed("the connection did not end", seen);
  if (expect.isInformational === true) return { verdict: "informational", note: describe(seen) };
  if (expect.ending.by === "peer" && seen.closedByUs) return judgeAccepted(expect, seen);
  const remarks: string[] = [];
  for (const judgeOne of [judgeMessages, judgePongs, judgeEnding]) {
    const remark = judgeOne(expect, seen);
    if (remark === wrong) return failed("", seen);
    if (remark !== undefined) remarks.push(remark);
  }
  if (seen.isLate) remarks.push("noticed only when the message was complete");
  return remarks.length === 0
    ? { verdict: "ok", note: "" }
    : { verdict: "non_strict", note: remarks.join("; ") };
}

/** Neither right nor allowed. */
const wrong = Symbol("wrong");

/** Undefined: as it should be. A text: allowed, and what it was. */
type Remark = string | undefined | typeof wrong;

function judgeAccepted(expect: Expectation, seen: Seen): Judgement {
  const accepts = expect.lenient?.accepts;
  const isAccepted = accepts !== undefined && sameMessages(accepts, seen.messages) &&
    seen.closed?.code === 1000;
  return isAccepted
    ? { verdict: "non_strict", note: "took what it may refuse" }
    : failed("the connection was not failed", seen);
}

function judgeMessages(expect: Expectation, { messages }: Seen): Remark {
  if (sameMessages(expect.messages, messages)) return undefined;
  const isStart = sameMessages(expect.messages.slice(0, messages.length), messages);
  if (!isStart || expect.lenient?.mayLack !== true) return wrong;
  return `${messages.length} of ${expect.messages.length} messages came back before the end`;
}

function judgePongs(expect: Expectation, { pongs }: Seen): Remark {
  if (samePongs(expect.pongs, pongs)) return undefined;
  const { mayLack = false, lastPongOnly = false } = expect.lenient ?? {};
  const said = `${pongs.length} of ${expect.pongs.length} pongs`;
  const last = expect.pongs.at(-1);
  const lastSeen = pongs.at(-1);
  if (lastPongOnly && last !== undefined && lastSeen !== undefined && equalBytes(last, lastSeen)) {
    return isSubsequence(pongs, expect.pongs) ? `${said}, the last among them` : wrong;
  }
  return mayLack && samePongs(expect.pongs.slice(0, pongs.length), pongs) ? said : wrong;
}

function judgeEnding({ ending, lenient }: Expectation, { closed }: Seen): Remark {
  const right = ending.by === "peer" ? ending.codes : [ending.by === "us" ? 1000 : ending.code];
  if (closed === undefined) {
    // To fail a connection, a close frame ought to be sent; it may be left out (§7.1.7).
    return ending.by === "peer" ? "broke off without a close frame" : wrong;
  }
  if (right.includes(closed.code)) return undefined;
  const isAllowed = lenient?.codes?.includes(closed.code) ??
    (ending.by === "us" && closed.code === 1005);
  return isAllowed ? `closed with ${closed.code}` : wrong;
}

function sameMessages(one: readonly Message[], other: readonly Message[]): boolean {
  return one.length === other.length && one.every(({ kind, payload }, index) => {
    const twin = other[index];
    return twin?.kind === kind && equalBytes(twin.payload, payload);
  });
}

function samePongs(one: readonly Uint8Array[], other: readonly Uint8Array[]): boolean {
  return one.length === other.length &&
    one.every((payload, index) => equalBytes(payload, other[index]!));
}

function isSubsequence(some: readonly Uint8Array[], all: readonly Uint8Array[]): boolean {
  let at = 0;
  for (const one of some) {
    while (at < all.length && !equalBytes(all[at]!, one)) at++;
    if (at++ >= all.length) return false;
  }
  return true;
}

function failed(what: string, seen: Seen): Judgement {
  const note = what === "" ? `saw ${describe(seen)}` : `${what}; saw ${describe(seen)}`;
  return { verdict: "failed", note };
}

function describe({ messages, pongs, closed, hasEnded }: Seen): string {
  const parts = [
    ...messages.slice(0, 3).map(({ kind, payload }) => `${kind} of ${payload.length} bytes`),
    ...(messages.length > 3 ? [`${messages.length - 3} more messages`] : []),
    ...(pongs.length > 0 ? [`${pongs.length} pongs`] : []),
    closed === undefined ? "no close frame" : `close ${closed.code} ${closed.reason}`.trim(),
    ...(hasEnded ? [] : ["no end"]),
  ];
  return parts.join(", ");
}
