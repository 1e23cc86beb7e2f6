import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import {
  isInBlock,
  isLoopback,
  parseAddress,
  parseAddressBlock,
  plainAddress,
  reachableAddress,
  showAddress,
} from "../../src/base/address.ts";

describe("address", () => {
  it("plainAddress() shows mapped IPv4 as IPv4 and leaves the rest", () => {
    assert.equal(plainAddress("::ffff:10.0.0.1"), "10.0.0.1");
    assert.equal(plainAddress("::ffff:a"), "::ffff:a");
    assert.equal(plainAddress("fe80::1"), "fe80::1");
  });

  it("isLoopback() takes 127/8 and ::1, mapped or not, and nothing else", () => {
    for (const host of ["127.0.0.1", "127.255.0.3", "::1", "::ffff:127.0.0.1"]) {
      assert.equal(isLoopback(host), true, host);
    }
    const others = ["128.0.0.1", "10.127.0.1", "::2", "::ffff:12.7.0.1", "localhost.evil"];
    for (const host of [...others, "127.0.0.1.evil", "127.evil", "::ffff:127.0.0.1.evil"]) {
      assert.equal(isLoopback(host), false, host);
    }
  });

  it("showAddress() puts brackets around IPv6; reachableAddress() replaces wildcards", () => {
    assert.equal(showAddress("::1", 80), "[::1]:80");
    assert.equal(showAddress("1.2.3.4", 80), "1.2.3.4:80");
    assert.deepEqual(["0.0.0.0", "::", "0::0", "1.2.3.4"].map(reachableAddress), [
      "127.0.0.1",
      "::1",
      "::1",
      "1.2.3.4",
    ]);
  });

  it("parseAddress() refuses what is not an address", () => {
    const wrong = ["", "1.2.3", "1.2.3.256", "01.2.3.4", "1.2.3.4.5", ":::", "1::2::3", "g::1"];
    for (const text of [...wrong, "1:2:3:4:5:6:7", "1:2:3:4:5:6:7:8:9", "example.org"]) {
      assert.equal(parseAddress(text), undefined, text);
    }
  });

  it("parseAddress() reads the spellings of RFC 4291", () => {
    assert.deepEqual([...parseAddress("1.2.3.4") ?? []], [1, 2, 3, 4]);
    assert.deepEqual([...parseAddress("::ffff:1.2.3.4") ?? []], [1, 2, 3, 4]);
    const loopback = [...new Array<number>(15).fill(0), 1];
    assert.deepEqual([...parseAddress("::1") ?? []], loopback);
    assert.deepEqual([...parseAddress("0:0:0:0:0:0:0:1") ?? []], loopback);
    assert.deepEqual([...parseAddress("64:ff9b::1.2.3.4") ?? []].slice(12), [1, 2, 3, 4]);
    assert.equal(parseAddress("fe80::1%eth0")?.length, 16);
  });

  it("isInBlock() compares just the bits of the prefix, within a family", () => {
    const inBlock = (host: string, text: string) => {
      const block = parseAddressBlock(text);
      assert.ok(block !== undefined, text);
      return isInBlock(host, block);
    };
    assert.equal(inBlock("10.1.2.3", "10.0.0.0/8"), true);
    assert.equal(inBlock("11.1.2.3", "10.0.0.0/8"), false);
    assert.equal(inBlock("10.0.0.129", "10.0.0.128/25"), true);
    assert.equal(inBlock("10.0.0.127", "10.0.0.128/25"), false);
    assert.equal(inBlock("::ffff:10.9.9.9", "10.0.0.0/8"), true);
    assert.equal(inBlock("2001:db8::5", "2001:db8::/32"), true);
    assert.equal(inBlock("2001:db9::5", "2001:db8::/32"), false);
    assert.equal(inBlock("1.2.3.4", "::/0"), false);
    assert.equal(inBlock("255.1.1.1", "0.0.0.0/0"), true);
    assert.equal(inBlock("not an address", "0.0.0.0/0"), false);
  });

  it("parseAddressBlock() refuses prefixes that do not fit", () => {
    for (const text of ["10.0.0.0/33", "::/129", "10.0.0.0/", "10.0.0.0/-1", "10.0.0.0/a"]) {
      assert.equal(parseAddressBlock(text), undefined, text);
    }
  });

  it("parseAddress() never throws, whatever the text", () => {
    fc.assert(fc.property(fc.string(), (text) => {
      const bytes = parseAddress(text);
      assert.ok(bytes === undefined || bytes.length === 4 || bytes.length === 16);
    }));
  });
});
