import { decodeUtf8Lossy, encodeUtf8, equalsAscii } from "./utf8.ts";

/** What a datagram asks for when a client looks for servers (game server, "Discovery"). */
export type DiscoveryRequest =
  | { readonly kind: "detect" }
  /** `rest`: what came after the comma, to be sent back. */
  | { readonly kind: "detail"; readonly rest: string };

/** What a server tells of itself. */
export interface ServerDetail {
  readonly iconUrl: string;
  readonly description: string;
  readonly capacity: number;
  readonly online: number;
}

/** The clients that are let in, as this server announces them. */
export const supportedVersions = "0.5.19+";

const detectRequest = "fkDetectServer";
const detailPrefix = "fkGetDetail,";

/** Reads a datagram; undefined when it is no discovery. */
export function parseDiscovery(datagram: Uint8Array): DiscoveryRequest | undefined {
  if (equalsAscii(datagram, detectRequest)) return { kind: "detect" };
  if (!equalsAscii(datagram.subarray(0, detailPrefix.length), detailPrefix)) return undefined;
  return { kind: "detail", rest: decodeUtf8Lossy(datagram.subarray(detailPrefix.length)) };
}

/** The datagram that answers: `me`, or `["0.5.19+", icon, description, capacity, online, rest]`. */
export function encodeDiscoveryReply(request: DiscoveryRequest, detail: ServerDetail): Uint8Array {
  if (request.kind === "detect") return encodeUtf8("me");
  const { iconUrl, description, capacity, online } = detail;
  return encodeUtf8(
    JSON.stringify([supportedVersions, iconUrl, description, capacity, online, request.rest]),
  );
}
