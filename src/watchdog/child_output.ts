/** A line longer than this is passed on in parts. */
export const lineCharactersMax = 65_536;

/** Enough of a child's last words to name the cause of its end. */
export const lastLineCharactersMax = 500;

export interface ReadyLine {
  readonly host: string;
  readonly tcpPort: number;
  readonly udpPort: number;
}

/** Reads the line that `serve` prints when it listens (host protocol, "Configuration"). */
export function parseReadyLine(line: string): ReadyLine | undefined {
  const found = /^runtime_host_server_ready host=(\S+) tcp_port=(\d{1,5}) udp_port=(\d{1,5}) /
    .exec(line);
  if (found === null) return undefined;
  const [, host = "", tcpPort, udpPort] = found;
  return { host, tcpPort: Number(tcpPort), udpPort: Number(udpPort) };
}

/** One output stream of a child: bytes in, whole lines out, the secret replaced wherever it shows. */
export class ChildOutput {
  readonly #secret: string;
  readonly #lines: (text: string) => void;
  readonly #decoder = new TextDecoder();
  #rest = "";
  #lastLine = "";

  /** `lines` gets one or more whole lines at a time, each with its newline. */
  constructor(what: { secret: string; lines(text: string): void }) {
    this.#secret = what.secret;
    this.#lines = (text) => what.lines(text);
  }

  /**
   * The last line that may tell why the child ended, at most `lastLineCharactersMax` of it: plain
   * text, or the message of a log record of level warn or worse. "" when there was none.
   */
  get lastLine(): string {
    return this.#lastLine;
  }

  push(bytes: Uint8Array): void {
    const text = this.#rest + this.#decoder.decode(bytes, { stream: true });
    const end = text.lastIndexOf("\n") + 1;
    this.#rest = text.slice(end);
    if (end > 0) this.#emit(text.slice(0, end));
    if (this.#rest.length > lineCharactersMax) this.#cutLine();
  }

  /** The child has ended: what is left is a line too. */
  end(): void {
    this.#rest += this.#decoder.decode();
    this.#flush();
  }

  /** The end stays: the secret may have begun there. */
  #cutLine(): void {
    const text = this.#hide(this.#rest);
    const end = text.length - this.#secret.length;
    this.#rest = text.slice(end);
    this.#emit(`${text.slice(0, end)}\n`);
  }

  #hide(text: string): string {
    return text.replaceAll(this.#secret, "[hidden]");
  }

  #flush(): void {
    const text = this.#rest;
    this.#rest = "";
    if (text !== "") this.#emit(`${text}\n`);
  }

  #emit(text: string): void {
    const shown = this.#hide(text);
    const telling = shown.split("\n").findLast((line) => line.trim() !== "" && !isCalm(line));
    if (telling !== undefined) this.#lastLine = messageOf(telling).slice(0, lastLineCharactersMax);
    this.#lines(shown);
  }
}

/** Log records begin with their level. */
function isCalm(line: string): boolean {
  return line.startsWith('{"level":"info"') || line.startsWith('{"level":"debug"');
}

function messageOf(line: string): string {
  try {
    const record: unknown = JSON.parse(line);
    if (typeof record === "object" && record !== null && "message" in record) {
      return String(record.message);
    }
  } catch {
    // Plain text is a message as it is.
  }
  return line.trim();
}
