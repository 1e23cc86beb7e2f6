import { unreachable } from "../base/assert.ts";
import { commandHelps } from "../admin/help_texts.ts";
import type { Runtime } from "../ports/runtime.ts";
import { bashCompletions } from "./bash_completions.ts";
import { fishCompletions } from "./fish_completions.ts";
import { valueName } from "./flag_spec.ts";
import type { FlagSpec } from "./flag_spec.ts";
import type { Invocation } from "./invocation.ts";
import { packagesWords } from "./packages_words.ts";
import { verbs } from "./verbs.ts";
import type { VerbSpec } from "./verbs.ts";
import { zshCompletions } from "./zsh_completions.ts";

/** What a shell is told of a verb. */
export interface CompletedVerb {
  readonly name: string;
  /** One line; so is every `means`. */
  readonly purpose: string;
  /** What its first word may be. */
  readonly words: readonly string[];
  readonly flags: readonly CompletedFlag[];
}

export interface CompletedFlag {
  /** Without dashes: the name, and other spellings. */
  readonly names: readonly string[];
  readonly means: string;
  /** What follows it: nothing, a path, something that cannot be guessed, or one of these. */
  readonly value: "none" | "file" | "text" | readonly string[];
}

/** The shells that completions are made for. */
export const shells = ["bash", "zsh", "fish"] as const;
type Shell = (typeof shells)[number];

/** Prints the completions of a shell; gives 2 when it is none of `shells`. */
export function printCompletions(runtime: Runtime, invocation: Invocation): number {
  const [word, extra] = invocation.words ?? [];
  const shell = shells.find((name) => name === word);
  if (shell === undefined || extra !== undefined) {
    const found = word === undefined ? "none" : JSON.stringify([word, extra].join(" ").trim());
    runtime.process.writeStderr(`completions needs one of ${shells.join(", ")}, got ${found}.\n`);
    return 2;
  }
  runtime.process.writeStdout(completionsOf(shell));
  return 0;
}

/** The script that a shell has to read. */
export function completionsOf(shell: Shell): string {
  const completed = verbs.map(completedVerb);
  switch (shell) {
    case "bash":
      return bashCompletions(completed);
    case "zsh":
      return zshCompletions(completed);
    case "fish":
      return fishCompletions(completed);
    default:
      return unreachable(shell);
  }
}

function completedVerb(verb: VerbSpec): CompletedVerb {
  const help: CompletedFlag = { names: ["help"], means: "Explains the verb", value: "none" };
  return {
    name: verb.name,
    purpose: verb.purpose,
    words: wordsOf(verb),
    flags: verb.name === "help" ? [] : [...verb.flags.map(completedFlag), help],
  };
}

function wordsOf({ name }: VerbSpec): readonly string[] {
  switch (name) {
    case "admin":
      return commandHelps.map((command) => command.name);
    case "packages":
      return packagesWords;
    case "completions":
      return shells;
    case "help":
      return verbs.map((verb) => verb.name);
    default:
      return [];
  }
}

function completedFlag(flag: FlagSpec): CompletedFlag {
  return {
    names: [flag.name, ...(flag.aliases ?? [])],
    means: flag.value.means,
    value: completedValue(flag),
  };
}

function completedValue(flag: FlagSpec): CompletedFlag["value"] {
  switch (flag.value.kind) {
    case "yes_no":
      return "none";
    case "choice":
      return flag.value.choices;
    default:
      return valueName(flag) === " FILE" ? "file" : "text";
  }
}
