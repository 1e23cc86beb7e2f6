import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import { root, runProgram, withDirectory } from "./run_program.ts";

/** How a program for each of these begins: magic number, and the processor where it stands. */
const formats: readonly { target: string; fits: (bytes: Buffer) => boolean }[] = [
  { target: "linux-arm64", fits: (bytes) => isElf(bytes) && bytes.readUInt16LE(18) === 0xb7 },
  { target: "windows-x64", fits: (bytes) => peMachine(bytes) === 0x8664 },
  { target: "darwin-arm64", fits: (bytes) => bytes.readUInt32LE(0) === 0xfeedfacf },
];

const bytesMax = 120_000_000;

describe("./build dist", () => {
  for (const { target, fits } of formats) {
    it(`makes a program for ${target} and its checksum`, async (context) => {
      const fetched = readdirSync(join(root, ".tools")).some((name) =>
        name.startsWith(`bun-${target}-`) && existsSync(join(root, ".tools", name, "complete"))
      );
      if (!fetched) return context.skip(`./build --target ${target} has not fetched its Bun yet`);
      await withDirectory(async (out) => {
        const command = [join(root, "build"), "--target", target, "--out", out];
        const { exitCode, stderr } = await runProgram(command, { cwd: root });
        assert.equal(exitCode, 0, stderr);
        const name = readdirSync(out).find((name) => name.includes(target)) ?? "";
        const bytes = readFileSync(join(out, name));
        assert.ok(fits(bytes), `${name} is a program for ${target}`);
        assert.ok(bytes.length <= bytesMax, `${bytes.length} bytes`);
        const sum = createHash("sha256").update(bytes).digest("hex");
        assert.equal(readFileSync(join(out, "SHA256SUMS"), "utf8"), `${sum}  ${name}\n`);
      });
    });
  }

  for (
    const { flags, says } of [
      { flags: ["dist", "amiga"], says: /cannot build for 'amiga' \(allowed: linux-x64, / },
      { flags: ["--target"], says: /--target needs a value/ },
      { flags: ["dist", "--fast"], says: /unknown flag '--fast' of dist/ },
    ]
  ) {
    it(`refuses ${flags.join(" ")}`, async () => {
      const { exitCode, stderr } = await runProgram([join(root, "build"), ...flags], { cwd: root });
      assert.equal(exitCode, 2);
      assert.match(stderr, says);
    });
  }
});

function isElf(bytes: Buffer): boolean {
  return bytes.toString("latin1", 0, 4) === "\x7fELF";
}

/** Of a PE32+ file; undefined for any other. */
function peMachine(bytes: Buffer): number | undefined {
  const at = bytes.readUInt32LE(0x3c);
  return bytes.toString("latin1", at, at + 4) === "PE\0\0" ? bytes.readUInt16LE(at + 4) : undefined;
}
