import assert from "node:assert/strict";
import { it } from "node:test";
import type { Runtime } from "../../src/ports/runtime.ts";

/** What each bundle must be: complete, and the same ports each time it is asked. */
export function runtimeConformance(name: "bun" | "deno", runtime: Runtime): void {
  it(`${name}Runtime() has every port, one of each`, () => {
    assert.equal(runtime.name, name);
    assert.match(runtime.version, /^\d+\.\d+\.\d+/);
    const ports = [
      "tcp",
      "udp",
      "http",
      "webSocketClient",
      "sqlite",
      "workers",
      "files",
      "logFiles",
      "process",
      "clock",
      "random",
      "log",
      "lineShell",
    ] as const;
    for (const port of ports) {
      assert.equal(typeof runtime[port], "object", port);
      assert.equal(runtime[port], runtime[port], port);
    }
    assert.equal(typeof runtime.notifyServiceManager, "function");
    const copy = { ...runtime };
    assert.equal(copy.sqlite, runtime.sqlite);
  });

  it(`${name}Runtime() starts this program by selfCommand`, async () => {
    let stdout = "";
    const child = await runtime.process.spawnSelf({
      args: ["env", "FREEKILL_GW_TEST_B"],
      env: { FREEKILL_GW_TEST_B: "b" },
      stdout: (bytes) => stdout += new TextDecoder().decode(bytes),
    });
    assert.equal((await child.exited).code, 0);
    assert.equal(stdout, '["b"]');
  });
}
