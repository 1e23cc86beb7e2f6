import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { base64Length, writeBase64 } from "../../src/wire/base64.ts";
import {
  chunkBytesMax,
  type ChunkFrame,
  chunkHash,
  chunkHeadBytes,
  encodeEnd,
  encodeStart,
  parseChunkFrame,
  writeChunkHead,
} from "../../src/wire/gateway_chunk.ts";
import { chunkFrame, hashOf, jsonFrame } from "../gateway_tools/chunks.ts";

const totalSizeMax = 50 * chunkBytesMax;

describe("chunkHash()", () => {
  it("goes over code points, modulo 2^32, and collides where the field's does", () => {
    assert.equal(chunkHash("Aa"), chunkHash("BB"));
    assert.equal(chunkHash(""), 0);
    assert.equal(chunkHash("\u{1f600}"), 0x1f600);
    fc.assert(fc.property(fc.string({ unit: "binary" }), (id) => chunkHash(id) === hashOf(id)));
  });
});

describe("parseChunkFrame()", () => {
  it("reads what is encoded, for any id, sizes and data", () => {
    const frames = fc.tuple(
      fc.string({ maxLength: 80 }),
      fc.nat(0xffffffff),
      fc.uint8Array({ maxLength: 300 }),
      fc.integer({ min: 1, max: totalSizeMax }),
    );
    fc.assert(fc.property(frames, ([messageId, index, data, totalSize]) => {
      const hash = chunkHash(messageId);
      const bytes = new Uint8Array(chunkHeadBytes + data.length);
      bytes.set(data, writeChunkHead(bytes, 0, { index, hash, length: data.length }));
      assert.deepEqual(bytes, chunkFrame(index, hash, data));
      const chunk = parse(bytes);
      assert.deepEqual(chunk, { kind: "chunk", index, hash, data });
      const end = { messageId, checksum: "ab" };
      assert.deepEqual(parse(encodeEnd(JSON.stringify(end))), { kind: "end", ...end });
      const numbers = { totalSize, chunkCount: Math.ceil(totalSize / chunkBytesMax) };
      const start = parse(encodeStart(JSON.stringify({ messageId, ...numbers })));
      assert.ok(start?.kind === "start");
      const { totalSize: size, chunkCount, hash: itsHash } = start.start;
      assert.deepEqual({ totalSize: size, chunkCount }, numbers);
      assert.equal(itsHash, hash);
      assert.equal(start.start.members, `"messageId":${JSON.stringify(messageId)}`);
    }));
  });

  it("never throws, and takes nothing for a chunk frame that begins otherwise", () => {
    fc.assert(fc.property(fc.uint8Array({ maxLength: 60 }), (bytes) => {
      const frame = parse(bytes);
      if (frame !== undefined) assert.ok(bytes[0] === 1 || bytes[0] === 2 || bytes[0] === 3);
    }));
  });

  for (
    const [what, bytes] of [
      ["nothing", new Uint8Array(0)],
      ["a start without JSON", Uint8Array.of(1)],
      ["a start that is no object", jsonFrame(1, [])],
      ["a start without an id", jsonFrame(1, { totalSize: 1, chunkCount: 1 })],
      ["a start with a number for an id", jsonFrame(1, { messageId: 7, totalSize: 1 })],
      ["a start that is not UTF-8", Uint8Array.of(1, 0x7b, 0xff, 0x7d)],
      ["a start of more than 16 KiB", jsonFrame(1, { messageId: "x", more: "x".repeat(16_384) })],
      ["half a head of a chunk", Uint8Array.of(2, 0, 0, 0, 0, 0, 0)],
      [
        "a chunk longer than its length",
        new Uint8Array([...chunkFrame(0, 1, Uint8Array.of(1)), 2]),
      ],
      ["a chunk shorter than its length", chunkFrame(0, 1, Uint8Array.of(1, 2)).subarray(0, 14)],
      ["an end without an id", jsonFrame(3, { checksum: "" })],
      ["an end with a number for a checksum", jsonFrame(3, { messageId: "x", checksum: 1 })],
      ["an end deep in lists", jsonFrame(3, "[".repeat(8_000))],
      ["another first byte", Uint8Array.of(4, 0x7b, 0x7d)],
    ] as const
  ) {
    it(`leaves ${what} to be a message of its own`, () => assert.equal(parse(bytes), undefined));
  }

  for (
    const [members, fault] of [
      [{ totalSize: -1, chunkCount: 1 }, "totalSize must be a whole number"],
      [{ totalSize: 1.5, chunkCount: 1 }, "totalSize must be a whole number"],
      [{ totalSize: "1", chunkCount: 1 }, "totalSize must be a whole number"],
      [{ chunkCount: 1 }, "totalSize must be a whole number"],
      [{ totalSize: 2 ** 53, chunkCount: 1 }, "totalSize must be a whole number"],
      [{ totalSize: totalSizeMax + 1, chunkCount: 51 }, "totalSize must be at most 52428800"],
      [{ totalSize: 1 }, "chunkCount must be a whole number"],
      [{ totalSize: 1, chunkCount: null }, "chunkCount must be a whole number"],
      [{ totalSize: 1, chunkCount: -1 }, "chunkCount must be a whole number"],
      [{ totalSize: 1, chunkCount: 0 }, "chunkCount must be 1–1 for a totalSize of 1"],
      [{ totalSize: 5, chunkCount: 6 }, "chunkCount must be 1–5 for a totalSize of 5"],
      [
        { totalSize: 2 * chunkBytesMax + 1, chunkCount: 2 },
        "chunkCount must be 3–2097153 for a totalSize of 2097153",
      ],
      [{ totalSize: 1, chunkCount: 1, checksum: 7 }, "checksum must be a text"],
      [{ totalSize: 1, chunkCount: 1, priority: 10 }, "priority must be a whole number, 0–9"],
    ] as const
  ) {
    it(`refuses a start with ${JSON.stringify(members)}`, () => {
      const frame = parse(jsonFrame(1, { messageId: "m", ...members }));
      assert.deepEqual(frame, { kind: "bad_start", messageId: "m", fault });
    });
  }

  it("refuses a start with a member twice, however it is written", () => {
    const twice = parse(
      jsonFrame(1, '{"messageId":"m","totalSize":1,"total\\u0053ize":2,"chunkCount":1}'),
    );
    assert.deepEqual(twice, { kind: "bad_start", messageId: "m", fault: "totalSize comes twice" });
  });

  it("keeps a client's own members, and none that the gateway sets", () => {
    const json = '{"clientId":"x","messageId":"m","totalSize":1,"chunkCount":1,"ROUTE":1,"a":1.0,' +
      '"contentType":"t","data":"d","type":0,"ack":true,"priority":3}';
    const frame = parse(jsonFrame(1, json));
    assert.ok(frame?.kind === "start");
    const { members, type, ack, priority, clientId } = frame.start;
    assert.equal(members, '"messageId":"m","a":1.0,"contentType":"t","ack":true,"priority":3');
    assert.deepEqual([type, ack, priority, clientId], [1, true, 3, ""]);
  });

  it("wants a client of an upstream's start, and keeps all of its members", () => {
    const numbers = '"totalSize":1,"chunkCount":1';
    const frame = parse(
      jsonFrame(1, `{"messageId":"","clientId":"c",${numbers},"b":2}`),
      "upstream",
    );
    assert.ok(frame?.kind === "start");
    assert.equal(frame.start.clientId, "c");
    assert.equal(frame.start.type, 1);
    assert.equal(frame.start.members, '"messageId":"","clientId":"c","b":2');
    const text = parse(
      jsonFrame(1, `{"messageId":"","clientId":"c",${numbers},"type":0}`),
      "upstream",
    );
    assert.ok(text?.kind === "start" && text.start.type === 0);
    for (const members of [numbers, `"clientId":"c","type":2,${numbers}`]) {
      const bad = parse(jsonFrame(1, `{"messageId":"m",${members}}`), "upstream");
      assert.equal(bad?.kind, "bad_start");
    }
  });
});

describe("writeBase64()", () => {
  it("writes what the runtime's encoder does", () => {
    fc.assert(fc.property(fc.uint8Array({ maxLength: 70 }), fc.nat(70), (bytes, cut) => {
      const from = Math.min(cut, bytes.length);
      const expected = new TextEncoder().encode(bytes.subarray(from).toBase64());
      const into = new Uint8Array(base64Length(bytes.length - from));
      assert.equal(writeBase64(bytes, { from, to: bytes.length }, into, 0), into.length);
      assert.deepEqual(into, expected);
    }));
  });
});

function parse(
  bytes: Uint8Array,
  from: "client" | "upstream" = "client",
): ChunkFrame | undefined {
  return parseChunkFrame(bytes, { from, totalSizeMax });
}
