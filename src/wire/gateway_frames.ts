/** The JSON messages that the gateway writes, as texts or straight into a buffer. */
import { encodeUtf8 } from "./utf8.ts";

const encoder = new TextEncoder();

/** A text as JSON; lone surrogates stay as escapes. */
export function quoteJson(text: string): string {
  return JSON.stringify(text);
}

/** Bytes of a text as JSON in UTF-8. */
export function quotedJsonBytes(text: string): number {
  return isPlainAscii(text) ? text.length + 2 : encodeUtf8(quoteJson(text)).length;
}

/** The exact literal of a time: nanoseconds since 1970, which no double can hold. `ms` is below
 * 10^16 (in the year 300,000), `ns` 0–999,999 on top. */
export function nanosecondsLiteral(ms: number, ns: number): string {
  return String(ms) + String(1_000_000 + ns).slice(1);
}

const headStart = encodeUtf8('{"clientId":');
const timestampStart = encodeUtf8(',"timestamp":');
const nsDigits = 6;

/** The end of each head to one upstream: `,"route":"…"`. */
export function upstreamRouteBytes(url: string): Uint8Array {
  return encodeUtf8(`,"route":${quoteJson(url)}`);
}

/** Bytes that `writeUpstreamHead` writes; `quotedIdBytes` as `quotedJsonBytes` counts them. */
export function upstreamHeadBytes(
  quotedIdBytes: number,
  stampMs: number,
  routeBytes: Uint8Array,
): number {
  return headStart.length + quotedIdBytes + timestampStart.length + digitsOf(stampMs) + nsDigits +
    routeBytes.length;
}

/**
 * Writes how a message to an upstream begins, up to and including `route`; returns the position
 * behind it. What follows is a comma and the client's members, if there are any, and the closing brace.
 */
export function writeUpstreamHead(
  into: Uint8Array,
  at: number,
  clientId: string,
  stampMs: number,
  stampNs: number,
  routeBytes: Uint8Array,
): number {
  at = copy(headStart, into, at);
  at = writeQuoted(clientId, into, at);
  at = copy(timestampStart, into, at);
  at = writeMs(stampMs, into, at);
  at = writeDigits(stampNs, nsDigits, into, at);
  return copy(routeBytes, into, at);
}

/** The members of a binary frame's message: the whole frame is its data. */
export function binaryMembers(bytes: Uint8Array): string {
  return `"type":1,"data":"${bytes.toBase64()}"`;
}

/** Base64 with its padding (RFC 4648 §4) and nothing else in it; undefined for anything else. */
export function decodeBase64(text: string): Uint8Array | undefined {
  let bytes: Uint8Array;
  try {
    bytes = Uint8Array.fromBase64(text, { lastChunkHandling: "strict" });
  } catch {
    // The decoder has no other way to say so; the caller gets a value.
    return undefined;
  }
  // The decoder skips white space.
  const padding = text.endsWith("==") ? 2 : text.endsWith("=") ? 1 : 0;
  return bytes.length === text.length / 4 * 3 - padding ? bytes : undefined;
}

/** Tells a client that its message is durable. */
export function ackFrame(messageId: string): string {
  return `{"type":2,"action":"ack","messageId":${quoteJson(messageId)}}`;
}

/** Tells a client why its message, if it had an id which one, went no further. */
export function errorFrame(code: string, message: string, messageId?: string): string {
  const which = messageId === undefined || messageId === ""
    ? ""
    : `,"messageId":${quoteJson(messageId)}`;
  return `{"type":2,"action":"error","code":${quoteJson(code)},"message":${
    quoteJson(message)
  }${which}}`;
}

/** Answers a heartbeat. */
export function pongFrame(stampMs: number, stampNs: number): string {
  return `{"type":2,"action":"pong","timestamp":${nanosecondsLiteral(stampMs, stampNs)}}`;
}

/** The first frame to a client with `v=2`: what it proves its id with when it returns. */
export function welcomeFrame(resume: string): string {
  return `{"type":2,"action":"welcome","resume":${quoteJson(resume)}}`;
}

/** Tells a client that its new token was taken, and until when (seconds since 1970) it holds. */
export function authOkFrame(exp: number): string {
  return `{"type":2,"action":"auth_ok","exp":${exp}}`;
}

/** Ends a client's history. The ids are those of the first and last message that was sent, absent
 * where there was none; `gap`: messages before or between them are missing. */
export function historyCompleteFrame(
  end: {
    total: number;
    oldestMessageId: string | undefined;
    newestMessageId: string | undefined;
    hasGap: boolean;
  },
): string {
  const { total, oldestMessageId, newestMessageId, hasGap } = end;
  const oldest = oldestMessageId === undefined
    ? ""
    : `,"oldestMessageId":${quoteJson(oldestMessageId)}`;
  const newest = newestMessageId === undefined
    ? ""
    : `,"newestMessageId":${quoteJson(newestMessageId)}`;
  const gap = hasGap ? ',"gap":true' : "";
  return `{"type":2,"action":"history_complete","total":${total}${oldest}${newest}${gap}}`;
}

/** Asks a client to leave and come back. */
export function reconnectFrame(afterMs: number): string {
  return `{"type":2,"action":"reconnect","afterMs":${afterMs}}`;
}

/** Whether a text needs neither escapes nor more than a byte for any character. */
function isPlainAscii(text: string): boolean {
  for (let at = 0; at < text.length; at++) {
    const char = text.charCodeAt(at);
    if (char < 0x20 || char > 0x7e || char === 0x22 || char === 0x5c) return false;
  }
  return true;
}

function writeQuoted(text: string, into: Uint8Array, at: number): number {
  if (!isPlainAscii(text)) {
    const quoted = encoder.encodeInto(quoteJson(text), into.subarray(at));
    return at + quoted.written;
  }
  into[at++] = 0x22;
  for (let index = 0; index < text.length; index++) into[at++] = text.charCodeAt(index);
  into[at++] = 0x22;
  return at;
}

/** A call of `set` costs more than a loop over so few. */
function copy(bytes: Uint8Array, into: Uint8Array, at: number): number {
  for (let index = 0; index < bytes.length; index++) into[at++] = bytes[index]!;
  return at;
}

/** Of a whole number that a double holds exactly. */
function digitsOf(value: number): number {
  let digits = 1;
  for (let bound = 10; value >= bound; bound *= 10) digits += 1;
  return digits;
}

/** In two parts, so that the arithmetic is one of 32-bit integers. */
function writeMs(ms: number, into: Uint8Array, at: number): number {
  const upper = Math.floor(ms / 10_000_000);
  if (upper === 0) return writeDigits(ms, digitsOf(ms), into, at);
  at = writeDigits(upper, digitsOf(upper), into, at);
  return writeDigits(ms - upper * 10_000_000, 7, into, at);
}

/** The last `digits` digits of a whole number below 2^31. */
function writeDigits(value: number, digits: number, into: Uint8Array, at: number): number {
  let rest = value | 0;
  for (let place = at + digits - 1; place >= at; place--) {
    const tenth = (rest / 10) | 0;
    into[place] = 0x30 + rest - tenth * 10;
    rest = tenth;
  }
  return at + digits;
}
