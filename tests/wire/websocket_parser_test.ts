import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { FrameParser } from "../../src/wire/websocket_parser.ts";
import { joined, toHex } from "./hex.ts";

/** A server's frame, with any mistake that a test wants. */
function frame(
  opcode: number,
  payload: Uint8Array | string = "",
  quirks: { fin?: boolean; reserved?: number; masked?: boolean; form?: 0 | 2 | 8 } = {},
): Uint8Array {
  const bytes = typeof payload === "string" ? new TextEncoder().encode(payload) : payload;
  const first = (quirks.fin === false ? 0 : 0x80) | (quirks.reserved ?? 0) << 4 | opcode;
  const form = quirks.form ?? (bytes.length < 126 ? 0 : bytes.length < 65_536 ? 2 : 8);
  const mask = quirks.masked ? 0x80 : 0;
  const head = new Uint8Array(2 + form);
  head[0] = first;
  head[1] = mask | (form === 0 ? bytes.length : form === 2 ? 126 : 127);
  const view = new DataView(head.buffer);
  if (form === 2) view.setUint16(2, bytes.length);
  if (form === 8) view.setBigUint64(2, BigInt(bytes.length));
  return joined(head, ...(mask ? [new Uint8Array(4)] : []), bytes);
}

/** What a parser reports for pieces of a stream; pieces are overwritten after each call. */
function parse(pieces: readonly Uint8Array[], messageBytesMax = 1_000): string[] {
  const seen: string[] = [];
  const parser = new FrameParser({
    messageBytesMax,
    handlers: {
      text: (text) => seen.push(`text ${text}`),
      binary: (bytes) => seen.push(`binary ${toHex(bytes)}`),
      ping: (bytes) => seen.push(`ping ${toHex(bytes)}`),
      pong: (bytes) => seen.push(`pong ${toHex(bytes)}`),
      close: (code, reason) => seen.push(`close ${code} ${reason}`),
    },
  });
  for (const piece of pieces) {
    const copy = piece.slice();
    const fault = parser.push(copy);
    copy.fill(0xee);
    if (fault !== undefined) seen.push(`${fault.closeCode} ${fault.message}`);
  }
  return seen;
}

const bytes = (...values: number[]) => Uint8Array.from(values);

describe("FrameParser", () => {
  it("push() reads the examples of RFC 6455 §5.7", () => {
    assert.deepEqual(parse([bytes(0x81, 5, 0x48, 0x65, 0x6c, 0x6c, 0x6f)]), ["text Hello"]);
    const fragmented = bytes(0x01, 3, 0x48, 0x65, 0x6c, 0x80, 2, 0x6c, 0x6f);
    assert.deepEqual(parse([fragmented]), ["text Hello"]);
    assert.deepEqual(parse([bytes(0x89, 1, 0x48)]), ["ping 48"]);
    assert.deepEqual(parse([bytes(0x8a, 0)]), ["pong "]);
    assert.deepEqual(parse([frame(2, new Uint8Array(256))])[0]?.length, 7 + 256 * 2);
    assert.equal(parse([frame(2, new Uint8Array(65_536))], 65_536).length, 1);
  });

  const stream = joined(
    frame(1, "häl"),
    frame(1, "x".repeat(200)),
    frame(9, "p"),
    frame(1, "zer", { fin: false }),
    frame(9, "between"),
    frame(0, "", { fin: false }),
    frame(10, "again"),
    frame(0, "stückelt €"),
    frame(1, ""),
    frame(2, bytes(0, 255)),
    frame(2, bytes(1), { fin: false }),
    frame(0, bytes()),
    frame(8, joined(bytes(0x03, 0xe8), new TextEncoder().encode("tschüß"))),
    frame(1, "after the close frame"),
  );
  const expected = [
    "text häl",
    `text ${"x".repeat(200)}`,
    "ping 70",
    "ping 6265747765656e",
    "pong 616761696e",
    "text zerstückelt €",
    "text ",
    "binary 00ff",
    "binary 01",
    "close 1000 tschüß",
  ];

  it("push() reports the same wherever the stream is cut once", () => {
    for (let cut = 0; cut <= stream.length; cut++) {
      assert.deepEqual(parse([stream.subarray(0, cut), stream.subarray(cut)]), expected, `${cut}`);
    }
  });

  it("push() reports the same byte by byte, and however the stream is cut", () => {
    assert.deepEqual(parse([...stream].map((byte) => bytes(byte))), expected);
    fc.assert(fc.property(fc.array(fc.nat(stream.length)), (cuts) => {
      const places = [0, ...cuts.sort((a, b) => a - b), stream.length];
      const pieces = places.slice(1).map((to, i) => stream.subarray(places[i], to));
      assert.deepEqual(parse(pieces), expected);
    }));
  });

  it("push() reads lengths of every form, cut at every place of the head", () => {
    for (const length of [0, 1, 125, 126, 127, 65_535, 65_536, 70_000]) {
      const whole = frame(1, "y".repeat(length));
      for (let cut = 0; cut <= 12 && cut <= whole.length; cut++) {
        const seen = parse([whole.subarray(0, cut), whole.subarray(cut)], 70_000);
        assert.deepEqual(seen, [`text ${"y".repeat(length)}`]);
      }
    }
  });

  it("push() refuses each breach of the protocol with its close code, whole or byte by byte", () => {
    const faults: [string, Uint8Array][] = [
      ["1002 a server's frame is masked", frame(1, "hi", { masked: true })],
      ["1002 a reserved bit is set", frame(1, "hi", { reserved: 4 })],
      ["1002 a reserved bit is set", frame(1, "hi", { reserved: 1 })],
      ["1002 an opcode is not known", frame(3)],
      ["1002 an opcode is not known", frame(11)],
      ["1002 a control frame is fragmented", frame(9, "", { fin: false })],
      ["1002 a control frame is over 125 bytes", frame(9, "x".repeat(126))],
      ["1002 a fragment continues no message", frame(0, "x")],
      [
        "1002 a message begins within another one",
        joined(frame(1, "", { fin: false }), frame(1, "x")),
      ],
      ["1002 a length is not in its shortest form", frame(1, "x", { form: 2 })],
      ["1002 a length is not in its shortest form", frame(1, "x".repeat(200), { form: 8 })],
      ["1002 a length has its highest bit set", bytes(0x81, 127, 0x80, 0, 0, 0, 0, 0, 0, 9)],
      ["1007 a text is not UTF-8", frame(1, bytes(0xc3, 0x28))],
      [
        "1007 a text is not UTF-8",
        frame(1, joined(new Uint8Array(100), bytes(0xed, 0xa0, 0x80))),
      ],
      [
        "1007 a text is not UTF-8",
        joined(frame(1, bytes(0xe2, 0x82), { fin: false }), frame(0, "")),
      ],
      ["1002 a close frame has half a code", frame(8, bytes(3))],
      ["1002 a close code is not allowed", frame(8, bytes(0x03, 0xed))],
      ["1002 a close code is not allowed", frame(8, bytes(0x03, 0xe7))],
      ["1002 a close code is not allowed", frame(8, bytes(0x13, 0x88))],
      ["1007 a close reason is not UTF-8", frame(8, bytes(0x03, 0xe8, 0xff))],
    ];
    for (const [fault, input] of faults) {
      const before = frame(1, "good");
      const after = frame(1, "never seen");
      const whole = joined(before, input, after);
      assert.deepEqual(parse([whole]), ["text good", fault]);
      assert.deepEqual(parse([...whole].map((byte) => bytes(byte))), ["text good", fault]);
    }
  });

  it("push() puts a character together that fragments cut", () => {
    const euro = new TextEncoder().encode("€");
    const input = [
      frame(1, euro.subarray(0, 1), { fin: false }),
      frame(0, euro.subarray(1, 2), { fin: false }),
      frame(0, euro.subarray(2)),
    ];
    assert.deepEqual(parse(input), ["text €"]);
  });

  it("push() reads close frames without a code, and with each that may be sent", () => {
    assert.deepEqual(parse([frame(8)]), ["close 1005 "]);
    for (const code of [1000, 1003, 1007, 1014, 3000, 4409, 4999]) {
      assert.deepEqual(parse([frame(8, bytes(code >> 8, code & 255))]), [`close ${code} `]);
    }
  });

  it("push() refuses a message over the limit at its head, before its bytes", () => {
    const tooBig = "1009 a message is over 1000 bytes";
    assert.deepEqual(parse([frame(1, "x".repeat(1_001)).subarray(0, 4)]), [tooBig]);
    assert.deepEqual(parse([bytes(0x82, 127, 0, 0, 0x40, 0, 0, 0, 0, 0)]), [tooBig]);
    assert.deepEqual(parse([bytes(0x82, 127, 0x7f, 255, 255, 255, 255, 255, 255, 255)]), [tooBig]);
    const second = joined(
      frame(1, "x".repeat(600), { fin: false }),
      frame(0, "x".repeat(401)).subarray(0, 4),
    );
    assert.deepEqual(parse([second]), [tooBig]);
    assert.equal(parse([frame(1, "x".repeat(1_000))]).length, 1);
  });

  it("push() holds only what has come, whatever was announced", () => {
    const parsers = Array.from({ length: 2_000 }, () => {
      const handlers = { text() {}, binary() {}, ping() {}, pong() {}, close() {} };
      const parser = new FrameParser({ messageBytesMax: 1 << 30, handlers });
      parser.push(bytes(0x82, 127, 0, 0, 0, 0, 0x3f, 0xff, 0xff, 0xff, 1, 2, 3));
      return parser;
    });
    // 2 TB if they believed it.
    assert.equal(parsers.length, 2_000);
  });

  it("push() takes memory for an announced length once it is counted, and gives it back", () => {
    const noted: number[] = [];
    const texts: string[] = [];
    let isRoom = true;
    const room = {
      reserve: (count: number) => (noted.push(count), isRoom),
      giveBack: (count: number) => void noted.push(-count),
    };
    const parser = (more: object = {}) =>
      new FrameParser({
        messageBytesMax: 1 << 20,
        room,
        handlers: {
          text: (text) => void texts.push(`${text.length} ${noted.join(" ")}`),
          binary: (found) => void texts.push(`${found.length} ${noted.join(" ")}`),
          ping() {},
          pong() {},
          close() {},
          ...more,
        },
      });
    const inPieces = (into: FrameParser, all: Uint8Array) => {
      for (let at = 0; at < all.length; at += 30_000) into.push(all.subarray(at, at + 30_000));
    };
    const large = "x".repeat(100_000);
    inPieces(parser(), frame(1, large));
    assert.deepEqual(texts, ["100000 100000 -100000"]);
    // Of bytes the handler has the memory itself.
    inPieces(parser(), frame(2, large));
    assert.equal(texts.pop(), "100000 100000 -100000 100000");
    assert.deepEqual(noted.splice(0), [100_000, -100_000, 100_000, -100_000]);

    const cutOff = parser();
    cutOff.push(frame(1, large).subarray(0, 14));
    assert.deepEqual(noted, [100_000]);
    cutOff.stop();
    cutOff.stop();
    assert.deepEqual(noted.splice(0), [100_000, -100_000]);
    const stopped = parser({ binary: () => stopped.stop() });
    inPieces(stopped, frame(2, large));
    inPieces(parser(), frame(1, new Uint8Array(100_000).fill(0xff)));
    assert.deepEqual(noted.splice(0), [100_000, -100_000, 100_000, -100_000]);

    // What is small, comes whole, or comes in several frames, takes what it takes.
    parser().push(frame(1, large));
    inPieces(parser(), frame(1, "x".repeat(65_000)));
    inPieces(parser(), joined(frame(1, large, { fin: false }), frame(0, large)));
    assert.deepEqual(noted, []);
    isRoom = false;
    inPieces(parser(), frame(1, large));
    assert.deepEqual(noted, [100_000]);
    assert.equal(texts.at(-1), "100000 100000");
  });

  it("push() never throws and never reports past its fault, whatever bytes come", () => {
    fc.assert(fc.property(fc.array(fc.uint8Array({ maxLength: 40 })), (pieces) => {
      const seen = parse(pieces);
      const last = seen.findIndex((line) => /^(1\d\d\d|close) /.test(line));
      assert.ok(last < 0 || last === seen.length - 1, seen.join("; "));
      assert.deepEqual(parse([joined(...pieces)]), seen);
    }));
  });

  it("stop() within a handler is the last that is heard", () => {
    let count = 0;
    const handlers = {
      text() {
        count++;
        parser.stop();
      },
      binary() {},
      ping() {},
      pong() {},
      close() {},
    };
    const parser = new FrameParser({ messageBytesMax: 100, handlers });
    parser.push(joined(frame(1, "a"), frame(1, "b")));
    parser.push(frame(1, "c"));
    assert.equal(count, 1);
  });
});
