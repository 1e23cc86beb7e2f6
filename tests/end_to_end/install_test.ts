import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { userInfo } from "node:os";
import { join } from "node:path";
import { describe, it } from "node:test";
import { binary, root, runProgram, startServer, withDirectory } from "./run_program.ts";

interface Place {
  readonly directory: string;
  readonly prefix: string;
  readonly data: string;
  readonly units: string;
  readonly kernel: string;
  /** Runs the script with flags that keep it inside the directory. */
  install(...flags: string[]): ReturnType<typeof runProgram>;
}

/** The script beside a copy of the binary, and empty directories to install into. */
async function withPlace(use: (place: Place) => Promise<void>): Promise<void> {
  await withDirectory(async (directory) => {
    copyFileSync(join(root, "install"), join(directory, "install"));
    copyFileSync(binary, join(directory, "freekill-gw"));
    const prefix = join(directory, "prefix");
    const data = join(directory, "data");
    const units = join(directory, "units");
    const kernel = join(directory, "sysctl");
    mkdirSync(units);
    const own = [
      "--prefix",
      prefix,
      "--data-dir",
      data,
      "--unit-dir",
      units,
      "--sysctl-dir",
      kernel,
    ];
    await use({
      directory,
      prefix,
      data,
      units,
      kernel,
      install: (...flags) =>
        runProgram(
          [join(directory, "install"), ...own, "--user", userInfo().username, ...flags],
          { cwd: directory },
        ),
    });
  });
}

const isRoot = userInfo().uid === 0;

describe("./install", () => {
  it("--dry-run prints every action and the service, and changes nothing", async () => {
    await withPlace(async ({ prefix, data, units, install }) => {
      const { exitCode, stdout, stderr } = await install("--dry-run", "--user", "gw-new-user");
      assert.equal(exitCode, 0, stderr);
      assert.match(stdout, new RegExp(`mv -f \\S+ ${prefix}/bin/freekill-gw`));
      assert.match(stdout, /useradd --system .* gw-new-user|adduser -S .* gw-new-user/);
      assert.match(stdout, new RegExp(`chmod 0750 ${data}`));
      assert.match(stdout, new RegExp(`write ${data}/freekill.server.config.json`));
      assert.match(stdout, new RegExp(`^ExecStart=${prefix}/bin/freekill-gw watchdog$`, "m"));
      assert.equal(existsSync(prefix), false);
      assert.equal(existsSync(data), false);
      assert.deepEqual(readdirSync(units), []);
    });
  });

  it("puts binary, data directory and service in place", async () => {
    await withPlace(async ({ prefix, data, units, install }) => {
      const { exitCode, stdout, stderr } = await install();
      assert.equal(exitCode, 0, stderr);
      assert.match(stdout, /systemctl enable --now freekill-gw/);
      const installed = join(prefix, "bin/freekill-gw");
      assert.equal(statSync(installed).mode & 0o777, 0o755);
      assert.equal((await runProgram([installed, "version"], { cwd: prefix })).exitCode, 0);
      assert.deepEqual(readdirSync(join(prefix, "bin")), ["freekill-gw"]);
      if (isRoot) assert.equal(statSync(data).mode & 0o777, 0o750);
      const unit = readFileSync(join(units, "freekill-gw.service"), "utf8").split("\n");
      for (
        const line of [
          `ExecStart=${installed} watchdog`,
          `WorkingDirectory=${data}`,
          `ReadWritePaths=${data}`,
          `User=${userInfo().username}`,
          "Type=notify",
          "WatchdogSec=120",
          "LimitNOFILE=1048576",
          "NoNewPrivileges=yes",
          "ProtectSystem=strict",
        ]
      ) assert.ok(unit.includes(line), `the service lacks ${line}`);
      assert.ok(!unit.some((line) => line.startsWith("MemoryDenyWriteExecute=yes")));
    });
  });

  it("gives a new data directory a file of the game's keys that serve takes", async (context) => {
    if (!isRoot) return context.skip("the data directory is made by root only");
    await withPlace(async ({ data, install }) => {
      assert.equal((await install()).exitCode, 0);
      const file = join(data, "freekill.server.config.json");
      assert.equal(statSync(file).mode & 0o777, 0o644);
      const { exitCode, stdout, stderr } = await runProgram(
        [binary, "serve", "--print-effective-config"],
        { cwd: data },
      );
      assert.equal(exitCode, 0, stderr);
      assert.equal(stderr, "");
      const { game } = JSON.parse(stdout) as { game: Record<string, unknown> };
      const keys = JSON.parse(readFileSync(file, "utf8")) as Record<string, unknown>;
      for (const [key, value] of Object.entries(keys)) assert.deepEqual(game[key], value, key);
      assert.equal(keys.tempBanTime, 20);
      assert.equal(Object.keys(keys).length, 11);
    });
  });

  it("never touches a file of the game's keys, nor adds one to game data", async (context) => {
    if (!isRoot) return context.skip("the data directory is made by root only");
    await withPlace(async ({ data, install }) => {
      const file = join(data, "freekill.server.config.json");
      mkdirSync(join(data, "server"), { recursive: true });
      writeFileSync(file, "{}", { mode: 0o600 });
      assert.equal((await install()).exitCode, 0);
      assert.equal(readFileSync(file, "utf8"), "{}");
      assert.equal(statSync(file).mode & 0o777, 0o600);

      rmSync(file);
      symlinkSync(join(data, "elsewhere"), file);
      assert.equal((await install()).exitCode, 0);
      assert.equal(existsSync(join(data, "elsewhere")), false);

      rmSync(file);
      writeFileSync(join(data, "server/users.db"), "");
      assert.equal((await install()).exitCode, 0);
      assert.equal(existsSync(file), false);
    });
  });

  it("writes a service that systemd accepts", async (context) => {
    if (Bun.which("systemd-analyze") === null) {
      return context.skip("systemd-analyze is not on this machine");
    }
    await withPlace(async ({ units, install }) => {
      assert.equal((await install()).exitCode, 0);
      const verify = ["systemd-analyze", "verify", join(units, "freekill-gw.service")];
      const { exitCode, stdout, stderr } = await runProgram(verify, { cwd: units });
      assert.equal(`${stdout}${stderr}`, "");
      assert.equal(exitCode, 0);
    });
  });

  it("upgrades under a running server", async () => {
    await withPlace(async ({ prefix, install }) => {
      assert.equal((await install()).exitCode, 0);
      const installed = join(prefix, "bin/freekill-gw");
      const server = await startServer([installed, "serve"], { cwd: prefix });
      const { exitCode, stderr } = await install();
      assert.equal(exitCode, 0, stderr);
      assert.equal(await server.ask("M1_CONN_PING"), "M1_CONN_PONG");
      assert.equal(await server.stop(), 0);
    });
  });

  it("--uninstall removes service and binary, and keeps the data", async () => {
    await withPlace(async ({ prefix, data, units, install }) => {
      mkdirSync(data, { recursive: true });
      writeFileSync(join(data, "kept"), "");
      assert.equal((await install()).exitCode, 0);
      const { exitCode, stdout, stderr } = await install("--uninstall");
      assert.equal(exitCode, 0, stderr);
      assert.match(stdout, new RegExp(`kept: the data in ${data}`));
      assert.deepEqual(readdirSync(join(prefix, "bin")), []);
      assert.deepEqual(readdirSync(units), []);
      assert.ok(readdirSync(data).includes("kept"));
      assert.equal((await install("--uninstall")).exitCode, 0, "a second time");
    });
  });

  it("takes a binary that SHA256SUMS lists, under whatever name, and no other", async () => {
    await withPlace(async ({ directory, prefix, install }) => {
      const sum = createHash("sha256").update(readFileSync(join(directory, "freekill-gw"))).digest(
        "hex",
      );
      const sums = join(directory, "SHA256SUMS");
      writeFileSync(sums, `${"0".repeat(64)}  other\n${sum}  freekill-gw-1.2.3-linux-x64\n`);
      const { exitCode, stdout, stderr } = await install();
      assert.equal(exitCode, 0, stderr);
      assert.match(stdout, /freekill-gw is as .*SHA256SUMS says/);

      rmSync(prefix, { recursive: true });
      for (
        const text of [
          `${
            sum.replace(/./, (digit) => digit === "0" ? "1" : "0")
          }  freekill-gw-1.2.3-linux-x64\n`,
          `${sum}  other\n`,
          "",
        ]
      ) {
        writeFileSync(sums, text);
        const { exitCode, stderr } = await install();
        assert.equal(exitCode, 3);
        assert.match(stderr, new RegExp(`damaged or another one: its SHA-256, ${sum}, is not in`));
        assert.equal(existsSync(prefix), false);
      }
    });
  });

  it("--tune says what it would set and why, and changes nothing", async (context) => {
    if (process.platform !== "linux") return context.skip("these settings are of Linux");
    await withPlace(async ({ kernel, install }) => {
      for (const flags of [["--tune"], ["--tune", "--apply", "--dry-run"]]) {
        const { exitCode, stdout, stderr } = await install(...flags);
        assert.equal(exitCode, 0, stderr);
        assert.match(stdout, /# The kernel cuts .*\n# It was \d+\.\nnet\.core\.somaxconn = \d+\n/);
        assert.match(stdout, /LimitNOFILE=1048576/);
        assert.match(stdout, /nofile 1048576/);
        assert.equal(existsSync(kernel), false);
      }
    });
  });

  it("--tune --apply writes what is never lower than it was, --uninstall removes it", async (context) => {
    if (process.platform !== "linux") return context.skip("these settings are of Linux");
    await withPlace(async ({ kernel, install }) => {
      const { exitCode, stdout, stderr } = await install("--tune", "--apply");
      assert.equal(exitCode, 0, stderr);
      assert.match(stdout, /not loaded/);
      const file = join(kernel, "90-freekill-gw.conf");
      const text = readFileSync(file, "utf8");
      const settings = [...text.matchAll(/^([a-z0-9_.-]+) = (\d+)$/gm)];
      const atLeast = new Map([
        ["net.core.somaxconn", 4_096],
        ["net.ipv4.tcp_max_syn_backlog", 1_024],
        ["fs.nr_open", 1_048_576],
        ["fs.file-max", 2_097_152],
      ]);
      for (const [, key = "", value = ""] of settings) {
        const now = readFileSync(`/proc/sys/${key.replaceAll(".", "/")}`, "utf8").trim();
        assert.ok(BigInt(value) >= BigInt(now), `${key} is ${now}, and would be ${value}`);
        assert.ok(BigInt(value) >= BigInt(atLeast.get(key) ?? 0), key);
        atLeast.delete(key);
      }
      for (const key of atLeast.keys()) {
        const path = `/proc/sys/${key.replaceAll(".", "/")}`;
        assert.equal(existsSync(path), false, `${key} is missing from ${text}`);
      }
      assert.equal((await install("--uninstall")).exitCode, 0);
      assert.deepEqual(readdirSync(kernel), []);
    });
  });

  for (
    const { flags, says } of [
      { flags: ["--apply"], says: /--apply goes with --tune only/ },
      { flags: ["--tune", "--uninstall"], says: /cannot be used together/ },
      { flags: ["--sysctl-dir", "x"], says: /--sysctl-dir must be an absolute path/ },
      { flags: ["--frobnicate"], says: /unknown flag '--frobnicate' \(allowed: --prefix/ },
      { flags: ["--prefix"], says: /--prefix needs a value/ },
      { flags: ["--prefix", "relative"], says: /--prefix must be an absolute path.*'relative'/ },
      { flags: ["--data-dir=/a b"], says: /--data-dir must be made of .*'\/a b'/ },
      { flags: ["--prefix", "/a/../b"], says: /must not contain '\.\.'/ },
      { flags: ["--user", "a;b"], says: /--user must be made of .*'a;b'/ },
    ]
  ) {
    it(`refuses ${flags.join(" ")}`, async () => {
      const { exitCode, stdout, stderr } = await runProgram(
        [join(root, "install"), "--dry-run", ...flags],
        { cwd: root },
      );
      assert.equal(exitCode, 2);
      assert.equal(stdout, "");
      assert.match(stderr, says);
      assert.equal(stderr.trim().split("\n").length, 1);
    });
  }

  it("says what to do when there is no binary", async () => {
    await withDirectory(async (directory) => {
      copyFileSync(join(root, "install"), join(directory, "install"));
      const command = [join(directory, "install"), "--dry-run"];
      const { exitCode, stderr } = await runProgram(command, { cwd: directory });
      assert.equal(exitCode, 3);
      assert.match(stderr, /run \.\/build first/);
    });
  });
});
