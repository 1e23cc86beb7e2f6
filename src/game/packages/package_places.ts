/**
 * Names in `packages/` of what is not a package yet or any more. Directories end in `.disabled`, so
 * that neither the md5, nor the rules, nor the original server sees them.
 */
export interface PackagePlaces {
  readonly packages: string;
  /** The package itself. */
  readonly package: string;
  /** What is to take its place. */
  readonly incoming: string;
  /** The repository of what is to take its place, from the first byte that comes until its files
   * are written: what has come as a whole need not come again. */
  readonly fetched: string;
  /** What was in its place. */
  readonly outgoing: string;
  /** Says what is being done to it; there only meanwhile. */
  readonly journal: string;
}

export function placesOf(directory: string, name: string): PackagePlaces {
  const packages = `${directory}/packages`;
  return {
    packages,
    package: `${packages}/${name}`,
    incoming: `${packages}/.incoming-${name}.disabled`,
    fetched: `${packages}/.fetched-${name}.disabled`,
    outgoing: `${packages}/.outgoing-${name}.disabled`,
    journal: `${packages}/.change-${name}.json`,
  };
}

/** Whose leftover a name in `packages/` is, and which; undefined for all else. */
export function readPlace(
  entry: string,
): {
  readonly kind: "incoming" | "fetched" | "outgoing" | "journal";
  readonly name: string;
} | undefined {
  const directory = /^\.(incoming|fetched|outgoing)-(.+)\.disabled$/s.exec(entry);
  if (directory !== null) {
    return { kind: directory[1] as "incoming" | "fetched" | "outgoing", name: directory[2]! };
  }
  const journal = /^\.change-(.+)\.json$/s.exec(entry);
  return journal === null ? undefined : { kind: "journal", name: journal[1]! };
}
