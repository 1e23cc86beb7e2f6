import { encodeUtf8 } from "../wire/utf8.ts";

/** Where an upstream's WebSocket is, and how to ask for it. */
export interface UpstreamAddress {
  /** A name or an address, IPv6 without brackets. */
  readonly host: string;
  readonly port: number;
  readonly isSecure: boolean;
  /** `Host` of the request: the port is left out where it is the scheme's own. */
  readonly hostHeader: string;
  /** Path and query. */
  readonly target: string;
  /** `Authorization` of the request, from user and password in the URL. */
  readonly authorization: string | undefined;
  /** For logs: without user, password and query, which may be secret. */
  readonly shown: string;
}

/**
 * Reads an upstream's URL: `ws:` or `wss:`, with ports 80 and 443 by default. User and password become
 * HTTP Basic authentication (RFC 7617). Returns in a few words what is wrong with it otherwise.
 */
export function parseUpstreamUrl(text: string): UpstreamAddress | { readonly fault: string } {
  const url = parseUrl(text);
  if (url === undefined) return { fault: "is not a URL" };
  if (url.protocol !== "ws:" && url.protocol !== "wss:") {
    return { fault: `has the scheme ${url.protocol}, allowed are ws: and wss:` };
  }
  if (url.hostname === "") return { fault: "names no host" };
  if (url.hash !== "") {
    return { fault: "has a fragment, which a WebSocket's URL may not (RFC 6455)" };
  }
  if (url.port === "0") return { fault: "has port 0, allowed are 1–65535" };
  const isSecure = url.protocol === "wss:";
  const authorization = authorizationOf(url);
  if (authorization === null) {
    return { fault: "has a user or password that is no percent-encoding" };
  }
  return {
    host: url.hostname.startsWith("[") ? url.hostname.slice(1, -1) : url.hostname,
    port: url.port === "" ? (isSecure ? 443 : 80) : Number(url.port),
    isSecure,
    hostHeader: url.host,
    target: url.pathname + url.search,
    authorization,
    shown: `${url.protocol}//${url.host}${url.pathname}`,
  };
}

function parseUrl(text: string): URL | undefined {
  try {
    return new URL(text);
  } catch {
    // Its message would repeat the URL, which may hold a password.
    return undefined;
  }
}

/** undefined without a user, null when it cannot be read. */
function authorizationOf(url: URL): string | undefined | null {
  if (url.username === "" && url.password === "") return undefined;
  try {
    const pair = `${decodeURIComponent(url.username)}:${decodeURIComponent(url.password)}`;
    return `Basic ${base64(encodeUtf8(pair))}`;
  } catch {
    // The only way that decodeURIComponent has to refuse; the caller gets a value.
    return null;
  }
}

/** RFC 4648 §4. */
export function base64(bytes: Uint8Array): string {
  let text = "";
  for (const byte of bytes) text += String.fromCharCode(byte);
  return btoa(text);
}
