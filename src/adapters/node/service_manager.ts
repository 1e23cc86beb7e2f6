import process from "node:process";

const AF_UNIX = 1;
/** `sun_path` of sockaddr_un(7), for Linux. */
const SOCKET_NAME_BYTES_MAX = 108;

/** Numbers of Linux for socket(2) and send(2). */
export const socketNumbers = {
  AF_UNIX,
  SOCK_DGRAM_CLOEXEC: 2 | 0o2000000,
  MSG_DONTWAIT_NOSIGNAL: 0x40 | 0x4000,
} as const;

/** Sends one datagram from a unix socket; false when that failed. */
export type SendToUnix = (address: Uint8Array, message: Uint8Array) => boolean;

/**
 * Tells the service manager something, as sd_notify(3) does: one datagram to the socket that
 * NOTIFY_SOCKET names. Without that variable nothing happens. When `loadSend` cannot do it, the
 * program `systemd-notify` is tried; a failure of that is nobody's business but the operator's,
 * whose unit then times out.
 */
export function notifyWith(loadSend: () => SendToUnix, message: string): void {
  const name = process.env["NOTIFY_SOCKET"];
  if (name === undefined || name === "") return;
  const address = process.platform === "linux" ? unixAddress(name) : undefined;
  if (address !== undefined) {
    try {
      if (loadSend()(address, new TextEncoder().encode(message))) return;
    } catch {
      // The runtime could not load the C library: the program below does without.
    }
  }
  void askSystemdNotify(message);
}

/** Loaded only here: most runs never need it. */
async function askSystemdNotify(message: string): Promise<void> {
  const { spawn } = await import("node:child_process");
  const child = spawn("systemd-notify", message.split("\n").filter((line) => line !== ""), {
    stdio: "ignore",
  });
  // Not installed: there is nobody left to tell.
  child.on("error", () => {});
  child.once("spawn", () => child.unref());
}

/**
 * A sockaddr_un(7) for Linux: a path, or after `@` an abstract name (which is not ended by a NUL).
 * undefined for what is neither, such as `vsock:…`, or too long.
 */
export function unixAddress(name: string): Uint8Array | undefined {
  const isAbstract = name.startsWith("@");
  if (!isAbstract && !name.startsWith("/")) return undefined;
  const encoded = new TextEncoder().encode(isAbstract ? `\0${name.slice(1)}` : `${name}\0`);
  if (encoded.length > SOCKET_NAME_BYTES_MAX) return undefined;
  const address = new Uint8Array(2 + encoded.length);
  new Uint16Array(address.buffer, 0, 1)[0] = AF_UNIX;
  address.set(encoded, 2);
  return address;
}
