import { reasonOf } from "../check/probe_failure.ts";
import type { Clock } from "../ports/clock.ts";
import type { TcpPort } from "../ports/tcp.ts";

/** A request leaves at once; a peer that does not take it is given up. */
const limits = { outboundBytesMax: 1_048_576, lingerMs: 1_000 } as const;

/** Where to ask and what to send. */
export interface HttpExchange {
  readonly host: string;
  readonly port: number;
  /** For all of it. */
  readonly timeoutMs: number;
  /** Head and body, with `Connection: close`. */
  readonly request: Uint8Array;
  readonly replyBytesMax: number;
}

/** The reply to one request. */
export interface HttpReply {
  readonly status: number;
  readonly body: Uint8Array;
}

/**
 * One HTTP/1.1 request over a connection of its own, and never by way of a proxy, as `fetch` would
 * where the environment names one. A text in place of a reply says in a few words why there is
 * none. Never rejects for the peer's faults.
 */
export async function exchangeHttp(
  ports: { readonly tcp: TcpPort; readonly clock: Clock },
  exchange: HttpExchange,
): Promise<HttpReply | string> {
  const { host, port, timeoutMs, request, replyBytesMax } = exchange;
  const { promise, resolve } = Promise.withResolvers<HttpReply | string>();
  const chunks: Uint8Array[] = [];
  let bytesCame = 0;
  let bytesWanted = 0;
  const cancel = ports.clock.after(timeoutMs, () => resolve(`nothing within ${timeoutMs} ms`));
  try {
    const connection = await ports.tcp.connect<undefined>({
      host,
      port,
      timeoutMs,
      limits,
      handlers: {
        open(opened) {
          opened.data = undefined;
          opened.write(request);
        },
        data(_connection, bytes) {
          chunks.push(bytes.slice());
          bytesCame += bytes.length;
          if (bytesCame > replyBytesMax) {
            resolve(`its reply has more than ${replyBytesMax} bytes`);
          } else if (bytesCame >= bytesWanted) {
            const looked = lookAt(joined(chunks));
            if (typeof looked === "object") resolve(looked);
            else bytesWanted = looked;
          }
        },
        end: () => resolve("the connection was closed"),
        drain() {},
        close: () => resolve("the connection was closed"),
      },
    });
    const reply = await promise;
    connection.destroy();
    return reply;
  } catch (error) {
    const code = error instanceof Error && "code" in error ? String(error.code) : "";
    return code === "" ? reasonOf(error) : `cannot connect (${code})`;
  } finally {
    cancel();
  }
}

/** The reply once it is whole; until then how many bytes there must be to look again. RFC 9112. */
function lookAt(bytes: Uint8Array): HttpReply | number {
  const again = bytes.length + 1;
  const headEnd = indexOf(bytes, headEnding, 0);
  if (headEnd < 0) return again;
  const head = new TextDecoder().decode(bytes.subarray(0, headEnd + 2));
  const bodyStart = headEnd + headEnding.length;
  const status = Number(/^HTTP\/1\.\d (\d{3})/.exec(head)?.[1] ?? "0");
  if (/^transfer-encoding:\s*chunked\s*$/im.test(head)) {
    const body = dechunked(bytes, bodyStart);
    return typeof body === "number" ? body : { status, body };
  }
  const length = Number(/^content-length:\s*(\d{1,12})\s*$/im.exec(head)?.[1] ?? "0");
  const end = bodyStart + length;
  return bytes.length < end ? end : { status, body: bytes.subarray(bodyStart, end) };
}

/** RFC 9112 §7.1, without trailers; a size that is none ends the body. */
function dechunked(bytes: Uint8Array, start: number): Uint8Array | number {
  const chunks: Uint8Array[] = [];
  for (let at = start;;) {
    const lineEnd = indexOf(bytes, newline, at);
    if (lineEnd < 0) return bytes.length + 1;
    const line = new TextDecoder().decode(bytes.subarray(at, lineEnd));
    const size = parseInt(/^[0-9a-f]{1,8}/i.exec(line)?.[0] ?? "0", 16);
    if (size === 0) return joined(chunks);
    const chunkStart = lineEnd + newline.length;
    at = chunkStart + size + newline.length;
    if (bytes.length < at) return at;
    chunks.push(bytes.subarray(chunkStart, chunkStart + size));
  }
}

const newline = new TextEncoder().encode("\r\n");
const headEnding = new TextEncoder().encode("\r\n\r\n");

function indexOf(bytes: Uint8Array, wanted: Uint8Array, from: number): number {
  for (let at = bytes.indexOf(wanted[0]!, from); at >= 0; at = bytes.indexOf(wanted[0]!, at + 1)) {
    if (wanted.every((byte, offset) => bytes[at + offset] === byte)) return at;
  }
  return -1;
}

function joined(pieces: readonly Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(pieces.reduce((sum, piece) => sum + piece.length, 0));
  let at = 0;
  for (const piece of pieces) {
    whole.set(piece, at);
    at += piece.length;
  }
  return whole;
}
