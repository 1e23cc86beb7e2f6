import assert from "node:assert/strict";
import { it } from "node:test";
import { unixAddress } from "../../src/adapters/node/service_manager.ts";

it("unixAddress() is a sockaddr_un: family, then a path with NUL or an abstract name without", () => {
  const family = [...new Uint8Array(Uint16Array.of(1).buffer)];
  const text = (value: string) => [...new TextEncoder().encode(value)];
  assert.deepEqual([...unixAddress("/run/n")!], [...family, ...text("/run/n"), 0]);
  assert.deepEqual([...unixAddress("@name")!], [...family, 0, ...text("name")]);
  assert.equal(unixAddress(`/${"x".repeat(106)}`)!.length, 2 + 108);
  assert.equal(unixAddress(`/${"x".repeat(107)}`), undefined);
  for (const other of ["", "vsock:2:3", "relative"]) assert.equal(unixAddress(other), undefined);
});
