import type { SqliteValue } from "../../ports/sqlite.ts";

/** What a scan of one SQL statement tells, without asking SQLite. */
export interface SqlFacts {
  /** How many `?` it has. */
  readonly parameterCount: number;
  /** Whether it is an INSERT, REPLACE, UPDATE or DELETE: only these have a count of changes. */
  readonly changesRows: boolean;
}

const int64Min = -(2n ** 63n);
const int64Max = 2n ** 63n - 1n;

/**
 * Counts the `?` of one statement the way SQLite's tokenizer reads it (sqlite.org/lang_expr.html
 * "Parameters"). Throws TypeError for named or numbered parameters, for a second statement, for an
 * empty one and for a NUL character, on which SQLite would silently stop reading.
 */
export function scanStatement(sql: string): SqlFacts {
  refuseNul(sql);
  const scan = { position: 0, parameterCount: 0, depth: 0, ended: false, verb: "" };
  while (scan.position < sql.length) {
    const start = scan.position;
    scan.position = skipToken(sql, start);
    const token = sql.slice(start, scan.position);
    if (isBlank(token)) continue;
    if (token === ";") {
      scan.ended ||= scan.verb !== "";
      continue;
    }
    if (scan.ended) throw refused(sql, "only one statement can be prepared, use exec for more");
    if (token === "(") scan.depth++;
    else if (token === ")") scan.depth--;
    else if (token === "?") scan.parameterCount++;
    else if (isOtherParameter(token)) {
      throw refused(sql, `only anonymous ? parameters are allowed, found ${token}`);
    }
    scan.verb = nextVerb(scan.verb, scan.depth, token);
  }
  if (scan.verb === "") throw refused(sql, "there is no statement in it");
  return {
    parameterCount: scan.parameterCount,
    changesRows: ["INSERT", "REPLACE", "UPDATE", "DELETE"].includes(scan.verb),
  };
}

/** Whether there is anything to run: not only blanks, comments and semicolons. */
export function hasStatement(sql: string): boolean {
  for (let position = 0; position < sql.length;) {
    const start = position;
    position = skipToken(sql, start);
    const token = sql.slice(start, position);
    if (!isBlank(token) && token !== ";") return true;
  }
  return false;
}

/** Throws TypeError for SQL with a NUL character: SQLite would run only what is before it. */
export function refuseNul(sql: string): void {
  if (sql.includes("\0")) throw refused(sql, "it has a NUL character");
}

/**
 * Checks parameters and gives them as both SQLite bindings must get them: whole numbers as bigint,
 * because node:sqlite binds any `number` as REAL. Throws TypeError for a wrong count and for what
 * SQLite would store as something else than it is.
 */
export function bindable(
  parameters: readonly SqliteValue[],
  expected: number,
): (null | number | bigint | string | Uint8Array)[] {
  if (parameters.length !== expected) {
    throw new TypeError(
      `Cannot run the statement: it has ${expected} parameters, ${parameters.length} were given`,
    );
  }
  return parameters.map(bindableValue);
}

function bindableValue(value: SqliteValue, index: number): SqliteValue {
  switch (typeof value) {
    case "string":
      if (value.includes("\0")) throw unbindable(index, "a string with a NUL character");
      if (!value.isWellFormed()) throw unbindable(index, "a string with a lone surrogate");
      return value;
    case "number":
      if (!Number.isFinite(value)) throw unbindable(index, String(value));
      if (!Number.isInteger(value)) return value;
      if (!Number.isSafeInteger(value)) {
        throw unbindable(index, `${value}, a number that may have lost digits (use bigint)`);
      }
      return BigInt(value);
    case "bigint":
      if (value < int64Min || value > int64Max) {
        throw unbindable(index, `${value}, which is over 64 bits`);
      }
      return value;
    case "object":
      if (value === null || value instanceof Uint8Array) return value;
      throw unbindable(index, "an object");
    default:
      throw unbindable(index, `a value of type ${typeof value}`);
  }
}

function unbindable(index: number, found: string): TypeError {
  return new TypeError(
    `Cannot bind parameter ${
      index + 1
    }: found ${found}, allowed are null, finite numbers, bigint, strings and Uint8Array`,
  );
}

function refused(sql: string, why: string): TypeError {
  const shown = sql.length > 80 ? `${sql.slice(0, 80)}…` : sql;
  return new TypeError(`Cannot prepare ${JSON.stringify(shown)}: ${why}`);
}

/** The position after the token that starts at `start`. */
function skipToken(sql: string, start: number): number {
  const first = sql[start]!;
  switch (first) {
    case "'":
    case '"':
    case "`":
      return skipQuoted(sql, start, first);
    case "[":
      return endOf(sql, "]", start + 1);
    case "-":
      return sql[start + 1] === "-" ? endOf(sql, "\n", start + 2) : start + 1;
    case "/":
      return sql[start + 1] === "*" ? endOf(sql, "*/", start + 2) : start + 1;
    case "?":
      return skipDigits(sql, start + 1);
    case ":":
    case "@":
    case "#":
      return skipWord(sql, start + 1);
    default:
      return isWordCharacter(first) ? skipWord(sql, start) : start + 1;
  }
}

/** A doubled quote stands for itself and so does not end the token. */
function skipQuoted(sql: string, start: number, quote: string): number {
  let position = start + 1;
  for (;;) {
    const found = sql.indexOf(quote, position);
    if (found < 0) return sql.length;
    if (sql[found + 1] !== quote) return found + 1;
    position = found + 2;
  }
}

function endOf(sql: string, ending: string, from: number): number {
  const found = sql.indexOf(ending, from);
  return found < 0 ? sql.length : found + ending.length;
}

function skipWord(sql: string, from: number): number {
  let position = from;
  while (position < sql.length && isWordCharacter(sql[position]!)) position++;
  return position;
}

function skipDigits(sql: string, from: number): number {
  let position = from;
  while (/[0-9]/.test(sql.charAt(position))) position++;
  return position;
}

function isWordCharacter(character: string): boolean {
  return /[A-Za-z0-9_$]/.test(character) || character >= "\x80";
}

function isBlank(token: string): boolean {
  return token.startsWith("--") || token.startsWith("/*") || /^[ \t\n\f\r]$/.test(token);
}

function isOtherParameter(token: string): boolean {
  return token.length > 1 && /^[?:@#$]/.test(token);
}

/** The word that says what a statement does: the first, or after WITH the first of the kind that
 * stands outside its parentheses. */
function nextVerb(verb: string, depth: number, token: string): string {
  if (verb === "") return token.toUpperCase();
  if (verb !== "WITH" || depth > 0) return verb;
  const word = token.toUpperCase();
  return ["SELECT", "VALUES", "INSERT", "REPLACE", "UPDATE", "DELETE"].includes(word) ? word : verb;
}
