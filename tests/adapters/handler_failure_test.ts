import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { describe, it } from "node:test";
import { runtimeCommand } from "./helper_program.ts";

describe("reportHandlerFailure()", () => {
  it("writes one line a failure to stderr, without a stack or control characters", () => {
    const [command, ...given] = runtimeCommand("./handler_failure_main.ts");
    const { stdout, stderr, status } = spawnSync(command, given, { encoding: "utf8" });
    assert.deepEqual({ stdout, status }, { stdout: "", status: 0 });
    assert.equal(
      stderr,
      "A handler failed: first   second [31m\nA handler failed: no error\n",
    );
  });
});
