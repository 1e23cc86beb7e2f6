/** Where the files of a log are: all beside each other, their names begin with that of the stem. */
export interface LogNames {
  readonly directory: string;
  readonly stem: string;
  /** Path of a name in the directory. */
  path(name: string): string;
  segment(number: number): string;
  ids(number: number): string;
  /** The newest dead letters, and those before. */
  readonly dead: string;
  readonly deadBefore: string;
  /** What a name in the directory is to the log. */
  read(name: string): NamedFile | undefined;
}

export type NamedFile =
  | { readonly kind: "segment" | "ids"; readonly number: number }
  | { readonly kind: "foreign" };

const digits = 6;

/** `persistFile` is the path of the stem. */
export function logNames(persistFile: string): LogNames {
  const slash = Math.max(persistFile.lastIndexOf("/"), persistFile.lastIndexOf("\\"));
  const directory = slash < 0 ? "." : slash === 0 ? "/" : persistFile.slice(0, slash);
  const before = persistFile.slice(0, slash + 1);
  const stem = persistFile.slice(slash + 1);
  const segment = (number: number) => `${stem}.${String(number).padStart(digits, "0")}`;
  return {
    directory,
    stem,
    path: (name) => before + name,
    segment,
    ids: (number) => `${segment(number)}.ids`,
    dead: `${stem}.dead`,
    deadBefore: `${stem}.dead.1`,
    read(name) {
      // The original gateway kept all its messages in one file of that name.
      if (name === stem) return { kind: "foreign" };
      if (!name.startsWith(`${stem}.`)) return undefined;
      const parts = name.slice(stem.length + 1).split(".");
      const number = numberOf(parts[0] ?? "");
      if (number === undefined) return undefined;
      if (parts.length === 1) return { kind: "segment", number };
      return parts.length === 2 && parts[1] === "ids" ? { kind: "ids", number } : undefined;
    },
  };
}

function numberOf(text: string): number | undefined {
  if (text.length < digits) return undefined;
  const number = Number(text);
  // Numbers are kept in 32 bits.
  const isOurs = Number.isInteger(number) && number > 0 && number < 2 ** 31 &&
    String(number).padStart(digits, "0") === text;
  return isOurs ? number : undefined;
}
