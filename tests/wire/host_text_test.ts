import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import {
  beginsLikeHttpRequest,
  commandBytesMax,
  hostVerbs,
  isHostReply,
  isHttpRequestLine,
  LineFramer,
  parseHostCommand,
} from "../../src/wire/host_text.ts";

const encoder = new TextEncoder();
const bytes = (text: string) => encoder.encode(text);

function show(line: ReturnType<LineFramer["next"]>): string {
  if (line instanceof Uint8Array) return new TextDecoder().decode(line);
  return typeof line === "object" ? line.verb : `<${line}>`;
}

/** All lines of a stream that comes in these pieces. */
function linesOf(pieces: readonly Uint8Array[]): string[] {
  const framer = new LineFramer();
  const lines: string[] = [];
  for (const piece of pieces) {
    const lent = piece.slice();
    framer.push(lent);
    for (let line = framer.next(); line !== undefined; line = framer.next()) {
      lines.push(show(line));
    }
    framer.keep();
    // The array is the caller's again: what is kept must be a copy.
    lent.fill(0x7a);
  }
  return lines;
}

describe("LineFramer", () => {
  const stream = bytes(
    `M1_CONN_PING\r\n\n\r\nM4_SAVE_STATE:ü€𝄞\r\r\n${"x".repeat(2_100)}\nlast\npart`,
  );
  const expected = ["M1_CONN_PING", "", "", "M4_SAVE_STATE:ü€𝄞\r", "<too_large>", "last"];

  it("LineFramer.next() gives the same lines wherever the stream is split", () => {
    assert.deepEqual(linesOf([stream]), expected);
    for (let at = 1; at < stream.length; at++) {
      assert.deepEqual(
        linesOf([stream.subarray(0, at), stream.subarray(at)]),
        expected,
        `at ${at}`,
      );
    }
    assert.deepEqual(linesOf([...stream].map((byte) => Uint8Array.of(byte))), expected);
  });

  it("LineFramer.next() gives the same lines for any pieces of any bytes", () => {
    const soup = fc.array(fc.oneof(fc.constant(10), fc.constant(13), fc.nat(255)), {
      maxLength: 6_000,
    });
    fc.assert(fc.property(soup, fc.array(fc.nat(700)), (stream, sizes) => {
      const whole = Uint8Array.from(stream);
      const pieces: Uint8Array[] = [];
      let at = 0;
      for (const size of sizes) {
        pieces.push(whole.subarray(at, at + size));
        at += size;
      }
      pieces.push(whole.subarray(at));
      assert.deepEqual(linesOf(pieces), linesOf([whole]));
    }));
  });

  it("LineFramer.next() takes a line of exactly the limit, line end counted", () => {
    const fits = "y".repeat(commandBytesMax - 1);
    assert.deepEqual(linesOf([bytes(`${fits}\n`)]), [fits]);
    assert.deepEqual(linesOf([bytes(`${fits}y\n`)]), ["<too_large>"]);
  });

  it("LineFramer.next() reports an over-long line once, as soon as it is certain", () => {
    const framer = new LineFramer();
    framer.push(bytes("z".repeat(commandBytesMax)));
    assert.equal(framer.next(), "too_large");
    assert.equal(framer.tooLargeStart, "z".repeat(64));
    framer.keep();
    for (let i = 0; i < 1_000; i++) {
      framer.push(bytes("z".repeat(10_000)));
      assert.equal(framer.next(), undefined);
      framer.keep();
      assert.equal(framer.heldBytes, 0, "nothing of it is kept");
    }
    framer.push(bytes("z\nok\n"));
    assert.deepEqual(framer.next(), bytes("ok"));
  });

  it("LineFramer keeps lines that were not taken yet, in order", () => {
    const framer = new LineFramer();
    framer.push(bytes("a\nb\nc"));
    assert.deepEqual(framer.next(), bytes("a"));
    framer.keep();
    framer.push(bytes("c\nd\n"));
    framer.keep();
    assert.deepEqual(["b", "cc", "d"].map(bytes), [framer.next(), framer.next(), framer.next()]);
    assert.equal(framer.next(), undefined);
  });
});

describe("host commands as text", () => {
  it("parseHostCommand() knows each verb and keeps an argument as it came", () => {
    for (const verb of hostVerbs) {
      const argument = verb.endsWith(":") ? "a:b c" : "";
      assert.deepEqual(parseHostCommand(bytes(verb + argument)), { verb, argument });
    }
    assert.deepEqual(parseHostCommand(bytes("M4_SAVE_STATE:")), {
      verb: "M4_SAVE_STATE:",
      argument: "",
    });
  });

  it("parseHostCommand() refuses everything else", () => {
    const wrong = ["", "M1_CONN_PING ", " M1_CONN_PING", "m1_conn_ping", "M1_CONN_PING:x", "AUTH"];
    for (const text of [...wrong, "M4_SAVE_STATE", "toString", "__proto__", "constructor:"]) {
      assert.equal(parseHostCommand(bytes(text)), undefined, text);
    }
    const notUtf8 = Uint8Array.of(...bytes("M4_SAVE_STATE:"), 0xff);
    assert.equal(parseHostCommand(notUtf8), undefined);
  });

  it("isHttpRequestLine() knows the request lines that browsers send", () => {
    assert.equal(isHttpRequestLine("POST / HTTP/1.1"), true);
    assert.equal(isHttpRequestLine("PRI * HTTP/2.0"), true);
    for (const verb of hostVerbs) assert.equal(isHttpRequestLine(`${verb}x HTTP/1.1`), false);
    assert.equal(beginsLikeHttpRequest("GET /very-long"), true);
    assert.equal(beginsLikeHttpRequest("OPTIONS * HTTP/1.1"), true);
    assert.equal(beginsLikeHttpRequest("M4_SAVE_STATE:a b"), false);
    assert.equal(beginsLikeHttpRequest("HELLO there"), false);
  });

  it("isHostReply() knows replies, and no command", () => {
    for (const text of ["ERR_UNKNOWN_UDP", "M1_UDP_PONG", "M4_LOAD_OK:x", "M6_OK", "AUTH_OK"]) {
      assert.equal(isHostReply(bytes(`${text}\n`)), true, text);
    }
    for (const verb of hostVerbs) assert.equal(isHostReply(bytes(verb)), false, verb);
  });
});
