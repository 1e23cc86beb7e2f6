import { notifyWith, type SendToUnix, socketNumbers } from "../node/service_manager.ts";

/** sd_notify(3) through bun:ffi, which is loaded at the first message and not before. */
export function bunNotify(): (message: string) => void {
  let send: SendToUnix | undefined;
  return (message) => notifyWith(() => send ??= loadSend(), message);
}

function loadSend(): SendToUnix {
  const { dlopen } = require("bun:ffi") as typeof import("bun:ffi");
  const { symbols } = dlopen("libc.so.6", {
    socket: { args: ["i32", "i32", "i32"], returns: "i32" },
    sendto: { args: ["i32", "ptr", "u64", "i32", "ptr", "u32"], returns: "i64" },
    close: { args: ["i32"], returns: "i32" },
  });
  const { AF_UNIX, SOCK_DGRAM_CLOEXEC, MSG_DONTWAIT_NOSIGNAL } = socketNumbers;
  return (address, message) => {
    const fd = symbols.socket(AF_UNIX, SOCK_DGRAM_CLOEXEC, 0);
    if (fd < 0) return false;
    const { length } = message;
    const sent = symbols.sendto(
      fd,
      message,
      length,
      MSG_DONTWAIT_NOSIGNAL,
      address,
      address.length,
    );
    symbols.close(fd);
    return Number(sent) === length;
  };
}
