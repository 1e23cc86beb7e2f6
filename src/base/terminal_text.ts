/** Text that others chose (names of players, titles of rooms) on the terminal of an operator. */

/** Control characters, Unicode line ends, marks that are invisible or turn the writing direction. */
const unsafe =
  // deno-lint-ignore no-control-regex
  /[\u0000-\u001f\u007f-\u009f\u00ad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb]/g;

/** Halves of pairs that stand alone are no characters at all. */
const loneSurrogate = /\p{Surrogate}/gu;

/**
 * The same text with everything spelled out (`\u001b`) that a terminal would act upon. On one line
 * whatever it held; inside JSON strings it means the same as before.
 */
export function visibleText(text: string): string {
  return text.replace(unsafe, escaped).replace(loneSurrogate, escaped);
}

function escaped(char: string): string {
  return `\\u${char.charCodeAt(0).toString(16).padStart(4, "0")}`;
}

const combining = /\p{M}/u;
/** East Asian wide and emoji, as far as names go (Unicode TR11, in blocks). */
const wide =
  /[\u1100-\u115f\u2e80-\u303e\u3041-\ua4cf\ua960-\ua97f\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6\u{1f300}-\u{1f64f}\u{1f680}-\u{1f6ff}\u{1f900}-\u{1f9ff}\u{20000}-\u{3fffd}]/u;

/** How many columns of a terminal a visible text takes. */
export function textWidth(text: string): number {
  let columns = 0;
  for (const char of text) columns += combining.test(char) ? 0 : wide.test(char) ? 2 : 1;
  return columns;
}

/**
 * Rows under their heads, in columns as wide as their widest cell, numbers to the right; all made
 * visible. A table without rows is its heads alone.
 */
export function tableLines(
  heads: readonly string[],
  rows: readonly (readonly (string | number)[])[],
): string[] {
  const shown = rows.map((row) => row.map((cell) => visibleText(String(cell))));
  const widths = heads.map((head, column) =>
    Math.max(textWidth(head), ...shown.map((row) => textWidth(row[column] ?? "")))
  );
  const toRight = heads.map((_, column) => rows.some((row) => typeof row[column] === "number"));
  const line = (cells: readonly string[]) =>
    cells.map((cell, column) => {
      const space = " ".repeat(Math.max(0, (widths[column] ?? 0) - textWidth(cell)));
      return toRight[column] ? space + cell : cell + space;
    }).join("  ").trimEnd();
  return [line(heads), ...shown.map(line)];
}
