import assert from "node:assert/strict";
import { readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import {
  binary,
  freePort,
  type Outcome,
  runProgram,
  startServer,
  withDirectory,
} from "./run_program.ts";
import { Terminal } from "./terminal.ts";

describe("freekill-gw admin", () => {
  it("orders what the server of the directory does, and tells 0, 1, 2 and 3 apart", () =>
    withDirectory(async (cwd) => {
      const admin = (...args: string[]) => runProgram([binary, "admin", ...args], { cwd });
      assertLine(await admin("stat"), 3, /^No game server runs in "/);
      const httpPort = await freePort();
      const server = await startServer([binary, "serve"], {
        cwd,
        flags: ["--http-port", `${httpPort}`],
      });
      assert.equal(statSync(join(cwd, "server/admin.token")).mode & 0o777, 0o600);
      const stat = await admin("stat", "--json");
      assert.equal(stat.exitCode, 0, stat.stderr);
      const { data } = JSON.parse(stat.stdout) as { data: { players: number; rooms: number } };
      assert.deepEqual([data.players, data.rooms], [0, 0]);
      assert.equal((await admin("lsplayer")).stdout, "Nobody is on the server.\n");
      assert.equal((await admin("whitelist add 小明")).stdout, "小明 is in the whitelist.\n");
      assertLine(await admin("killroom 9"), 1, /^There is no room 9/);
      assertLine(await admin("ban Nobody"), 1, /^There is no player Nobody\.$/m);
      assertLine(await admin("lsplayers"), 2, /^Unknown command "lsplayers"/);
      // Nothing of the environment may see the token: a proxy here would.
      const proxied = await runProgram([binary, "admin", "lsroom"], {
        cwd,
        env: { http_proxy: "http://127.0.0.1:9", HTTP_PROXY: "http://127.0.0.1:9" },
      });
      assert.equal(proxied.stdout, "There are no rooms.\n", proxied.stderr);
      assert.equal((await admin("quit")).stdout, "The server stops.\n");
      assert.equal(await server.exited(), 0);
      assertLine(await admin("stat"), 3, /^No game server runs in "/);
      const audit = readFileSync(join(cwd, "server/admin.log"), "utf8").trimEnd().split("\n")
        .map((line) => JSON.parse(line) as { command: string; outcome: string });
      assert.deepEqual(audit.map(({ command, outcome }) => `${command}: ${outcome}`), [
        "stat: done",
        "lsplayer: done",
        "whitelist add 小明: done",
        "killroom 9: refused",
        "ban Nobody: refused",
        "lsroom: done",
        "quit: done",
      ]);
    }));

  it("says that HTTP is off", () =>
    withDirectory(async (cwd) => {
      const server = await startServer([binary, "serve"], { cwd });
      const outcome = await runProgram([binary, "admin", "stat"], { cwd });
      assertLine(outcome, 3, /its http_port is 0/);
      await server.stop();
    }));
});

const windows = process.platform === "win32" ? "pseudo-terminals are Unix's" : false;

describe("the shell of serve", { skip: windows }, () => {
  it("takes commands at the terminal below the log, remembers them, and Ctrl-C stops", () =>
    withDirectory(async (cwd) => {
      const tcpPort = await freePort();
      const start = () =>
        new Terminal([binary, "serve", "--tcp-port", `${tcpPort}`, "--http-port", "0"], { cwd });
      let terminal = start();
      try {
        await terminal.shows("freekill-gw> ");
        terminal.type("lspl\t");
        await terminal.shows("freekill-gw> lsplayer ");
        terminal.type("\r");
        await terminal.shows("Nobody is on the server.\nfreekill-gw> ");
        terminal.type("msg hello\r");
        await terminal.shows("Told 0 players.\nfreekill-gw> ");
        terminal.type("typing");
        await terminal.shows("freekill-gw> typing");
        process.kill(terminal.pid, "SIGHUP");
        await terminal.shows(/configuration reloaded.*\nfreekill-gw> typing$/);
        terminal.type("\x03");
        await terminal.shows(/\nfreekill-gw> $/);
        terminal.type("\x03");
        assert.equal(await terminal.exited, 0);
        await terminal.close();

        terminal = start();
        await terminal.shows("freekill-gw> ");
        terminal.type("\x1b[A");
        await terminal.shows("freekill-gw> msg hello");
        terminal.type("\x15quit\r");
        assert.equal(await terminal.exited, 0);
        assert.match(terminal.text(), /The server stops\.\n/);
      } finally {
        await terminal.close();
      }
    }));

  it("is not there without a terminal to type at", () =>
    withDirectory(async (cwd) => {
      const flags = `--tcp-port ${await freePort()} --http-port 0`;
      const terminal = new Terminal(["sh", "-c", `"$0" serve ${flags} < /dev/null`, binary], {
        cwd,
      });
      try {
        await terminal.shows(/runtime_host_server_ready .*\n/);
        terminal.type("\x03");
        await terminal.exited;
        assert.doesNotMatch(terminal.text(), /freekill-gw> /);
      } finally {
        await terminal.close();
      }
    }));
});

/** One line on stderr and nothing else. */
function assertLine(outcome: Outcome, exitCode: number, line: RegExp): void {
  assert.deepEqual([outcome.exitCode, outcome.stdout], [exitCode, ""]);
  assert.match(outcome.stderr, line);
  assert.equal(outcome.stderr.trimEnd().split("\n").length, 1, outcome.stderr);
}
