/** A word of a line, and where it stands. */
export interface LineWord {
  readonly text: string;
  readonly start: number;
  readonly end: number;
  /** Its quote, when that has no end. */
  readonly openQuote?: '"' | "'";
}

/**
 * The words of a line: parted by white space, or in quotes of either kind (which may not be in
 * names, so nothing needs escaping). A quote in the middle of a word is a part of it.
 */
export function lineWords(line: string): LineWord[] {
  const words: LineWord[] = [];
  const pattern = /\s*(?:(["'])(.*?)(?:(\1)(?=\s|$)|$)|(\S+))/gsy;
  for (const match of line.matchAll(pattern)) {
    const [whole, quote, quoted, closing, bare] = match;
    const end = match.index + whole.length;
    const start = match.index + whole.length - whole.trimStart().length;
    if (quote === undefined) words.push({ text: bare ?? "", start, end });
    else if (closing !== undefined) words.push({ text: quoted ?? "", start, end });
    else words.push({ text: quoted ?? "", start, end, openQuote: quote === '"' ? '"' : "'" });
  }
  return words;
}
