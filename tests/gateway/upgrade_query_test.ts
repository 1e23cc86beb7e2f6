import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { isClientId, parseUpgradeQuery, pathOf } from "../../src/gateway/upgrade_query.ts";

const at = (query: string) => parseUpgradeQuery(`http://host:80/ws${query}`);

describe("parseUpgradeQuery()", () => {
  it("reads what is there, the last of what is repeated, and nothing behind #", () => {
    assert.deepEqual(at("?clientId=x&clientId=a%20b+c&ack=0&ack=1&v=2&chunks=1&raw=1&resume=t"), {
      clientId: "a b c",
      wantsAcks: true,
      takesChunks: true,
      isRaw: true,
      hasIdentity: true,
      resume: "t",
      token: "",
      history: undefined,
    });
    assert.equal(at("?clientId=a#&clientId=b").clientId, "a");
    assert.equal(at("?ack=true&v=20&clientId=a").wantsAcks, false);
    assert.equal(at("?&&=&clientId&=x").clientId, undefined);
    assert.equal(at("?client%49d=a").clientId, "a");
  });

  it("keeps what is asked of the history", () => {
    assert.deepEqual(at("?loadHistory=true&lastMessageId=m%2F1&limit=50").history, {
      lastMessageId: "m/1",
      limit: 50,
    });
    const bad = [
      "",
      "x",
      "-1",
      "1.5",
      "0x10",
      "1e2",
      "%205%20",
      "+5",
      "%2B5",
      "5%0a",
      "9999999999",
    ];
    for (const limit of bad) {
      assert.deepEqual(at(`?loadHistory=true&limit=${limit}`).history, {
        lastMessageId: "",
        limit: NaN,
      });
    }
    assert.equal(at("?loadHistory=1").history, undefined);
    // Too long to be known, but it asks for what came after it all the same.
    const long = at(`?loadHistory=true&lastMessageId=${"x".repeat(4_000)}`).history;
    assert.equal(long?.lastMessageId, "x".repeat(257));
  });

  it("gives no id for escapes that are none or not UTF-8, also after a good one", () => {
    for (const bad of ["%", "%4", "%zz", "%ff", "%c3", "%ed%a0%80", "%c0%80", "%f8%88%80%80%80"]) {
      assert.equal(at(`?clientId=a${bad}`).clientId, undefined, bad);
      assert.equal(at(`?clientId=good&clientId=${bad}`).clientId, undefined, bad);
    }
  });

  it("passes over tokens that are too long to be one", () => {
    assert.equal(at(`?clientId=a&resume=${"x".repeat(65)}`).resume, "");
  });
});

describe("isClientId()", () => {
  it("takes 1–256 bytes of what can be shown", () => {
    for (const id of ["a", "client-1-1000", "客户端", "\u{1F0A1}", "a b", "é".repeat(128)]) {
      assert.ok(isClientId(id), id);
    }
    const bad = [
      "",
      "a\0",
      "\x1b[31m",
      "\x7f",
      "\x85",
      "\u2028",
      "\u202e",
      "\ud800",
      "é".repeat(129),
    ];
    for (const id of [...bad, "x".repeat(257)]) assert.ok(!isClientId(id), JSON.stringify(id));
  });
});

describe("pathOf()", () => {
  it("is what stands between authority and query", () => {
    assert.equal(pathOf("http://h/ws?x=/y"), "/ws");
    assert.equal(pathOf("http://h/ws#x"), "/ws");
    assert.equal(pathOf("http://h"), "/");
    assert.equal(pathOf("http://h/a/ws"), "/a/ws");
  });
});
