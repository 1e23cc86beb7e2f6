import { type AddressBlock, isInBlock, parseAddress, plainAddress } from "../base/address.ts";
import type { AddressOf } from "./gateway_types.ts";

/** Proxies that a request may have come through; of a longer list nothing is believed. */
const proxiesMax = 32;

/**
 * Finds the address of a client: the socket's, or, where that is a trusted proxy's, the last entry
 * of `X-Forwarded-For` that is none (the first when all are). An entry on the way there that is no
 * address means the socket's. `Forwarded` and `X-Real-IP` are not looked at.
 */
export function clientAddress(trustedProxies: readonly AddressBlock[]): AddressOf {
  if (trustedProxies.length === 0) return (peer) => peer.remoteHost;
  const isTrusted = (host: string) => trustedProxies.some((block) => isInBlock(host, block));
  return (peer, headers) => {
    const forwarded = headers.get("x-forwarded-for");
    if (forwarded === null || !isTrusted(peer.remoteHost)) return peer.remoteHost;
    let end = forwarded.length;
    for (let i = 0; i < proxiesMax; i++) {
      const comma = forwarded.lastIndexOf(",", end - 1);
      const entry = forwarded.slice(comma + 1, end).trim();
      // A zone is of use only on the machine that wrote it.
      if (entry.includes("%") || parseAddress(entry) === undefined) return peer.remoteHost;
      if (comma < 0 || !isTrusted(entry)) return plainAddress(entry);
      end = comma;
    }
    return peer.remoteHost;
  };
}

/** What a limit for an address counts under: an IPv4 address, or the /64 of an IPv6 address. */
export function limitKey(address: string): string {
  const plain = plainAddress(address);
  if (!plain.includes(":")) return plain;
  const bytes = parseAddress(plain);
  if (bytes === undefined) return plain;
  if (isMapped(bytes)) return bytes.subarray(12).join(".");
  let key = "";
  for (let i = 0; i < 8; i += 2) {
    key += `${(((bytes[i] as number) << 8) | (bytes[i + 1] as number)).toString(16)}:`;
  }
  return `${key}:/64`;
}

/** `::ffff:0:0/96`, in whatever spelling. */
function isMapped(bytes: Uint8Array): boolean {
  for (let i = 0; i < 10; i++) if (bytes[i] !== 0) return false;
  return bytes[10] === 0xff && bytes[11] === 0xff;
}
