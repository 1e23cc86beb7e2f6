import { visibleText } from "../base/terminal_text.ts";
import { commandHelp, commandHelps } from "./help_texts.ts";
import { lineWords } from "./line_words.ts";

/** Names that can be completed now. */
export interface CompletionNames {
  readonly players: readonly string[];
  readonly roomIds: readonly number[];
  readonly packages: readonly string[];
}

export interface Completion {
  /** What may stand in place of `replaced`, sorted; quoted where needed. */
  readonly candidates: readonly string[];
  /** The end of the line up to the cursor that they would replace. */
  readonly replaced: string;
}

/** More would only scroll away. */
export const candidatesMax = 200;

/** What the word at the cursor could become. `names` is asked only when its names are needed. */
export function completeLine(
  line: string,
  cursor: number,
  names: () => CompletionNames,
): Completion {
  const before = line.slice(0, cursor);
  const words = lineWords(before);
  const last = words.at(-1);
  const isNewWord = last === undefined || (last.end < before.length || /\s$/.test(before)) &&
      last.openQuote === undefined;
  const word = isNewWord ? "" : last.text;
  const replaced = isNewWord ? "" : before.slice(last.start);
  const position = isNewWord ? words.length : words.length - 1;
  if (position === 0) return among(commandHelps.map(({ name }) => name), word, replaced);
  const command = commandHelp(words[0]?.text.toLowerCase() ?? "");
  if (command === undefined) return { candidates: [], replaced };
  const possible = possibleWords(command.takes, position, words[1]?.text, names);
  return among(possible, word, replaced, last?.openQuote);
}

/** By what the usage of the command says of the argument. */
function possibleWords(
  takes: string,
  position: number,
  firstArgument: string | undefined,
  names: () => CompletionNames,
): readonly string[] {
  if (takes === "[command]") return position === 1 ? commandHelps.map(({ name }) => name) : [];
  if (takes.startsWith("add|rm")) {
    if (position === 1) return ["add", "rm"];
    return firstArgument === "add" || firstArgument === "rm" ? names().players : [];
  }
  const isRepeated = takes.endsWith("…");
  if (position > 1 && !isRepeated) return [];
  if (/^[<[]id[>\]]/.test(takes)) return names().roomIds.map(String);
  if (/^[<[]package/.test(takes)) return names().packages;
  if (/^<name/.test(takes)) return names().players;
  return [];
}

function among(
  words: readonly string[],
  begun: string,
  replaced: string,
  openQuote?: string,
): Completion {
  const small = begun.toLowerCase();
  // What a terminal would act upon could not be typed either.
  const fitting = [...new Set(words)].filter((word) =>
    word.toLowerCase().startsWith(small) && visibleText(word) === word
  );
  const candidates = fitting.sort().slice(0, candidatesMax).map((word) => typed(word, openQuote));
  return { candidates, replaced };
}

/** As it would have to be typed; the space after it saves a key. */
function typed(word: string, openQuote: string | undefined): string {
  const quote = openQuote ?? (/[\s"']/.test(word) ? (word.includes('"') ? "'" : '"') : "");
  return `${quote}${word}${quote} `;
}
