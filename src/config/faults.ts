/** Where a value stands: the names that people know it by. */
export type Place = Pick<Fault, "source" | "path">;

/** One thing that is wrong with the configuration. None of its texts holds a secret. */
export interface Fault {
  /** Where it comes from: `config "gw.json"`, `flag --tcp-port`, `environment FREEKILL_GW_…`. */
  readonly source: string;
  /** `log.level`, `control_allow[0]`; "" for the whole file. */
  readonly path: string;
  readonly found: string;
  /** To be read after "must be". */
  readonly allowed: string;
  /** All of it but the source, as one clause. */
  readonly problem: string;
}

/** `Cannot use config "gw.json": tcp_port must be 0–65535, got "abc"`: always one line. */
export function showFault(fault: Fault): string {
  return `Cannot use ${fault.source}: ${fault.problem}`;
}

/** A known key with a value that is not allowed; `found` is text made by `showFound`. */
export function wrongValue(
  { source, path, found, allowed }: Pick<Fault, "source" | "path" | "found" | "allowed">,
): Fault {
  const subject = path === "" ? "it" : path;
  return {
    source,
    path,
    found,
    allowed,
    problem: `${subject} must be ${allowed}, got ${found}`,
  };
}

/** A key that nobody knows, with the one that was probably meant. */
export function unknownKey(
  { source, path, meant }: { source: string; path: string; meant: string | undefined },
): Fault {
  const hint = meant === undefined ? "" : ` Did you mean ${meant}?`;
  return {
    source,
    path,
    found: "an unknown key",
    allowed: meant === undefined ? "a known key" : `a known key, such as ${meant}`,
    problem: `${path} is not a setting.${hint}`,
  };
}

/** A file that cannot be taken at all, or not at one place: `problem` says what and where. */
export function brokenFile(source: string, problem: string): Fault {
  return { source, path: "", found: problem, allowed: "a JSON file in UTF-8", problem };
}

/** Long values help nobody and could be a mistaken file. */
const foundCharsMax = 60;

/** A value that was found, short and on one line. */
export function showFound(value: unknown): string {
  if (Array.isArray(value)) return value.length === 0 ? "an empty list" : "a list";
  if (typeof value === "object" && value !== null) return "an object";
  if (typeof value !== "string") return String(value);
  const shown = quoted(value.slice(0, foundCharsMax));
  return value.length > foundCharsMax ? `${shown}… (${value.length} characters)` : shown;
}

/** In place of `showFound` where the value is a secret. */
export function showSecret(value: unknown): string {
  return typeof value === "string"
    ? `a text of ${value.length} characters (not shown)`
    : `a value of type ${typeof value} (not shown)`;
}

/** A key as part of a path: as it is when plain, else quoted, so that it stays on the line. */
export function showKey(key: string): string {
  return /^[\w$.-]{1,64}$/.test(key) ? key : showFound(key);
}

/** JSON's quoting, which leaves no control character; also none of the line ends that JSON allows. */
function quoted(text: string): string {
  return JSON.stringify(text).replace(
    /[\p{Cc}\p{Cf}\u2028\u2029]/gu,
    (char) => `\\u${char.codePointAt(0)!.toString(16).padStart(4, "0")}`,
  );
}
