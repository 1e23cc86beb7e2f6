import type { CryptoPort } from "../ports/crypto.ts";
import { encodeUtf8 } from "../wire/utf8.ts";
import { base64, type UpstreamAddress } from "./upstream_url.ts";

/** Status line and headers of an upstream's answer, at most: what common servers allow as well. */
export const responseHeadBytesMax = 16_384;

/** RFC 6455 §1.3. */
const ACCEPT_GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

/** `Sec-WebSocket-Key` of a connection, from 16 random bytes. */
export function handshakeKey(random: Uint8Array): string {
  return base64(random);
}

/** The `Sec-WebSocket-Accept` that belongs to a key (RFC 6455 §4.2.2). */
export function acceptOf(key: string, crypto: Pick<CryptoPort, "sha1">): string {
  return base64(crypto.sha1(encodeUtf8(key + ACCEPT_GUID)));
}

/** A client's opening handshake (RFC 6455 §4.1). */
export function handshakeRequest(address: UpstreamAddress, key: string): Uint8Array {
  const lines = [
    `GET ${address.target} HTTP/1.1`,
    `Host: ${address.hostHeader}`,
    "Upgrade: websocket",
    "Connection: Upgrade",
    `Sec-WebSocket-Key: ${key}`,
    "Sec-WebSocket-Version: 13",
  ];
  if (address.authorization !== undefined) lines.push(`Authorization: ${address.authorization}`);
  return encodeUtf8(lines.join("\r\n") + "\r\n\r\n");
}

/** Position behind the empty line that ends a head, searched from `from` on; -1 when it is not there. */
export function headEnd(bytes: Uint8Array, from: number): number {
  for (let at = Math.max(from, 3); at < bytes.length; at++) {
    const ends = bytes[at] === 10 && bytes[at - 1] === 13 && bytes[at - 2] === 10 &&
      bytes[at - 3] === 13;
    if (ends) return at + 1;
  }
  return -1;
}

/**
 * Why an answer to the handshake is none that opens a WebSocket (RFC 6455 §4.1), in a few words for
 * the log; undefined when it is. `accept` is the one that belongs to the key. Redirections are not
 * followed: an upstream is named by its own URL.
 */
export function judgeHandshake(head: string, accept: string): string | undefined {
  const [statusLine = "", ...lines] = head.split("\r\n");
  const status = statusOf(statusLine);
  if (status === undefined) return "its answer is not HTTP/1.1";
  if (status >= 300 && status < 400) {
    return `it redirects (status ${status}), which is not followed`;
  }
  if (status !== 101) return `it answered with status ${status}`;
  const headers = readHeaders(lines);
  if (headers === undefined) return "its answer has a malformed header";
  if (headers.get("upgrade")?.toLowerCase() !== "websocket") {
    return "it did not upgrade to websocket";
  }
  const connection = headers.get("connection")?.toLowerCase().split(",") ?? [];
  if (!connection.some((option) => option.trim() === "upgrade")) return "it did not say upgrade";
  if (headers.get("sec-websocket-accept") !== accept) {
    return "its Sec-WebSocket-Accept does not fit the key";
  }
  for (const name of ["sec-websocket-extensions", "sec-websocket-protocol"]) {
    if ((headers.get(name) ?? "") !== "") return `it chose a ${name} that was not offered`;
  }
  return undefined;
}

function statusOf(line: string): number | undefined {
  if (!line.startsWith("HTTP/1.1 ")) return undefined;
  const text = line.slice(9, 12);
  const isAlone = line.length === 12 || line[12] === " ";
  const status = Number(text);
  return isAlone && Number.isInteger(status) && status >= 100 ? status : undefined;
}

/** Names in lower case; a repeated header is one list (RFC 9110 §5.3). */
function readHeaders(lines: readonly string[]): Map<string, string> | undefined {
  const headers = new Map<string, string>();
  for (const line of lines) {
    if (line === "") continue;
    const colon = line.indexOf(":");
    const name = line.slice(0, Math.max(colon, 0)).toLowerCase();
    if (name === "" || name.trim() !== name) return undefined;
    const value = line.slice(colon + 1).trim();
    const before = headers.get(name);
    headers.set(name, before === undefined ? value : `${before}, ${value}`);
  }
  return headers;
}
