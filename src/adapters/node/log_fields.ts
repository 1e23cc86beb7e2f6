/** Longer strings are cut: a peer's bytes must not fill the disk through the log. */
const STRING_CHARS_MAX = 4_096;
/** Fields of fields; deeper ones are left out. */
const DEPTH_MAX = 4;
/** Members of one array or object that are shown. */
const MEMBERS_MAX = 100;

const secretName =
  /token|passw|passphrase|secret|authorization|cookie|cipher|credential|(private|api)_?key/i;

/** Names that each line has of its own; a field of that name would forge them. */
const reservedNames: readonly string[] = ["time", "level", "message"];

/**
 * Fields as a log line may show them: plain JSON values, whatever was given; secrets by their
 * name replaced, long strings cut, deep or cyclic values ended, errors spelled out.
 */
export function loggable(fields: Readonly<Record<string, unknown>>): Record<string, unknown> {
  const shown: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(fields)) {
    if (value === undefined) continue;
    shown[reservedNames.includes(name) ? `${name}_` : name] = member(name, value, 1);
  }
  return shown;
}

/** A string of at most 4,096 characters, with a note of how many were left out. */
export function cutString(text: string): string {
  if (text.length <= STRING_CHARS_MAX) return text;
  return `${text.slice(0, STRING_CHARS_MAX)}… (${text.length - STRING_CHARS_MAX} characters cut)`;
}

function member(name: string, value: unknown, depth: number): unknown {
  const isHarmless = value === null || typeof value === "boolean";
  if (!isHarmless && secretName.test(name)) return "[secret]";
  return plain(value, depth);
}

function plain(value: unknown, depth: number): unknown {
  switch (typeof value) {
    case "string":
      return cutString(value);
    case "number":
      return Number.isFinite(value) ? value : String(value);
    case "boolean":
      return value;
    case "bigint":
      return value.toString();
    case "object":
      return value === null ? null : plainObject(value, depth);
    default:
      return `[${typeof value}]`;
  }
}

function plainObject(value: object, depth: number): unknown {
  if (value instanceof Error) return plainError(value, depth);
  if (value instanceof Date) return Number.isNaN(value.getTime()) ? "[date]" : value.toISOString();
  if (value instanceof URL) return cutString(withoutUserInfo(value));
  if (ArrayBuffer.isView(value)) return `[${value.byteLength} bytes]`;
  if (depth >= DEPTH_MAX) return "[deep]";
  if (Array.isArray(value)) {
    const shown = value.slice(0, MEMBERS_MAX).map((item) => plain(item, depth + 1));
    if (value.length > MEMBERS_MAX) shown.push(`… (${value.length - MEMBERS_MAX} more)`);
    return shown;
  }
  const shown: Record<string, unknown> = {};
  const names = Object.keys(value);
  for (const name of names.slice(0, MEMBERS_MAX)) {
    shown[name] = member(name, (value as Record<string, unknown>)[name], depth + 1);
  }
  if (names.length > MEMBERS_MAX) shown["…"] = `${names.length - MEMBERS_MAX} more`;
  return shown;
}

function plainError(error: Error, depth: number): Record<string, unknown> {
  const shown: Record<string, unknown> = { name: error.name, message: cutString(error.message) };
  if ("code" in error) shown["code"] = plain(error.code, DEPTH_MAX);
  if (error.stack !== undefined) shown["stack"] = cutString(error.stack);
  if (error.cause !== undefined && depth < DEPTH_MAX) {
    shown["cause"] = plain(error.cause, depth + 1);
  }
  return shown;
}

function withoutUserInfo(url: URL): string {
  const shown = new URL(url);
  if (shown.password !== "") shown.password = "secret";
  return shown.href;
}
