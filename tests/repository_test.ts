import assert from "node:assert/strict";
import { existsSync, readFileSync, statSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { test } from "node:test";

function path(name: string): string {
  return fileURLToPath(new URL(`../${name}`, import.meta.url));
}

function read(name: string): string {
  return readFileSync(path(name), "utf8");
}

test("bun.lock names no registry, so that every mirror will do", () => {
  assert.doesNotMatch(read("bun.lock"), /https?:/);
});

test("bun.lock and package.json pin exact versions", () => {
  const { dependencies, devDependencies } = JSON.parse(read("package.json"));
  for (const [name, version] of Object.entries({ ...dependencies, ...devDependencies })) {
    assert.match(String(version), /^\d+\.\d+\.\d+$/, name);
    assert.ok(read("bun.lock").includes(`["${name}@${version}"`), `bun.lock lacks ${name}`);
  }
});

test("build, install and .ci/run are executable", () => {
  for (const name of ["build", "install", ".ci/run"]) {
    assert.equal(statSync(path(name)).mode & 0o111, 0o111, name);
  }
});

test("build compiles every worker entry, because the bundler does not find them itself", () => {
  const entries = [
    "store_worker",
    "lua_worker",
    "crypto_worker",
    "game_store_worker",
    "packages_worker",
    "config_worker",
  ];
  for (const entry of entries) {
    assert.ok(existsSync(path(`src/${entry}.bun.ts`)), entry);
    assert.ok(read("build").includes(`src/${entry}.bun.ts`), entry);
  }
});
