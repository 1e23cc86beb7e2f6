import type { HttpPeer, UpgradeRequest, WebSocketCompression } from "../ports/http.ts";

/** What both HTTP adapters hold every peer to, whatever their runtime would let pass. */

/** Default for how long a connection that is no WebSocket may go without a byte: long enough for a
 * slow phone, short enough that silent peers cannot use up the file descriptors. */
export const httpIdleSecondsMax = 30;

/** How long a connection may stay before its first request: nobody who means to ask waits longer,
 * and silent peers are the cheapest way to use up the file descriptors. Bun's own fixed time. */
export const httpSilentSecondsMax = 10;

/** Bytes of a close reason: RFC 6455 §5.5 leaves 125 for a control frame, the code takes two. */
const CLOSE_REASON_BYTES_MAX = 123;

/**
 * The absolute URL of a request that may have come without a Host, as HTTP/1.0 allows and probes
 * of load balancers do: it is then taken as one for `localhost`. Not a valid URL when its target or
 * Host are not.
 */
export function absoluteUrl(target: string, host: string | null): string {
  return target.startsWith("/") ? `http://${host ?? "localhost"}${target}` : target;
}

/** The answer to a request that no handler should see; undefined for one that may pass. */
export function refuseRequest(method: string, url: string): Response | undefined {
  // Tunnels and echoes are of no use here, and Fetch has no Request for them.
  if (method === "CONNECT" || method === "TRACE" || method === "TRACK") {
    return new Response("method not allowed\n", { status: 405 });
  }
  return URL.canParse(url) ? undefined : new Response("bad host or path\n", { status: 400 });
}

/** Whether a request asks for RFC 6455; any other upgrade is ignored (RFC 9110 §7.8). */
export function asksForWebSocket(headers: Headers): boolean {
  return headers.get("upgrade")?.toLowerCase() === "websocket" &&
    tokensOf(headers.get("connection")).some((token) => token.toLowerCase() === "upgrade");
}

/** The answer to an upgrade that RFC 6455 §4.2.1 does not allow; undefined when it does. */
export function refuseUpgrade(method: string, headers: Headers): Response | undefined {
  if (method !== "GET") return badUpgrade("a WebSocket starts with GET");
  if (headers.get("sec-websocket-version") !== "13") {
    return new Response("WebSocket version must be 13\n", {
      status: 426,
      headers: { "Sec-WebSocket-Version": "13", Upgrade: "websocket", Connection: "Upgrade" },
    });
  }
  if (!/^[+/0-9A-Za-z]{22}==$/.test(headers.get("sec-websocket-key") ?? "")) {
    return badUpgrade("Sec-WebSocket-Key must be 16 bytes in base64");
  }
  const protocols = headers.get("sec-websocket-protocol");
  if (
    protocols !== null && !tokensOf(protocols).every((name) => /^[!#-'*+.^-z|~\w-]+$/.test(name))
  ) {
    return badUpgrade("Sec-WebSocket-Protocol must be a list of names");
  }
  return undefined;
}

/** The subprotocol to answer with: the owner's, if the peer offered it. */
export function agreedProtocol(headers: Headers, chosen: string | undefined): string | undefined {
  return tokensOf(headers.get("sec-websocket-protocol")).find((name) => name === chosen);
}

/**
 * Checks what an owner closes with: throws RangeError for a code that no close frame may carry
 * (RFC 6455 §7.4), and gives the reason cut to what one can hold.
 */
export function sendableClose(code: number, reason: string): { code: number; reason: string } {
  const allowed = (code >= 1000 && code <= 1014 && code !== 1004 && code !== 1005 &&
    code !== 1006) || (code >= 3000 && code <= 4999);
  if (!allowed) {
    throw new RangeError(
      `Cannot close a WebSocket with code ${code}: allowed are 1000–1003, 1007–1014 and 3000–4999`,
    );
  }
  if (reason.length * 3 <= CLOSE_REASON_BYTES_MAX) return { code, reason };
  const bytes = new Uint8Array(CLOSE_REASON_BYTES_MAX);
  const { read } = new TextEncoder().encodeInto(reason, bytes);
  return { code, reason: reason.slice(0, read) };
}

/** Whether a message is compressed. `length` is in bytes, or in characters of a text. */
export function isWorthIt(length: number, compression: WebSocketCompression): boolean {
  return length >= compression.messageBytesMin && length <= compression.messageBytesMax;
}

/** What the owner of WebSockets is asked; the URL is parsed only if it looks at it. */
export function upgradeRequest(href: string, headers: Headers, peer: HttpPeer): UpgradeRequest {
  let url: URL | undefined;
  return {
    remoteHost: peer.remoteHost,
    remotePort: peer.remotePort,
    href,
    headers,
    get url() {
      return url ??= new URL(href);
    },
  };
}

/** What the peer learns of a handler that threw. */
export function internalError(): Response {
  return new Response("internal error\n", { status: 500 });
}

/** The system's code of an error (`EADDRINUSE`). */
export function codeOf(error: unknown): string {
  return error instanceof Error && "code" in error ? String(error.code) : "EUNKNOWN";
}

/** What was thrown, as an Error. */
export function asError(thrown: unknown): Error {
  return thrown instanceof Error ? thrown : new Error(String(thrown));
}

function badUpgrade(why: string): Response {
  return new Response(`bad WebSocket request: ${why}\n`, { status: 400 });
}

function tokensOf(list: string | null): string[] {
  return list === null ? [] : list.split(",").map((token) => token.trim());
}
