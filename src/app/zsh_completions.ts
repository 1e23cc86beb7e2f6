import type { CompletedFlag, CompletedVerb } from "./shell_completions.ts";

/** Completions for zsh, to be sourced or to be put into a directory of `fpath` as `_freekill-gw`. */
export function zshCompletions(verbs: readonly CompletedVerb[]): string {
  return `#compdef freekill-gw
# Completions of freekill-gw for zsh: source <(freekill-gw completions zsh), after compinit.
_freekill-gw() {
  local curcontext=$curcontext state line
  local -a verbs
  _arguments -C \\
    '(- *)'{-h,--help}'[Explains the program]' \\
    '(- *)'{-V,--version}'[Prints the version]' \\
    '1: :->verb' \\
    '*:: :->arguments'
  case $state in
    verb)
      verbs=(
${verbs.map(({ name, purpose }) => `        ${quoted(`${name}:${purpose}`)}`).join("\n")}
      )
      _describe -t verbs verb verbs
      ;;
    arguments)
      case $words[1] in
${verbs.map(zshVerb).join("\n")}
      esac
      ;;
  esac
}

if [ "$funcstack[1]" = "_freekill-gw" ]; then
  _freekill-gw "$@"
else
  compdef _freekill-gw freekill-gw
fi
`;
}

function zshVerb({ name, words, flags }: CompletedVerb): string {
  const specs = [
    ...flags.flatMap(zshFlag),
    ...(words.length === 0 ? [] : [quoted(`1:${name}:(${words.join(" ")})`)]),
  ];
  const lines = specs.map((spec) => `            ${spec}`).join(" \\\n");
  return `        ${name})\n          _arguments \\\n${lines}\n          ;;`;
}

/** One for each spelling; each rules out the others. */
function zshFlag({ names, means, value }: CompletedFlag): string[] {
  const others = names.length === 1 ? "" : `(${names.map((name) => `--${name}`).join(" ")})`;
  const text = means.replaceAll(/[[\]\\]/g, "\\$&");
  return names.map((name) =>
    quoted(
      value === "none"
        ? `${others}--${name}[${text}]`
        : `${others}--${name}=[${text}]:value:${zshAction(value)}`,
    )
  );
}

function zshAction(value: Exclude<CompletedFlag["value"], "none">): string {
  if (value === "file") return "_files";
  // Nothing to offer; a blank keeps zsh from asking for an action.
  return value === "text" ? " " : `(${value.join(" ")})`;
}

function quoted(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`;
}
