import assert from "node:assert/strict";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import { binary, runProgram, startServer, withDirectory } from "./run_program.ts";

function config(directory: string, settings: Record<string, unknown>): string {
  const path = join(directory, "gw.json");
  writeFileSync(path, JSON.stringify(settings));
  return path;
}

/** Runs `use` with a directory to work in and one for temporary files, of which none may be left. */
async function withDirectories(
  use: (directory: string, temporary: string) => Promise<void>,
): Promise<void> {
  await withDirectory((directory) =>
    withDirectory(async (temporary) => {
      await use(directory, temporary);
      assert.deepEqual(readdirSync(temporary), [], "temporary files are left");
      assert.deepEqual(programsIn(temporary), [], "programs are left");
    })
  );
}

/** Processes whose working directory is, or was, `directory` or one below it. */
function programsIn(directory: string): string[] {
  const list = Bun.spawnSync(["sh", "-c", "ls -l /proc/[0-9]*/cwd 2>/dev/null"]).stdout;
  return list.toString().split("\n").filter((line) => line.includes(`> ${directory}`));
}

interface Report {
  readonly ok: boolean;
  readonly failed: number;
  readonly cases: readonly { readonly name: string; readonly ok: boolean }[];
}

describe("check --acceptance of the binary", () => {
  async function acceptance(settings: Record<string, unknown>) {
    let run: { exitCode: number | null; stdout: string; report: Report } | undefined;
    await withDirectories(async (directory, temporary) => {
      const output = join(directory, "report.json");
      const flags = ["--config", config(directory, settings), "--output", output];
      const { exitCode, stdout } = await runProgram(
        [binary, "check", "--acceptance", ...flags],
        { cwd: directory, env: { TMPDIR: temporary } },
      );
      run = { exitCode, stdout, report: JSON.parse(readFileSync(output, "utf8")) };
      assert.deepEqual(readdirSync(directory).toSorted(), ["gw.json", "report.json"]);
    });
    return run!;
  }

  // Beside one another, because each mostly waits.
  it("passes, and fails with exit code 1 for each drift_mode, naming what drifted", async () => {
    const drifts = [
      ["route", "M4_ROUTE_THREAD"],
      ["flow", "M5_FLOW_ROOM"],
      ["protobuf", "Protobuf"],
    ] as const;
    const [good, ...drifted] = await Promise.all([
      acceptance({}),
      ...drifts.map(([mode]) => acceptance({ drift_mode: mode })),
    ]);
    assert.equal(good!.exitCode, 0, good!.stdout);
    assert.match(good!.stdout, /ACCEPTANCE_OK=True\n$/);
    assert.deepEqual([good!.report.ok, good!.report.failed], [true, 0]);
    assert.ok(good!.report.cases.length >= 90, `only ${good!.report.cases.length} cases`);
    for (const [index, [mode, word]] of drifts.entries()) {
      const { exitCode, stdout, report } = drifted[index]!;
      assert.equal(exitCode, 1, `${mode}: ${stdout}`);
      assert.match(stdout, /ACCEPTANCE_OK=False\n$/);
      const failed = report.cases.filter((result) => !result.ok).map((result) => result.name);
      assert.ok(failed.some((name) => name.includes(word)), `${mode}: ${failed.join("\n")}`);
    }
  });

  it("ends its servers and exits 1 when it is interrupted", async () => {
    await withDirectories(async (directory, temporary) => {
      const child = Bun.spawn([binary, "check", "--acceptance"], {
        cwd: directory,
        env: { ...process.env, TMPDIR: temporary },
        stdin: "ignore",
        stdout: "ignore",
        stderr: "pipe",
      });
      const end = Date.now() + 30_000;
      while (programsIn(temporary).length < 3 && Date.now() < end) await Bun.sleep(20);
      assert.ok(programsIn(temporary).length >= 3, "the acceptance started no programs");
      child.kill("SIGINT");
      await child.exited;
      assert.equal(child.exitCode, 1);
      assert.match(await new Response(child.stderr).text(), /stopped before its end/);
    });
  });
});

describe("check --release-gate of the binary", () => {
  it("passes with a short load and prints its figures", async () => {
    await withDirectories(async (directory, temporary) => {
      const { exitCode, stdout, stderr } = await runProgram(
        [binary, "check", "--release-gate", "--soak-seconds", "3"],
        { cwd: directory, env: { TMPDIR: temporary } },
      );
      assert.equal(exitCode, 0, stdout + stderr);
      assert.match(stdout, /ACCEPTANCE_OK=True\n/);
      assert.match(stdout, /\d+ replies\/s over [\d.]+ s, 0\.\d+ % failed/);
      assert.match(stdout, /MiB at first, .* MiB at last/);
      assert.match(stdout, /RELEASE_GATE_OK=True\n$/);
    });
  });
});

describe("check --live of the binary", () => {
  it("prints HEALTH_OK for a server that answers and HEALTH_FAIL with reasons else", async () => {
    await withDirectory(async (directory) => {
      const server = await startServer([binary, "serve"], { cwd: directory });
      const live = (...flags: string[]) =>
        runProgram([binary, "check", "--live", "--tcp-port", `${server.tcpPort}`, ...flags], {
          cwd: directory,
        });
      const good = await live("--require-udp", "--max-error-count", "0");
      assert.deepEqual([good.exitCode, good.stdout], [0, "HEALTH_OK\n"]);
      const json = await live("--json-output", "--min-io-poll-count", "0");
      assert.equal(JSON.parse(json.stdout).figures.tcp_port, server.tcpPort);
      const strict = await live("--min-timer-tick-count", "1000000000");
      assert.equal(strict.exitCode, 1);
      assert.match(strict.stdout, /^HEALTH_FAIL\ntimer_tick_count is \d+, allowed ≥ 1000000000\n$/);
      await server.stop();
      const dead = await live("--json");
      assert.equal(dead.exitCode, 1);
      assert.match(JSON.parse(dead.stdout).reasons[0], /Cannot connect/);
    });
  });

  it("uses the control token of the configuration and of the environment, and shows it nowhere", async () => {
    await withDirectory(async (directory) => {
      const token = "a-token-of-sixteen-or-more";
      const server = await startServer([binary, "serve"], {
        cwd: directory,
        env: { FREEKILL_GW_CONTROL_TOKEN: token },
      });
      const command = [binary, "check", "--live", "--tcp-port", `${server.tcpPort}`];
      const limited = [...command, "--max-error-count", "5"];
      const plain = await runProgram(limited, { cwd: directory });
      assert.equal(plain.exitCode, 1);
      assert.match(plain.stdout, /ERR_FORBIDDEN/);
      const env = { FREEKILL_GW_CONTROL_TOKEN: token };
      assert.equal((await runProgram(limited, { cwd: directory, env })).exitCode, 0);
      const path = config(directory, { control_token: token });
      const file = await runProgram([...limited, "--config", path, "--json"], { cwd: directory });
      assert.equal(file.exitCode, 0, file.stdout);
      const wrong = await runProgram(limited, {
        cwd: directory,
        env: { FREEKILL_GW_CONTROL_TOKEN: `${token}-wrong` },
      });
      assert.equal(wrong.exitCode, 1);
      for (const { stdout, stderr } of [plain, file, wrong]) {
        assert.equal((stdout + stderr).includes(token), false, "the token is shown");
      }
      // `stop` sends `__STOP__`, which this server forbids; its directory goes only after it.
      process.kill(server.pid, "SIGTERM");
      const end = Date.now() + 30_000;
      while (programsIn(directory).length > 0 && Date.now() < end) await Bun.sleep(10);
      assert.deepEqual(programsIn(directory), []);
    });
  });
});

describe("check of the binary", () => {
  it("passes in an empty directory, in text and JSON, and leaves it empty", async () => {
    await withDirectory(async (directory) => {
      const env = { FREEKILL_GW_TCP_PORT: "0", FREEKILL_GW_HTTP_PORT: "0" };
      const text = await runProgram([binary, "check"], { cwd: directory, env });
      assert.equal(text.exitCode, 0, text.stdout + text.stderr);
      assert.match(text.stdout, /CHECK_OK\n$/);
      const json = await runProgram([binary, "check", "--json"], { cwd: directory, env });
      assert.equal(JSON.parse(json.stdout).ok, true);
      assert.deepEqual(readdirSync(directory), []);
    });
  });

  it("loads the Lua script as serve would", async () => {
    await withDirectory(async (directory) => {
      const env = { FREEKILL_GW_TCP_PORT: "0", FREEKILL_GW_HTTP_PORT: "0" };
      const path = config(directory, { lua_script_path: "script.lua" });
      const check = () => runProgram([binary, "check", "--config", path], { cwd: directory, env });
      const script = join(directory, "script.lua");
      writeFileSync(script, 'function runtime_hello() return "v7" end');
      const good = await check();
      assert.equal(good.exitCode, 0, good.stdout);
      assert.match(good.stdout, /ok +lua script +"script.lua" greets with "v7"/);
      writeFileSync(script, "function runtime_hello( return");
      const bad = await check();
      assert.equal(bad.exitCode, 1);
      assert.match(bad.stdout, /failed +lua script +"script.lua": /);
    });
  });

  it("sees a server that runs in its directory", async () => {
    await withDirectory(async (directory) => {
      const server = await startServer([binary, "serve"], { cwd: directory });
      const env = { FREEKILL_GW_TCP_PORT: `${server.tcpPort}`, FREEKILL_GW_HTTP_PORT: "0" };
      const { exitCode, stdout } = await runProgram([binary, "check"], { cwd: directory, env });
      assert.equal(exitCode, 1);
      assert.match(stdout, /failed +instance +a server runs in this directory/);
      assert.match(stdout, /failed +tcp_port tcp .*EADDRINUSE/);
      assert.match(stdout, /ok +database .* is whole/);
      await server.stop();
    });
  });

  it("exits 2 for wrong flags and configurations, with one line each", async () => {
    await withDirectory(async (directory) => {
      for (
        const [flags, said] of [
          [["--live", "--tcp-prot", "1"], /--tcp-prot.*--tcp-port/],
          [["--live", "--tcp-port", "70000"], /--tcp-port/],
          [["--live", "--acceptance"], /--live.*--acceptance/],
          [["--soak-seconds", "5"], /--release-gate/],
          [["--config", "nowhere.json"], /nowhere\.json/],
          [["--acceptance", "--config", "nowhere.json"], /nowhere\.json/],
        ] as const
      ) {
        const run = await runProgram([binary, "check", ...flags], { cwd: directory });
        assert.equal(run.exitCode, 2, `${flags.join(" ")}: ${run.stdout}${run.stderr}`);
        assert.match(run.stderr, said);
        assert.equal(run.stderr.trimEnd().includes("\n"), false, run.stderr);
      }
    });
  });

  it("exits 3 when the report cannot be written", async () => {
    await withDirectory(async (directory) => {
      const env = { FREEKILL_GW_TCP_PORT: "0", FREEKILL_GW_HTTP_PORT: "0" };
      const command = [binary, "check", "--output", "nowhere/report.json"];
      const run = await runProgram(command, { cwd: directory, env });
      assert.equal(run.exitCode, 3);
      assert.match(run.stderr, /Cannot write the report: .*nowhere\/report\.json/);
    });
  });
});
