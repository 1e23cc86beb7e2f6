import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type {
  ChildExit,
  ChildProcess,
  ProcessPort,
  SpawnOptions,
} from "../../src/ports/process.ts";

/**
 * What each process adapter must do with children. Started by `spawnSelf` must be a program with
 * the parts exit, print, echo, env and wait of `helper_main.ts`.
 */
export function processConformance(name: string, port: ProcessPort): void {
  describe(`ProcessPort of ${name}`, () => {
    it("spawnSelf() passes arguments, and exited tells the exit code", async () => {
      for (const code of [0, 1, 42]) {
        const child = await port.spawnSelf({ args: ["exit", String(code)] });
        assert.ok(child.pid > 0);
        assert.deepEqual(await child.exited, { code, signal: null });
      }
    });

    it("exited resolves after all output was given, even when it ends right after", async () => {
      const { exit, stdout, stderr } = await finished(port, { args: ["print", "300000"] });
      assert.deepEqual(exit, { code: 7, signal: null });
      assert.equal(stdout, "x".repeat(300_000));
      assert.equal(stderr, "problem\n");
    });

    it("output without a receiver is thrown away and stops nobody", async () => {
      const child = await port.spawnSelf({ args: ["print", "300000"] });
      assert.deepEqual(await child.exited, { code: 7, signal: null });
    });

    it("writeStdin() brings bytes in order, closeStdin() ends them", async () => {
      const written = Array.from({ length: 40 }, (_, index) => `${index} `.repeat(2_000));
      const { stdout } = await finished(port, { args: ["echo"], stdin: "pipe" }, (child) => {
        for (const part of written) {
          assert.equal(child.writeStdin(new TextEncoder().encode(part)), true);
        }
        child.closeStdin();
        child.closeStdin();
        assert.equal(child.writeStdin(Uint8Array.of(1)), false);
      });
      assert.equal(stdout, written.join(""));
    });

    it("writeStdin() copies, so that the caller may use its array again", async () => {
      const { stdout } = await finished(port, { args: ["echo"], stdin: "pipe" }, (child) => {
        const bytes = new Uint8Array(200_000).fill(0x61);
        child.writeStdin(bytes);
        bytes.fill(0x62);
        child.closeStdin();
      });
      assert.equal(stdout, "a".repeat(200_000));
    });

    it("without stdin: pipe the child's input is empty, and writeStdin() tells false", async () => {
      const { exit, stdout } = await finished(port, { args: ["echo"] }, (child) => {
        assert.equal(child.writeStdin(Uint8Array.of(1)), false);
        assert.equal(child.bufferedBytes, 0);
      });
      assert.deepEqual([exit, stdout], [{ code: 0, signal: null }, ""]);
    });

    it("env is added to the program's own", async () => {
      const { stdout } = await finished(port, {
        args: ["env", "FREEKILL_GW_TEST_A", "PATH"],
        env: { FREEKILL_GW_TEST_A: "a b\nc" },
      });
      assert.deepEqual(JSON.parse(stdout), ["a b\nc", port.env["PATH"]]);
    });

    it("kill() ends a child; afterwards nothing of it is left and nothing throws", async () => {
      let ready = () => {};
      const isReady = new Promise<void>((resolve) => {
        ready = resolve;
      });
      const child = await port.spawnSelf({ args: ["wait"], stdin: "pipe", stdout: () => ready() });
      await isReady;
      assert.equal(port.kill(child.pid, 0), true);
      child.kill("SIGKILL");
      assert.deepEqual(await child.exited, { code: null, signal: "SIGKILL" });
      child.kill("SIGKILL");
      child.kill("SIGTERM");
      child.closeStdin();
      assert.equal(child.writeStdin(Uint8Array.of(1)), false);
      assert.equal(child.bufferedBytes, 0);
      assert.equal(port.kill(child.pid, 0), false);
      assert.equal(port.kill(child.pid, "SIGTERM"), false);
    });

    it("processors is a whole number of them", () => {
      assert.ok(Number.isInteger(port.processors) && port.processors >= 1);
    });

    it("usage() and fileDescriptorLimit() give plausible figures", () => {
      const usage = port.usage();
      for (const figure of Object.values(usage)) assert.ok(Number.isInteger(figure) && figure >= 0);
      const limit = port.fileDescriptorLimit();
      assert.ok(limit === undefined || (Number.isInteger(limit) && limit > 0));
    });
  });
}

/** Runs a child to its end and gathers what it wrote. */
export async function finished(
  port: ProcessPort,
  options: SpawnOptions,
  meanwhile: (child: ChildProcess) => void = () => {},
): Promise<{ exit: ChildExit; stdout: string; stderr: string }> {
  const output = { stdout: "", stderr: "" };
  const decoders = { stdout: new TextDecoder(), stderr: new TextDecoder() };
  const gather = (name: "stdout" | "stderr") => (bytes: Uint8Array) => {
    output[name] += decoders[name].decode(bytes, { stream: true });
  };
  const child = await port.spawnSelf({
    ...options,
    stdout: gather("stdout"),
    stderr: gather("stderr"),
  });
  meanwhile(child);
  const exit = await child.exited;
  return { exit, ...output };
}
