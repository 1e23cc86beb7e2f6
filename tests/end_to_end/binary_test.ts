import assert from "node:assert/strict";
import { existsSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it, test } from "node:test";
import { binary, root, runProgram, startServer, withDirectory } from "./run_program.ts";

/** What a distributed binary may take up. */
const binaryBytesMax = 120_000_000;

test("the binary is at most 120 MB", () => {
  const { size } = statSync(binary);
  assert.ok(size <= binaryBytesMax, `${binary} has ${size} bytes`);
});

test("the binary does not carry the paths of the machine that built it", () => {
  assert.equal(readFileSync(binary).indexOf(root), -1, `${root} is in the binary`);
});

describe("the binary in a stranger's directory", () => {
  /** Files that Bun itself would read there and run. */
  function plant(directory: string): { marker: string } {
    const marker = join(directory, "marker");
    const script = `require("node:fs").appendFileSync(${JSON.stringify(marker)}, "ran\\n");`;
    writeFileSync(join(directory, "preload.js"), script);
    writeFileSync(
      join(directory, "bunfig.toml"),
      `preload = ["./preload.js"]\n[run]\nbun = true\n[serve.static]\nplugins = ["./preload.js"]\n`,
    );
    for (const name of [".env", ".env.local", ".env.production", ".env.development"]) {
      writeFileSync(join(directory, name), "FREEKILL_GW_RUNTIME_NAME=stranger\n");
    }
    writeFileSync(
      join(directory, "tsconfig.json"),
      `{"compilerOptions":{"jsxImportSource":"./preload.js"}}`,
    );
    writeFileSync(join(directory, "package.json"), `{"name":"stranger","imports":{"zod":"./x"}}`);
    return { marker };
  }

  it("runs no preload for version", async () => {
    await withDirectory(async (directory) => {
      const { marker } = plant(directory);
      const { exitCode, stderr } = await runProgram([binary, "version"], { cwd: directory });
      assert.equal(exitCode, 0, stderr);
      assert.equal(existsSync(marker), false, "preload.js was run");
    });
  });

  it("takes no settings from .env, but those of the environment", async () => {
    await withDirectory(async (directory) => {
      plant(directory);
      const command = [binary, "serve", "--print-effective-config"];
      const plain = await runProgram(command, { cwd: directory });
      assert.equal(plain.exitCode, 0, plain.stderr);
      assert.match(plain.stdout, /"runtime_name": "freekill-gw"/);
      const named = await runProgram(command, {
        cwd: directory,
        env: { FREEKILL_GW_RUNTIME_NAME: "mine" },
      });
      assert.match(named.stdout, /"runtime_name": "mine"/);
    });
  });

  it("runs no preload in a server and its workers", async () => {
    await withDirectory(async (directory) => {
      const { marker } = plant(directory);
      const server = await startServer([binary, "serve"], { cwd: directory });
      assert.equal(await server.ask("M4_SAVE_STATE:x"), "M4_SAVE_OK:x");
      assert.equal(await server.ask("M3_LUA_HELLO"), "M3_LUA_ACK:v0");
      assert.equal(await server.stop(), 0);
      assert.equal(existsSync(marker), false, "preload.js was run");
    });
  });
});

test("deno task serve runs the same program from source", async () => {
  await withDirectory(async (directory) => {
    const deno = join(root, ".tools/bin/deno");
    const server = await startServer([deno, "task", "--quiet", "serve"], {
      cwd: root,
      // The game would make its keys and databases here; it has tests of its own on Deno.
      flags: ["--db-path", join(directory, "runtime.sqlite"), "--tcp-port-mode", "host"],
    });
    assert.equal(await server.ask("M1_CONN_PING"), "M1_CONN_PONG");
    assert.equal(await server.ask("M4_SAVE_STATE:from source"), "M4_SAVE_OK:from source");
    assert.equal(await server.ask("M4_LOAD_STATE"), "M4_LOAD_OK:from source");
    assert.equal(await server.stop(), 0);
    assert.ok(existsSync(join(directory, "runtime.sqlite")));
  });
});
