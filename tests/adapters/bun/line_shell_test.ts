/** The shell of both runtimes at a real terminal; only Bun can make one without other programs. */
import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { describe, it } from "node:test";
import { fileURLToPath } from "node:url";
import { Terminal } from "../../end_to_end/terminal.ts";

const main = fileURLToPath(new URL("../line_shell_main.ts", import.meta.url));
const deno = fileURLToPath(new URL("../../../.tools/bin/deno", import.meta.url));
const windows = process.platform === "win32" ? "pseudo-terminals are Unix's" : false;
const noDeno = existsSync(deno) ? false : ".tools/bin/deno is not there";

const runtimes: readonly [name: string, command: string[], skip: string | false][] = [
  ["bun", [process.execPath, main], windows],
  ["deno", [deno, "run", "-A", main], windows || noDeno],
];

for (const [name, command, skip] of runtimes) {
  describe(`nodeLineShell on ${name}`, { skip }, () => {
    it("edits, completes, remembers and sends lines", () =>
      withProgram(command, async (terminal) => {
        terminal.type("lsp");
        await terminal.shows("gw> lsp");
        terminal.type("\t");
        await terminal.shows("gw> lsplayer");
        terminal.type("x\x7f\r");
        await terminal.shows("line <lsplayer>\ngw> ");
        terminal.type("\x1b[A");
        await terminal.shows("gw> lsplayer");
        terminal.type("\x1b[A");
        await terminal.shows("gw> newer");
        terminal.type("\x15");
        await terminal.shows("gw> ");
        terminal.type("msg 你好\r");
        await terminal.shows("line <msg 你好>\ngw> ");
      }));

    it("keeps the typed line below what is printed and logged", () =>
      withProgram(command, async (terminal) => {
        terminal.type("log\rtyp");
        await terminal.shows(/line <log>\n\{.*"message":"logged"\}\ngw> typ$/s);
        terminal.type("\x15stdout\rmore");
        await terminal.shows(/line <stdout>\nwritten\ngw> more$/);
      }));

    it("clears the line on Ctrl-C, and reports it when there is none; Ctrl-D ends nothing", () =>
      withProgram(command, async (terminal) => {
        terminal.type("typed");
        await terminal.shows("gw> typed");
        terminal.type("\x03");
        await terminal.shows(/gw> $/);
        assert.doesNotMatch(terminal.text(), /interrupt/);
        terminal.type("\x03");
        await terminal.shows("interrupt\ngw> ");
        terminal.type("\x04");
        await terminal.shows("end of input\ngw> ");
        terminal.type("still\r");
        await terminal.shows("line <still>\ngw> ");
      }));

    for (const way of ["close", "exit"]) {
      it(`gives the terminal back as it was on ${way}`, () =>
        withTerminal(
          ["sh", "-c", `stty -g; "$@"; echo code $?; stty -g`, "sh", ...command],
          async (terminal) => {
            await terminal.shows(/gw> $/);
            terminal.type(`${way}\r`);
            await terminal.shows(/code 0\n.+\n$/);
            const [before] = terminal.text().split("\n");
            assert.match(before ?? "", /^[\da-f:]+$/);
            assert.equal(terminal.text().trimEnd().split("\n").at(-1), before);
          },
        ));
    }

    it("opens none in the background, where reading would stop the program, nor on a dumb one", async () => {
      // Job control, so that it gets a process group of its own.
      await withTerminal(
        ["bash", "-c", 'set -m; "$@" & wait $!; echo code $?', "sh", ...command],
        (terminal) => terminal.shows(/no shell\n(.*\n)*code 0\n$/),
      );
      await withTerminal(command, (terminal) => terminal.shows("no shell\n"), { TERM: "dumb" });
    });

    it("is there again after Ctrl-Z and fg", () =>
      withTerminal(
        ["bash", "-c", 'set -m; "$@"; echo stopped; read; fg', "sh", ...command],
        async (terminal) => {
          await terminal.shows(/gw> $/);
          terminal.type("half\x1a");
          await terminal.shows(/stopped\n$/);
          terminal.type("\r");
          await terminal.shows(/gw> $/);
          terminal.type("whole\r");
          await terminal.shows("line <whole>\ngw> ");
        },
      ));

    it("notices that the terminal is gone", () =>
      withTerminal(command, async (terminal) => {
        await terminal.shows(/gw> $/);
        terminal.hangUp();
        assert.equal(await terminal.exited, 7);
      }));
  });
}

async function withProgram(
  command: readonly string[],
  use: (terminal: Terminal) => Promise<void>,
): Promise<void> {
  await withTerminal(command, async (terminal) => {
    await terminal.shows("gw> ");
    await use(terminal);
  });
}

async function withTerminal(
  command: readonly string[],
  use: (terminal: Terminal) => Promise<void>,
  env: Record<string, string> = {},
): Promise<void> {
  const terminal = new Terminal(command, { env });
  try {
    await use(terminal);
  } finally {
    await terminal.close();
  }
}
