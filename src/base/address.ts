/** `::ffff:1.2.3.4` (an IPv4 peer on a dual-stack socket) as `1.2.3.4`; all others unchanged. */
export function plainAddress(host: string): string {
  return host.startsWith("::ffff:") && host.includes(".") ? host.slice(7) : host;
}

/** Whether an address is this machine itself: 127.0.0.0/8 or ::1, mapped or not. */
export function isLoopback(host: string): boolean {
  if (host === "::1") return true;
  const plain = plainAddress(host);
  // Names of hosts come here too, and 127.0.0.1.example.org is anywhere.
  return plain.startsWith("127.") && /^127(\.\d{1,3}){3}$/.test(plain);
}

/** Whether it is an IPv4 or IPv6 address, and no name. */
export function isIpAddress(host: string): boolean {
  return parseAddress(host) !== undefined;
}

/** `host:port`, with brackets around IPv6. */
export function showAddress(host: string, port: number): string {
  return host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`;
}

/** Where to reach a server that listens on `host`: one that listens on all, over loopback. */
export function reachableAddress(host: string): string {
  const plain = plainAddress(host);
  if (plain === "0.0.0.0" || plain === "") return "127.0.0.1";
  return /^[0:]+$/.test(plain) && plain.includes(":") ? "::1" : plain;
}

/** A block of addresses: one address, or `10.0.0.0/8`, `2001:db8::/32`. */
export interface AddressBlock {
  readonly bytes: Uint8Array;
  readonly prefixBits: number;
}

/** Reads an address or a CIDR block (RFC 4632, RFC 4291 §2.3); undefined when it is neither. */
export function parseAddressBlock(text: string): AddressBlock | undefined {
  const slash = text.indexOf("/");
  const bytes = parseAddress(slash < 0 ? text : text.slice(0, slash));
  if (bytes === undefined) return undefined;
  const widest = bytes.length * 8;
  if (slash < 0) return { bytes, prefixBits: widest };
  const bits = text.slice(slash + 1);
  if (!/^\d{1,3}$/.test(bits) || Number(bits) > widest) return undefined;
  return { bytes, prefixBits: Number(bits) };
}

/** Whether an address lies in a block; never across families, mapped IPv4 counts as IPv4. */
export function isInBlock(host: string, block: AddressBlock): boolean {
  const bytes = parseAddress(host);
  if (bytes === undefined || bytes.length !== block.bytes.length) return false;
  for (let bit = 0; bit < block.prefixBits; bit += 8) {
    const mask = block.prefixBits - bit >= 8 ? 0xff : 0xff << (8 - (block.prefixBits - bit)) & 0xff;
    const i = bit / 8;
    if (((bytes[i] as number) ^ (block.bytes[i] as number)) & mask) return false;
  }
  return true;
}

/** 4 or 16 bytes of an address in its usual spelling; undefined when it is none. */
export function parseAddress(text: string): Uint8Array | undefined {
  const host = plainAddress(text);
  return host.includes(":") ? parseIpv6(host) : parseIpv4(host);
}

function parseIpv4(text: string): Uint8Array | undefined {
  const parts = text.split(".");
  if (parts.length !== 4) return undefined;
  if (!parts.every((part) => /^(0|[1-9]\d{0,2})$/.test(part) && Number(part) <= 255)) {
    return undefined;
  }
  return Uint8Array.from(parts, Number);
}

function parseIpv6(text: string): Uint8Array | undefined {
  const zone = text.indexOf("%");
  const halves = (zone < 0 ? text : text.slice(0, zone)).split("::");
  if (halves.length > 2) return undefined;
  const groups = halves.map((half) => half === "" ? [] : half.split(":").flatMap(groupBytes));
  const head = groups[0] ?? [];
  const tail = groups[1] ?? [];
  const gap = 16 - head.length - tail.length;
  if (halves.length === 1 ? gap !== 0 : gap < 2) return undefined;
  const bytes = [...head, ...new Array<number>(gap).fill(0), ...tail];
  return bytes.every((byte) => byte >= 0) ? Uint8Array.from(bytes) : undefined;
}

/** Two bytes of a group of hex digits, four of a dotted tail; [-1, -1] when it is neither. */
function groupBytes(group: string): number[] {
  if (group.includes(".")) return [...(parseIpv4(group) ?? [-1, -1])];
  if (!/^[0-9a-fA-F]{1,4}$/.test(group)) return [-1, -1];
  const value = parseInt(group, 16);
  return [value >> 8, value & 0xff];
}
