/** What a client says of itself in the URL of its upgrade. */
export interface UpgradeQuery {
  /** undefined: missing, too long, or not printable. */
  readonly clientId: string | undefined;
  /** `ack=1`. */
  readonly wantsAcks: boolean;
  /** `chunks=1`. */
  readonly takesChunks: boolean;
  /** `raw=1`. */
  readonly isRaw: boolean;
  /** `v=2`: gets a resume token. */
  readonly hasIdentity: boolean;
  /** The resume token that it shows; "" for none. */
  readonly resume: string;
  /** The token in the URL; "" for none. */
  readonly token: string;
  readonly history: HistoryRequest | undefined;
}

/** `loadHistory=true`. */
export interface HistoryRequest {
  /** "": from the newest `limit` on. */
  readonly lastMessageId: string;
  /** As written; NaN when it is no whole number. */
  readonly limit: number;
}

/** Bytes of a client id in UTF-8. */
export const clientIdBytesMax = 256;

/** Bytes of a message id: a longer one was never taken in, and stays unknown when it is cut. */
const messageIdBytesMax = 256;

/** A token of ours is shorter; more need not be looked at. */
const resumeLengthMax = 64;

/** The path of an absolute URL, as written: without what follows `?` or `#`. */
export function pathOf(href: string): string {
  const start = href.indexOf("/", href.indexOf("://") + 3);
  return start < 0 ? "/" : href.slice(start, endOfPath(href, start));
}

/**
 * Reads the query of an upgrade. Of repeated parameters the last counts, `+` is a space (as browsers
 * write it). A value that is not UTF-8 once its escapes are read counts as not given.
 */
export function parseUpgradeQuery(href: string): UpgradeQuery {
  const values = parametersOf(href);
  const id = values.get("clientId");
  const wantsHistory = values.get("loadHistory") === "true";
  const limit = values.get("limit") ?? "";
  return {
    clientId: id === undefined || !isClientId(id) ? undefined : ownCopy(id),
    wantsAcks: values.get("ack") === "1",
    takesChunks: values.get("chunks") === "1",
    isRaw: values.get("raw") === "1",
    hasIdentity: values.get("v") === "2",
    resume: shorterThan(values.get("resume"), resumeLengthMax),
    token: values.get("token") ?? "",
    history: !wantsHistory ? undefined : {
      lastMessageId: (values.get("lastMessageId") ?? "").slice(0, messageIdBytesMax + 1),
      limit: /^\d{1,9}$/.test(limit) ? Number(limit) : NaN,
    },
  };
}

/**
 * Whether an id may be a client's: 1–256 bytes of UTF-8 without control characters (C0, DEL, C1),
 * line and paragraph separators, half surrogate pairs, and marks that turn the direction of a line:
 * logs and terminals show ids.
 */
export function isClientId(id: string): boolean {
  return id !== "" && id.length <= clientIdBytesMax && !unprintable.test(id) &&
    new TextEncoder().encode(id).length <= clientIdBytesMax;
}

const unprintable =
  // deno-lint-ignore no-control-regex -- they are what must not get in
  /[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ufffe\uffff]|\p{Cs}/u;

/** The known parameters; a value that cannot be read is left out. */
function parametersOf(href: string): Map<string, string> {
  const values = new Map<string, string>();
  const hash = href.indexOf("#");
  const end = hash < 0 ? href.length : hash;
  let at = href.indexOf("?") + 1;
  if (at === 0) return values;
  while (at < end) {
    let next = href.indexOf("&", at);
    if (next < 0 || next > end) next = end;
    const equals = href.indexOf("=", at);
    const nameEnd = equals < 0 || equals > next ? next : equals;
    const name = decode(href.slice(at, nameEnd));
    if (name !== undefined && known.has(name)) {
      const value = decode(href.slice(Math.min(nameEnd + 1, next), next));
      if (value === undefined) values.delete(name);
      else values.set(name, value);
    }
    at = next + 1;
  }
  return values;
}

const known: ReadonlySet<string> = new Set([
  "clientId",
  "ack",
  "chunks",
  "raw",
  "v",
  "resume",
  "token",
  "loadHistory",
  "lastMessageId",
  "limit",
]);

function decode(text: string): string | undefined {
  const spaced = text.includes("+") ? text.replaceAll("+", " ") : text;
  if (!spaced.includes("%")) return spaced;
  try {
    return decodeURIComponent(spaced);
  } catch {
    // Escapes that are none, or not UTF-8: the one thing that this throws for.
    return undefined;
  }
}

/** The same text with characters of its own: a piece of a URL would keep all of it in memory for as
 * long as the client stays. */
function ownCopy(text: string): string {
  return new TextDecoder("utf-8", { ignoreBOM: true }).decode(new TextEncoder().encode(text));
}

function shorterThan(value: string | undefined, lengthMax: number): string {
  return value === undefined || value.length > lengthMax ? "" : value;
}

function endOfPath(href: string, start: number): number {
  for (let i = start; i < href.length; i++) {
    if (href[i] === "?" || href[i] === "#") return i;
  }
  return href.length;
}
