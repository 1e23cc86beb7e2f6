import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { accessRules, mayRun, opensControl, type Peer } from "../../src/host/access.ts";
import { hostVerbs } from "../../src/wire/host_text.ts";

const open = ["M1_CONN_PING", "M1_UDP_PING", "M6_STABILITY"];
const token = "a-token-of-16-ch";
const child = "token-of-watchdog";
const peer = (host: string, more: Partial<Peer> = {}): Peer => ({
  host,
  transport: "tcp",
  authenticated: false,
  ...more,
});
const allowed = (who: Peer, rules: ReturnType<typeof accessRules>) =>
  hostVerbs.filter((verb) => mayRun(verb, who, rules));

describe("access", () => {
  const none = accessRules({ allow: [], token: "", childToken: "" });

  it("mayRun() lets this machine run everything and others only what is open", () => {
    assert.deepEqual(allowed(peer("127.0.0.1"), none), [...hostVerbs]);
    assert.deepEqual(allowed(peer("::1"), none), [...hostVerbs]);
    assert.deepEqual(allowed(peer("192.0.2.1"), none), open);
  });

  it("mayRun() lets named addresses and blocks run everything by TCP", () => {
    const rules = accessRules({
      allow: ["192.0.2.0/24", "2001:db8::1"],
      token: "",
      childToken: "",
    });
    assert.deepEqual(allowed(peer("192.0.2.77"), rules), [...hostVerbs]);
    assert.deepEqual(allowed(peer("2001:db8::1"), rules), [...hostVerbs]);
    assert.deepEqual(allowed(peer("192.0.3.77"), rules), open);
  });

  it("mayRun() refuses changes by UDP from other machines, named or not", () => {
    const rules = accessRules({ allow: ["192.0.2.1"], token: "", childToken: "" });
    const may = allowed(peer("192.0.2.1", { transport: "udp" }), rules);
    for (
      const verb of ["__STOP__", "M4_SAVE_STATE:", "M4_DELETE_STATE", "M3_HOT_RELOAD"] as const
    ) {
      assert.equal(may.includes(verb), false, verb);
    }
    assert.equal(may.includes("__METRICS__"), true);
    assert.deepEqual(allowed(peer("::1", { transport: "udp" }), rules), [...hostVerbs]);
  });

  it("mayRun() asks this machine too for the token when there is one", () => {
    const rules = accessRules({ allow: ["192.0.2.1"], token, childToken: "" });
    assert.deepEqual(allowed(peer("127.0.0.1"), rules), open);
    assert.deepEqual(allowed(peer("192.0.2.1"), rules), open);
    assert.deepEqual(allowed(peer("127.0.0.1", { authenticated: true }), rules), [...hostVerbs]);
  });

  it("opensControl() takes the token from anybody, unless addresses are named", () => {
    const anybody = accessRules({ allow: [], token, childToken: "" });
    assert.equal(opensControl(token, "203.0.113.9", anybody), true);
    assert.equal(opensControl(token + "x", "127.0.0.1", anybody), false);
    const named = accessRules({ allow: ["192.0.2.1"], token, childToken: "" });
    assert.equal(opensControl(token, "203.0.113.9", named), false);
    assert.equal(opensControl(token, "192.0.2.1", named), true);
    assert.equal(opensControl(token, "127.0.0.1", named), true);
  });

  it("opensControl() takes the watchdog's token from this machine only", () => {
    const rules = accessRules({ allow: [], token: "", childToken: child });
    assert.equal(opensControl(child, "127.0.0.1", rules), true);
    assert.equal(opensControl(child, "192.0.2.1", rules), false);
    assert.equal(opensControl("", "127.0.0.1", rules), false);
    assert.equal(opensControl("", "127.0.0.1", none), false);
  });
});
