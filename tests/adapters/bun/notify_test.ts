import { dlopen } from "bun:ffi";
import assert from "node:assert/strict";
import { bunNotify } from "../../../src/adapters/bun/notify.ts";
import { socketNumbers } from "../../../src/adapters/node/service_manager.ts";
import { notifyConformance, type Receiver } from "../notify_conformance.ts";

notifyConformance("Bun", bunNotify(), bind);

function bind(address: Uint8Array): Receiver {
  const { symbols: libc } = dlopen("libc.so.6", {
    socket: { args: ["i32", "i32", "i32"], returns: "i32" },
    bind: { args: ["i32", "ptr", "u32"], returns: "i32" },
    recv: { args: ["i32", "ptr", "u64", "i32"], returns: "i64" },
    close: { args: ["i32"], returns: "i32" },
  });
  const fd = libc.socket(socketNumbers.AF_UNIX, socketNumbers.SOCK_DGRAM_CLOEXEC, 0);
  assert.equal(libc.bind(fd, address, address.length), 0);
  return {
    receive() {
      const bytes = new Uint8Array(4_096);
      const { MSG_DONTWAIT_NOSIGNAL } = socketNumbers;
      const length = Number(libc.recv(fd, bytes, bytes.length, MSG_DONTWAIT_NOSIGNAL));
      return length < 0 ? undefined : new TextDecoder().decode(bytes.subarray(0, length));
    },
    close: () => void libc.close(fd),
  };
}
