import { parseAddress } from "../base/address.ts";
import { unreachable } from "../base/assert.ts";
import { nearestWord } from "../base/suggest.ts";
import { showFound } from "../config/faults.ts";
import type { AdminCommand, CommandName, IpTarget, KickTarget } from "./command.ts";
import { commandHelp, commandWords, usageOf } from "./help_texts.ts";
import { type LineWord, lineWords } from "./line_words.ts";

/** Longer lines are a mistake of whoever pastes them. */
export const lineCharsMax = 4_096;
/** What is told to players is shown on one line of their screens, or a few. */
export const announcementCharsMax = 1_000;
/** Each name is a transaction of its own. */
export const namesMax = 64;
/** Old databases hold names longer than new ones may be. */
const nameCharsMax = 255;
/** 100 years: whoever wants more means `ban`. */
const monthsMax = 1_200;

const monthSeconds = 2_592_000;
const unitSeconds: Readonly<Record<string, number>> = {
  m: 60,
  h: 3_600,
  d: 86_400,
  mo: monthSeconds,
};

export type ParsedCommand =
  | { readonly ok: true; readonly command: AdminCommand }
  | {
    readonly ok: false;
    /** One line: what was found, what is allowed. Shows words of the line. */
    readonly reason: string;
    /** As far as it was understood. */
    readonly name?: CommandName;
  };

/** Reads one line of an operator. */
export function parseAdminCommand(line: string): ParsedCommand {
  if (line.length > lineCharsMax) {
    return refused(`The line must be 1–${lineCharsMax} characters, got ${line.length}.`);
  }
  const [first, ...words] = lineWords(line);
  if (first === undefined) return refused("The line is empty: type help for the commands.");
  const help = commandHelp(first.text.toLowerCase());
  if (help === undefined) return refused(unknownCommand(first.text));
  try {
    return { ok: true, command: read(help.name, new Arguments(line, first, words)) };
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    return { ok: false, reason: `${error.message} Usage: ${usageOf(help)}`, name: help.name };
  }
}

/** Thrown where a line turns out to be wrong, and caught above. */
class Refusal extends Error {
  override readonly name = "Refusal";
}

function refused(reason: string): ParsedCommand {
  return { ok: false, reason };
}

function unknownCommand(word: string): string {
  const near = nearestWord(word, commandWords.filter((one) => one.length > 2));
  const hint = near === undefined ? "Type help for the commands." : `Did you mean ${near}?`;
  return `Unknown command ${showFound(word)}. ${hint}`;
}

function read(kind: CommandName, args: Arguments): AdminCommand {
  switch (kind) {
    case "help": {
      const topic = args.optional();
      args.end(1);
      return topic === undefined ? { kind } : { kind, topic: topicOf(topic) };
    }
    case "stat":
    case "gc":
    case "lsplayer":
    case "checklobby":
    case "reloadconf":
    case "pkgs":
    case "syncpkgs":
    case "quit":
    case "crash":
      args.end(0);
      return { kind };
    case "lsroom": {
      const id = args.optional();
      args.end(1);
      return id === undefined ? { kind } : { kind, roomId: roomIdOf(id) };
    }
    case "msg":
      return { kind, text: args.rest() };
    case "msgroom": {
      const roomId = roomIdOf(args.one("room id"));
      return { kind, roomId, text: args.rest() };
    }
    case "kick":
      return { kind, targets: args.many("player").map(kickTarget) };
    case "ban":
    case "unban":
    case "banuuid":
    case "unbanuuid":
    case "unmute":
      return { kind, names: args.many("name").map(nameOf) };
    case "banip":
    case "unbanip":
      return { kind, targets: args.many("name or address").map(ipTarget) };
    case "tempban":
    case "tempmute": {
      const name = nameOf(args.one("name"));
      const seconds = secondsOf(args.one("time"));
      args.end(2);
      return { kind, name, seconds };
    }
    case "whitelist": {
      const action = args.optional();
      if (action !== "add" && action !== "rm") {
        const found = action === undefined ? "nothing" : showFound(action);
        throw new Refusal(`whitelist takes add or rm first, got ${found}.`);
      }
      return { kind, action, names: args.many("name").map(nameOf) };
    }
    case "killroom": {
      const roomId = roomIdOf(args.one("room id"));
      args.end(1);
      return { kind, roomId };
    }
    case "resetpassword": {
      const name = nameOf(args.one("name"));
      args.end(1);
      return { kind, name };
    }
    case "install": {
      const url = args.one("URL");
      args.end(1);
      return { kind, url };
    }
    case "remove":
    case "enable":
    case "disable": {
      const name = packageOf(args.one("package"));
      args.end(1);
      return { kind, name };
    }
    case "upgrade": {
      const name = args.optional();
      args.end(1);
      return name === undefined ? { kind } : { kind, name: packageOf(name) };
    }
    default:
      return unreachable(kind);
  }
}

/** The words after the command's own, taken one by one. */
class Arguments {
  readonly #line: string;
  readonly #words: readonly LineWord[];
  readonly #command: LineWord;
  #taken = 0;

  constructor(line: string, command: LineWord, words: readonly LineWord[]) {
    this.#line = line;
    this.#command = command;
    this.#words = words;
  }

  optional(): string | undefined {
    const word = this.#words[this.#taken];
    if (word === undefined) return undefined;
    if (word.openQuote !== undefined) {
      throw new Refusal(
        `The quote ${word.openQuote} at character ${word.start + 1} is not closed.`,
      );
    }
    this.#taken++;
    return word.text;
  }

  one(what: string): string {
    const text = this.optional();
    if (text === undefined) throw new Refusal(`A ${what} is missing.`);
    return text;
  }

  many(what: string): string[] {
    const all = [this.one(what)];
    for (let text = this.optional(); text !== undefined; text = this.optional()) all.push(text);
    if (all.length <= namesMax) return [...new Set(all)];
    throw new Refusal(`At most ${namesMax} at once are allowed, got ${all.length}.`);
  }

  /** All that is left of the line, as it was typed. */
  rest(): string {
    const before = this.#taken === 0 ? this.#command : this.#words[this.#taken - 1];
    const text = this.#line.slice(before?.end ?? 0).trim();
    if (text === "") throw new Refusal("A text is missing.");
    if (text.length <= announcementCharsMax) return text;
    throw new Refusal(
      `The text must be 1–${announcementCharsMax} characters, got ${text.length}.`,
    );
  }

  /** Does not show what is too many: it could be a password. */
  end(allowed: number): void {
    const { length } = this.#words;
    if (length === this.#taken) return;
    const most = allowed === 0 ? "No arguments are" : allowed === 1 ? "One is" : `${allowed} are`;
    throw new Refusal(`${most} allowed, got ${length}.`);
  }
}

function topicOf(word: string): CommandName {
  const help = commandHelp(word.toLowerCase());
  if (help === undefined) throw new Refusal(unknownCommand(word));
  return help.name;
}

function roomIdOf(text: string): number {
  const id = wholeFromOne(text);
  if (id === undefined) {
    throw new Refusal(`A room id must be a whole number from 1, got ${showFound(text)}.`);
  }
  return id;
}

function wholeFromOne(text: string): number | undefined {
  return /^[1-9]\d{0,14}$/.test(text) ? Number(text) : undefined;
}

function nameOf(text: string): string {
  if (text.length >= 1 && text.length <= nameCharsMax) return text;
  throw new Refusal(`A name must be 1–${nameCharsMax} characters, got ${text.length}.`);
}

function kickTarget(text: string): KickTarget {
  if (!text.startsWith("#")) return { name: nameOf(text) };
  const id = wholeFromOne(text.slice(1));
  if (id === undefined) {
    throw new Refusal(`An id must be a whole number from 1 after #, got ${showFound(text)}.`);
  }
  return { id };
}

function ipTarget(text: string): IpTarget {
  const isAddress = (text.includes(".") || text.includes(":")) && parseAddress(text) !== undefined;
  return isAddress ? { address: text } : { name: nameOf(text) };
}

/** As directories under `packages/` are called: nothing that would lead out of there. */
function packageOf(text: string): string {
  if (/^[^/\\\p{Cc}]{1,128}$/u.test(text) && !text.startsWith(".")) return text;
  throw new Refusal(
    `A package's name must be 1–128 characters without / and \\, not beginning with a dot, got ${
      showFound(text)
    }.`,
  );
}

function secondsOf(text: string): number {
  const [, count = "", unit = ""] = /^([1-9]\d{0,8})(mo|m|h|d)$/.exec(text) ?? [];
  const seconds = Number(count) * (unitSeconds[unit] ?? 0);
  if (seconds > 0 && seconds <= monthsMax * monthSeconds) return seconds;
  throw new Refusal(
    `A time must be a whole number with m, h, d or mo (30 days), 1m–${monthsMax}mo, got ${
      showFound(text)
    }.`,
  );
}
