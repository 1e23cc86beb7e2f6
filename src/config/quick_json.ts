import { skipSpace, skipString } from "../base/json_scan.ts";

/**
 * The value of a text of JSON with comments and trailing commas, read by the runtime's own parser: a
 * file with a million rules takes less than a second. Undefined when anything is wrong with it, a key
 * that comes twice and `__proto__` included: then a slower parser is to say what and where.
 */
export function parseQuickly(text: string, depthMax: number): { value: unknown } | undefined {
  const plain = withoutComments(text);
  if (plain === undefined) return undefined;
  let value: unknown;
  try {
    value = JSON.parse(plain.text);
  } catch {
    // It has no better way to say so.
    return undefined;
  }
  // Of a key that comes twice, the parser has kept one.
  return countNames(value, depthMax) === plain.names ? { value } : undefined;
}

interface PlainJson {
  readonly text: string;
  /** Members of all objects in it, those that come twice counted twice. */
  readonly names: number;
}

const quote = 0x22;
const comma = 0x2c;
const slash = 0x2f;
const star = 0x2a;
const openBrace = 0x7b;
const closeBrace = 0x7d;
const openBracket = 0x5b;
const closeBracket = 0x5d;
const colon = 0x3a;

/** The same text without comments and trailing commas; undefined when something does not end. */
function withoutComments(text: string): PlainJson | undefined {
  const parts: string[] = [];
  let keptFrom = 0;
  let at = 0;
  /** What stands before, apart from white space and comments. */
  let before = 0;
  let names = 0;
  const leaveOut = (from: number, to: number) => {
    parts.push(text.slice(keptFrom, from));
    keptFrom = to;
  };
  while (at < text.length) {
    const char = text.charCodeAt(at);
    if (char === quote) {
      at = skipString(text, at);
      if (at < 0) return undefined;
      before = char;
    } else if (char === slash) {
      const end = skipComment(text, at);
      if (end < 0) return undefined;
      leaveOut(at, end);
      // So that what it parts stays apart.
      parts.push(" ");
      at = end;
    } else if (char === comma) {
      const next = skipSpaceAndComments(text, at + 1);
      if (next < 0) return undefined;
      if (isTrailing(text.charCodeAt(next)) && !isOpening(before)) leaveOut(at, at + 1);
      before = char;
      at += 1;
    } else {
      if (char === colon) names += 1;
      if (char > 0x20) before = char;
      at += 1;
    }
  }
  parts.push(text.slice(keptFrom));
  return { text: parts.join(""), names };
}

function isTrailing(next: number): boolean {
  return next === closeBrace || next === closeBracket;
}

/** What a comma may not follow. */
function isOpening(char: number): boolean {
  return char === 0 || char === openBrace || char === openBracket || char === comma ||
    char === colon;
}

/** The position behind the comment at `at`; -1 when there is none, or no end of it. */
function skipComment(text: string, at: number): number {
  const kind = text.charCodeAt(at + 1);
  if (kind === star) {
    const end = text.indexOf("*/", at + 2);
    return end < 0 ? -1 : end + 2;
  }
  if (kind !== slash) return -1;
  at += 2;
  while (at < text.length && text.charCodeAt(at) !== 0x0a && text.charCodeAt(at) !== 0x0d) at += 1;
  return at;
}

function skipSpaceAndComments(text: string, at: number): number {
  for (;;) {
    at = skipSpace(text, at);
    if (at >= text.length || text.charCodeAt(at) !== slash) return at;
    at = skipComment(text, at);
    if (at < 0) return -1;
  }
}

/** NaN, which equals nothing, when there is a name with a meaning of its own or too much depth. */
function countNames(value: unknown, depthLeft: number): number {
  if (typeof value !== "object" || value === null) return 0;
  if (depthLeft === 0) return NaN;
  let names = 0;
  if (Array.isArray(value)) {
    for (const member of value) names += countNames(member, depthLeft - 1);
    return names;
  }
  if (Object.hasOwn(value, "__proto__")) return NaN;
  for (const name in value) {
    const member: unknown = value[name as keyof typeof value];
    names += 1;
    if (typeof member === "object") names += countNames(member, depthLeft - 1);
  }
  return names;
}
