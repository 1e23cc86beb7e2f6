import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import process from "node:process";
import { it } from "node:test";
import { fileURLToPath } from "node:url";
import { makeSdk } from "../runner/make_sdk.ts";

it("the published files of the SDK are those of its source: ./build makes them anew", async () => {
  const root = fileURLToPath(new URL("../../", import.meta.url));
  const before = process.cwd();
  process.chdir(root);
  try {
    for (const [path, text] of await makeSdk()) {
      assert(readFileSync(path, "utf8") === text, `${path} is older than its source`);
    }
  } finally {
    process.chdir(before);
  }
});
