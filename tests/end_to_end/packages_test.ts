import assert from "node:assert/strict";
import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import {
  commitAll,
  makeRepository,
  noGit,
  serveRepositories,
} from "../game/packages/git_fixture.ts";
import { binary, freePort, runProgram, startServer, withDirectory } from "./run_program.ts";
import { Terminal } from "./terminal.ts";

/** A data directory, and a directory of repositories that are served over HTTP. */
function onStage(
  test: (stage: {
    cwd: string;
    served: string;
    url: string;
    packages: (...args: string[]) => ReturnType<typeof runProgram>;
    hang(): void;
  }) => Promise<void>,
): Promise<void> {
  return withDirectory(async (cwd) => {
    await withDirectory(async (served) => {
      const server = await serveRepositories(served);
      // Without a git program: it must not need one.
      const env = { PATH: "/nonexistent" };
      try {
        await test({
          cwd,
          served,
          url: server.url,
          packages: (...args) => runProgram([binary, "packages", ...args], { cwd, env }),
          hang: () => server.intercept = (request) => request.method === "POST",
        });
      } finally {
        await server.close();
      }
    });
  });
}

const emptyMd5 = "md5 d41d8cd98f00b204e9800998ecf8427e (0 lua, 0 qml, 0 js)";

describe("freekill-gw packages", { skip: noGit }, () => {
  it("installs, lists, disables, upgrades and removes, without a git program", () =>
    onStage(async ({ cwd, served, url, packages }) => {
      const first = await makeRepository(join(served, "mine"), { "a.lua": "return 1\r\n" });
      const installed = await packages("install", `${url}/mine`);
      assert.equal(installed.exitCode, 0, installed.stderr);
      // Python's hashlib: md5 of "packages/mine/a.lua=<md5 of b'return 1\n'>;".
      const md5 = "md5 1142dfd16f09e5546abd1af02a241ddc (1 lua, 0 qml, 0 js)";
      const at = first.slice(0, 10);
      assert.equal(installed.stdout, `Package mine is installed at ${at}.\n${md5}\n`);
      assert.deepEqual(installed.stderr.split("\n").at(0), "mine: asking for its repository");
      assert.equal(readFileSync(join(cwd, "packages/mine/a.lua"), "utf8"), "return 1\r\n");

      const listed = await packages("list", "--json");
      assert.deepEqual((JSON.parse(listed.stdout) as { data: unknown }).data, [
        { name: "mine", url: `${url}/mine`, hash: first, isEnabled: true },
      ]);
      const off = await packages("disable", "mine");
      assert.equal(off.stdout, `Package mine is disabled.\n${emptyMd5}\n`);
      assert.equal((await packages("enable", "mine")).stdout, `Package mine is enabled.\n${md5}\n`);
      assert.equal((await packages("md5")).stdout, `${md5}\n`);

      writeFileSync(join(served, "mine/a.lua"), "return 2\n");
      const second = commitAll(join(served, "mine"));
      const upgraded = await packages("upgrade");
      assert.match(
        upgraded.stdout,
        new RegExp(`^Package mine is upgraded at ${second.slice(0, 10)}`),
      );
      assert.equal(readFileSync(join(cwd, "packages/mine/a.lua"), "utf8"), "return 2\n");
      const removed = await packages("remove", "mine");
      assert.equal(removed.stdout, `Package mine is removed.\n${emptyMd5}\n`);
      assert.deepEqual(readdirSync(join(cwd, "packages")), ["packages.db"]);
    }));

  it("tells 1, 2 and 3 apart, with one line, and shows no secret", () =>
    onStage(async ({ cwd, served, url, packages }) => {
      await makeRepository(join(served, "mine"), { "a.lua": "" });
      const nope = await packages("install", `${url}/nope`);
      assert.deepEqual([nope.exitCode, nope.stdout], [1, ""]);
      const line = nope.stderr.trimEnd().split("\n").at(-1);
      assert.equal(line, "Cannot install nope: there is no repository at its address (HTTP 404)");
      const secret = await packages("install", "https://u:hunter2@example.org/a");
      assert.equal(secret.exitCode, 1);
      assert.ok(!`${secret.stdout}${secret.stderr}`.includes("hunter2"));
      assert.equal((await packages("frobnicate")).exitCode, 2);
      const server = await startServer([binary, "serve"], { cwd });
      const refused = await packages("install", `${url}/mine`);
      assert.deepEqual([refused.exitCode, refused.stdout], [3, ""]);
      assert.match(
        refused.stderr,
        /^Cannot use data directory .* where its http_port is not 0.\n$/,
      );
      assert.equal(existsSync(join(cwd, "packages/mine")), false);
      assert.equal((await packages("md5")).stdout, `${emptyMd5}\n`);
      assert.equal((await packages("list")).stdout, "There are no packages.\n");
      await server.stop();
    }));

  it("changes the packages of a running server by admin, which tells what comes of it", () =>
    onStage(async ({ cwd, served, url }) => {
      await makeRepository(join(served, "mine"), { "a.lua": "1" });
      const httpPort = await freePort();
      const flags = ["--http-port", `${httpPort}`];
      const server = await startServer([binary, "serve"], { cwd, flags });
      const admin = (line: string) => runProgram([binary, "admin", line], { cwd });
      const installed = await admin(`install ${url}/mine`);
      assert.match(
        installed.stdout,
        /\nPackage mine is installed at .*\nThe packages have changed/,
      );
      const same = await admin("upgrade");
      assert.match(
        same.stdout,
        /\nPackage mine is up to date at .*\nThe packages have not changed/,
      );
      writeFileSync(join(served, "mine/a.lua"), "2");
      commitAll(join(served, "mine"));
      assert.match((await admin("upgrade mine")).stdout, /upgraded .*\nThe packages have changed/);
      assert.match((await admin("syncpkgs")).stdout, /^packages.db and packages\/ agree\.\n/);
      const core = await admin("remove freekill-core");
      assert.deepEqual([core.exitCode, core.stdout], [1, ""]);
      const removed = await runProgram([binary, "packages", "remove", "mine"], { cwd });
      assert.match(removed.stdout, /^Package mine is removed\.\nThe packages have changed/);
      assert.deepEqual(readdirSync(join(cwd, "packages")), ["packages.db"]);
      await server.stop();
    }));

  it("brings a swap to an end that a crash has broken off, when the server starts", () =>
    onStage(async ({ cwd, served, url, packages }) => {
      const hash = await makeRepository(join(served, "mine"), { "a.lua": "1" });
      await packages("install", `${url}/mine`);
      const change = { kind: "put", name: "mine", url: `${url}/mine`, hash: "1".repeat(40) };
      writeFileSync(join(cwd, "packages/.change-mine.json"), JSON.stringify(change));
      await makeRepository(join(cwd, "packages/.outgoing-mine.disabled"), { "a.lua": "0" });
      await makeRepository(join(cwd, "packages/.incoming-other.disabled"), { "a.lua": "0" });
      const server = await startServer([binary, "serve"], { cwd });
      assert.deepEqual(readdirSync(join(cwd, "packages")).sort(), ["mine", "packages.db"]);
      await server.stop();
      const list = await packages("list");
      assert.match(list.stdout, /mine +enabled +11111111/, "the new one is in its place");
      assert.match((await packages("sync")).stdout, new RegExp(`is at ${hash.slice(0, 10)}`));
    }));
});

const windows = process.platform === "win32" ? "pseudo-terminals are Unix's" : noGit;

describe("freekill-gw packages at a terminal", { skip: windows }, () => {
  it("draws a bar, and leaves the results alone on the screen", () =>
    onStage(async ({ cwd, served, url }) => {
      await makeRepository(join(served, "mine"), { "a.lua": "1" });
      const terminal = new Terminal([binary, "packages", "install", `${url}/mine`], { cwd });
      await terminal.shows(/md5 [0-9a-f]{32} \(1 lua, 0 qml, 0 js\)\n$/);
      assert.equal(await terminal.exited, 0);
      assert.match(terminal.text(), /^Package mine is installed at [0-9a-f]{10}\.\nmd5 .*\n$/);
      await terminal.close();
    }));

  it("stops at Ctrl-C, and leaves nothing", () =>
    onStage(async ({ cwd, served, url, hang }) => {
      await makeRepository(join(served, "mine"), { "a.lua": "1" });
      hang();
      const terminal = new Terminal([binary, "packages", "install", `${url}/mine`], { cwd });
      await terminal.shows("mine: asking for its repository");
      terminal.type("\x03");
      await terminal.shows(/^Cannot install mine: it was cancelled\n$/);
      assert.equal(await terminal.exited, 1);
      await terminal.close();
      assert.deepEqual(readdirSync(join(cwd, "packages")), []);
    }));
});
