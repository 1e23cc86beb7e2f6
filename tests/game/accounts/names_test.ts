import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import {
  holdsBanWord,
  isCleanText,
  isDeviceId,
  isNewName,
  isSupportedVersion,
  isUserName,
} from "../../../src/game/accounts/names.ts";

describe("names", () => {
  it("isCleanText() refuses each listed character and -- wherever they are", () => {
    const unclean = [..."'\";#* /\\?<>|:\0", "--", "\ud800"];
    fc.assert(fc.property(
      fc.constantFrom(...unclean),
      fc.string(),
      fc.string(),
      (part, before, after) => assert.equal(isCleanText(before + part + after), false),
    ));
  });

  it("isCleanText() accepts every text without them", () => {
    const clean = fc.string({ unit: "grapheme" }).filter((text) =>
      ![..."'\";#* /\\?<>|:\0"].some((part) => text.includes(part)) && !text.includes("--")
    );
    fc.assert(fc.property(clean, (text) => assert.equal(isCleanText(text), true)));
    for (const text of ["刘备", "a-b", "x_1", "🀄", ""]) assert.ok(isCleanText(text), text);
  });

  it("isNewName() refuses what shows nothing or turns the direction, but old names may have it", () => {
    for (const hidden of ["\u200b", "\u202e", "\u2066", "\ufeff", "\u2028", "\u00ad"]) {
      const name = `liu${hidden}bei`;
      assert.equal(isNewName(name), false, JSON.stringify(name));
      assert.equal(isUserName(name, []), true);
    }
    for (const name of ["刘备", "Żółw", "محمد", "🀄"]) assert.equal(isNewName(name), true, name);
  });

  it("isUserName() refuses the empty one and ban words, case by case", () => {
    assert.equal(isUserName("", []), false);
    assert.equal(isUserName("xbadwordx", ["badword"]), false);
    assert.equal(isUserName("xBadwordx", ["badword"]), true);
    assert.equal(isUserName("a", [""]), true, "an empty ban word is in nothing");
    assert.equal(holdsBanWord("脏话!", ["话"]), true);
  });

  it("isUserName() refuses what is too long to look for ban words in", () => {
    assert.equal(isUserName("a".repeat(1_024), []), true, "old databases hold long ones");
    assert.equal(isUserName("a".repeat(1_025), []), false);
  });

  it("isNewName() counts characters and refuses control characters", () => {
    assert.equal(isNewName("字".repeat(64)), true);
    assert.equal(isNewName("🀄".repeat(64)), true);
    assert.equal(isNewName("a".repeat(65)), false);
    for (const name of ["a\nb", "\u001b[2J", "\u007f", "\u009b"]) {
      assert.equal(isNewName(name), false);
    }
  });

  it("isDeviceId() accepts the empty one, refuses quotes and what is far too long", () => {
    assert.equal(isDeviceId(""), true);
    assert.equal(isDeviceId("{d4"), true);
    assert.equal(isDeviceId("it's"), false);
    assert.equal(isDeviceId("x".repeat(128)), true);
    assert.equal(isDeviceId("x".repeat(129)), false);
  });

  it("isSupportedVersion() holds >=0.5.19 <0.6.0 by plain semver", () => {
    for (const version of ["0.5.19", "0.5.20", "0.5.999999999", "0.5.19+b.1", "0.5.20+-"]) {
      assert.equal(isSupportedVersion(version), true, version);
    }
    const refused = [
      "0.5.18",
      "0.6.0",
      "1.5.19",
      "",
      "abc",
      "0.5.19+",
      "v0.5.20",
      "0.5.20-beta",
      "0.5.019",
      "00.5.19",
      "0.5",
      "0.5.19.1",
      " 0.5.19",
      "0.5.19\n",
      "0.5.1e3",
      "0.5.９９",
      "0.5.99999999999",
    ];
    for (const version of refused) assert.equal(isSupportedVersion(version), false, version);
  });

  it("isSupportedVersion() agrees with the numbers for all triples", () => {
    const part = fc.oneof(fc.nat(30), fc.nat(1_000_000));
    fc.assert(fc.property(part, part, part, (major, minor, patch) => {
      assert.equal(
        isSupportedVersion(`${major}.${minor}.${patch}`),
        major === 0 && minor === 5 && patch >= 19,
      );
    }));
    fc.assert(fc.property(fc.nat(100), (patch) => {
      assert.equal(isSupportedVersion(`0.5.${patch}`), patch >= 19);
    }));
    fc.assert(fc.property(fc.string(), (text) => {
      if (isSupportedVersion(text)) assert.match(text, /^0\.5\.\d+(\+[\w.-]+)?$/);
    }));
  });
});
