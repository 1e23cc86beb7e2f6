import type { CompletedFlag, CompletedVerb } from "./shell_completions.ts";

/** Completions for bash 3.2 and later; bash-completion is not needed. */
export function bashCompletions(verbs: readonly CompletedVerb[]): string {
  const names = verbs.map((verb) => verb.name).join(" ");
  return `# Completions of freekill-gw for bash: source <(freekill-gw completions bash)
_freekill_gw() {
  local current=\${COMP_WORDS[COMP_CWORD]} previous=\${COMP_WORDS[COMP_CWORD - 1]}
  local verb=\${COMP_WORDS[1]} words="" flags="" is_file="" index word
  COMPREPLY=()
  # Bash takes "--flag=value" for three words.
  if [ "$current" = "=" ]; then
    current=""
  elif [ "$previous" = "=" ]; then
    previous=\${COMP_WORDS[COMP_CWORD - 2]}
  fi
  if [ "$COMP_CWORD" -eq 1 ]; then
    words="${names} --help --version"
  else
    case $verb in
${verbs.map(bashVerb).join("\n")}
      *) return ;;
    esac
    # Words stand once.
    for ((index = 2; index < COMP_CWORD; index++)); do
      case \${COMP_WORDS[index]} in -*) ;; *) words="" ;; esac
    done
    words="$words $flags"
  fi
  if [ -n "$is_file" ]; then
    compopt -o filenames 2>/dev/null
    while IFS= read -r word; do COMPREPLY+=("$word"); done < <(compgen -f -- "$current")
  else
    while IFS= read -r word; do COMPREPLY+=("$word"); done < <(compgen -W "$words" -- "$current")
  fi
}
complete -F _freekill_gw freekill-gw
`;
}

function bashVerb({ name, words, flags }: CompletedVerb): string {
  const files = flags.filter((flag) => flag.value === "file");
  const texts = flags.filter((flag) => flag.value === "text");
  const values = [
    ...(files.length === 0 ? [] : [`          ${pattern(files)}) is_file=yes ;;`]),
    ...(texts.length === 0 ? [] : [`          ${pattern(texts)}) return ;;`]),
    ...flags.flatMap((flag) =>
      typeof flag.value === "string"
        ? []
        : [`          ${pattern([flag])}) flags="${flag.value.join(" ")}" ;;`]
    ),
    `          *) words="${words.join(" ")}" flags="${dashed(flags).join(" ")}" ;;`,
  ];
  return [
    `      ${name})`,
    "        case $previous in",
    ...values,
    "        esac",
    "        ;;",
  ].join("\n");
}

function pattern(flags: readonly CompletedFlag[]): string {
  return dashed(flags).join(" | ");
}

function dashed(flags: readonly CompletedFlag[]): string[] {
  return flags.flatMap((flag) => flag.names.map((name) => `--${name}`));
}
