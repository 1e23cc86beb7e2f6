import assert from "node:assert/strict";
import { describe, it } from "node:test";
import {
  isForClients,
  readPackageUrl,
  whyNoPackageName,
} from "../../../src/game/packages/package_source.ts";

function sourceOf(url: string) {
  const read = readPackageUrl(url);
  assert.ok(read.ok, read.ok ? "" : read.reason);
  return read.source;
}

describe("readPackageUrl()", () => {
  it("names a package after the last part of its address, without .git", () => {
    const named: readonly [string, string][] = [
      ["https://gitee.com/Qsgs-Fans/freekill-core", "freekill-core"],
      ["https://example.org/a/b.git", "b"],
      ["http://example.org:8080/b/", "b"],
      ["  https://example.org/b.v2  ", "b.v2"],
      ["https://example.org/%E4%B8%89%E5%9B%BD", "三国"],
      ["file:///srv/packages/b.git", "b"],
      ["file:///srv/with%20space/b/.git", "b"],
      ["/srv/packages/b", "b"],
      ["/srv/packages/b/.git/", "b"],
    ];
    for (const [url, name] of named) assert.equal(sourceOf(url).name, name, url);
  });

  it("keeps the address as it is given, without spaces and slashes around it", () => {
    assert.equal(sourceOf(" https://example.org/b/ ").url, "https://example.org/b");
    const local = sourceOf("file:///srv/with%20space/b/");
    assert.equal(local.kind === "local" && local.path, "/srv/with space/b");
    assert.equal(local.url, "file:///srv/with%20space/b");
  });

  it("refuses what is no address, of other kinds, and what holds a secret, and shows none", () => {
    const refused = [
      "",
      "b",
      "example.org/b",
      "./b",
      "git@example.org:a/b.git",
      "ssh://git@example.org/b",
      "git://example.org/b",
      "ext::sh -c true",
      "data:text/plain,b",
      "https://user:hunter2@example.org/b",
      "https://hunter2@example.org/b",
      "https://:hunter2@example.org/b",
      "https://@example.org/b",
      "https://example.org/b?token=hunter2",
      "https://example.org/b#hunter2",
      "file://host/b",
      "file:///a/%00/b",
      "/a/../b",
      "/a/./b",
      "https://example.org/a\u0007b",
      `https://example.org/${"b".repeat(255)}`,
    ];
    for (const url of refused) {
      const read = readPackageUrl(url);
      assert.equal(read.ok, false, url);
      assert.ok(!read.ok && !read.reason.includes("hunter2") && !/\n/.test(read.reason), url);
    }
  });

  it("refuses addresses whose last part cannot be a package's name", () => {
    const refused = [
      "https://example.org",
      "https://example.org/",
      "https://example.org/.git",
      "https://example.org/..",
      "https://example.org/%2e%2e",
      "https://example.org/a%2f..%2fb",
      "https://example.org/a%5cb",
      "https://example.org/.hidden",
      "https://example.org/off.disabled",
      "https://example.org/off.disabled.git",
      "https://example.org/standard",
      "https://example.org/packages.db",
      "https://example.org/-rf",
      "https://example.org/a%20b",
      "https://example.org/%",
      "file:///",
      "/",
      "/.git",
    ];
    for (const url of refused) assert.equal(readPackageUrl(url).ok, false, url);
  });
});

describe("whyNoPackageName()", () => {
  it("takes the names of packages as they are, and nothing that means something to a system", () => {
    for (const name of ["a", "freekill-core", "c++", "_x", "三国", "a.b", "x".repeat(128)]) {
      assert.equal(whyNoPackageName(name), undefined, name);
    }
    const refused = [
      "",
      ".",
      "..",
      "...",
      "a/b",
      "a\\b",
      "a b",
      ".a",
      "-a",
      "a\0",
      "a\n",
      "Off.DISABLED",
      "test",
      "Standard",
      "standard_cards",
      "maneuvering",
      "packages.db-journal",
      "x".repeat(129),
      "国".repeat(67),
      "\ud800",
    ];
    for (const name of refused) assert.equal(typeof whyNoPackageName(name), "string", name);
  });
});

describe("isForClients()", () => {
  it("leaves out directories of this machine alone", () => {
    assert.equal(isForClients("https://example.org/a"), true);
    assert.equal(isForClients("git@example.org:a"), true);
    for (const url of ["", "/srv/a", "file:///srv/a", "FILE:///srv/a"]) {
      assert.equal(isForClients(url), false, url);
    }
  });
});
