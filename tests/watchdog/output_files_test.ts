import assert from "node:assert/strict";
import { mkdtemp, readdir, readFile, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, it } from "node:test";
import { nodeFiles } from "../../src/adapters/node/files.ts";
import { ChildOutput, parseReadyLine } from "../../src/watchdog/child_output.ts";
import { pendingBytesMax, RotatingFile } from "../../src/watchdog/rotating_file.ts";
import { formerChildPid, StatusFile, statusText } from "../../src/watchdog/status_file.ts";
import { neverStarted } from "../../src/watchdog/supervisor_state.ts";
import { FileError, type FilesPort } from "../../src/ports/files.ts";

async function inDirectory(run: (directory: string) => Promise<void>): Promise<void> {
  const directory = await mkdtemp(join(tmpdir(), "watchdog-files-"));
  try {
    await run(directory);
  } finally {
    await rm(directory, { recursive: true });
  }
}

const neverFails = (error: Error) => assert.fail(error);
const text = async (path: string) => await readFile(path, "utf8");

describe("RotatingFile", () => {
  it("keeps each file under its limit, cut between lines, and only so many files", async () => {
    await inDirectory(async (directory) => {
      const path = join(directory, "events.jsonl");
      const options = { path, bytesMax: 1_000, filesMax: 3, files: nodeFiles() };
      const file = await RotatingFile.open({ ...options, failed: neverFails });
      const line = `${"x".repeat(99)}\n`;
      for (let n = 0; n < 95; n++) file.write(line);
      await file.close();
      const names = ["events.jsonl", "events.jsonl.1", "events.jsonl.2"];
      assert.deepEqual((await readdir(directory)).sort(), names);
      assert.equal(await text(path), line.repeat(5));
      assert.equal(await text(`${path}.1`), line.repeat(10));
      assert.equal(await text(`${path}.2`), line.repeat(10));
    });
  });

  it("cuts what comes at once and is larger than a file", async () => {
    await inDirectory(async (directory) => {
      const path = join(directory, "log");
      const options = { path, bytesMax: 1_000, filesMax: 9, files: nodeFiles() };
      const file = await RotatingFile.open({ ...options, failed: neverFails });
      file.write("line of 16 bytes".padEnd(15).slice(0, 15).concat("\n").repeat(100));
      file.write(`${"no end".repeat(500)}\n`);
      await file.close();
      let sum = 0;
      for (const name of await readdir(directory)) {
        const { size } = await stat(join(directory, name));
        assert.ok(size <= 1_000, `${name} has ${size} bytes`);
        sum += size;
      }
      assert.equal(sum, 1_600 + 3_001);
    });
  });

  it("goes on at the end of a file that is there already, one file where one is allowed", async () => {
    await inDirectory(async (directory) => {
      const path = join(directory, "log");
      for (const word of ["one\n", "two\n", "three\n"]) {
        const options = { path, bytesMax: 10, filesMax: 1, files: nodeFiles() };
        const file = await RotatingFile.open({ ...options, failed: neverFails });
        file.write(word);
        await file.close();
      }
      assert.equal(await text(path), "three\n");
      assert.deepEqual(await readdir(directory), ["log"]);
    });
  });

  it("drops and counts what a disk does not take, tells it once, and recovers on a new line", async () => {
    await inDirectory(async (directory) => {
      const path = join(directory, "log");
      const disk = { isFull: false };
      const failures: Error[] = [];
      const file = await RotatingFile.open({
        path,
        bytesMax: 100_000,
        filesMax: 2,
        files: fillingFiles(disk),
        failed: (error) => failures.push(error),
      });
      file.write("before\n");
      await file.settled();
      disk.isFull = true;
      file.write("lost one\n");
      await file.settled();
      file.write("lost two\n");
      await file.settled();
      disk.isFull = false;
      file.write("after\n");
      await file.close();
      assert.equal(await text(path), "before\nlost\nafter\n");
      assert.equal(file.droppedBytes, 18);
      assert.equal(failures.length, 1);
    });
  });

  it("bounds what waits for a slow disk", async () => {
    await inDirectory(async (directory) => {
      const path = join(directory, "log");
      const options = { path, bytesMax: 2 ** 30, filesMax: 2, files: nodeFiles() };
      const file = await RotatingFile.open({ ...options, failed: neverFails });
      const piece = `${"y".repeat(65_535)}\n`;
      const pieces = 100;
      for (let n = 0; n < pieces; n++) file.write(piece);
      await file.close();
      const written = (await stat(path)).size;
      assert.equal(written + file.droppedBytes, pieces * piece.length);
      assert.ok(written >= pendingBytesMax && written <= pendingBytesMax + 262_144);
    });
  });
});

/** A disk that takes the first bytes of a line and then is full, while it is told to be. */
function fillingFiles(disk: { isFull: boolean }): FilesPort {
  const files = nodeFiles();
  return {
    ...files,
    async openAppend(path, options) {
      const file = await files.openAppend(path, options);
      return {
        get size() {
          return file.size;
        },
        async append(bytes) {
          if (!disk.isFull) return await file.append(bytes);
          if (file.size < 10) await file.append(bytes.subarray(0, 4));
          throw new FileError("ENOSPC", path, "disk full");
        },
        dataSync: () => file.dataSync(),
        close: () => file.close(),
      };
    },
  };
}

describe("StatusFile", () => {
  it("shows a reader the whole old or the whole new status while it is replaced", async () => {
    await inDirectory(async (directory) => {
      const path = join(directory, "status.json");
      const files = nodeFiles();
      const facts = {
        healthHost: "127.0.0.1",
        healthTcpPort: 1,
        healthUdpPort: 2,
        configPath: null,
      };
      const textOf = (count: number) =>
        statusText({ ...neverStarted, restartCount: count, lastHealthReason: "x".repeat(count) }, {
          ...facts,
          updatedAtMs: count,
        });
      const status = new StatusFile({ files, path, failed: neverFails });
      status.write(textOf(0));
      await status.flush();
      let isDone = false;
      const reader = (async () => {
        let reads = 0;
        for (; !isDone; reads++) {
          const found = JSON.parse(await text(path));
          assert.equal(found.last_health_reason.length, found.restart_count);
        }
        return reads;
      })();
      for (let count = 1; count <= 100; count++) {
        status.write(textOf(count));
        if (count % 2 === 0) await status.flush();
      }
      await status.flush();
      isDone = true;
      assert.ok(await reader > 0);
      assert.equal(JSON.parse(await text(path)).restart_count, 100);
      assert.deepEqual(await readdir(directory), ["status.json"]);
    });
  });

  it("has exactly the keys of the spec", () => {
    const file: Record<string, unknown> = JSON.parse(statusText(neverStarted, {
      updatedAtMs: 0,
      healthHost: "127.0.0.1",
      healthTcpPort: 9_527,
      healthUdpPort: 9_528,
      configPath: "gw.json",
    }));
    assert.deepEqual(
      Object.keys(file).join(" "),
      "updated_at restart_count health_failure_streak last_health_ok last_health_reason child_pid " +
        "child_running health_host health_tcp_port health_udp_port config_json",
    );
    assert.equal(file["updated_at"], "1970-01-01T00:00:00.000Z");
    assert.equal(file["child_running"], false);
  });
});

it("formerChildPid() gives the running child of a status file, and nothing for anything else", async () => {
  await inDirectory(async (directory) => {
    const files = nodeFiles();
    const path = join(directory, "status.json");
    const former = async (content: string) => {
      await files.replace(path, new TextEncoder().encode(content));
      return await formerChildPid(files, path);
    };
    assert.equal(await formerChildPid(files, path), undefined);
    assert.equal(await former('{"child_running":true,"child_pid":77}'), 77);
    assert.equal(await former('{"child_running":false,"child_pid":77}'), undefined);
    for (const pid of ["-1", "0", "1", "1.5", '"7"', "null", "1e400"]) {
      assert.equal(await former(`{"child_running":true,"child_pid":${pid}}`), undefined);
    }
    for (const content of ["", "[]", "null", "{", '"x"', "\u0000"]) {
      assert.equal(await former(content), undefined);
    }
  });
});

describe("ChildOutput", () => {
  const bytes = (text: string) => new TextEncoder().encode(text);

  it("gives whole lines, whatever the pieces, and the rest at the end", () => {
    const whole = "first\nzweite Zeile mit ä\n第三行\nrest";
    const all = bytes(whole);
    for (let cut = 0; cut <= all.length; cut++) {
      let got = "";
      const output = new ChildOutput({
        secret: "secret",
        lines(text) {
          assert.ok(text.endsWith("\n"));
          got += text;
        },
      });
      output.push(all.subarray(0, cut));
      output.push(all.subarray(cut));
      output.end();
      assert.equal(got, `${whole}\n`);
      assert.equal(output.lastLine, "rest");
    }
  });

  it("hides the secret even when it comes in two pieces", () => {
    let got = "";
    const output = new ChildOutput({ secret: "0123456789abcdef", lines: (text) => got += text });
    output.push(bytes("token 01234567"));
    output.push(bytes("89abcdef here\n"));
    assert.equal(got, "token [hidden] here\n");
    assert.equal(output.lastLine, "token [hidden] here");
  });

  it("bounds a line without end", () => {
    let got = 0;
    let calls = 0;
    const output = new ChildOutput({
      secret: "secret",
      lines(text) {
        got += text.length;
        calls++;
      },
    });
    for (let n = 0; n < 160; n++) output.push(bytes("z".repeat(8_192)));
    assert.ok(got >= 160 * 8_192 - 65_536 && calls >= 16);
    assert.equal(output.lastLine.length, 500);
  });

  it("keeps the last line that tells of a failure", () => {
    const output = new ChildOutput({ secret: "secret", lines: () => {} });
    output.push(bytes('{"level":"error","time":"…","message":"Cannot listen on tcp 1"}\n'));
    output.push(bytes('{"level":"info","time":"…","message":"stopped"}\n\n'));
    assert.equal(output.lastLine, "Cannot listen on tcp 1");
    output.push(bytes("freekill-gw: internal error: x\n"));
    assert.equal(output.lastLine, "freekill-gw: internal error: x");
  });
});

it("parseReadyLine() reads the ready line and no other", () => {
  const line = "runtime_host_server_ready host=:: tcp_port=9527 udp_port=9528 runtime=freekill-gw";
  assert.deepEqual(parseReadyLine(line), { host: "::", tcpPort: 9_527, udpPort: 9_528 });
  for (const other of ["", "ready", ` ${line}`, line.replace("9527", "x")]) {
    assert.equal(parseReadyLine(other), undefined);
  }
});
