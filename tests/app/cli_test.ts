import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { describe, it } from "node:test";
import { runCli } from "../../src/app/cli.ts";
import { version } from "../../src/app/version.ts";
import { verbs } from "../../src/app/verbs.ts";
import { settingKeys } from "../../src/config/settings_keys.ts";
import type { FilesPort } from "../../src/ports/files.ts";
import type { Runtime } from "../../src/ports/runtime.ts";
import { fakeFiles } from "../fakes/files.ts";
import { fakeProcess } from "../fakes/process.ts";

describe("runCli() version", () => {
  it("prints the version of package.json", async () => {
    const manifest = JSON.parse(
      readFileSync(new URL("../../package.json", import.meta.url), "utf8"),
    ) as { version: string };
    assert.equal(version, manifest.version);
    for (const args of [["version"], ["--version"], ["-V"]]) {
      const { code, stdout, stderr } = await run(args);
      assert.deepEqual([code, stderr], [0, ""]);
      assert.equal(stdout, `freekill-gw ${version} (fake 9.9.9, linux)\n`);
    }
  });

  it("prints it as JSON with --json, and under its other name", async () => {
    for (const flag of ["--json", "--json-output", "--json=true"]) {
      const { stdout } = await run(["version", flag]);
      assert.deepEqual(JSON.parse(stdout), {
        version,
        runtime: "fake",
        runtime_version: "9.9.9",
        platform: "linux",
      });
    }
  });
});

describe("runCli() help", () => {
  for (const args of [["--help"], ["-h"], ["help"], ["help", "--help"]]) {
    it(`prints the verbs for ${args.join(" ")}`, async () => {
      const { code, stdout, stderr } = await run(args);
      assert.deepEqual([code, stderr], [0, ""]);
      for (const verb of verbs) assert.ok(stdout.includes(`  ${verb.name} `));
      assertFits(stdout);
    });
  }

  for (const verb of verbs) {
    it(`tells purpose, flags with defaults, and examples of ${verb.name}`, async () => {
      const { code, stdout, stderr } = await run(["help", verb.name]);
      assert.deepEqual([code, stderr], [0, ""]);
      assert.ok(stdout.startsWith(`${verb.purpose}.\n`));
      for (const flag of verb.flags) assert.ok(stdout.includes(`  --${flag.name}`), flag.name);
      assert.ok(verb.examples.length >= 2 && verb.examples.length <= 4);
      for (const { command } of verb.examples) assert.ok(stdout.includes(`  ${command}\n`));
      assertFits(stdout);
      if (verb.name === "help") return;
      assert.equal((await run([verb.name, "--help"])).stdout, stdout);
      assert.equal((await run([verb.name, "--no-such-flag", "-h"])).stdout, stdout);
    });
  }

  it("has examples that the parser takes", async () => {
    for (const { command } of verbs.flatMap((verb) => verb.examples)) {
      const [, ...args] = command.replace(/^source <\(| [<>].*$|\)$/g, "").split(" ");
      if (["help", "version", "admin", "packages", "completions"].includes(args[0] ?? "")) continue;
      // Asking for the configuration too ends the run after the flags were read.
      const isOtherMode = args[0] === "api-token" ||
        args.some((arg) => /--(live|acceptance|release-gate|print-)/.test(arg));
      const files = fakeFiles();
      await files.replace("gw.json", new TextEncoder().encode("{}"));
      const { code, stderr } = isOtherMode
        ? await run([...args, "--no-such-flag"])
        : await run([...args, "--print-effective-config"], { files });
      if (isOtherMode) assert.match(stderr, /^Unknown flag --no-such-flag/);
      else assert.deepEqual([code, stderr], [0, ""], command);
    }
  });

  it("refuses a second topic and one that is no verb", async () => {
    await assertRefused(["help", "srve"], 'Unknown verb "srve". Did you mean serve?');
    await assertRefused(["help", "serve", "x"], 'help takes one verb, got "x" as well.');
  });
});

describe("runCli() refuses, with one line on stderr and code 2,", () => {
  const refused: readonly [line: string, reason: string][] = [
    ["srve", 'Unknown verb "srve". Did you mean serve?'],
    ["frobnicate", 'Unknown verb "frobnicate". See freekill-gw --help.'],
    [
      "--tcp-port 1",
      "Missing verb before --tcp-port: it must be one of serve, watchdog, admin, packages, api-token, check, completions, version, help.",
    ],
    ["serve --tcp-prot 1", "Unknown flag --tcp-prot for serve. Did you mean --tcp-port?"],
    ["serve --tcp-prot=1", "Unknown flag --tcp-prot for serve. Did you mean --tcp-port?"],
    ["serve -p 1", "Unknown flag -p for serve. See freekill-gw serve --help."],
    ["serve --frobnicate", "Unknown flag --frobnicate for serve. See freekill-gw serve --help."],
    ["serve --live", "Unknown flag --live for serve. It is a flag of check."],
    ["version --tcp-port 1", "Unknown flag --tcp-port for version. It is a flag of serve."],
    ["serve --no-tcp-port", "Unknown flag --no-tcp-port for serve. Did you mean --tcp-port?"],
    ["serve now", 'serve takes flags only, got "now".'],
    ["serve -- --tcp-port 1", 'serve takes flags only, got "--tcp-port".'],
    ["serve -", 'serve takes flags only, got "-".'],
    ["serve --tcp-port", "--tcp-port needs a value: 0–65535."],
    ["serve --tcp-port --http-port 1", "--tcp-port needs a value: 0–65535."],
    ["serve --tcp-port 1 --tcp-port 2", "--tcp-port may be given once, got it twice."],
    ["serve --tcp-port 1 --tcp_port=1", "--tcp-port may be given once, got it twice."],
    ["serve --config a --config-json b", "--config may be given once, got it twice."],
    ["serve --config=", '--config must be a path of 1–4,096 characters, got "".'],
    ["check --json --json", "--json may be given once, got it twice."],
    ["check --live=maybe", "--live takes no value but true or false."],
    ["check --live --acceptance", "--live and --acceptance cannot be used together: choose one."],
    [
      "check --acceptance --print-schema",
      "--acceptance and --print-schema cannot be used together: choose one.",
    ],
    ["check --tcp-port 5", "--tcp-port of check needs --live."],
    ["check --acceptance --soak-seconds 5", "--soak-seconds of check needs --release-gate."],
    ["check --live --tcp-port 0", "--tcp-port must be 1–65535, got 0."],
    ["check --live --tcp-port abc", '--tcp-port must be 1–65535, got "abc".'],
    [
      "check --live --timeout-ms -5",
      '--timeout-ms must be 1–600000 (ms), or a text such as "500ms", got -5.',
    ],
    [
      "check --live --timeout-ms=-5",
      '--timeout-ms must be 1–600000 (ms), or a text such as "500ms", got -5.',
    ],
    ["check --live --max-error-count 1.5", `--max-error-count must be 0–${2 ** 53 - 1}, got 1.5.`],
  ];
  for (const [line, reason] of refused) {
    it(line, () => assertRefused(line.split(" "), reason));
  }

  it("a command of admin that there is not", async () => {
    await assertRefused(
      ["admin", "frobnicate", "now"],
      'Unknown command "frobnicate". Type help for the commands.',
    );
    await assertRefused(
      ["admin", "--jsn", "stat"],
      "Unknown flag --jsn for admin. Did you mean --json?",
    );
  });

  it("no verb, with the usage", async () => {
    const { code, stdout, stderr } = await run([]);
    assert.deepEqual([code, stdout], [2, ""]);
    assert.match(stderr, /^Usage: freekill-gw <verb> \[flags\]\n/);
  });

  it("text with control characters, kept on its line", async () => {
    await assertRefused(
      ["ser\nve\x1b[0m"],
      'Unknown verb "ser\\nve\\u001b[0m". See freekill-gw --help.',
    );
  });

  it("an unknown flag without showing its value", async () => {
    const { stderr } = await run(["serve", "--control-toke=hunter2"]);
    assert.equal(stderr, "Unknown flag --control-toke for serve. Did you mean --control-token?\n");
  });
});

describe("runCli() --print-effective-config", () => {
  for (const verb of ["serve", "watchdog", "check"]) {
    it(`of ${verb} prints what would be used`, async () => {
      const env = { FREEKILL_GW_TCP_PORT: "7" };
      const { code, stdout, stderr } = await run([verb, "--print-effective-config"], { env });
      assert.deepEqual([code, stderr], [0, ""]);
      assert.equal((JSON.parse(stdout) as { udp_port: number }).udp_port, 8);
    });
  }

  it("takes every flat key as a flag, in each spelling", async () => {
    const samples: Record<string, string> = {
      text: "abcdefghijklmnop",
      whole: "99",
      ms: "99",
      seconds: "99",
      bytes: "99KiB",
      addresses: "10.0.0.1",
      yes_no: "true",
    };
    const numbers: Record<string, number> = { tcp_port: 98 };
    for (const [path, spec] of settingKeys()) {
      // The watchdog has flags of its own; the keys of the other sections have none.
      if (path.includes(".") && !path.startsWith("log.")) continue;
      const value = spec.kind === "choice"
        ? spec.choices.at(-1)!
        : String(numbers[path] ?? samples[spec.kind]);
      const name = path.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)
        .replaceAll(/[_.]/g, "-");
      // These two come together.
      const partner = path === "tls_cert" ? "tls-key" : path === "tls_key" ? "tls-cert" : undefined;
      const other = partner === undefined ? [] : [`--${partner}=other.pem`];
      const spelled = [
        [`--${name}`, value],
        [`--${name}=${value}`],
        [`--${name.replaceAll("-", "_")}`, value],
      ];
      const seen = new Set<string>();
      for (const args of spelled) {
        const given = await run(["serve", ...args, ...other, "--print-effective-config"]);
        assert.deepEqual([given.code, given.stderr], [0, ""], path);
        seen.add(given.stdout);
      }
      assert.equal(seen.size, 1, path);
      const plain = await run(["serve", "--print-effective-config"]);
      const isDefault = "default" in spec && String(spec.default) === value;
      assert.equal(seen.has(plain.stdout), isDefault, path);
    }
  });

  it("takes an empty text from a flag over the file's", async () => {
    const files = fakeFiles();
    await files.replace("gw.json", new TextEncoder().encode('{"lua_command": "lua5.4"}'));
    for (const empty of [["--lua-command", ""], ["--lua-command="]]) {
      const args = ["serve", "--config", "gw.json", ...empty, "--print-effective-config"];
      const { stdout } = await run(args, { files });
      assert.equal((JSON.parse(stdout) as { lua_command: string }).lua_command, "");
    }
  });

  it("reads switches of the watchdog, negated too, and leaves absent ones to the file", async () => {
    const files = fakeFiles();
    const text = '{"watchdog": {"require_udp_health": true}}';
    await files.replace("freekill-gw.json", new TextEncoder().encode(text));
    const required = async (...args: string[]) => {
      const all = ["watchdog", ...args, "--print-effective-config"];
      const { stdout } = await run(all, { files });
      return (JSON.parse(stdout) as { watchdog: { require_udp_health: boolean } }).watchdog
        .require_udp_health;
    };
    assert.equal(await required(), true);
    assert.equal(await required("--no-require-udp-health"), false);
    assert.equal(await required("--require-udp-health=false"), false);
    assert.equal(await required("--require-udp-health"), true);
  });

  it("prints every fault on a line of its own and gives 2", async () => {
    const args = ["serve", "--tcp-port", "abc", "--log-level=loud", "--control-token", "hunter2"];
    const { code, stdout, stderr } = await run([...args, "--print-effective-config"]);
    assert.deepEqual([code, stdout], [2, ""]);
    const lines = stderr.trimEnd().split("\n");
    assert.equal(lines.length, 3);
    assert.equal(lines[0], 'Cannot use flag --tcp-port: tcp_port must be 0–65535, got "abc"');
    assert.doesNotMatch(stderr, /hunter2/);
  });
});

describe("runCli() check --print-schema", () => {
  it("prints a JSON Schema", async () => {
    const { code, stdout } = await run(["check", "--print-schema"]);
    assert.equal(code, 0);
    const schema = JSON.parse(stdout) as { properties: Record<string, unknown> };
    assert.ok("tcp_port" in schema.properties);
  });
});

describe("runCli() on an unexpected failure", () => {
  const args = ["serve", "--print-effective-config", "--config", "x"];

  it("prints one line without a stack and gives 3", async () => {
    const runtime = runtimeWith(args, {});
    // A runtime that lacks what it must have is a fault of ours, not of the user.
    const { code, stderr } = await play({ ...runtime, files: undefined as never });
    assert.equal(code, 3);
    assert.match(stderr, /^freekill-gw: internal error: [^\n]+\n$/);
  });

  it("adds the stack with FREEKILL_GW_DEBUG=1", async () => {
    const runtime = runtimeWith(args, { env: { FREEKILL_GW_DEBUG: "1" } });
    const { stderr } = await play({ ...runtime, files: undefined as never });
    assert.match(stderr, /^freekill-gw: internal error: [^\n]+\n[^]*load_settings/);
  });

  it("takes a file that cannot be read for the user's business", async () => {
    const files = fakeFiles();
    files.failNext("EACCES");
    const { code, stderr } = await run(args, { files });
    assert.deepEqual([code, stderr], [2, 'Cannot use config "x": it cannot be read (EACCES)\n']);
  });
});

interface Given {
  readonly env?: Readonly<Record<string, string>>;
  readonly files?: FilesPort;
}

interface Outcome {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

function run(args: readonly string[], given: Given = {}): Promise<Outcome> {
  return play(runtimeWith(args, given));
}

type CliRuntime = Pick<Runtime, "name" | "version" | "files"> & {
  process: ReturnType<typeof fakeProcess>;
};

/** These verbs need no more of a runtime; whatever else they touched would fail the test. */
function runtimeWith(args: readonly string[], given: Given): CliRuntime {
  return {
    name: "fake",
    version: "9.9.9",
    files: given.files ?? fakeFiles(),
    process: fakeProcess({ args, env: given.env ?? {} }),
  };
}

async function play(runtime: CliRuntime): Promise<Outcome> {
  const code = await runCli(runtime as unknown as Runtime);
  return { code, stdout: runtime.process.stdout, stderr: runtime.process.stderr };
}

async function assertRefused(args: readonly string[], reason: string): Promise<void> {
  assert.deepEqual(await run(args), { code: 2, stdout: "", stderr: `${reason}\n` });
}

function assertFits(text: string): void {
  for (const line of text.split("\n")) assert.ok(line.length <= 100, line);
}
