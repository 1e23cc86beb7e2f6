import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { readPackagesWords } from "../../src/app/packages_words.ts";

describe("readPackagesWords()", () => {
  it("reads each verb with what it takes", () => {
    const orders: readonly [words: string, order: unknown][] = [
      ["list", { kind: "list" }],
      ["md5", { kind: "md5" }],
      ["sync", { kind: "sync" }],
      ["install https://example.org/a", { kind: "install", url: "https://example.org/a" }],
      ["remove a", { kind: "remove", name: "a" }],
      ["enable a", { kind: "enable", name: "a" }],
      ["disable a", { kind: "disable", name: "a" }],
      ["upgrade", { kind: "upgrade" }],
      ["upgrade a", { kind: "upgrade", name: "a" }],
    ];
    for (const [words, order] of orders) {
      assert.deepEqual(readPackagesWords(words.split(" ")), order, words);
    }
  });

  it("says in one line what is wrong, without what may be an address", () => {
    const all = "install, remove, list, enable, disable, upgrade, sync, md5";
    const secret = "https://u:hunter2@example.org/a";
    const refused: readonly [words: readonly string[], reason: string][] = [
      [[], `packages needs one of ${all}.`],
      [["frobnicate"], `Unknown verb "frobnicate" of packages. It must be one of ${all}.`],
      [["instal"], 'Unknown verb "instal" of packages. Did you mean install?'],
      [["install"], "packages install needs <url>. Usage: freekill-gw packages install <url>"],
      [["remove", " "], "packages remove needs <name>. Usage: freekill-gw packages remove <name>"],
      [["list", "a"], "packages list got a word too many. Usage: freekill-gw packages list"],
      [
        ["install", secret, secret],
        "packages install got a word too many. Usage: freekill-gw packages install <url>",
      ],
      [
        ["upgrade", "a", "b"],
        "packages upgrade got a word too many. Usage: freekill-gw packages upgrade [name]",
      ],
    ];
    for (const [words, reason] of refused) assert.equal(readPackagesWords(words), reason);
  });
});
