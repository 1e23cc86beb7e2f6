import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { describe, it } from "node:test";
import fc from "fast-check";
import { encodeRpc } from "../../../src/game/lua/rpc_message.ts";
import { RpcStream, rpcStreamLimits } from "../../../src/game/lua/rpc_stream.ts";
import { bytesOfHex, hexOf, noRecording, recordedRpc } from "./rpc_recording.ts";

const hello = bytesOfHex("a318668145776f726c64186443322e3018654568656c6c6f");
const answer = bytesOfHex("a31869f5186443322e30186801");
const notify = encodeRpc({
  kind: "call",
  id: 300,
  method: "ServerPlayer_doNotify",
  params: [1000, new TextEncoder().encode("GameLog"), new Uint8Array(300).fill(0xa3)],
});

function joined(parts: readonly Uint8Array[]): Uint8Array {
  return Uint8Array.from(parts.flatMap((part) => [...part]));
}

/** What comes out when the pieces go in. */
function messagesOf(pieces: readonly Uint8Array[]): string[] {
  const stream = new RpcStream();
  const out: string[] = [];
  for (const piece of pieces) {
    assert.equal(stream.push(piece, (message) => out.push(hexOf(message))), undefined);
  }
  assert.equal(stream.waitingBytes, 0);
  return out;
}

describe("RpcStream.push()", () => {
  const all = joined([hello, notify, answer]);
  const wanted = [hello, notify, answer].map(hexOf);

  it("gives the same messages wherever the stream is cut in two", () => {
    for (let at = 0; at <= all.length; at++) {
      assert.deepEqual(messagesOf([all.subarray(0, at), all.subarray(at)]), wanted, `at ${at}`);
    }
  });

  it("gives the same messages byte by byte, and all at once", () => {
    assert.deepEqual(messagesOf([...all].map((byte) => Uint8Array.of(byte))), wanted);
    assert.deepEqual(messagesOf([all]), wanted);
  });

  it("gives the same messages however it is cut", () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 0, max: all.length }), { maxLength: 9 }), (cuts) => {
        const at = [0, ...cuts.sort((a, b) => a - b), all.length];
        const pieces = at.slice(1).map((end, i) => all.subarray(at[i], end));
        assert.deepEqual(messagesOf(pieces), wanted);
      }),
    );
  });

  it("takes the trace lua_rpc joined and cut into 1,000 bytes", { skip: noRecording }, () => {
    const recorded = recordedRpc().filter(({ direction }) => direction === "lua2srv");
    const whole = joined(recorded.map(({ bytes }) => bytes));
    const pieces: Uint8Array[] = [];
    for (let at = 0; at < whole.length; at += 1_000) pieces.push(whole.subarray(at, at + 1_000));
    assert.deepEqual(messagesOf(pieces), recorded.map(({ bytes }) => hexOf(bytes)));
  });

  it("gives copies: the reader's buffer may be used again", () => {
    const stream = new RpcStream();
    const buffer = Buffer.from(hello);
    const out: Uint8Array[] = [];
    stream.push(buffer, (message) => out.push(message));
    buffer.fill(0);
    assert.deepEqual(out, [hello]);
  });

  function faultOf(...pieces: Uint8Array[]): { fault: string | undefined; messages: number } {
    const stream = new RpcStream();
    let fault: string | undefined;
    let messages = 0;
    for (const piece of pieces) fault = stream.push(piece, () => messages++);
    return { fault, messages };
  }

  it("names text that is written between messages, after those before it", () => {
    const text = new TextEncoder().encode("hello from io.write\n");
    assert.deepEqual(faultOf(joined([hello, text])), {
      fault: 'it wrote something that is no message: "hello from io.write\\n"',
      messages: 1,
    });
    assert.match(faultOf(new Uint8Array(100).fill(0x41)).fault ?? "", /"A{40}"…$/);
  });

  it("stays at its fault", () => {
    const { fault, messages } = faultOf(Uint8Array.of(0x20), hello);
    assert.match(fault ?? "", /no message/);
    assert.equal(messages, 0);
  });

  it("refuses what is too large at its head, and what comes in small pieces at the limit", () => {
    const gigabytes = Uint8Array.of(0xa1, 0x18, 0x65, 0x5a, 0xff, 0xff, 0xff, 0xff);
    assert.match(faultOf(gigabytes).fault ?? "", /larger than 8388608 bytes/);
    const manyItems = Uint8Array.of(0xa1, 0x18, 0x65, 0x9a, 0xff, 0xff, 0xff, 0xff);
    assert.match(faultOf(manyItems).fault ?? "", /larger than/);
    const stream = new RpcStream();
    let fault = stream.push(Uint8Array.of(0xa1, 0x18, 0x65, 0x9f), () => {});
    const ones = new Uint8Array(65_536).fill(1);
    let pushed = 0;
    while (fault === undefined && pushed < 200) {
      fault = stream.push(ones, () => {});
      pushed++;
      assert.ok(stream.waitingBytes <= rpcStreamLimits.itemBytesMax + ones.length);
    }
    assert.match(fault ?? "", /larger than/);
  });

  it("refuses ill-formed and deeply nested CBOR", () => {
    assert.match(faultOf(Uint8Array.of(0xa1, 0x18, 0x65, 0x1c)).fault ?? "", /ill-formed/);
    const deep = Uint8Array.of(0xa1, 0x18, 0x65, ...new Uint8Array(64).fill(0x81));
    assert.match(faultOf(deep).fault ?? "", /nested deeper/);
  });

  it("never throws and never keeps more than its limit, whatever comes", () => {
    fc.assert(
      fc.property(fc.array(fc.uint8Array({ maxLength: 40 }), { maxLength: 10 }), (pieces) => {
        const stream = new RpcStream();
        for (const piece of pieces) stream.push(piece, () => {});
        stream.push(joined([Uint8Array.of(0xa1), ...pieces]), () => {});
        assert.ok(stream.waitingBytes < 1_000);
      }),
      { numRuns: 1_000 },
    );
  });
});
