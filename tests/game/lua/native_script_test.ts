import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { systemClock } from "../../../src/adapters/node/clock.ts";
import { nodeProcess } from "../../../src/adapters/node/process.ts";
import { NativeScript } from "../../../src/game/lua/native_script.ts";
import { bytesOf } from "./lua_program.ts";

const script = { source: bytesOf("function runtime_hello() return 'v1' end"), name: "hello.lua" };

describe("NativeScript with a command that is no Lua 5.4", () => {
  let directory = "";
  before(async () => {
    directory = await mkdtemp(join(tmpdir(), "native-script-"));
  });
  after(() => rm(directory, { recursive: true }));

  async function reasonOf(command: string): Promise<string> {
    const ports = { process: nodeProcess({ selfCommand: ["none"] }), clock: systemClock() };
    const options = { turnMs: 20_000, memoryMb: 32, printed: () => {} };
    const native = new NativeScript(ports, command, options);
    const outcome = await native.load(script);
    native.close();
    assert.equal(outcome.outcome, "failed");
    return outcome.text;
  }

  /** A program of the shell's that is called as a Lua would be. */
  async function program(name: string, lines: string, mode = 0o755): Promise<string> {
    const path = join(directory, name);
    await writeFile(path, `#!/bin/sh\n${lines}\n`, { mode });
    return path;
  }

  it("says that there is no such program", async () => {
    assert.match(await reasonOf("no-such-lua"), /^Cannot start "no-such-lua": there is no such/);
  });

  it("says that a file may not be run", async () => {
    const path = await program("plain", "", 0o644);
    assert.equal(await reasonOf(path), `Cannot start "${path}": it may not be run`);
  });

  it("says which version it found instead of 5.4", async () => {
    const path = await program("lua51", "echo 'Lua 5.4 is needed, this is Lua 5.1' >&2; exit 93");
    assert.equal(
      await reasonOf(path),
      `Cannot start "${path}": Lua 5.4 is needed, this is Lua 5.1`,
    );
  });

  it("says what a program complained of that ends at once", async () => {
    const path = await program("other", "echo 'what is -e?' >&2; echo 'usage: …' >&2; exit 1");
    assert.equal(
      await reasonOf(path),
      `"${path}" does not speak our protocol as a Lua 5.4 would: what is -e?`,
    );
  });

  it("says that a program writes something else", async () => {
    const path = await program("chatty", "echo 'Welcome to chatty 1.0'; cat >/dev/null");
    assert.equal(
      await reasonOf(path),
      `"${path}" does not speak our protocol as a Lua 5.4 would, it wrote: Welcome to chatty 1.0`,
    );
  });

  it("gives little of what such a program wrote, nothing of it that is ours or controls", async () => {
    for (
      const lines of [
        `printf '\\033[31m%0999d' 1; cat >/dev/null`,
        `printf '\\033[31m%0999d' 1 >&2; exit 1`,
      ]
    ) {
      const path = await program("wordy", lines);
      const reason = await reasonOf(path);
      assert.ok(reason.startsWith(`"${path}" does not speak our protocol`), reason);
      assert.match(reason, /: {1,2}\[31m0{90,95}$/);
    }
    const reason = await reasonOf("cat");
    assert.match(reason, /^"cat" does not speak our protocol as a Lua 5\.4 would: .{5,40}…$/);
    assert.doesNotMatch(reason, /_VERSION/);
  });

  it("close() ends one that is still starting", async () => {
    const path = await program("silent", "exec cat >/dev/null");
    const ports = { process: nodeProcess({ selfCommand: ["none"] }), clock: systemClock() };
    const native = new NativeScript(ports, path, {
      turnMs: 20_000,
      memoryMb: 32,
      printed: () => {},
    });
    const loaded = native.load(script);
    await Promise.resolve();
    native.close();
    assert.deepEqual(await loaded, { outcome: "failed", text: "the server is stopping" });
  });
});

const nativeLua = "lua5.4";
const found = spawnSync(nativeLua, ["-v"]).status === 0;

it("NativeScript.close() ends a process that still answers for the script before", {
  skip: found ? false : `there is no ${nativeLua} on this machine`,
}, async () => {
  const ports = { process: nodeProcess({ selfCommand: ["none"] }), clock: systemClock() };
  const options = { turnMs: 20_000, memoryMb: 32, printed: () => {} };
  const native = new NativeScript(ports, nativeLua, options);
  const endless = bytesOf("function runtime_hello() while true do end end");
  assert.equal((await native.load({ ...script, source: endless })).outcome, "ok");
  const before = native.hello();
  assert.equal((await native.load(script)).outcome, "ok");
  assert.deepEqual(await native.hello(), { outcome: "ok", text: "v1" });
  native.close();
  assert.deepEqual(await before, { outcome: "failed", text: "the server is stopping" });
});
