import assert from "node:assert/strict";
import { symlinkSync, writeFileSync } from "node:fs";
import { delimiter, join } from "node:path";
import { describe, it } from "node:test";
import { binary, runProgram, withDirectory } from "./run_program.ts";
import { Terminal } from "./terminal.ts";

/** What stands on the command line, and some of what the shell must offer, and must not. */
const offers: readonly { line: string; offered: readonly string[]; not?: readonly string[] }[] = [
  {
    line: "freekill-gw ",
    offered: ["serve", "watchdog", "check", "admin", "packages", "completions"],
  },
  { line: "freekill-gw ser", offered: ["serve"], not: ["watchdog"] },
  {
    line: "freekill-gw serve --log-",
    offered: ["--log-level", "--log-file"],
    not: ["--health-host"],
  },
  { line: "freekill-gw watchdog --health-h", offered: ["--health-host"] },
  { line: "freekill-gw serve --log-level ", offered: ["debug", "error"], not: ["--config"] },
  { line: "freekill-gw serve --log-level=d", offered: ["debug"], not: ["error"] },
  { line: "freekill-gw serve --config gw", offered: ["gw of mine.json"] },
  {
    line: "freekill-gw serve --tcp-port ",
    offered: [],
    not: ["--config", "serve", "gw of mine.json"],
  },
  { line: "freekill-gw api-token --sc", offered: ["--scope"], not: ["--live"] },
  { line: "freekill-gw api-token --scope ", offered: ["read", "write"] },
  { line: "freekill-gw check --li", offered: ["--live"] },
  { line: "freekill-gw check --json-", offered: ["--json-output"] },
  { line: "freekill-gw packages in", offered: ["install"] },
  { line: "freekill-gw packages --json in", offered: ["install"] },
  { line: "freekill-gw packages install i", offered: [], not: ["install"] },
  { line: "freekill-gw admin lsp", offered: ["lsplayer"] },
  { line: "freekill-gw completions ", offered: ["bash", "zsh", "fish"] },
  { line: "freekill-gw help wat", offered: ["watchdog"] },
];

describe("freekill-gw completions bash", () => {
  for (const { line, offered, not } of offers) {
    it(`offers what may follow "${line}"`, async (context) => {
      if (Bun.which("bash") === null) return context.skip("bash is not on this machine");
      await withShell(async ({ directory, env }) => {
        // As bash cuts the line: at blanks, and at an equals sign.
        const words = line.split(/ +|(?<==)|(?==)/);
        const script = `source <(freekill-gw completions bash)
          COMP_WORDS=("$@") COMP_CWORD=$(($# - 1))
          _freekill_gw
          [ \${#COMPREPLY[@]} -eq 0 ] || printf '%s\\n' "\${COMPREPLY[@]}"`;
        const { exitCode, stdout, stderr } = await runProgram(
          ["bash", "-uc", script, "bash", ...words],
          { cwd: directory, env },
        );
        assert.deepEqual([exitCode, stderr], [0, ""]);
        assertOffers(stdout.split("\n"), { offered, not });
      });
    });
  }

  it("completes at a terminal, file names with blanks too", async (context) => {
    if (Bun.which("bash") === null) return context.skip("bash is not on this machine");
    await withShell(async ({ directory, env }) => {
      const terminal = new Terminal(["bash", "--norc", "--noprofile", "-i"], {
        cwd: directory,
        env: { ...env, PS1: "> ", TERM: "dumb", INPUTRC: "/dev/null" },
      });
      try {
        await terminal.shows("> ");
        terminal.type("source <(freekill-gw completions bash); PS1='ready> '\r");
        await terminal.shows("ready> ");
        terminal.type("freekill-gw wat\t");
        await terminal.shows("ready> freekill-gw watchdog ");
        terminal.type("--config gw\t");
        await terminal.shows("ready> freekill-gw watchdog --config gw\\ of\\ mine.json ");
      } finally {
        await terminal.close();
      }
    });
  });
});

describe("freekill-gw completions zsh", () => {
  it("completes at a terminal", async (context) => {
    if (Bun.which("zsh") === null) return context.skip("zsh is not on this machine");
    await withShell(async ({ directory, env }) => {
      const terminal = new Terminal(["zsh", "-f", "-i", "-o", "no_prompt_sp"], {
        cwd: directory,
        env: { ...env, PS1: "> ", TERM: "dumb", ZDOTDIR: directory },
      });
      try {
        await terminal.shows("> ");
        terminal.type("autoload -U compinit; compinit -u -D\r");
        terminal.type("source <(freekill-gw completions zsh); PS1='ready> '\r");
        await terminal.shows("ready> ");
        for (
          const { keys, becomes } of [
            { keys: "freekill-gw wat\t", becomes: "freekill-gw watchdog " },
            { keys: "freekill-gw serve --log-le\t", becomes: "freekill-gw serve --log-level=" },
            { keys: "freekill-gw serve --log-level=d\t", becomes: "serve --log-level=debug " },
            { keys: "freekill-gw serve --config gw\t", becomes: "--config gw\\ of\\ mine.json " },
            { keys: "freekill-gw packages --json ins\t", becomes: "packages --json install " },
            { keys: "freekill-gw admin lsp\t", becomes: "freekill-gw admin lsplayer " },
            { keys: "freekill-gw completions f\t", becomes: "freekill-gw completions fish " },
            { keys: "freekill-gw help ver\t", becomes: "freekill-gw help version " },
          ]
        ) {
          terminal.type(keys);
          await terminal.shows(becomes);
          terminal.type("\x15echo next\r");
          await terminal.shows("\nnext\nready> ");
        }
      } finally {
        await terminal.close();
      }
    });
  });

  it("is as good a file of fpath", async (context) => {
    if (Bun.which("zsh") === null) return context.skip("zsh is not on this machine");
    await withShell(async ({ directory, env }) => {
      const script = `freekill-gw completions zsh >_freekill-gw
        fpath=($PWD $fpath); autoload -U compinit; compinit -u -D; echo $_comps[freekill-gw]`;
      const { stdout, stderr } = await runProgram(["zsh", "-fc", script], { cwd: directory, env });
      assert.deepEqual([stdout, stderr], ["_freekill-gw\n", ""]);
    });
  });
});

describe("freekill-gw completions fish", () => {
  it("offers what may follow", async (context) => {
    if (Bun.which("fish") === null) return context.skip("fish is not on this machine");
    await withShell(async ({ directory, env }) => {
      const asks = offers.map(({ line }) => `echo "== ${line}"; complete -C "${line}"`).join("\n");
      const { exitCode, stdout, stderr } = await runProgram(
        ["fish", "--no-config", "-c", `freekill-gw completions fish | source\n${asks}`],
        { cwd: directory, env: { ...env, HOME: directory } },
      );
      assert.deepEqual([exitCode, stderr], [0, ""]);
      const answers = stdout.split(/^== .*\n/m).slice(1);
      for (const [index, { line, offered, not }] of offers.entries()) {
        // Fish adds what a candidate means behind a tab, and keeps the flag before "=".
        const candidates = (answers[index] ?? "").split("\n")
          .map((candidate) => candidate.replace(/\t.*$/, "").replace(/^--[\w-]+=/, ""));
        assertOffers(candidates, { offered, not }, line);
      }
    });
  });
});

describe("freekill-gw completions", () => {
  for (const args of [[], ["powershell"], ["bash", "zsh"]]) {
    it(`refuses ${args.join(" ") || "no shell"}`, async () => {
      await withDirectory(async (directory) => {
        const { exitCode, stdout, stderr } = await runProgram([binary, "completions", ...args], {
          cwd: directory,
        });
        assert.deepEqual([exitCode, stdout], [2, ""]);
        assert.match(stderr, /^completions needs one of bash, zsh, fish, got .*\.\n$/);
      });
    });
  }
});

/** A directory with one file, where the binary is found by the name that is completed. */
async function withShell(
  use: (place: { directory: string; env: Record<string, string> }) => Promise<void>,
): Promise<void> {
  await withDirectory(async (programs) => {
    symlinkSync(binary, join(programs, "freekill-gw"));
    await withDirectory(async (directory) => {
      writeFileSync(join(directory, "gw of mine.json"), "{}");
      const env = { PATH: `${programs}${delimiter}${process.env.PATH}` };
      await use({ directory, env });
    });
  });
}

function assertOffers(
  candidates: readonly string[],
  expected: { offered: readonly string[]; not: readonly string[] | undefined },
  line?: string,
): void {
  for (const word of expected.offered) assert.ok(candidates.includes(word), `${line}: ${word}`);
  for (const word of expected.not ?? []) assert.ok(!candidates.includes(word), `${line}: ${word}`);
}
