import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { isLargerThan, metadataOf } from "../../../src/gateway/history/history_metadata.ts";
import { historyCompleteFrame } from "../../../src/wire/gateway_frames.ts";

describe("metadataOf()", () => {
  it("leaves out the data, however its name is spelled, and says how large the whole was", () => {
    const text = '{"type":0, "d\\u0061ta" : "xx","messageId":"1","size":7,"own":1e400}';
    assert.equal(
      metadataOf(text),
      `{"type":0,"messageId":"1","own":1e400,"size":${text.length}}`,
    );
  });

  it("keeps what is small, and always what a message is told by", () => {
    const id = "\\u0061".repeat(256);
    const long = "x".repeat(2_000);
    const text = `{"a":"${long}","b":"é","messageId":"${id}","clientId":"c","type":1}`;
    const size = new TextEncoder().encode(text).length;
    assert.equal(
      metadataOf(text),
      `{"b":"é","messageId":"${id}","clientId":"c","type":1,"size":${size}}`,
    );
    const many = Array.from({ length: 100 }, (_, n) => `"k${n}":"${"x".repeat(500)}"`).join(",");
    assert.ok(metadataOf(`{${many},"messageId":"1"}`).length < 5_000);
    assert.match(metadataOf(`{${many},"messageId":"1"}`), /"messageId":"1"/);
  });
});

it("isLargerThan() counts bytes of UTF-8", () => {
  assert.equal(isLargerThan("é".repeat(10), 20), false);
  assert.equal(isLargerThan("é".repeat(10), 19), true);
  assert.equal(isLargerThan("x".repeat(20), 19), true);
  assert.equal(isLargerThan("", 0), false);
});

it("historyCompleteFrame() names the ids of what was sent, and a gap where there is one", () => {
  const none = { oldestMessageId: undefined, newestMessageId: undefined };
  assert.equal(
    historyCompleteFrame({ total: 0, hasGap: true, ...none }),
    '{"type":2,"action":"history_complete","total":0,"gap":true}',
  );
  assert.equal(
    historyCompleteFrame({
      total: 2,
      oldestMessageId: 'a"',
      newestMessageId: "b",
      hasGap: false,
    }),
    '{"type":2,"action":"history_complete","total":2,"oldestMessageId":"a\\"","newestMessageId":"b"}',
  );
});
