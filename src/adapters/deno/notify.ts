import { notifyWith, type SendToUnix, socketNumbers } from "../node/service_manager.ts";

/** sd_notify(3) through Deno's foreign functions (`--allow-ffi`), loaded at the first message. */
export function denoNotify(): (message: string) => void {
  let send: SendToUnix | undefined;
  return (message) => notifyWith(() => send ??= loadSend(), message);
}

function loadSend(): SendToUnix {
  const { symbols } = Deno.dlopen("libc.so.6", {
    socket: { parameters: ["i32", "i32", "i32"], result: "i32" },
    sendto: { parameters: ["i32", "buffer", "usize", "i32", "buffer", "u32"], result: "isize" },
    close: { parameters: ["i32"], result: "i32" },
  });
  const { AF_UNIX, SOCK_DGRAM_CLOEXEC, MSG_DONTWAIT_NOSIGNAL } = socketNumbers;
  return (address, message) => {
    const fd = symbols.socket(AF_UNIX, SOCK_DGRAM_CLOEXEC, 0);
    if (fd < 0) return false;
    const sent = symbols.sendto(
      fd,
      Uint8Array.from(message),
      BigInt(message.length),
      MSG_DONTWAIT_NOSIGNAL,
      Uint8Array.from(address),
      address.length,
    );
    symbols.close(fd);
    return Number(sent) === message.length;
  };
}
