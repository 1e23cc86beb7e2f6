import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import {
  ackFrame,
  binaryMembers,
  decodeBase64,
  errorFrame,
  nanosecondsLiteral,
  pongFrame,
  quotedJsonBytes,
  quoteJson,
  reconnectFrame,
  upstreamHeadBytes,
  upstreamRouteBytes,
  welcomeFrame,
  writeUpstreamHead,
} from "../../src/wire/gateway_frames.ts";

const time = 1_709_078_400_123;
const anyText = fc.string({ unit: "binary" });
const milliseconds = fc.oneof(
  fc.integer({ min: 0, max: 2_000 }),
  fc.integer({ min: 9_999_990, max: 10_000_010 }),
  fc.maxSafeInteger().map((value) => Math.abs(value) % 10 ** 15),
);

describe("nanosecondsLiteral()", () => {
  it("writes the time as an exact literal", () => {
    assert.equal(nanosecondsLiteral(time, 7), "1709078400123000007");
    assert.equal(nanosecondsLiteral(time, 999_999), "1709078400123999999");
    assert.equal(nanosecondsLiteral(0, 0), "0000000");
  });
});

describe("writeUpstreamHead()", () => {
  it("writes id, time and route, whatever they are, in as many bytes as were announced", () => {
    const id = fc.oneof(fc.string(), anyText);
    const ns = fc.integer({ min: 0, max: 999_999 });
    fc.assert(fc.property(id, milliseconds, ns, fc.webUrl(), (clientId, ms, nanos, url) => {
      const route = upstreamRouteBytes(url);
      const into = new Uint8Array(20_000).fill(1);
      const end = writeUpstreamHead(into, 3, clientId, ms, nanos, route);
      assert.equal(
        new TextDecoder().decode(into.subarray(3, end)),
        `{"clientId":${quoteJson(clientId)},"timestamp":${nanosecondsLiteral(ms, nanos)},` +
          `"route":${quoteJson(url)}`,
      );
      assert.equal(end - 3, upstreamHeadBytes(quotedJsonBytes(clientId), ms, route));
      assert.equal(into[end], 1);
    }));
  });
});

describe("binaryMembers()", () => {
  it("holds the whole frame as base64", () => {
    assert.equal(binaryMembers(new Uint8Array()), '"type":1,"data":""');
    assert.equal(binaryMembers(Uint8Array.of(0, 1, 2, 255)), '"type":1,"data":"AAEC/w=="');
  });
});

describe("decodeBase64()", () => {
  it("gives back what was encoded", () => {
    fc.assert(fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
      assert.deepEqual([...decodeBase64(bytes.toBase64())!], [...bytes]);
    }));
  });

  it("takes nothing but padded base64", () => {
    for (
      const text of [
        "A",
        "AA",
        "AAA",
        "AA=",
        "A===",
        "AB==",
        "AAB=",
        "AA A",
        "AAAA\n",
        "  AA",
        "AA-_",
        "====",
        "=AAA",
        "AA==AAAA",
        "AA\n\n",
        "AAAA    ",
        "A A A A ",
        "AA==    ",
        "AA= ",
        "é",
      ]
    ) assert.equal(decodeBase64(text), undefined, JSON.stringify(text));
    assert.equal(decodeBase64("")?.length, 0);
  });
});

describe("frames to clients", () => {
  it("are these texts", () => {
    assert.equal(ackFrame('m"1'), '{"type":2,"action":"ack","messageId":"m\\"1"}');
    assert.equal(
      errorFrame("bad_message", "it is not valid JSON"),
      '{"type":2,"action":"error","code":"bad_message","message":"it is not valid JSON"}',
    );
    assert.equal(
      errorFrame("no_route", "x", "\ud800"),
      '{"type":2,"action":"error","code":"no_route","message":"x","messageId":"\\ud800"}',
    );
    assert.equal(pongFrame(time, 5), '{"type":2,"action":"pong","timestamp":1709078400123000005}');
    assert.equal(welcomeFrame("abc"), '{"type":2,"action":"welcome","resume":"abc"}');
    assert.equal(reconnectFrame(500), '{"type":2,"action":"reconnect","afterMs":500}');
  });
});
