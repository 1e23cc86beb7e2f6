import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { chmod, readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import process from "node:process";
import { describe, it } from "node:test";
import { fileURLToPath } from "node:url";
import {
  checkEnvironment,
  checkFileDescriptors,
  type EnvironmentReport,
  type Finding,
  showEnvironment,
} from "../../src/check/environment.ts";
import type { ScriptOutcome } from "../../src/check/environment_lua.ts";
import { loadSettings } from "../../src/config/load_settings.ts";
import { FileError, type FilesPort } from "../../src/ports/files.ts";
import type { Runtime } from "../../src/ports/runtime.ts";
import { realRuntime } from "./real_runtime.ts";
import { withTemporaryDirectory } from "./temporary_directory.ts";

const runtime = await realRuntime();
const isRoot = (process as { getuid?: () => number }).getuid?.() === 0;
const greets: ScriptOutcome = { kind: "ok", version: "v1" };

/** Checks a configuration whose paths are all inside `directory`. */
async function check(
  directory: string,
  config: Readonly<Record<string, unknown>> = {},
  script: () => Promise<ScriptOutcome> = () => Promise.resolve(greets),
  world: Runtime = runtime,
): Promise<EnvironmentReport> {
  const path = join(directory, "gw.json");
  const watchdog = Object.fromEntries(
    ["status_path", "event_log_path", "stdout_log_path", "stderr_log_path"].map(
      (key) => [key, join(directory, "data", key)],
    ),
  );
  // Ports that the system chooses are always free.
  const settings = {
    tcp_port: 0,
    http_port: 0,
    db_path: join(directory, "data/db.sqlite"),
    watchdog,
    ...config,
  };
  await writeFile(path, JSON.stringify(settings));
  const loaded = await loadSettings({ files: runtime.files, env: {}, flags: {}, configPath: path });
  assert.ok(loaded.ok, JSON.stringify(loaded));
  return await checkEnvironment({
    runtime: world,
    settings: loaded.settings,
    configPath: path,
    notices: [],
    tryScript: script,
    lockPath: join(directory, "server.lock"),
  });
}

function find(report: EnvironmentReport, name: string): Finding {
  const found = report.findings.filter((finding) => finding.name === name);
  assert.equal(found.length, 1, `findings named ${name}: ${JSON.stringify(report.findings)}`);
  return found[0]!;
}

describe("checkEnvironment()", () => {
  it("passes in an empty directory and leaves it as it was", async () => {
    await withTemporaryDirectory(async (directory) => {
      const report = await check(directory);
      assert.equal(report.ok, true, showEnvironment(report));
      assert.match(find(report, "database").found, /will be made/);
      assert.equal(find(report, "packages").status, "note");
      assert.deepEqual(await readdir(directory), ["gw.json"]);
    });
  });

  it("names a TCP, UDP and HTTP port that is taken, and the key to set", async () => {
    const handlers = { message: () => {}, error: () => {} };
    const udp = await runtime.udp.bind({ host: "127.0.0.1", port: 0, handlers });
    const http = await runtime.http.listen({
      host: "127.0.0.1",
      port: 0,
      bodyBytesMax: 1,
      fetch: () => new Response(),
      error: () => {},
    });
    const tcp = await runtime.http.listen({
      host: "127.0.0.1",
      port: 0,
      bodyBytesMax: 1,
      fetch: () => new Response(),
      error: () => {},
    });
    try {
      await withTemporaryDirectory(async (directory) => {
        const report = await check(directory, {
          tcp_port: tcp.port,
          udp_port: udp.port,
          http_port: http.port,
        });
        assert.equal(report.ok, false);
        for (
          const [name, port] of [
            ["tcp_port tcp", tcp.port],
            ["udp_port udp", udp.port],
            ["http_port tcp", http.port],
          ] as const
        ) {
          const finding = find(report, name);
          assert.equal(finding.status, "failed", name);
          assert.ok(finding.found.includes(`127.0.0.1:${port}`), finding.found);
          assert.ok(finding.advice.includes(name.split(" ")[0]!), finding.advice);
        }
      });
    } finally {
      udp.close();
      await Promise.all([http.close(), tcp.close()]);
    }
  });

  it("names a directory that cannot be written to", async () => {
    await withTemporaryDirectory(async (directory) => {
      await writeFile(join(directory, "file"), "");
      const report = await check(directory, { log: { file: join(directory, "file/log/gw.log") } });
      assert.equal(report.ok, false);
      const failed = report.findings.filter((finding) => finding.status === "failed");
      assert.equal(failed.length, 1, showEnvironment(report));
      assert.match(failed[0]!.found, /file\/log" \(log\.file\) cannot be written to/);
    });
  });

  it("tells another server in the directory by its lock", async () => {
    await withTemporaryDirectory(async (directory) => {
      const path = join(directory, "server.lock");
      const lock = runtime.sqlite.open({ path, busyTimeoutMs: 0 });
      lock.exec("PRAGMA locking_mode = EXCLUSIVE");
      lock.exec("BEGIN EXCLUSIVE");
      assert.match(find(await check(directory), "instance").found, /a server runs/);
      lock.close();
      assert.equal(find(await check(directory), "instance").status, "ok");
    });
  });
});

describe("checkEnvironment() where it may not write", () => {
  it("fails on a full disk, as serve would, and leaves nothing", async () => {
    await withTemporaryDirectory(async (directory) => {
      const made: string[] = [];
      const removed: string[] = [];
      let bytesWritten = 0;
      const { files } = runtime;
      const fullDisk: Runtime = {
        ...runtime,
        files: {
          ...files,
          // As a full disk does it: an empty file can be made, but nothing be put into it.
          async openAppend(path: string) {
            made.push(path);
            const file = await files.openAppend(path);
            return {
              ...file,
              append(bytes: Uint8Array) {
                bytesWritten += bytes.length;
                return Promise.reject(new FileError("ENOSPC", path, "no space is left"));
              },
              close: () => file.close(),
            };
          },
          remove(path: string) {
            removed.push(path);
            return files.remove(path);
          },
        } satisfies FilesPort,
      };
      const report = await check(directory, {}, undefined, fullDisk);
      assert.equal(report.ok, false);
      assert.ok(
        report.findings.some(({ status, found }) => status === "failed" && /no space/.test(found)),
      );
      assert.ok(made.length > 0 && bytesWritten >= 65_536 * made.length);
      assert.deepEqual(made.filter((path) => !removed.includes(path)), []);
    });
  });

  it(
    "fails for a database and a lock file that this user may only read",
    { skip: isRoot ? false : "only root can give files to another user" },
    async () => {
      await withTemporaryDirectory(async (directory) => {
        const database = join(directory, "db.sqlite");
        const lock = join(directory, "freekill-gw.lock");
        for (const path of [database, lock]) {
          const made = runtime.sqlite.open({ path, busyTimeoutMs: 0 });
          made.exec("CREATE TABLE t (a)");
          made.close();
          await chmod(path, 0o644);
        }
        await writeFile(join(directory, "gw.json"), JSON.stringify({ db_path: database }));
        await chmod(join(directory, "gw.json"), 0o644);
        await chmod(directory, 0o777);
        const self = fileURLToPath(new URL("check_as_nobody.ts", import.meta.url));
        const args = "Deno" in globalThis ? ["run", "-A", "--no-check", self] : [self];
        const output = execFileSync(process.execPath, [...args, database, lock], {
          encoding: "utf8",
        });
        const findings: Finding[] = JSON.parse(output);
        for (const [name, path] of [["database", database], ["instance", lock]] as const) {
          const finding = findings.find((one) => one.name === name);
          assert.equal(finding?.status, "failed", output);
          assert.ok(finding.found.includes(`Cannot write database "${path}"`), finding.found);
        }
      });
    },
  );
});

describe("checkEnvironment() on the database", () => {
  async function makeDatabase(directory: string) {
    const path = join(directory, "db.sqlite");
    const database = runtime.sqlite.open({ path, busyTimeoutMs: 0 });
    database.exec("PRAGMA journal_mode = WAL");
    database.exec("CREATE TABLE t (a TEXT)");
    for (let row = 0; row < 500; row++) {
      database.prepare("INSERT INTO t VALUES (?)").run("x".repeat(200));
    }
    return { path, database };
  }

  it("finds a whole one and makes no file beside it", async () => {
    await withTemporaryDirectory(async (directory) => {
      const { path, database } = await makeDatabase(directory);
      database.close();
      const before = await readdir(directory);
      const report = await check(directory, { db_path: path });
      assert.match(find(report, "database").found, /is whole/);
      assert.deepEqual((await readdir(directory)).toSorted(), [...before, "gw.json"].toSorted());
    });
  });

  it("reads one that a server has open", async () => {
    await withTemporaryDirectory(async (directory) => {
      const { path, database } = await makeDatabase(directory);
      const before = await readdir(directory);
      assert.match(find(await check(directory, { db_path: path }), "database").found, /is whole/);
      assert.deepEqual((await readdir(directory)).toSorted(), [...before, "gw.json"].toSorted());
      database.close();
    });
  });

  it("tells one that is locked, corrupt or none, and keeps it as it was", async () => {
    await withTemporaryDirectory(async (directory) => {
      const { path, database } = await makeDatabase(directory);
      database.exec("PRAGMA locking_mode = EXCLUSIVE");
      database.exec("BEGIN EXCLUSIVE");
      const locked = find(await check(directory, { db_path: path }), "database");
      assert.equal(locked.status, "failed");
      assert.match(locked.advice, /locked/);
      database.exec("COMMIT");
      database.close();

      const broken = await readFile(path);
      broken.fill(0x55, 4_096 * 3, 4_096 * 6);
      await writeFile(path, broken);
      const corrupt = find(await check(directory, { db_path: path }), "database");
      assert.equal(corrupt.status, "failed", corrupt.found);
      assert.ok(corrupt.found.includes(path), corrupt.found);
      assert.match(corrupt.advice, /left as it is|left as it was/);
      assert.deepEqual(await readFile(path), broken);

      await writeFile(path, "This is a text, and a rather short one.");
      const none = find(await check(directory, { db_path: path }), "database");
      assert.equal(none.status, "failed");
      assert.equal(await readFile(path, "utf8"), "This is a text, and a rather short one.");
    });
  });

  it("refuses a directory", async () => {
    await withTemporaryDirectory(async (directory) => {
      const finding = find(await check(directory, { db_path: directory }), "database");
      assert.deepEqual([finding.status, finding.advice], ["failed", "set another db_path"]);
    });
  });
});

describe("checkEnvironment() on Lua", () => {
  it("fails for a script that is not there, without asking the bridge", async () => {
    await withTemporaryDirectory(async (directory) => {
      const missing = { lua_script_path: join(directory, "nowhere.lua") };
      const never = () => Promise.reject(new Error("must not be called"));
      assert.equal(find(await check(directory, missing, never), "lua script").status, "failed");
    });
  });

  it("tells a greeting, a missing function and a fault apart", async () => {
    await withTemporaryDirectory(async (directory) => {
      const path = join(directory, "script.lua");
      await writeFile(path, "");
      for (
        const [outcome, status, text] of [
          [greets, "ok", /greets with "v1"/],
          [{ kind: "missing", reason: "no runtime_hello" }, "warning", /no runtime_hello/],
          [{ kind: "failed", reason: "line 1: oh" }, "failed", /line 1: oh/],
        ] as const
      ) {
        const settings = { lua_script_path: path };
        const report = await check(directory, settings, () => Promise.resolve(outcome));
        const finding = find(report, "lua script");
        assert.equal(finding.status, status);
        assert.match(finding.found, text);
      }
    });
  });

  it("fails for a lua_command that is none", async () => {
    await withTemporaryDirectory(async (directory) => {
      const settings = { lua_command: join(directory, "no-lua") };
      const finding = find(await check(directory, settings), "lua_command");
      assert.equal(finding.status, "failed");
      assert.match(finding.found, /does not run/);
    });
  });
});

describe("checkFileDescriptors()", () => {
  it("warns under 4,096 and tells how to raise it", () => {
    assert.equal(checkFileDescriptors(4_096)[0]?.status, "ok");
    const [low] = checkFileDescriptors(4_095);
    assert.equal(low?.status, "warning");
    assert.match(low?.advice ?? "", /LimitNOFILE/);
    assert.equal(checkFileDescriptors(undefined)[0]?.status, "note");
  });
});

describe("showEnvironment()", () => {
  it("prints one line for each finding with what to do, then the verdict", () => {
    const findings: Finding[] = [
      { name: "a", status: "ok", found: "fine", advice: "" },
      { name: "longer", status: "failed", found: "broken", advice: "mend it" },
    ];
    assert.equal(
      showEnvironment({ ok: false, findings }),
      "ok       a       fine\nfailed   longer  broken — mend it\nCHECK_FAIL: 1 of 2 failed\n",
    );
    assert.match(showEnvironment({ ok: true, findings: findings.slice(0, 1) }), /CHECK_OK\n$/);
  });
});
