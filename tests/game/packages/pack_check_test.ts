import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { deflateSync } from "node:zlib";
import { nodeGitIo } from "../../../src/adapters/node/git_io.ts";
import { checkPack } from "../../../src/game/packages/pack_check.ts";
import { PackageError } from "../../../src/game/packages/package_error.ts";
import { packageLimits } from "../../../src/game/packages/package_limits.ts";

const io = nodeGitIo();

interface PackObject {
  readonly kind: number;
  /** What its header says, by default the truth. */
  readonly says?: number;
  readonly bytes: Uint8Array;
  /** Between header and stream, of a delta. */
  readonly base?: readonly number[];
}

/** By the rules of gitformat-pack(5), with 20 zeros for its hash, which nobody looks at here. */
function packOf(objects: readonly PackObject[], count = objects.length): Uint8Array {
  const header = [0x50, 0x41, 0x43, 0x4b, 0, 0, 0, 2];
  const bytes = [...header, count >>> 24, (count >> 16) & 255, (count >> 8) & 255, count & 255];
  for (const { kind, says, bytes: content, base = [] } of objects) {
    let size = says ?? content.length;
    let byte = (kind << 4) | (size % 16);
    size = Math.floor(size / 16);
    while (size > 0) {
      bytes.push(byte | 128);
      byte = size % 128;
      size = Math.floor(size / 128);
    }
    bytes.push(byte, ...base, ...deflateSync(content));
  }
  return Uint8Array.from([...bytes, ...new Uint8Array(20)]);
}

function varint(value: number): number[] {
  const bytes: number[] = [];
  for (; value > 127; value = Math.floor(value / 128)) bytes.push((value % 128) | 128);
  return [...bytes, value];
}

const text = new TextEncoder().encode("some text ".repeat(100));

function refused(pack: Uint8Array, reason: RegExp): void {
  assert.throws(
    () => checkPack(io, pack),
    (error) => error instanceof PackageError && reason.test(error.message),
  );
}

describe("checkPack()", () => {
  const delta = Uint8Array.from([...varint(1_000), ...varint(5_000), 0x80]);
  const good = packOf([
    { kind: 1, bytes: text },
    { kind: 3, bytes: new Uint8Array() },
    { kind: 6, bytes: delta, base: [0x81, 0x01] },
    { kind: 7, bytes: delta, base: Array.from({ length: 20 }, () => 7) },
  ]);

  it("takes whole objects and deltas", () => {
    checkPack(io, good);
    checkPack(io, packOf([]));
  });

  it("refuses a pack that is cut anywhere, or has more after it", () => {
    for (let length = 0; length < good.length; length++) refused(good.slice(0, length), /./);
    refused(Uint8Array.from([...good, 0]), /damaged/);
  });

  it("answers a pack with any byte changed, and never with another error", () => {
    for (let at = 0; at < good.length - 20; at++) {
      const changed = good.slice();
      changed[at]! ^= 0x55;
      try {
        checkPack(io, changed);
      } catch (error) {
        assert.ok(error instanceof PackageError, `byte ${at}: ${error}`);
      }
    }
  });

  it("refuses an object that is longer than it says, and holds no more of it than that", () => {
    const bomb = { kind: 3, bytes: new Uint8Array(50_000_000), says: 100 };
    refused(packOf([bomb]), /damaged/);
    refused(packOf([{ kind: 3, bytes: text, says: text.length + 1 }]), /damaged/);
  });

  it("refuses what says to be too big, before it is inflated", () => {
    const { fileBytesMax, packObjectsMax } = packageLimits;
    refused(packOf([{ kind: 3, bytes: text, says: fileBytesMax + 1 }]), /too big: .* an object/);
    refused(packOf([{ kind: 3, bytes: text }], packObjectsMax + 1), /too big: .* objects, allowed/);
    const big = Uint8Array.from([...varint(1_000), ...varint(fileBytesMax + 1), 0x80]);
    refused(packOf([{ kind: 6, bytes: big, base: [1] }]), /too big: .* an object/);
    const half = Uint8Array.from([...varint(1_000), ...varint(fileBytesMax), 0x80]);
    const many = Array.from({ length: 40 }, () => ({ kind: 6, bytes: half, base: [1] }));
    refused(packOf(many), /too big: .* together/);
  });
});
