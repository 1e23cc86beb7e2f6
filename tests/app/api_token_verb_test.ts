import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { describe, it } from "node:test";
import { ApiGuard } from "../../src/app/api_guard.ts";
import { runCli } from "../../src/app/cli.ts";
import type { Runtime } from "../../src/ports/runtime.ts";
import { fakeProcess } from "../fakes/process.ts";
import { runtimeUnderTest } from "../tested_runtime.ts";

const own = "a-token-of-mine-with-enough-letters";

describe("freekill-gw api-token", () => {
  it("prints a new token and an entry by which the API takes it", async () => {
    const first = await run(["--name", "ops.2", "--scope", "write"]);
    assert.deepEqual([first.code, first.stderr], [0, ""]);
    const [, token = "", entry = ""] = /^token ([0-9a-f]{64})\nentry (\S+)\n$/.exec(first.stdout) ??
      [];
    assert.equal(entry, `ops.2:write:${sha256(token)}`);
    const { crypto, clock } = await runtimeUnderTest();
    const config = { tokens: [entry], requestsPerSecond: 1, burstSize: 10 };
    const found = new ApiGuard(config, { crypto, clock }).tokenOf(`Bearer ${token}`);
    assert.deepEqual([found.name, found.mayWrite], ["ops.2", true]);
    assert.notEqual((await run([])).stdout, (await run([])).stdout);
  });

  it("prints JSON, and by default may only read", async () => {
    const { stdout } = await run(["--json"]);
    const { token, entry } = JSON.parse(stdout) as { token: string; entry: string };
    assert.equal(entry, `ops:read:${sha256(token)}`);
  });

  it("hashes the first line of standard input, and does not print it", async () => {
    for (const input of [own, `${own}\n`, `${own}\nmore\n`]) {
      const { code, stdout } = await run(["--stdin", "--name", "ci"], input);
      assert.deepEqual([code, stdout], [0, `entry ci:read:${sha256(own)}\n`]);
    }
    assert.deepEqual(JSON.parse((await run(["--stdin", "--json"], own)).stdout), {
      entry: `ops:read:${sha256(own)}`,
    });
  });

  for (
    const [what, input] of [
      ["none", ""],
      ["a short one", "x".repeat(31)],
      ["a long one", "x".repeat(1_025)],
      ["one with a space", `${own} x`],
      ["one of other characters", `${own}é`],
    ] as const
  ) {
    it(`refuses ${what} without showing it`, async () => {
      const { code, stdout, stderr } = await run(["--stdin"], input);
      assert.deepEqual([code, stdout], [2, ""]);
      assert.match(stderr, /^The first line .* must be a token of 32–1,024 printable .*\n$/);
      assert.doesNotMatch(stderr, /xxx|mine/);
    });
  }

  it("takes no token as an argument, and no name that cannot stand in an entry", async () => {
    assert.equal((await run([own])).code, 2);
    for (const name of ["a:b", "a b", "", "x".repeat(65)]) {
      const { code, stderr } = await run([`--name=${name}`]);
      assert.deepEqual([code, /^--name must be 1–64 letters/.test(stderr)], [2, true], name);
    }
  });
});

async function run(args: readonly string[], input = "") {
  const { crypto, random } = await runtimeUnderTest();
  const process = fakeProcess({ args: ["api-token", ...args], input });
  // The verb needs no more of a runtime; whatever else it touched would fail the test.
  const code = await runCli({ crypto, random, process } as unknown as Runtime);
  return { code, stdout: process.stdout, stderr: process.stderr };
}

function sha256(text: string): string {
  return createHash("sha256").update(text).digest("hex");
}
