import assert from "node:assert/strict";
import { generateKeyPairSync } from "node:crypto";
import { mkdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, it } from "node:test";
import { nodeCrypto } from "../../../src/adapters/node/crypto.ts";
import {
  type KeyMaker,
  openServerKeys,
  ServerKeysError,
} from "../../../src/game/accounts/server_keys.ts";
import { runtimeUnderTest } from "../../tested_runtime.ts";
import { inDirectory } from "./temporary_directory.ts";

const { files } = await runtimeUnderTest();
const crypto = nodeCrypto();
const keys: KeyMaker = {
  generateKeyPair: () => crypto.generateRsaKeyPair(),
  openKey: (pem) =>
    Promise.resolve().then(() => {
      const { publicPem, modulusBytes } = crypto.openRsaPrivateKey(pem);
      return { publicPem, modulusBytes };
    }),
};
const open = (directory: string) => openServerKeys({ files, keys, directory });

describe("openServerKeys()", () => {
  it("openServerKeys() makes a pair of mode 0600 and finds the same one again", () =>
    inDirectory(async (root) => {
      const directory = join(root, "server");
      const made = await open(directory);
      assert.equal(made.modulusBytes, 256);
      assert.match(made.publicPem, /^-----BEGIN RSA PUBLIC KEY-----\n[^]+-----\n$/);
      assert.equal(made.notes.length, 2);
      assert.equal(await readFile(join(directory, "rsa_pub"), "utf8"), made.publicPem);
      for (const name of ["rsa", "rsa_pub"]) {
        assert.equal((await stat(join(directory, name))).mode & 0o777, 0o600, name);
      }
      const secret = await readFile(join(directory, "rsa"), "utf8");
      const again = await open(directory);
      assert.deepEqual(again, { ...made, notes: [] });
      assert.equal(await readFile(join(directory, "rsa"), "utf8"), secret);
      assert.ok(!JSON.stringify(made).includes("PRIVATE"));
    }));

  it("openServerKeys() mends a public file that is missing or of another key", () =>
    inDirectory(async (directory) => {
      const { publicPem } = await open(directory);
      const path = join(directory, "rsa_pub");
      await rm(path);
      assert.match((await open(directory)).notes.join(), /rsa_pub" anew: it was missing/);
      await writeFile(path, (await crypto.generateRsaKeyPair()).publicPem);
      assert.match((await open(directory)).notes.join(), /it belonged to another key/);
      assert.equal(await readFile(path, "utf8"), publicPem);
      await writeFile(path, publicPem.trimEnd());
      const opened = await open(directory);
      assert.deepEqual(opened.notes, [], "the final newline alone is no difference");
      assert.equal(opened.publicPem, publicPem, "but clients get it");
    }));

  it("openServerKeys() takes a PKCS#8 file, as newer tools write it", () =>
    inDirectory(async (directory) => {
      const { privateKey } = generateKeyPairSync("rsa", {
        modulusLength: 2_048,
        publicKeyEncoding: { type: "spki", format: "pem" },
        privateKeyEncoding: { type: "pkcs8", format: "pem" },
      });
      await writeFile(join(directory, "rsa"), privateKey);
      assert.match((await open(directory)).publicPem, /^-----BEGIN RSA PUBLIC KEY-----\n/);
    }));

  it("openServerKeys() refuses what is no usable key, in one line that quotes nothing of it", () =>
    inDirectory(async (directory) => {
      const short = generateKeyPairSync("rsa", {
        modulusLength: 1_024,
        publicKeyEncoding: { type: "pkcs1", format: "pem" },
        privateKeyEncoding: { type: "pkcs1", format: "pem" },
      }).privateKey;
      const cases: [string, RegExp][] = [
        ["", /no unencrypted PEM/],
        ["secret\0garbage", /no unencrypted PEM/],
        [short, /1024 bits, 2048–4096 are allowed/],
        ["x".repeat(20_000), /rsa/],
      ];
      for (const [text, reason] of cases) {
        await writeFile(join(directory, "rsa"), text);
        await assert.rejects(open(directory), (error) => {
          assert.ok(error instanceof ServerKeysError);
          assert.match(error.message, reason);
          assert.doesNotMatch(error.message, /secret|xxx|\n/);
          return true;
        });
        assert.equal(await readFile(join(directory, "rsa"), "utf8"), text, "left as it is");
      }
    }));

  it("openServerKeys() names the path when the directory cannot be used", () =>
    inDirectory(async (root) => {
      await writeFile(join(root, "file"), "");
      await assert.rejects(open(join(root, "file")), ServerKeysError);
      await mkdir(join(root, "rsa"));
      await assert.rejects(open(root), /rsa/);
    }));
});
