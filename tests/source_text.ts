/**
 * The text of a TypeScript module with its comments blanked. Strings are kept. It knows just enough
 * of the language for that: strings, templates, comments, regular expressions.
 */
export function withoutComments(text: string): string {
  return blank(text, { strings: false });
}

/** The text with comments and the insides of strings, templates and regular expressions blanked. */
export function codeOnly(text: string): string {
  return blank(text, { strings: true });
}

function blank(text: string, options: { strings: boolean }): string {
  let out = "";
  let index = 0;
  /** For each open `${`: how many `{` are open inside it. */
  const templateDepths: number[] = [];
  const take = (end: number, keep: boolean) => {
    const part = text.slice(index, end);
    out += keep ? part : part.replaceAll(/[^\n]/g, " ");
    index = end;
  };
  const takeText = (end: number) => {
    // The quotes stay, so that what follows is still seen as code after a value.
    if (!options.strings || end - index < 2) return take(end, true);
    take(index + 1, true);
    take(end - 1, false);
    take(end, true);
  };
  while (index < text.length) {
    const char = text[index];
    const next = text[index + 1];
    if (char === "/" && next === "/") take(endOr(text, text.indexOf("\n", index)), false);
    else if (char === "/" && next === "*") take(endOf(text, "*/", index + 2), false);
    else if (char === '"' || char === "'") takeText(endOfQuoted(text, index, char));
    else if (char === "`") takeText(endOfTemplatePart(text, index + 1, templateDepths));
    else if (char === "/" && startsRegExp(out)) takeText(endOfRegExp(text, index));
    else if (char === "}" && templateDepths.at(-1) === 0) {
      templateDepths.pop();
      takeText(endOfTemplatePart(text, index + 1, templateDepths));
    } else {
      const depth = templateDepths.at(-1);
      if (depth !== undefined && char === "{") {
        templateDepths[templateDepths.length - 1] = depth + 1;
      }
      if (depth !== undefined && char === "}") {
        templateDepths[templateDepths.length - 1] = depth - 1;
      }
      take(index + 1, true);
    }
  }
  return out;
}

function endOr(text: string, end: number): number {
  return end < 0 ? text.length : end;
}

function endOf(text: string, mark: string, from: number): number {
  const found = text.indexOf(mark, from);
  return found < 0 ? text.length : found + mark.length;
}

function endOfQuoted(text: string, start: number, quote: string): number {
  let index = start + 1;
  while (index < text.length && text[index] !== quote && text[index] !== "\n") {
    index += text[index] === "\\" ? 2 : 1;
  }
  return Math.min(index + 1, text.length);
}

/** Just after the closing backtick, or after the next `${`, which is then open. */
function endOfTemplatePart(text: string, start: number, templateDepths: number[]): number {
  let index = start;
  while (index < text.length && text[index] !== "`") {
    if (text[index] === "$" && text[index + 1] === "{") {
      templateDepths.push(0);
      return index + 2;
    }
    index += text[index] === "\\" ? 2 : 1;
  }
  return Math.min(index + 1, text.length);
}

function endOfRegExp(text: string, start: number): number {
  let index = start + 1;
  let inClass = false;
  while (index < text.length && text[index] !== "\n" && (inClass || text[index] !== "/")) {
    if (text[index] === "[") inClass = true;
    if (text[index] === "]") inClass = false;
    index += text[index] === "\\" ? 2 : 1;
  }
  return Math.min(index + 1, text.length);
}

/** A slash after a value divides; after anything else it starts a regular expression. */
function startsRegExp(before: string): boolean {
  const trimmed = before.trimEnd();
  return !/[\w$)\]}"'`]$/.test(trimmed) || /\b(?:return|case|typeof|in|of)$/.test(trimmed);
}
