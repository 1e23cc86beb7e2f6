import assert from "node:assert/strict";
import { denoNotify } from "../../../src/adapters/deno/notify.ts";
import { socketNumbers } from "../../../src/adapters/node/service_manager.ts";
import { notifyConformance, type Receiver } from "../notify_conformance.ts";

notifyConformance("Deno", denoNotify(), bind);

function bind(address: Uint8Array): Receiver {
  const { symbols: libc } = Deno.dlopen("libc.so.6", {
    socket: { parameters: ["i32", "i32", "i32"], result: "i32" },
    bind: { parameters: ["i32", "buffer", "u32"], result: "i32" },
    recv: { parameters: ["i32", "buffer", "usize", "i32"], result: "isize" },
    close: { parameters: ["i32"], result: "i32" },
  });
  const fd = libc.socket(socketNumbers.AF_UNIX, socketNumbers.SOCK_DGRAM_CLOEXEC, 0);
  assert.equal(libc.bind(fd, Uint8Array.from(address), address.length), 0);
  return {
    receive() {
      const bytes = new Uint8Array(4_096);
      const { MSG_DONTWAIT_NOSIGNAL } = socketNumbers;
      const length = Number(libc.recv(fd, bytes, BigInt(bytes.length), MSG_DONTWAIT_NOSIGNAL));
      return length < 0 ? undefined : new TextDecoder().decode(bytes.subarray(0, length));
    },
    close: () => void libc.close(fd),
  };
}
