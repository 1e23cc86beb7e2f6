/** A reader of stderr that stands still must neither stop the program nor lose lines unnoticed. */
import assert from "node:assert/strict";
import { execFileSync, spawn } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { describe, it } from "node:test";
import { runtimeCommand, startHelper } from "./helper_program.ts";

const FLOOD_LINES = 3_000;
/** One wait of 100 ms is allowed; the rest is for a machine that is busy with other things. */
const LONGEST_MS_MAX = 2_000;
const TOTAL_MS_MAX = 4_000;

const unix = process.platform === "win32" ? "poll(2) is not on Windows" : false;

function checkTimes(report: string): { pid: number } {
  const { pid, longestMs, totalMs } = JSON.parse(report);
  assert.ok(longestMs < LONGEST_MS_MAX, `a call took ${longestMs} ms`);
  assert.ok(totalMs < TOTAL_MS_MAX, `all calls took ${totalMs} ms`);
  return { pid };
}

describe("pinoLog on a stalled stderr", { skip: unix }, () => {
  it("goes on when it is a pipe, and tells how many lines were lost", async () => {
    const directory = await mkdtemp(join(tmpdir(), "stderr-"));
    let stop = () => {};
    try {
      const fifo = join(directory, "stderr");
      execFileSync("mkfifo", [fifo]);
      const command = runtimeCommand("./helper_main.ts");
      // Both ends are held by the program itself: nobody reads, and nothing breaks.
      const child = spawn(
        "sh",
        ["-c", 'exec 3<>"$0" && exec "$@" 2>&3', fifo, ...command, "log-flood", `${FLOOD_LINES}`],
        { stdio: ["pipe", "pipe", "inherit"] },
      );
      stop = () => void child.kill("SIGKILL");
      const exited = new Promise((resolve) => child.once("exit", resolve));
      checkTimes(await firstLine(child.stdout));

      const reader = spawn("cat", [fifo], { stdio: ["ignore", "pipe", "inherit"] });
      let text = "";
      const drained = new Promise<void>((resolve) => {
        reader.stdout.on("data", (bytes) => {
          text += bytes;
          // What was read is room again, so it may go on.
          child.stdin.end();
        });
        reader.stdout.on("end", resolve);
      });
      assert.equal(await exited, 0);
      await drained;

      const lines = text.trimEnd().split("\n").map((line) => JSON.parse(line));
      const flood = lines.filter((line) => line.message === "flood");
      assert.deepEqual(flood.map((line) => line.number), flood.map((_, number) => number));
      assert.ok(flood.length < FLOOD_LINES, "the pipe took everything, so nothing was shown");
      const [lost, after] = lines.slice(flood.length);
      assert.deepEqual([lost.level, lost.lost], ["warn", FLOOD_LINES - flood.length]);
      assert.match(lost.message, /lost/);
      assert.equal(after.message, "after");
    } finally {
      stop();
      await rm(directory, { recursive: true });
    }
  });

  it("goes on when it is what this runtime gives a child of it", async () => {
    const parent = await startHelper("deaf-parent", `${FLOOD_LINES}`);
    let child: number | undefined;
    try {
      child = checkTimes(await parent.line((line) => line.startsWith("{"))).pid;
    } finally {
      if (child !== undefined) process.kill(child, "SIGKILL");
      await parent.kill();
    }
  });
});

function firstLine(stream: NodeJS.ReadableStream): Promise<string> {
  let text = "";
  return new Promise((resolve, reject) => {
    stream.on("data", (bytes) => {
      text += bytes;
      if (text.includes("\n")) resolve(text.split("\n")[0]!);
    });
    stream.on("end", () => reject(new Error(`It ended after: ${text}`)));
  });
}
