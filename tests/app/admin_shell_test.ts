import assert from "node:assert/strict";
import { statSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import type { LineShellOptions, LineShellPort } from "../../src/ports/line_shell.ts";
import { type AdminStage, withAdmin } from "./admin_stage.ts";

describe("openAdminShell()", () => {
  it("opens nothing where there is no terminal", async () => {
    const shell = fakeShell();
    await withAdmin(async ({ admin }) => {
      await admin.openShell();
      assert.equal(shell.options, undefined);
    }, { lineShell: shell.port });
  });

  it("carries out lines in order and prints their answers, refusals in red", () =>
    withShell(async ({ shell, game, audit }) => {
      shell.type("kick Bob");
      shell.type("  ");
      shell.type("killroom 9");
      shell.type("u");
      await shell.printed(/done\n$/);
      assert.equal(
        shell.text,
        "Kicked Bob (#2).\n" +
          "\x1b[31mThere is no room 9: lsroom lists those there are.\x1b[0m\n" +
          "half way\ndone\n",
      );
      assert.deepEqual(game.orders, [{ kick: 2 }, { kind: "upgrade" }]);
      const entries = await audit();
      assert.deepEqual(entries.map(({ way, command }) => [way, command]), [
        ["terminal", "kick Bob"],
        ["terminal", "killroom 9"],
        ["terminal", "upgrade"],
      ]);
    }));

  it("has no colours with NO_COLOR", () =>
    withShell(async ({ shell }) => {
      assert.equal(shell.options?.prompt, "freekill-gw> ");
      shell.type("nothing");
      await shell.printed(/Unknown command "nothing"\. Type help for the commands\.\n$/);
      assert.doesNotMatch(shell.text, /\p{Cc}\[/u);
    }, { NO_COLOR: "1" }));

  it("completes names of players, rooms and packages", () =>
    withShell(async ({ shell }) => {
      assert.deepEqual(shell.options?.complete("kick A"), {
        candidates: ["Alice "],
        replaced: "A",
      });
      assert.deepEqual(shell.options?.complete("lsroom ").candidates, ["3 "]);
      assert.deepEqual(shell.options?.complete("disable ").candidates, ["freekill-core "]);
    }));

  it("keeps what was typed for the next time, but no slips and no credentials", async () => {
    await withShell(async ({ shell, files, admin, directory, runtime }) => {
      const typed = [
        "stat",
        "lsroom",
        "stat",
        "foo",
        "install https://a:b@e.org/x",
        "resetpassword x y",
      ];
      for (const line of typed) shell.type(line);
      await shell.printed(/One is allowed, got 2/);
      await admin.stop();
      const kept = new TextDecoder().decode(await files.read("server/admin.history"));
      assert.equal(kept, "lsroom\nstat\n");
      if (runtime.process.platform !== "windows") {
        const { mode } = statSync(join(directory, "server/admin.history"));
        assert.equal(mode & 0o777, 0o600);
      }
    });
    const history = "a\n\x1bb\nc";
    await withShell(
      async ({ shell }) => {
        assert.deepEqual(shell.options?.history, ["c", "a"]);
      },
      {},
      history,
    );
  });

  it("runs at most a screenful of pasted lines", () =>
    withShell(async ({ shell, game }) => {
      for (let line = 0; line < 150; line++) shell.type(`m ${line}`);
      await shell.printed(/Told 3 players\.\n$/);
      assert.match(shell.text, /Left out: 100 commands wait already/);
      assert.ok(game.orders.length <= 101);
    }));

  it("gives the terminal back before the server ends, even by a crash", () =>
    withShell(async ({ shell, game }) => {
      const ended = new Promise<boolean>((resolve) => {
        game.crash = () => resolve(shell.isClosed);
      });
      shell.type("crash");
      assert.equal(await ended, true);
      assert.match(shell.text, /^The server crashes\.\n$/);
    }));

  it("passes Ctrl-C on as the signal, and explains Ctrl-D", () =>
    withShell(async ({ shell, signals }) => {
      shell.options?.interrupt();
      assert.deepEqual(signals, ["SIGINT"]);
      shell.options?.endOfInput();
      assert.match(shell.text, /^quit or Ctrl-C stops the server/);
    }));

  it("prints nothing after the terminal is gone or the server stops", () =>
    withShell(async ({ shell, admin, game }) => {
      shell.options?.gone();
      shell.type("m a");
      assert.equal(shell.text, "");
      await admin.stop();
      assert.equal(game.orders.length, 1);
    }));
});

interface FakeShell {
  readonly port: LineShellPort;
  /** undefined as long as none is open. */
  readonly options: LineShellOptions | undefined;
  readonly text: string;
  readonly isClosed: boolean;
  type(line: string): void;
  /** Resolves when what was printed matches. */
  printed(pattern: RegExp): Promise<void>;
}

function fakeShell(): FakeShell {
  let options: LineShellOptions | undefined;
  let text = "";
  let look = () => {};
  let isClosed = false;
  return {
    get isClosed() {
      return isClosed;
    },
    get options() {
      return options;
    },
    get text() {
      return text;
    },
    port: {
      open(given) {
        options = given;
        return {
          print(more) {
            text += more;
            look();
          },
          close() {
            isClosed = true;
          },
        };
      },
    },
    type: (line) => options?.line(line),
    printed: (pattern) =>
      new Promise((resolve) => {
        look = () => {
          if (pattern.test(text)) resolve();
        };
        look();
      }),
  };
}

type ShellStage = AdminStage & { shell: FakeShell; signals: string[] };

/** Runs `use` with an open shell, which has learned the names of the packages. */
async function withShell(
  use: (stage: ShellStage) => Promise<void>,
  env: Readonly<Record<string, string>> = {},
  history?: string,
): Promise<void> {
  const shell = fakeShell();
  const signals: string[] = [];
  await withAdmin(async (stage) => {
    if (history !== undefined) {
      await stage.files.replace("server/admin.history", new TextEncoder().encode(history));
    }
    await stage.admin.openShell();
    await use({ ...stage, shell, signals });
  }, {
    lineShell: shell.port,
    isTerminal: true,
    env,
    kill: (signal) => void signals.push(signal),
  });
}
