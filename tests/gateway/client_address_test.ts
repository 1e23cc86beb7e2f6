import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { parseAddressBlock } from "../../src/base/address.ts";
import { clientAddress, limitKey } from "../../src/gateway/client_address.ts";

const proxies = ["10.0.0.0/8", "2001:db8:f::/48"].map((text) => {
  const block = parseAddressBlock(text);
  assert.ok(block);
  return block;
});

function addressOf(remoteHost: string, forwarded: string | undefined, blocks = proxies): string {
  const headers = new Headers(forwarded === undefined ? {} : { "X-Forwarded-For": forwarded });
  return clientAddress(blocks)({ remoteHost, remotePort: 1 }, headers);
}

describe("clientAddress()", () => {
  it("believes nobody but trusted proxies", () => {
    assert.equal(addressOf("1.2.3.4", "5.6.7.8"), "1.2.3.4");
    assert.equal(addressOf("10.1.1.1", "5.6.7.8", []), "10.1.1.1");
    assert.equal(addressOf("10.1.1.1", undefined), "10.1.1.1");
  });

  it("takes the last entry that is no trusted proxy's, whatever was written before it", () => {
    assert.equal(addressOf("10.1.1.1", "9.9.9.9, 5.6.7.8"), "5.6.7.8");
    assert.equal(addressOf("10.1.1.1", "garbage, 5.6.7.8 , 10.2.2.2,10.3.3.3"), "5.6.7.8");
    assert.equal(addressOf("2001:db8:f::1", "2001:db8::7"), "2001:db8::7");
    assert.equal(addressOf("10.1.1.1", "::ffff:5.6.7.8"), "5.6.7.8");
    assert.equal(addressOf("10.1.1.1", "10.4.4.4, 10.2.2.2"), "10.4.4.4");
  });

  it("takes the peer's for an entry that is no address, or a list without end", () => {
    for (
      const entry of ["unknown", "", "5.6.7.8:80", "[::1]", "5.6.7", "fe80::1%eth0", "5.6.7.8,"]
    ) {
      assert.equal(addressOf("10.1.1.1", entry), "10.1.1.1", entry);
    }
    assert.equal(addressOf("10.1.1.1", ",5.6.7.8"), "5.6.7.8");
    assert.equal(addressOf("10.1.1.1", ",10.2.2.2"), "10.1.1.1");
    assert.equal(
      addressOf("10.1.1.1", "5.6.7.8, " + "10.2.2.2, ".repeat(40) + "10.2.2.2"),
      "10.1.1.1",
    );
  });
});

describe("limitKey()", () => {
  it("is the address, mapped or not, and the /64 of IPv6 in any spelling", () => {
    assert.equal(limitKey("1.2.3.4"), "1.2.3.4");
    assert.equal(limitKey("::ffff:1.2.3.4"), "1.2.3.4");
    assert.equal(limitKey("::FFFF:102:304"), "1.2.3.4");
    assert.equal(limitKey("2001:db8:1:2::5"), limitKey("2001:0DB8:1:2:ffff::1"));
    assert.notEqual(limitKey("2001:db8:1:2::5"), limitKey("2001:db8:1:3::5"));
    assert.equal(limitKey("2001:db8:1:2::5"), "2001:db8:1:2::/64");
  });
});
