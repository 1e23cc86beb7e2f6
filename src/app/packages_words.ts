import { nearestWord } from "../base/suggest.ts";
import { showFound } from "../config/faults.ts";

/** What `packages` is to do. */
export type PackagesOrder =
  | { readonly kind: "list" | "md5" | "sync" }
  | { readonly kind: "install"; readonly url: string }
  | { readonly kind: "remove" | "enable" | "disable"; readonly name: string }
  | { readonly kind: "upgrade"; readonly name?: string };

/** What each of its verbs takes; in brackets what may be left out. */
const takes = {
  install: "<url>",
  remove: "<name>",
  list: "",
  enable: "<name>",
  disable: "<name>",
  upgrade: "[name]",
  sync: "",
  md5: "",
} as const;

type Verb = keyof typeof takes;

const names = Object.keys(takes) as Verb[];

/** All of its verbs. */
export const packagesWords: readonly string[] = names;

/** Reads the words after `packages`, or says in one line what is wrong with them; that shows no
 * address, which may hold a secret. */
export function readPackagesWords(words: readonly string[]): PackagesOrder | string {
  const [word, argument, extra] = words;
  if (word === undefined) return `packages needs one of ${names.join(", ")}.`;
  const verb = names.find((name) => name === word);
  if (verb === undefined) {
    const near = nearestWord(word, names);
    const hint = near === undefined
      ? `It must be one of ${names.join(", ")}.`
      : `Did you mean ${near}?`;
    return `Unknown verb ${showFound(word)} of packages. ${hint}`;
  }
  const usage = `Usage: freekill-gw packages ${`${verb} ${takes[verb]}`.trim()}`;
  const isMissing = takes[verb].startsWith("<") && (argument ?? "").trim() === "";
  const isTooMuch = extra !== undefined || (takes[verb] === "" && argument !== undefined);
  if (isMissing) return `packages ${verb} needs ${takes[verb]}. ${usage}`;
  if (isTooMuch) return `packages ${verb} got a word too many. ${usage}`;
  switch (verb) {
    case "install":
      return { kind: verb, url: argument ?? "" };
    case "remove":
    case "enable":
    case "disable":
      return { kind: verb, name: argument ?? "" };
    case "upgrade":
      return argument === undefined ? { kind: verb } : { kind: verb, name: argument };
    default:
      return { kind: verb };
  }
}
