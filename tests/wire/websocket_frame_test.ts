import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import {
  closePayload,
  FrameBatch,
  frameOpcode,
  readUint64,
  writeUint64,
} from "../../src/wire/websocket_frame.ts";

/** Masks that a test can foresee: RFC 6455 §5.7 uses 37 fa 21 3d. */
const rfcMask = (count: number) =>
  Uint8Array.from({ length: count }, (_, i) => [0x37, 0xfa, 0x21, 0x3d][i & 3]!);

let seed = 1;
const anyMask = (count: number) =>
  Uint8Array.from({ length: count }, () => (seed = seed * 48_271 % 0x7fffffff) >> 8);

function add(batch: FrameBatch, opcode: number, payload: Uint8Array): void {
  const at = batch.begin(opcode, payload.length);
  batch.array.set(payload, at);
  batch.finish(at + payload.length);
}

/** Reads masked frames the plain way. */
function readFrames(bytes: Uint8Array): { opcode: number; mask: string; payload: number[] }[] {
  const frames = [];
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  for (let at = 0; at < bytes.length;) {
    assert.equal(view.getUint8(at) & 0xf0, 0x80, "final, no reserved bits");
    const opcode = view.getUint8(at) & 15;
    assert.ok(view.getUint8(at + 1) > 127, "masked");
    let length = view.getUint8(at + 1) & 127;
    at += 2;
    if (length === 126) {
      length = view.getUint16(at);
      assert.ok(length > 125, "in its shortest form");
      at += 2;
    } else if (length === 127) {
      length = Number(view.getBigUint64(at));
      assert.ok(length > 65_535, "in its shortest form");
      at += 8;
    }
    const mask = bytes.subarray(at, at + 4);
    at += 4;
    const payload = [...bytes.subarray(at, at + length)].map((byte, i) => byte ^ mask[i & 3]!);
    frames.push({ opcode, mask: mask.join(), payload });
    at += length;
  }
  return frames;
}

describe("FrameBatch", () => {
  it("finish() masks the example of RFC 6455 §5.7", () => {
    const batch = new FrameBatch(rfcMask);
    add(batch, frameOpcode.text, new TextEncoder().encode("Hello"));
    const expected = [0x81, 0x85, 0x37, 0xfa, 0x21, 0x3d, 0x7f, 0x9f, 0x4d, 0x51, 0x58];
    assert.deepEqual([...batch.frames], expected);
  });

  it("finish() masks payloads of every length at every place, in each form of length", () => {
    const batch = new FrameBatch(anyMask);
    const payloads: number[][] = [];
    for (const length of [...Array(140).keys(), 65_535, 65_536, 70_001, 3, 2, 1, 0]) {
      const payload = Uint8Array.from({ length }, (_, i) => i * 7 + length);
      add(batch, frameOpcode.text, payload);
      payloads.push([...payload]);
    }
    const frames = readFrames(batch.frames);
    assert.deepEqual(frames.map((frame) => frame.payload), payloads);
  });

  it("FrameBatch keeps any frames in order, over many batches", () => {
    const batch = new FrameBatch(anyMask);
    const frame = fc.record({
      opcode: fc.constantFrom(...Object.values(frameOpcode)),
      payload: fc.uint8Array({ maxLength: 200 }),
    });
    fc.assert(fc.property(fc.array(frame), (frames) => {
      batch.clear();
      for (const { opcode, payload } of frames) add(batch, opcode, payload);
      const expected = frames.map(({ opcode, payload }) => ({ opcode, payload: [...payload] }));
      const read = readFrames(batch.frames).map(({ opcode, payload }) => ({ opcode, payload }));
      assert.deepEqual(read, expected);
    }));
  });

  it("FrameBatch takes a new mask for each frame", () => {
    const batch = new FrameBatch((count) => crypto.getRandomValues(new Uint8Array(count)));
    for (let i = 0; i < 5_000; i++) batch.control(frameOpcode.ping, new Uint8Array(3));
    const masks = new Set(readFrames(batch.frames).map((frame) => frame.mask));
    assert.ok(masks.size > 4_990, `${masks.size} masks for 5,000 frames`);
  });

  it("finish() throws when less or more was written than announced", () => {
    for (const wrong of [-1, 1]) {
      const batch = new FrameBatch(rfcMask);
      const at = batch.begin(frameOpcode.text, 5);
      assert.throws(() => batch.finish(at + 5 + wrong), /4 bytes of a frame of 5|6 bytes/);
    }
  });

  it("clear() gives the memory of a large message back", () => {
    const batch = new FrameBatch(rfcMask);
    add(batch, frameOpcode.binary, new Uint8Array(5 << 20));
    assert.ok(batch.array.length > 5 << 20);
    batch.clear();
    assert.equal(batch.length, 0);
    assert.ok(batch.array.length <= 1 << 20);
    add(batch, frameOpcode.text, new Uint8Array(3));
    assert.equal(readFrames(batch.frames).length, 1);
  });
});

describe("control payloads", () => {
  it("closePayload() is the code and the reason, cut to what a control frame may have", () => {
    assert.deepEqual([...closePayload(1001, "bye")], [0x03, 0xe9, 0x62, 0x79, 0x65]);
    assert.equal(closePayload(1000, "x".repeat(500)).length, 125);
  });

  it("readUint64() reads what writeUint64() writes, in network byte order", () => {
    fc.assert(fc.property(fc.maxSafeNat(), (value) => {
      const bytes = new Uint8Array(8);
      writeUint64(bytes, 0, value);
      assert.equal(readUint64(bytes, 0), value);
      assert.equal(new DataView(bytes.buffer).getBigUint64(0), BigInt(value));
    }));
  });
});
