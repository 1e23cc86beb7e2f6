import { parseAddress } from "../../base/address.ts";

/** An address as the original server stores it: IPv4 mapped (`::ffff:1.2.3.4`), others as given. */
export function storedAddress(ip: string): string {
  const bytes = ipv4Of(ip);
  return bytes === undefined ? ip : `::ffff:${bytes.join(".")}`;
}

/** One key for all spellings of an address: mapped IPv4 and plain, IPv6 with and without `::`. */
export function addressKey(ip: string): string {
  const bytes = ipv4Of(ip) ?? parseAddress(ip);
  return bytes === undefined ? ip : bytes.join(".");
}

/** Whether a text is an address at all. */
export function isAddress(text: string): boolean {
  return parseAddress(text) !== undefined;
}

function ipv4Of(ip: string): Uint8Array | undefined {
  const bytes = parseAddress(ip);
  if (bytes === undefined || bytes.length === 4) return bytes;
  const isMapped = bytes.subarray(0, 10).every((byte) => byte === 0) && bytes[10] === 0xff &&
    bytes[11] === 0xff;
  return isMapped ? bytes.subarray(12) : undefined;
}
