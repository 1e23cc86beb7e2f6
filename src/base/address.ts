/** `::ffff:1.2.3.4` (an IPv4 peer on a dual-stack socket) as `1.2.3.4`; all others unchanged. */
export function plainAddress(host: string): string {
  return host.startsWith("::ffff:") && host.includes(".") ? host.slice(7) : host;
}

/** Whether an address is this machine itself: 127.0.0.0/8 or ::1, mapped or not. */
export function isLoopback(host: string): boolean {
  return host === "::1" || plainAddress(host).startsWith("127.");
}

/** `host:port`, with brackets around IPv6. */
export function showAddress(host: string, port: number): string {
  return host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`;
}
