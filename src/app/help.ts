import { valueName, valueNote } from "./flag_spec.ts";
import type { FlagSpec } from "./flag_spec.ts";
import { verbs } from "./verbs.ts";
import type { VerbSpec } from "./verbs.ts";

/** The longest line of help, so that it fits a common terminal. */
const columns = 100;
const indent = "  ";

/** What the program is and its verbs; for `freekill-gw --help`. */
export function generalHelp(): string {
  const width = Math.max(...verbs.map((verb) => verb.name.length)) + 2;
  return [
    "FreeKill game server and WebSocket message gateway.",
    "",
    usage(),
    "",
    "Verbs:",
    ...verbs.map((verb) => `${indent}${verb.name.padEnd(width)}${verb.purpose}`),
    "",
    "Examples:",
    ...examples([
      { command: "freekill-gw serve", means: "starts a server on 127.0.0.1:9527" },
      { command: "freekill-gw check --live", means: "probes it" },
      { command: "freekill-gw watchdog", means: "starts one and keeps it alive" },
      { command: "freekill-gw help serve", means: "all flags of a verb" },
    ]),
    "",
  ].join("\n");
}

/** Two lines for those who gave no verb. */
export function shortUsage(): string {
  return `${usage()}\nVerbs: ${verbs.map((verb) => verb.name).join(", ")}. ` +
    "More: freekill-gw --help\n";
}

function usage(): string {
  return "Usage: freekill-gw <verb> [flags]";
}

/** All about one verb. */
export function verbHelp(verb: VerbSpec): string {
  const lines = [
    `${verb.purpose}.`,
    "",
    `Usage: freekill-gw ${verb.name} ${verb.takes}`,
    "",
  ];
  if (verb.flags.length > 0) lines.push("Flags:", ...flagLines(verb.flags), "");
  lines.push("Examples:", ...examples(verb.examples), "");
  for (const note of verb.notes) lines.push(...wrap(note, columns));
  if (verb.notes.length > 0) lines.push("");
  return lines.join("\n");
}

function flagLines(flags: readonly FlagSpec[]): string[] {
  const shown = flags.map((flag) => {
    const names = [flag.name, ...(flag.aliases ?? [])].map((name) => `--${name}`);
    return { flag, left: `${names.join(", ")}${valueName(flag)}` };
  });
  const width = Math.max(...shown.map(({ left }) => left.length)) + 2;
  return shown.flatMap(({ flag, left }) => {
    const only = flag.only === undefined ? "" : `with --${flag.only}: `;
    const text = `${only}${flag.value.means}${valueNote(flag)}`;
    const [first = "", ...more] = wrap(text, columns - width - indent.length);
    return [
      `${indent}${left.padEnd(width)}${first}`,
      ...more.map((line) => `${indent}${" ".repeat(width)}${line}`),
    ];
  });
}

function examples(list: VerbSpec["examples"]): string[] {
  return list.flatMap(({ command, means }) => [
    `${indent}${command}`,
    `${indent}${indent}${indent}${means}`,
  ]);
}

function wrap(text: string, width: number): string[] {
  const lines: string[] = [];
  let line = "";
  for (const word of text.split(" ")) {
    if (line !== "" && line.length + 1 + word.length > width) {
      lines.push(line);
      line = word;
    } else line = line === "" ? word : `${line} ${word}`;
  }
  return line === "" ? lines : [...lines, line];
}
