import type { CompletedFlag, CompletedVerb } from "./shell_completions.ts";

/** Completions for fish 3 and later. */
export function fishCompletions(verbs: readonly CompletedVerb[]): string {
  return `# Completions of freekill-gw for fish: freekill-gw completions fish | source
function __freekill_gw_words
    set -l words (commandline -opc)
    for word in $words[2..-1]
        string match -q -- '-*' $word; or echo $word
    end
end

function __freekill_gw_verb_is
    set -l words (__freekill_gw_words)
    test (count $words) -gt 0; and test $words[1] = $argv[1]
end

function __freekill_gw_words_are
    test (count (__freekill_gw_words)) -eq $argv[1]
end

complete -c freekill-gw -f
complete -c freekill-gw -n '__freekill_gw_words_are 0' -s h -l help -d 'Explains the program'
complete -c freekill-gw -n '__freekill_gw_words_are 0' -s V -l version -d 'Prints the version'
${verbs.flatMap(fishVerb).join("\n")}
`;
}

function fishVerb({ name, purpose, words, flags }: CompletedVerb): string[] {
  const verbIs = `__freekill_gw_verb_is ${name}`;
  return [
    `complete -c freekill-gw -n '__freekill_gw_words_are 0' -a ${name} -d ${quoted(purpose)}`,
    ...(words.length === 0 ? [] : [
      `complete -c freekill-gw -n '${verbIs}; and __freekill_gw_words_are 1' ` +
      `-a '${words.join(" ")}'`,
    ]),
    ...flags.flatMap((flag) => fishFlag(flag, verbIs)),
  ];
}

function fishFlag({ names, means, value }: CompletedFlag, verbIs: string): string[] {
  const takes = fishValue(value);
  return names.map((name) =>
    `complete -c freekill-gw -n '${verbIs}' -l ${name}${takes} -d ${quoted(means)}`
  );
}

function fishValue(value: CompletedFlag["value"]): string {
  switch (value) {
    case "none":
      return "";
    case "file":
      return " -r -F";
    case "text":
      return " -x";
    default:
      return ` -x -a '${value.join(" ")}'`;
  }
}

function quoted(text: string): string {
  return `'${text.replaceAll(/['\\]/g, "\\$&")}'`;
}
