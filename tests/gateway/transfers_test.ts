import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { MemoryAccount } from "../../src/gateway/memory_account.ts";
import { BinaryBody, MessageText } from "../../src/gateway/transfer_sinks.ts";
import {
  isTransferFault,
  type TransferFault,
  transferLimits,
  Transfers,
} from "../../src/gateway/transfers.ts";
import { chunkHash, type TransferStart } from "../../src/wire/gateway_chunk.ts";
import { fakeClock } from "../fakes/clock.ts";
import { sha256Hex, someBytes } from "../gateway_tools/chunks.ts";
import { runtimeUnderTest } from "../tested_runtime.ts";

const { crypto } = await runtimeUnderTest();

describe("Transfers", () => {
  it("gives the data whole for every order of chunks and any repetitions", () => {
    const cases = fc.record({
      lengths: fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 1, maxLength: 12 }),
      order: fc.array(fc.nat(), { maxLength: 40 }),
      seed: fc.integer({ min: 1, max: 1_000 }),
    });
    fc.assert(fc.property(cases, ({ lengths, order, seed }) => {
      const { transfers, memory } = stage();
      const total = lengths.reduce((sum, length) => sum + length, 0);
      const data = someBytes(total, seed);
      const start = startOf("m", { totalSize: total, chunkCount: lengths.length });
      assert.equal(transfers.start("a", start), undefined);
      const all = [...order.map((number) => number % lengths.length), ...lengths.keys()];
      for (const index of all) {
        const from = lengths.slice(0, index).reduce((sum, length) => sum + length, 0);
        const part = data.slice(from, from + (lengths[index] ?? 0));
        assert.equal(transfers.chunk("a", chunkOf("m", index, part)), undefined);
      }
      const whole = end(transfers, "a", "m", sha256Hex(data));
      assert.ok(!isTransferFault(whole));
      const { memory: bytes, from } = whole.sink.finish();
      const text = new TextDecoder().decode(bytes.subarray(from));
      const expected = `"type":1,"data":"${Buffer.from(data).toString("base64")}","messageId":"m"`;
      assert.equal(text, expected);
      assert.equal(memory.bytes("transfers"), 0);
    }));
  });

  it("counts what is announced, at once, until it is over in whatever way", () => {
    const { transfers, memory } = stage();
    transfers.start("a", startOf("m", { totalSize: 5_000, chunkCount: 1 }));
    transfers.start("b", startOf("m", { totalSize: 10, chunkCount: 1 }));
    assert.equal(memory.bytes("transfers"), 5_000 + transferLimits.accountedBytesMin);
    transfers.drop("a");
    assert.equal(memory.bytes("transfers"), transferLimits.accountedBytesMin);
    end(transfers, "b", "m", "");
    assert.equal(memory.bytes("transfers"), 0);
    assert.equal(transfers.size, 0);
  });

  it("refuses what does not fit into the memory, with memory_pressure", () => {
    const { transfers, memory } = stage();
    memory.add("queues", memory.limitBytes - 6_000);
    const fault = transfers.start("a", startOf("m", { totalSize: 50_000, chunkCount: 1 }));
    assert.equal(fault?.code, "memory_pressure");
    assert.equal(
      transfers.start("a", startOf("m", { totalSize: 5_000, chunkCount: 1 })),
      undefined,
    );
  });

  it("leaves what is above the watermark to small messages, whatever is announced", () => {
    const { transfers, memory } = stage({ highWatermark: 0.8 });
    const size = memory.limitBytes / 16;
    for (let n = 0; n < 40; n++) {
      transfers.start(`owner ${n}`, startOf("m", { totalSize: size, chunkCount: 100 }));
    }
    assert.equal(transfers.size, 12);
    assert.equal(memory.refuses, "nothing");
  });

  it("takes one that is larger than the watermark while there is nothing else", () => {
    const { transfers, memory } = stage({ highWatermark: 0.8 });
    const start = startOf("m", { totalSize: memory.limitBytes - 1, chunkCount: 100 });
    assert.equal(transfers.start("a", start), undefined);
  });

  it("has 8 open for one connection, and refuses the same id and the same hash", () => {
    const { transfers } = stage();
    const open = (owner: string, id: string) =>
      transfers.start(owner, startOf(id, { totalSize: 1, chunkCount: 1 }))?.text;
    assert.equal(open("a", "Aa"), undefined);
    assert.equal(open("a", "BB"), "an open transfer has the same hash");
    assert.equal(open("a", "Aa"), "an open transfer has the same id");
    assert.equal(open("b", "BB"), undefined);
    for (let i = 1; i < 8; i++) assert.equal(open("a", `t${i}`), undefined);
    assert.equal(open("a", "t8"), "8 transfers are open already");
    end(transfers, "a", "Aa", "");
    assert.equal(open("a", "t8"), undefined);
  });

  for (
    const [what, chunks, checksum, fault] of [
      ["a chunk beyond the last", [[2, "x"]], "", "there is no chunk 2 of 2"],
      ["more than was announced", [[0, "abc"], [1, "de"]], "", "more than the 4 bytes came"],
      ["more, before its turn", [[1, "abcde"]], "", "more than the 4 bytes came"],
      ["a missing chunk", [[0, "ab"]], "", "chunk 1 of 2 is missing"],
      ["a missing first chunk", [[1, "ab"]], "", "chunk 0 of 2 is missing"],
      ["fewer bytes", [[0, "a"], [1, "b"]], "", "2 bytes came in place of 4"],
      ["another checksum", [[0, "ab"], [1, "cd"]], "0".repeat(64), "the checksum does not fit"],
      [
        "a checksum in capitals",
        [[0, "ab"], [1, "cd"]],
        sha256Hex(new TextEncoder().encode("abcd")).toUpperCase(),
        "the checksum does not fit",
      ],
    ] as const
  ) {
    it(`ends with bad_transfer for ${what}, and forgets all of it`, () => {
      const { transfers, memory } = stage();
      transfers.start("a", startOf("m", { totalSize: 4, chunkCount: 2 }));
      let found: TransferFault | undefined;
      for (const [index, text] of chunks) {
        found ??= transfers.chunk("a", chunkOf("m", index, new TextEncoder().encode(text)));
      }
      if (found === undefined) {
        const whole = end(transfers, "a", "m", checksum);
        assert.ok(isTransferFault(whole));
        found = whole;
      }
      assert.deepEqual([found.code, found.messageId], ["bad_transfer", "m"]);
      assert.ok(found.text.startsWith(fault), found.text);
      assert.equal(transfers.size + memory.totalBytes, 0);
      assert.equal(
        transfers.chunk("a", chunkOf("m", 0, new Uint8Array(1)))?.code,
        "unknown_transfer",
      );
    });
  }

  it("checks the checksum of the start too", () => {
    const { transfers } = stage();
    const data = new TextEncoder().encode("abcd");
    for (const checksum of [sha256Hex(data), "x"]) {
      transfers.start("a", { ...startOf("m", { totalSize: 4, chunkCount: 1 }), checksum });
      transfers.chunk("a", chunkOf("m", 0, data));
      assert.equal(isTransferFault(end(transfers, "a", "m", "")), checksum === "x");
    }
  });

  it("bounds what comes before its turn by bytes and by number", () => {
    const { transfers } = stage();
    transfers.start("a", startOf("m", { totalSize: 40 << 20, chunkCount: 40 }));
    const mib = new Uint8Array(1 << 20);
    for (let index = 1; index <= 16; index++) {
      assert.equal(transfers.chunk("a", chunkOf("m", index, mib)), undefined);
    }
    assert.equal(
      transfers.chunk("a", chunkOf("m", 17, mib))?.text,
      "too much came before chunk 0",
    );
    transfers.start("a", startOf("n", { totalSize: 4_000, chunkCount: 4_000 }));
    const byte = new Uint8Array(1);
    for (let index = 1; index <= 1_024; index++) {
      assert.equal(transfers.chunk("a", chunkOf("n", index, byte)), undefined);
    }
    assert.equal(transfers.chunk("a", chunkOf("n", 1_025, byte))?.code, "bad_transfer");
  });

  it("refuses a chunk of more than a mebibyte", () => {
    const { transfers } = stage();
    transfers.start("a", startOf("m", { totalSize: 3 << 20, chunkCount: 3 }));
    const fault = transfers.chunk("a", chunkOf("m", 0, new Uint8Array((1 << 20) + 1)));
    assert.equal(fault?.text, "a chunk must have at most 1048576 bytes");
  });

  it("drops what nothing comes for in 10 minutes, and only that", () => {
    const { transfers, clock, idle, memory } = stage();
    transfers.start("a", startOf("old", { totalSize: 9, chunkCount: 9 }));
    transfers.start("a", startOf("busy", { totalSize: 9, chunkCount: 9 }));
    clock.advance(400_000);
    transfers.chunk("a", chunkOf("busy", 0, new Uint8Array(1)));
    clock.advance(200_001);
    transfers.expire();
    assert.deepEqual(idle, ["a: old: nothing came for 10 minutes"]);
    assert.equal(transfers.size, 1);
    clock.advance(400_000);
    transfers.expire();
    assert.equal(transfers.size + memory.totalBytes, 0);
  });

  it("keeps apart what different connections send under one id", () => {
    const { transfers } = stage();
    for (const owner of ["a", "b"]) {
      transfers.start(owner, startOf("m", { totalSize: 1, chunkCount: 1 }));
      transfers.chunk(owner, chunkOf("m", 0, new TextEncoder().encode(owner)));
    }
    const whole = end(transfers, "b", "m", sha256Hex(new TextEncoder().encode("b")));
    assert.ok(!isTransferFault(whole));
    assert.ok(isTransferFault(end(transfers, "a", "m", sha256Hex(new TextEncoder().encode("b")))));
  });
});

describe("MessageText", () => {
  it("is the JSON of what came, with the place of its data", () => {
    const data = '€ "x" \n\u{1f600}';
    for (const type of [0, 1] as const) {
      const bytes = new TextEncoder().encode(data);
      const members = '"clientId":"c","messageId":"m"';
      const sink = new MessageText({
        ...startOf("m", { totalSize: bytes.length, chunkCount: 2 }),
        type,
        members,
      });
      sink.take(bytes.subarray(0, 2));
      sink.take(bytes.subarray(2));
      const made = sink.finish();
      assert.ok(made !== undefined);
      const expected = type === 0 ? data : Buffer.from(bytes).toString("base64");
      const { text, dataFrom, dataTo } = made;
      assert.deepEqual(JSON.parse(text), { type, data: expected, clientId: "c", messageId: "m" });
      assert.equal(JSON.parse(text.slice(dataFrom, dataTo)), expected);
    }
  });

  it("is none for a text that is not UTF-8", () => {
    const sink = new MessageText({ ...startOf("m", { totalSize: 1, chunkCount: 1 }), type: 0 });
    sink.take(Uint8Array.of(0xff));
    assert.equal(sink.finish(), undefined);
  });
});

function stage({ highWatermark = 1 } = {}) {
  const clock = fakeClock();
  const memory = new MemoryAccount({ maxMemoryMB: 100, highWatermark });
  const idle: string[] = [];
  const transfers = new Transfers<string, BinaryBody>({
    clock,
    crypto,
    memory,
    newSink: (start) => new BinaryBody(start),
    idle: (owner, { messageId, text }) => idle.push(`${owner}: ${messageId}: ${text}`),
  });
  return { transfers, clock, memory, idle };
}

function startOf(
  messageId: string,
  numbers: { totalSize: number; chunkCount: number },
): TransferStart {
  return {
    messageId,
    hash: chunkHash(messageId),
    ...numbers,
    checksum: "",
    clientId: "",
    type: 1,
    ack: undefined,
    priority: 0,
    members: `"messageId":${JSON.stringify(messageId)}`,
  };
}

function chunkOf(messageId: string, index: number, data: Uint8Array) {
  return { kind: "chunk", index, hash: chunkHash(messageId), data } as const;
}

function end(
  transfers: Transfers<string, BinaryBody>,
  owner: string,
  messageId: string,
  checksum: string,
) {
  return transfers.end(owner, { messageId, checksum }, chunkHash(messageId));
}
