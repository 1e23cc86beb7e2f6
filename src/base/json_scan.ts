/**
 * Walks through JSON text without making values of it: everything is checked as `JSON.parse` checks
 * it (RFC 8259), and the caller gets positions. For messages that are passed on as they came.
 */

/** In place of a position: the text is not JSON. */
export const notJson = -1;
/** In place of a position: nested deeper than `jsonDepthMax`. */
export const tooDeep = -2;

/**
 * Lists and objects within each other, the outermost counted. Well above what people write and what
 * most parsers take, and far below what recursion on a small stack can bear.
 */
export const jsonDepthMax = 256;

/** Characters of a string that are looked at one by one before a search of the runtime takes over;
 * below it the call costs more than it saves. */
const loopCharsMax = 128;
/** A search that found something nearer than this was no gain: there are many escapes. */
const searchCharsMin = 64;

const quote = 0x22;
const comma = 0x2c;
const colon = 0x3a;
const backslash = 0x5c;
const openBrace = 0x7b;
const closeBrace = 0x7d;
const openBracket = 0x5b;
const closeBracket = 0x5d;

/** What ends a run of plain characters in a string: a quote, a backslash, or a control character. */
// The same as a class of what is allowed is several times slower.
// deno-lint-ignore no-control-regex
const special = /["\\\u0000-\u001f]/;

/** The position of the first character from `at` on that is no white space. */
export function skipSpace(text: string, at: number): number {
  while (at < text.length) {
    const char = text.charCodeAt(at);
    if (char > 0x20 || (char !== 0x20 && char !== 0x0a && char !== 0x0d && char !== 0x09)) break;
    at += 1;
  }
  return at;
}

/** The position behind the value that starts at `at`; `depth` is how many lists and objects it is in. */
export function skipValue(text: string, at: number, depth: number): number {
  if (at >= text.length) return notJson;
  const char = text.charCodeAt(at);
  switch (char) {
    case quote:
      return skipString(text, at);
    case openBrace:
      return depth < jsonDepthMax ? skipObject(text, at, depth + 1) : tooDeep;
    case openBracket:
      return depth < jsonDepthMax ? skipList(text, at, depth + 1) : tooDeep;
    case 0x74:
      return hasAt(text, at, "true") ? at + 4 : notJson;
    case 0x66:
      return hasAt(text, at, "false") ? at + 5 : notJson;
    case 0x6e:
      return hasAt(text, at, "null") ? at + 4 : notJson;
    default:
      return skipNumber(text, at);
  }
}

/** Whether a word stands at a position. Of short words this is faster than `startsWith`. */
export function hasAt(text: string, at: number, word: string): boolean {
  if (at + word.length > text.length) return false;
  for (let index = 0; index < word.length; index++) {
    if (text.charCodeAt(at + index) !== word.charCodeAt(index)) return false;
  }
  return true;
}

/** The position behind the string whose opening quote is at `at`. */
export function skipString(text: string, at: number): number {
  at += 1;
  const end = Math.min(text.length, at + loopCharsMax);
  while (at < end) {
    const char = text.charCodeAt(at);
    if (char === quote) return at + 1;
    if (char === backslash) {
      at = skipEscape(text, at);
      if (at < 0) return notJson;
    } else if (char < 0x20) return notJson;
    else at += 1;
  }
  return skipLongString(text, at);
}

/** The same from within the string. */
function skipLongString(text: string, at: number): number {
  let loopEnd = at;
  while (at < text.length) {
    if (at >= loopEnd) {
      const run = text.slice(at).search(special);
      if (run < 0) return notJson;
      at += run;
      if (run < searchCharsMin) loopEnd = at + loopCharsMax;
    }
    const char = text.charCodeAt(at);
    if (char === quote) return at + 1;
    if (char === backslash) {
      at = skipEscape(text, at);
      if (at < 0) return notJson;
    } else if (char < 0x20) return notJson;
    else at += 1;
  }
  return notJson;
}

/** The value of the string from its opening quote at `from` to `to`, behind its closing one. */
export function stringIn(text: string, from: number, to: number): string {
  const raw = text.slice(from + 1, to - 1);
  return raw.indexOf("\\") < 0 ? raw : JSON.parse(text.slice(from, to));
}

function skipEscape(text: string, at: number): number {
  if (at + 1 >= text.length) return notJson;
  switch (text.charCodeAt(at + 1)) {
    case quote:
    case backslash:
    case 0x2f: // /
    case 0x62: // b
    case 0x66: // f
    case 0x6e: // n
    case 0x72: // r
    case 0x74: // t
      return at + 2;
    case 0x75: { // u
      const end = at + 6;
      if (end > text.length) return notJson;
      for (let digit = at + 2; digit < end; digit++) {
        if (!isHexDigit(text.charCodeAt(digit))) return notJson;
      }
      return end;
    }
    default:
      return notJson;
  }
}

function isHexDigit(char: number): boolean {
  const letter = char | 0x20;
  return isDigit(char) || (letter >= 0x61 && letter <= 0x66);
}

function isDigit(char: number): boolean {
  return char >= 0x30 && char <= 0x39;
}

function skipNumber(text: string, at: number): number {
  if (text.charCodeAt(at) === 0x2d) at += 1;
  const from = at;
  let char = 0;
  while (at < text.length) {
    char = text.charCodeAt(at);
    if (!isDigit(char)) break;
    at += 1;
  }
  if (at === from || (at > from + 1 && text.charCodeAt(from) === 0x30)) return notJson;
  // Most numbers end here.
  if (at === text.length || (char !== 0x2e && (char | 0x20) !== 0x65)) return at;
  if (char === 0x2e) {
    at = skipDigits(text, at + 1);
    if (at < 0) return notJson;
  }
  if (at < text.length && (text.charCodeAt(at) | 0x20) === 0x65) {
    at += 1;
    if (at < text.length) {
      const sign = text.charCodeAt(at);
      if (sign === 0x2b || sign === 0x2d) at += 1;
    }
    at = skipDigits(text, at);
  }
  return at;
}

/** At least one. */
function skipDigits(text: string, at: number): number {
  const from = at;
  while (at < text.length && isDigit(text.charCodeAt(at))) at += 1;
  return at === from ? notJson : at;
}

function skipList(text: string, at: number, depth: number): number {
  at = skipSpace(text, at + 1);
  if (at < text.length && text.charCodeAt(at) === closeBracket) return at + 1;
  for (;;) {
    at = skipValue(text, at, depth);
    if (at < 0) return at;
    if (at >= text.length) return notJson;
    let char = text.charCodeAt(at);
    if (char <= 0x20) {
      at = skipSpace(text, at);
      if (at >= text.length) return notJson;
      char = text.charCodeAt(at);
    }
    if (char === closeBracket) return at + 1;
    if (char !== comma) return notJson;
    at += 1;
    if (at < text.length && text.charCodeAt(at) <= 0x20) at = skipSpace(text, at);
  }
}

function skipObject(text: string, at: number, depth: number): number {
  at = skipSpace(text, at + 1);
  if (at < text.length && text.charCodeAt(at) === closeBrace) return at + 1;
  for (;;) {
    if (at >= text.length || text.charCodeAt(at) !== quote) return notJson;
    at = skipString(text, at);
    if (at < 0) return at;
    at = skipSpace(text, at);
    if (at >= text.length || text.charCodeAt(at) !== colon) return notJson;
    at = skipValue(text, skipSpace(text, at + 1), depth);
    if (at < 0) return at;
    at = skipSpace(text, at);
    if (at >= text.length) return notJson;
    const char = text.charCodeAt(at);
    if (char === closeBrace) return at + 1;
    if (char !== comma) return notJson;
    at = skipSpace(text, at + 1);
  }
}

/**
 * The members of the object that a text is, one after the other. One instance reads any number of
 * texts, so that a message costs no object.
 */
export class JsonMembers {
  /** The member's name with its quotes, and its value: positions from … to (behind). */
  nameFrom = 0;
  nameTo = 0;
  /** The name has neither escapes nor more than ASCII: it is what stands between its quotes. */
  isNamePlain = true;
  valueFrom = 0;
  valueTo = 0;
  /** Behind the opening brace; and, after the last member, where the closing one is. */
  bodyFrom = 0;
  bodyTo = 0;
  #text = "";
  #at = 0;

  /** Starts with another text; false when it does not begin as an object does. */
  begin(text: string): boolean {
    this.#text = text;
    const at = skipSpace(text, 0);
    if (at >= text.length || text.charCodeAt(at) !== openBrace) return false;
    this.bodyFrom = at + 1;
    this.nameFrom = -1;
    this.#at = at + 1;
    return true;
  }

  /**
   * 1 when there is another member, 0 after the last one, when the text holds nothing else either;
   * else `notJson` or `tooDeep`.
   */
  next(): number {
    const text = this.#text;
    let at = skipSpace(text, this.#at);
    if (at >= text.length) return notJson;
    const char = text.charCodeAt(at);
    if (char === closeBrace) {
      this.bodyTo = at;
      return skipSpace(text, at + 1) === text.length ? 0 : notJson;
    }
    if (this.nameFrom >= 0) {
      if (char !== comma) return notJson;
      at = skipSpace(text, at + 1);
    }
    if (at >= text.length || text.charCodeAt(at) !== quote) return notJson;
    this.nameFrom = at;
    at = this.#skipName(at + 1);
    if (at < 0) return notJson;
    this.nameTo = at;
    at = skipSpace(text, at);
    if (at >= text.length || text.charCodeAt(at) !== colon) return notJson;
    this.valueFrom = skipSpace(text, at + 1);
    at = skipValue(text, this.valueFrom, 1);
    if (at < 0) return at;
    this.valueTo = at;
    this.#at = at;
    return 1;
  }

  #skipName(from: number): number {
    const text = this.#text;
    this.isNamePlain = true;
    for (let at = from; at < text.length; at++) {
      const char = text.charCodeAt(at);
      if (char === quote) return at + 1;
      if (char < 0x20 || char > 0x7e || char === backslash) break;
    }
    this.isNamePlain = false;
    return skipString(text, from - 1);
  }

  /** Lets go of the text. */
  end(): void {
    this.#text = "";
  }
}
