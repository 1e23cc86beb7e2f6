/** JSON with comments and trailing commas; the one place that knows the parser library. */
import { createScanner, parseTree, printParseErrorCode, visit } from "jsonc-parser";
import type { Node, ParseError } from "jsonc-parser";
import { parseQuickly } from "./quick_json.ts";

/** Deeper nesting means a broken or hostile file; the parser's own recursion ends far above it. */
const depthMax = 64;

/** Of longer texts no tree is made to find out what is wrong: it would take gigabytes. */
const treeCharsMax = 16 * 2 ** 20;

export type JsoncResult =
  | { readonly ok: true; readonly value: unknown }
  | { readonly ok: false; readonly problems: readonly string[] };

/**
 * Parses the bytes of a file: UTF-8, with or without a byte order mark. Each problem is a clause with
 * its line and column and holds nothing of the file's text but keys. Keys that come twice and
 * `__proto__` are problems.
 */
export function parseJsonc(bytes: Uint8Array): JsoncResult {
  const broken = invalidUtf8At(bytes);
  if (broken !== undefined) {
    return { ok: false, problems: [`${broken}: not valid UTF-8`] };
  }
  // TextDecoder drops the byte order mark.
  const text = new TextDecoder().decode(bytes);
  const quick = parseQuickly(text, depthMax);
  if (quick !== undefined) return { ok: true, value: quick.value };
  return text.length > treeCharsMax
    ? { ok: false, problems: [firstProblem(text)] }
    : parseSlowly(text);
}

/** Of a text in which something is wrong. */
function firstProblem(text: string): string {
  const deep = tooDeepAt(text);
  if (deep !== undefined) return `${place(text, deep)}: nested deeper than ${depthMax} levels`;
  let first: ParseError | undefined = undefined;
  const onError = (error: ParseError["error"], offset: number, length: number) => {
    first ??= { error, offset, length };
  };
  visit(text, { onError }, { allowTrailingComma: true });
  // What remains of what the quick parser refuses; to find where would take another.
  return first === undefined ? "a key comes twice, or is __proto__" : placed(text, first);
}

function placed(text: string, error: ParseError): string {
  return `${place(text, error.offset)}: ${describe(error)}`;
}

/** The same for what `parseJsonc` has decoded, with places of what is wrong. */
export function parseSlowly(text: string): JsoncResult {
  const deep = tooDeepAt(text);
  if (deep !== undefined) {
    const problem = `${place(text, deep)}: nested deeper than ${depthMax} levels`;
    return { ok: false, problems: [problem] };
  }
  const errors: ParseError[] = [];
  const tree = parseTree(text, errors, { allowTrailingComma: true });
  const first = errors[0];
  if (first !== undefined || tree === undefined) {
    const offset = first?.offset ?? 0;
    const what = first === undefined ? "value expected" : describe(first);
    return { ok: false, problems: [`${place(text, offset)}: ${what}`] };
  }
  const problems: string[] = [];
  const value = valueOf(tree, text, problems);
  return problems.length === 0 ? { ok: true, value } : { ok: false, problems };
}

/** `InvalidNumberFormat` as `invalid number format`. */
function describe(error: ParseError): string {
  return printParseErrorCode(error.error).replace(/(?<!^)[A-Z]/g, (letter) => ` ${letter}`)
    .toLowerCase();
}

function valueOf(node: Node, text: string, problems: string[]): unknown {
  if (node.type === "array") {
    return (node.children ?? []).map((child) => valueOf(child, text, problems));
  }
  if (node.type !== "object") return node.value;
  const object: Record<string, unknown> = {};
  for (const property of node.children ?? []) {
    const [name, value] = property.children ?? [];
    if (name === undefined || value === undefined) continue;
    const key = String(name.value);
    if (key === "__proto__") {
      problems.push(`${place(text, name.offset)}: __proto__ is not a setting`);
    } else if (Object.hasOwn(object, key)) {
      problems.push(`${place(text, name.offset)}: the key ${JSON.stringify(key)} comes twice`);
    } else object[key] = valueOf(value, text, problems);
  }
  return object;
}

/** The scanner does not recurse, so it can look before the parser does. */
function tooDeepAt(text: string): number | undefined {
  const openBrace = 1;
  const closeBrace = 2;
  const openBracket = 3;
  const closeBracket = 4;
  const endOfFile = 17;
  const scanner = createScanner(text, true);
  let depth = 0;
  for (let kind: number = scanner.scan(); kind !== endOfFile; kind = scanner.scan()) {
    if (kind === openBrace || kind === openBracket) depth += 1;
    if (kind === closeBrace || kind === closeBracket) depth -= 1;
    if (depth > depthMax) return scanner.getTokenOffset();
  }
  return undefined;
}

function place(text: string, offset: number): string {
  const before = text.slice(0, offset);
  const lineStart = before.lastIndexOf("\n") + 1;
  const lineNumber = before.split("\n").length;
  return `line ${lineNumber}, column ${[...before.slice(lineStart)].length + 1}`;
}

function invalidUtf8At(bytes: Uint8Array): string | undefined {
  const strict = new TextDecoder("utf-8", { fatal: true });
  try {
    strict.decode(bytes);
    return undefined;
  } catch {
    // It is not valid somewhere: found below. A newline byte is never part of another character.
  }
  let lineNumber = 1;
  let start = 0;
  while (start <= bytes.length) {
    const newline = bytes.indexOf(0x0a, start);
    const end = newline === -1 ? bytes.length : newline;
    const column = invalidColumn(bytes.subarray(start, end));
    if (column !== undefined) return `line ${lineNumber}, column ${column}`;
    lineNumber += 1;
    start = end + 1;
  }
  return `line ${lineNumber}`;
}

function invalidColumn(line: Uint8Array): number | undefined {
  const lossy = new TextDecoder("utf-8", { ignoreBOM: true }).decode(line);
  let at = 0;
  let column = 1;
  for (const char of lossy) {
    const encoded = new TextEncoder().encode(char);
    if (!encoded.every((byte, index) => line[at + index] === byte)) return column;
    at += encoded.length;
    column += 1;
  }
  return undefined;
}
