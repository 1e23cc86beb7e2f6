/** What nodeProcess promises beyond what a fake can show: the system's own signals and pipes. */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { mkdtemp, realpath, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { describe, it } from "node:test";
import { nodeProcess } from "../../src/adapters/node/process.ts";
import { runtimeCommand, startHelper } from "./helper_program.ts";
import { finished } from "./process_conformance.ts";

const port = nodeProcess({ selfCommand: runtimeCommand("./helper_main.ts") });

describe("nodeProcess", () => {
  it("spawn() rejects with the system's code for what cannot be started", async () => {
    await assert.rejects(port.spawn("/no/such/program", { args: [] }), {
      code: "ENOENT",
      message: 'Cannot start "/no/such/program": ENOENT',
    });
    await assert.rejects(port.spawn("no-such-program-in-path", { args: [] }), { code: "ENOENT" });
    await assert.rejects(port.spawn(tmpdir(), { args: [] }), { code: "EACCES" });
    const [command] = runtimeCommand("./helper_main.ts");
    await assert.rejects(port.spawn(command, { args: [], cwd: "/no/such/directory" }), {
      code: "ENOENT",
    });
  });

  it("spawn() starts in cwd", async () => {
    const directory = await realpath(await mkdtemp(join(tmpdir(), "cwd-")));
    const { stdout } = await finished(port, { args: ["cwd"], cwd: directory });
    assert.equal(stdout, directory);
    await rm(directory, { recursive: true });
  });

  it("onSignal() replaces the default, and the default is back when it is stopped", async () => {
    const helper = await startHelper("signals");
    await helper.line((line) => line === "ready");
    assert.equal(port.kill(helper.pid, "SIGHUP"), true);
    await helper.line((line) => line === "got SIGHUP");
    assert.equal(port.kill(helper.pid, "SIGTERM"), true);
    await helper.line((line) => line === "deaf again");
    assert.equal(port.kill(helper.pid, "SIGTERM"), true);
    assert.deepEqual(await helper.ended, { code: null, signal: "SIGTERM" });
  });

  it("a child's kill() works again after a signal that the child took", async () => {
    let output = "";
    let heard = (_: string) => {};
    const child = await port.spawnSelf({
      args: ["signals"],
      stdout: (bytes) => heard(output += new TextDecoder().decode(bytes)),
    });
    const until = (text: string) =>
      new Promise<void>((resolve) => {
        heard = (all) => all.includes(text) && resolve();
        heard(output);
      });
    await until("ready");
    child.kill("SIGHUP");
    await until("got SIGHUP");
    child.kill("SIGTERM");
    await until("deaf again");
    child.kill("SIGKILL");
    assert.deepEqual(await child.exited, { code: null, signal: "SIGKILL" });
  });

  it("onUncaught() is told of exceptions and rejections instead of a report with a stack", async () => {
    for (const kind of ["throw", "reject"]) {
      const outcome = await finished(port, { args: ["uncaught", kind] });
      assert.deepEqual(outcome.exit, { code: 3, signal: null }, kind);
      assert.equal(outcome.stdout, `told of Error: ${kind}\n`);
      assert.equal(outcome.stderr, "");
    }
  });

  it("kill() tells false for what is not there and refuses groups", async () => {
    const gone = await port.spawnSelf({ args: ["exit", "0"] });
    await gone.exited;
    assert.equal(port.kill(gone.pid, 0), false);
    assert.equal(port.kill(gone.pid, "SIGKILL"), false);
    assert.equal(port.kill(process.pid, 0), true);
    for (const pid of [0, -1, -process.pid, 1.5, NaN]) {
      assert.throws(() => port.kill(pid, 0), RangeError);
    }
  });

  it("exited resolves although a grandchild holds the output open", async () => {
    let stdout = "";
    const child = await port.spawnSelf({
      args: ["grandchild"],
      stdout: (bytes) => stdout += new TextDecoder().decode(bytes),
    });
    const start = performance.now();
    assert.deepEqual(await child.exited, { code: 0, signal: null });
    assert.ok(performance.now() - start < 20_000);
    const grandchild = Number(/^grandchild (\d+)\n$/.exec(stdout)?.[1]);
    assert.equal(port.kill(grandchild, "SIGKILL"), true);
  });

  it("writeStdout() survives a reader that went away", async () => {
    const [command, ...first] = runtimeCommand("./helper_main.ts");
    const child = spawn(command, [...first, "broken-pipe"], { stdio: "pipe" });
    const stderr: Uint8Array[] = [];
    child.stderr.on("data", (bytes: Uint8Array) => stderr.push(bytes));
    child.stdout.destroy();
    child.stdin.end();
    const code = await new Promise((resolve) => child.once("close", resolve));
    assert.deepEqual([code, Buffer.concat(stderr).toString()], [5, "alive\n"]);
  });

  it("writeStdout() waits for a slow reader and loses nothing", async () => {
    const [command, ...first] = runtimeCommand("./helper_main.ts");
    const child = spawn(command, [...first, "print", "2000000"], {
      stdio: ["ignore", "pipe", "ignore"],
    });
    let length = 0;
    child.stdout.on("data", (bytes: Uint8Array) => {
      length += bytes.length;
      child.stdout.pause();
      setTimeout(() => child.stdout.resume(), 1);
    });
    const code = await new Promise((resolve) => child.once("close", resolve));
    assert.deepEqual([code, length], [7, 2_000_000]);
  });

  for (
    const [what, input, bytesMax, line] of [
      ["up to its end", "first\nsecond\n", 100, "first"],
      ["without the end that Windows gives it", "first\r\nsecond", 100, "first"],
      ["of an input that ends without one", "all", 100, "all"],
      ["of no input", "", 100, ""],
      ["where it is too long, more than was asked for", "x".repeat(300_000), 10, /^x{11,}$/],
    ] as const
  ) {
    it(`readInputLine() gives the first line ${what}`, async () => {
      const [command, ...first] = runtimeCommand("./helper_main.ts");
      const child = spawn(command, [...first, "first-line", `${bytesMax}`], { stdio: "pipe" });
      const stdout: Uint8Array[] = [];
      child.stdout.on("data", (bytes: Uint8Array) => stdout.push(bytes));
      // It may be gone before it has all.
      child.stdin.on("error", () => {});
      child.stdin.end(input);
      const code = await new Promise((resolve) => child.once("close", resolve));
      const found = Buffer.concat(stdout).toString().slice(0, -1);
      assert.equal(code, 0);
      if (typeof line === "string") assert.equal(found, line);
      else assert.match(found, line);
    });
  }

  it("args, pid, platform and isTerminal describe this process", () => {
    assert.equal(port.pid, process.pid);
    assert.ok(Array.isArray(port.args));
    assert.ok(["linux", "darwin", "windows"].includes(port.platform));
    for (const value of Object.values(port.isTerminal)) assert.equal(typeof value, "boolean");
    assert.throws(() => nodeProcess({ selfCommand: [] }), TypeError);
  });

  it(
    "fileDescriptorLimit() is what the shell says",
    { skip: process.platform === "linux" ? false : "only Linux tells it" },
    async () => {
      let limit = "";
      const shell = await port.spawn("/bin/sh", {
        args: ["-c", "ulimit -n"],
        stdout: (bytes) => limit += new TextDecoder().decode(bytes),
      });
      await shell.exited;
      assert.equal(port.fileDescriptorLimit(), Number(limit));
    },
  );
});
