import assert from "node:assert/strict";
import { Database } from "bun:sqlite";
import { mkdirSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import { join } from "node:path";
import { describe, it } from "node:test";
import { originalUsersSql } from "../game/accounts/original_database.ts";
import {
  askServer,
  binary,
  freePort,
  runProgram,
  startServer,
  withDirectory,
} from "./run_program.ts";

/** Another address of this machine that is not 127.0.0.1: open only to who listens on all. */
const elsewhere = "127.0.0.2";

/** As an operator leaves it after copying the original server's data beside the binary. */
function copyOriginalData(directory: string): void {
  mkdirSync(join(directory, "server"));
  const database = new Database(join(directory, "server/users.db"));
  database.exec(originalUsersSql);
  database.close();
}

describe("serve in a data directory of the original server", () => {
  it("listens on all addresses at every start, HTTP aside", () =>
    withDirectory(async (cwd) => {
      copyOriginalData(cwd);
      for (const start of ["first", "second"]) {
        const httpPort = await freePort();
        const flags = ["--http-port", `${httpPort}`];
        const server = await startServer([binary, "serve"], { cwd, flags });
        assert.equal(await isOpen(elsewhere, server.tcpPort), true, start);
        assert.equal(await isOpen(elsewhere, httpPort), false, `HTTP at the ${start} start`);
        assert.equal(await isOpen("127.0.0.1", httpPort), true, `HTTP at the ${start} start`);
        assert.equal(await server.stop(), 0);
      }
    }));

  it("listens where --host says", () =>
    withDirectory(async (cwd) => {
      copyOriginalData(cwd);
      const flags = ["--host", "127.0.0.1"];
      const server = await startServer([binary, "serve"], { cwd, flags });
      assert.equal(await isOpen(elsewhere, server.tcpPort), false);
      assert.equal(await server.stop(), 0);
    }));

  it("says so in check, and names what it ignores of an old configuration", () =>
    withDirectory(async (cwd) => {
      copyOriginalData(cwd);
      const old = `\ufeff{ "banwords": ["x"], "enableBots": false, "whitelist": ["a"] }`;
      writeFileSync(join(cwd, "freekill.server.config.json"), old);
      const flags = ["--json"];
      const env = { FREEKILL_GW_TCP_PORT: `${await freePort()}`, FREEKILL_GW_HTTP_PORT: "0" };
      const { exitCode, stdout, stderr } = await runProgram([binary, "check", ...flags], {
        cwd,
        env,
      });
      assert.equal(exitCode, 0, stdout + stderr);
      assert.match(stdout, /freekill\.server\.config\.json\\" is valid/);
      assert.match(stdout, /unknown and ignored: whitelist\./);
      assert.match(stdout, /open on all addresses/);
    }));

  it("refuses a wrong value with one line that names file and key", () =>
    withDirectory(async (cwd) => {
      writeFileSync(join(cwd, "freekill.server.config.json"), `{"capacity": "many"}`);
      const { exitCode, stderr } = await runProgram([binary, "serve"], { cwd });
      assert.equal(exitCode, 2);
      assert.equal(
        stderr,
        'Cannot use config "freekill.server.config.json": ' +
          'capacity must be 0–2147483647, got "many"\n',
      );
    }));
});

describe("serve in a data directory of its own", () => {
  it("stays on this machine at every start", () =>
    withDirectory(async (cwd) => {
      for (const start of ["first", "second"]) {
        const server = await startServer([binary, "serve"], { cwd });
        assert.equal(await askServer(server.tcpPort, "M1_CONN_PING"), "M1_CONN_PONG");
        assert.equal(await isOpen(elsewhere, server.tcpPort), false, start);
        assert.equal(await server.stop(), 0);
      }
    }));
});

function isOpen(host: string, port: number): Promise<boolean> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host, port });
    socket.once("connect", () => {
      socket.destroy();
      resolve(true);
    });
    socket.once("error", (error: Error & { code?: string }) => {
      if (error.code === "ECONNREFUSED") resolve(false);
      else reject(error);
    });
  });
}
