/** Bytes of a command line, its `\n` counted, and of a datagram (host protocol, "Framing"). */
export const commandBytesMax = 2_048;
/** Bytes of a reply line, its `\n` counted. */
export const replyBytesMax = 65_536;

/**
 * Cuts a stream into command lines: give it bytes with `push`, take lines with `next` until there
 * is none, then call `keep`. It may be left with lines not taken yet; they come at the next `next`.
 */
export class LineFramer {
  #bytes: Uint8Array = nothing;
  #at = 0;
  /** How far the search for the next `\n` has come: no byte is looked at twice. */
  #searched = 0;
  #discarding = false;
  #tooLargeStart = "";

  /** How the line of the last `too_large` begins (at most 64 bytes, as Latin-1). */
  get tooLargeStart(): string {
    return this.#tooLargeStart;
  }

  /** Bytes held that were not taken as lines yet. */
  get heldBytes(): number {
    return this.#bytes.length - this.#at;
  }

  /** `bytes` are not copied until `keep` is called. */
  push(bytes: Uint8Array): void {
    const held = this.heldBytes;
    if (held === 0) {
      this.#bytes = bytes;
      this.#searched = 0;
    } else {
      const joined = new Uint8Array(held + bytes.length);
      joined.set(this.#bytes.subarray(this.#at));
      joined.set(bytes, held);
      this.#searched -= this.#at;
      this.#bytes = joined;
    }
    this.#at = 0;
  }

  /**
   * The next line without its `\n` and one `\r` before it, or the command itself where the line is
   * one without argument (that spares a view and a text for each of the most frequent lines);
   * `too_large` once for each line over `commandBytesMax`, as soon as that is certain; undefined
   * when more bytes are needed.
   */
  next(): HostCommand | Uint8Array | "too_large" | undefined {
    for (;;) {
      const end = this.#bytes.indexOf(newline, this.#searched);
      if (end < 0) {
        this.#searched = this.#bytes.length;
        if (this.#discarding) {
          this.#at = this.#bytes.length;
          return undefined;
        }
        if (this.heldBytes < commandBytesMax) return undefined;
        this.#discarding = true;
        this.#tooLargeStart = startOf(this.#bytes.subarray(this.#at));
        this.#at = this.#bytes.length;
        return "too_large";
      }
      const start = this.#at;
      this.#at = end + 1;
      this.#searched = end + 1;
      if (this.#discarding) {
        this.#discarding = false;
        continue;
      }
      if (end + 1 - start > commandBytesMax) {
        this.#tooLargeStart = startOf(this.#bytes.subarray(start));
        return "too_large";
      }
      const stop = end > start && this.#bytes[end - 1] === carriageReturn ? end - 1 : end;
      return plainCommand(this.#bytes, start, stop) ?? this.#bytes.subarray(start, stop);
    }
  }

  /** Copies what is left, since the pushed array is the caller's again. */
  keep(): void {
    if (this.#at === this.#bytes.length) {
      this.#bytes = nothing;
      this.#searched = 0;
    } else {
      this.#searched -= this.#at;
      this.#bytes = this.#bytes.slice(this.#at);
    }
    this.#at = 0;
  }
}

/** Whether a first line is the request line of HTTP (RFC 9112 §3): a browser sent here by a page. */
export function isHttpRequestLine(line: string): boolean {
  return /^[A-Z]{1,20} [^ ]+ HTTP\/\d/.test(line);
}

/** The same for the start of a line that is too long to be seen whole. */
export function beginsLikeHttpRequest(start: string): boolean {
  return /^[A-Z]{1,20} (\/|\*|https?:)/.test(start);
}

/** Every verb of the host protocol; those that end in `:` take an argument. */
export const hostVerbs = [
  "M1_CONN_PING",
  "M1_UDP_PING",
  "M3_REGISTER_FUNC:",
  "M3_LUA_HELLO",
  "M3_LUA_HELLO_ASYNC",
  "M3_HOT_RELOAD",
  "M4_SAVE_STATE:",
  "M4_LOAD_STATE",
  "M4_DELETE_STATE",
  "M4_DB_HEALTH",
  "M4_ROUTE_THREAD:",
  "M5_FLOW_ROOM",
  "M6_STABILITY",
  "__METRICS__",
  "__STOP__",
  "AUTH:",
] as const;
export type HostVerb = typeof hostVerbs[number];

export interface HostCommand {
  readonly verb: HostVerb;
  /** What follows the colon; "" for verbs without an argument. */
  readonly argument: string;
}

/** Parses a line or datagram without its line end; undefined for what is no command, or not UTF-8. */
export function parseHostCommand(bytes: Uint8Array): HostCommand | undefined {
  const plain = plainCommand(bytes, 0, bytes.length);
  if (plain !== undefined) return plain;
  const text = decodeUtf8(bytes);
  const colon = text?.indexOf(":") ?? -1;
  if (text === undefined || colon < 0) return undefined;
  const verb = text.slice(0, colon + 1);
  return isArgumentVerb(verb) ? { verb, argument: text.slice(colon + 1) } : undefined;
}

/** What each reply of the host protocol begins with, so that a server never answers another one. */
const replyPrefixes = [
  "ERR_",
  "M1_CONN_PONG",
  "M1_UDP_PONG",
  "M3_REGISTER_OK:",
  "M3_REGISTER_FAIL:",
  "M3_LUA_ACK:",
  "M3_LUA_ASYNC_ACK:",
  "M3_LUA_FAIL:",
  "M3_HOT_RELOAD_OK",
  "M3_HOT_RELOAD_FAIL:",
  "M4_SAVE_OK:",
  "M4_LOAD_OK:",
  "M4_DELETE_OK",
  "M4_DB_HEALTHY",
  "M4_DB_ALERT",
  "M4_ROUTE_OK:",
  "M5_FLOW_OK",
  "M5_FLOW_FAIL",
  "M6_OK",
  "AUTH_OK",
  "__STOP_OK__",
];

/** Whether a datagram is itself a reply of such a server; answering it could go on for ever. */
export function isHostReply(bytes: Uint8Array): boolean {
  const start = startOf(bytes);
  return replyPrefixes.some((prefix) => start.startsWith(prefix));
}

const newline = 0x0a;
const carriageReturn = 0x0d;
const nothing = new Uint8Array(0);

/** Commands without argument by the number of their bytes. */
const plainCommands = plainCommandsByLength();
const argumentVerbs: ReadonlySet<string> = new Set(hostVerbs.filter((verb) => verb.endsWith(":")));

function isArgumentVerb(verb: string): verb is HostVerb {
  return argumentVerbs.has(verb);
}

function plainCommandsByLength(): readonly (readonly {
  bytes: Uint8Array;
  command: HostCommand;
}[])[] {
  const byLength: { bytes: Uint8Array; command: HostCommand }[][] = [];
  for (const verb of hostVerbs) {
    if (verb.endsWith(":")) continue;
    const known = byLength[verb.length] ??= [];
    known.push({ bytes: new TextEncoder().encode(verb), command: { verb, argument: "" } });
  }
  return byLength;
}

function plainCommand(bytes: Uint8Array, start: number, stop: number): HostCommand | undefined {
  const known = plainCommands[stop - start];
  if (known === undefined) return undefined;
  for (const { bytes: wanted, command } of known) {
    let i = wanted.length - 1;
    // Verbs of one length differ near their ends.
    while (i >= 0 && bytes[start + i] === wanted[i]) i--;
    if (i < 0) return command;
  }
  return undefined;
}

const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

function decodeUtf8(bytes: Uint8Array): string | undefined {
  try {
    return utf8.decode(bytes);
  } catch {
    // The decoder's way of saying that this is not UTF-8.
    return undefined;
  }
}

function startOf(bytes: Uint8Array): string {
  let text = "";
  for (const byte of bytes.subarray(0, 64)) text += String.fromCharCode(byte);
  return text;
}
