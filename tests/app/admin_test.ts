import assert from "node:assert/strict";
import { statSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import { adminPath } from "../../src/app/admin_routes.ts";
import { adminVerb } from "../../src/app/admin_verb.ts";
import { type AdminStage, withAdmin } from "./admin_stage.ts";

describe("startAdmin()", () => {
  it("writes a token file for its owner alone, and removes it at the end", () =>
    withAdmin(async ({ admin, directory, port, runtime }) => {
      const path = join(directory, "server/admin.token");
      if (runtime.process.platform !== "windows") {
        assert.equal(statSync(path).mode & 0o777, 0o600);
        assert.equal(statSync(join(directory, "server")).mode & 0o777, 0o700);
        assert.equal(statSync(join(directory, "server/admin.log")).mode & 0o777, 0o600);
      }
      const door = await doorOf(runtime);
      assert.equal(door["url"], `http://127.0.0.1:${port}${adminPath}`);
      assert.equal(door["pid"], runtime.process.pid);
      assert.match(String(door["token"]), /^[\w-]{43}$/);
      await admin.stop();
      assert.equal(await runtime.files.info("server/admin.token"), undefined);
    }));

  it("has another token at each start", async () => {
    const tokens = new Set<unknown>();
    for (let start = 0; start < 2; start++) {
      await withAdmin(async ({ runtime }) => {
        tokens.add((await doorOf(runtime))["token"]);
      });
    }
    assert.equal(tokens.size, 2);
  });

  it("keeps an audit log of every use, without passwords", () =>
    withAdmin(async (stage) => {
      const { post, audit, game, log } = await talk(stage);
      await post({ command: "rp Bob" });
      await post({ command: "resetpassword Bob hunter2" });
      await post({ command: "install https://me:hunter2@e.org/a" });
      await post({ command: "hunter2" });
      await post({ command: "killroom 9" });
      game.breakNext();
      const broken = await post({ command: "stat" });
      assert.deepEqual(broken.body, {
        ok: false,
        lines: ["stat failed: an internal error, the log says more."],
        data: null,
      });
      assert.equal(log.lines.at(-1)?.message, "admin command failed");
      await post({ command: "m \x1b[2J\u202e" });
      await post({ command: "stat" }, { authorization: "Bearer wrong" });
      const entries = await audit();
      assert.deepEqual(entries.map(({ command, outcome }) => [command, outcome]), [
        ["resetpassword Bob", "done"],
        ["resetpassword", "not understood"],
        ["install https://…@e.org/a", "done"],
        ["?", "not understood"],
        ["killroom 9", "refused"],
        ["stat", "failed"],
        ["msg \x1b[2J\u202e", "done"],
        [undefined, "denied"],
      ]);
      for (const entry of entries) {
        assert.deepEqual([entry["way"], entry["from"]], ["http", "127.0.0.1"]);
        assert.match(String(entry["time"]), /^\d{4}-\d\d-\d\dT.*Z$/);
      }
      const text = new TextDecoder().decode(await stage.files.read("server/admin.log"));
      assert.doesNotMatch(text, /hunter2|k7Wm2pQx|\p{Cf}/u);
    }));
});

describe("POST /api/admin", () => {
  it("carries out a command and gives lines, data, and what was told on the way", () =>
    withAdmin(async (stage) => {
      const { post, game } = await talk(stage);
      const { status, headers, body } = await post({ command: "upgrade utility" });
      assert.equal(status, 200);
      assert.equal(headers.get("cache-control"), "no-store");
      assert.equal(headers.get("access-control-allow-origin"), null);
      assert.deepEqual(body, { ok: true, lines: ["half way", "done"], data: null });
      assert.deepEqual(game.orders, [{ kind: "upgrade", name: "utility" }]);
      const unknown = await post({ command: "lsplayers" });
      assert.deepEqual(unknown.body, {
        ok: false,
        lines: ['Unknown command "lsplayers". Did you mean lsplayer?'],
        data: null,
      });
    }));

  const denied: readonly [name: string, headers: Record<string, string>, status: number][] = [
    ["without a token", { authorization: "" }, 401],
    ["with a wrong token", { authorization: `Bearer ${"x".repeat(43)}` }, 401],
    ["with another scheme", { authorization: "Basic eDp4" }, 401],
    ["from a page of another site", { origin: "http://evil.example" }, 403],
    ["from a page without an origin", { origin: "null" }, 403],
    ["that the browser calls foreign", { "sec-fetch-site": "cross-site" }, 403],
    ["by a name that leads here", { host: "evil.example:80" }, 403],
  ];
  for (const [name, headers, status] of denied) {
    it(`refuses a request ${name} with ${status}, and does nothing`, () =>
      withAdmin(async (stage) => {
        const { ask, game, audit } = await talk(stage);
        const response = await ask({ command: "killroom 3" }, headers);
        assert.equal(response.status, status);
        assert.deepEqual(game.orders, []);
        const entries = await audit();
        assert.deepEqual(entries.map(({ outcome }) => outcome), ["denied"]);
      }));
  }

  it("refuses whoever is not on this machine, even with the token", () =>
    withAdmin(async (stage) => {
      const { ask } = await talk(stage);
      assert.equal((await ask({ command: "stat" }, {}, "198.51.100.7")).status, 403);
      assert.equal((await ask({ command: "stat" }, {}, "::ffff:127.0.0.1")).status, 200);
    }));

  it("takes who comes from the address that it listens on for this machine", () =>
    withAdmin(async (stage) => {
      const { ask } = await talk(stage);
      const host = { host: "192.0.2.5:8080" };
      assert.equal((await ask({ command: "stat" }, host, "192.0.2.5")).status, 200);
      assert.equal((await ask({ command: "stat" }, host, "192.0.2.6")).status, 403);
    }, { httpHost: "192.0.2.5" }));

  it("lets a page of its own in", () =>
    withAdmin(async (stage) => {
      const { ask } = await talk(stage);
      const own = { origin: "http://localhost:80", host: "localhost:80" };
      assert.equal((await ask({ command: "stat" }, own)).status, 200);
    }));

  it("stops listening to wrong tokens after ten, never to the right one", () =>
    withAdmin(async (stage) => {
      const { ask, audit } = await talk(stage);
      const statuses: number[] = [];
      for (let attempt = 0; attempt < 30; attempt++) {
        const { status } = await ask({ command: "stat" }, { authorization: "Bearer guess" });
        statuses.push(status);
      }
      assert.deepEqual(statuses.slice(0, 10), new Array(10).fill(401));
      assert.equal(statuses.at(-1), 429);
      assert.equal((await ask({ command: "stat" })).status, 200);
      const outcomes = (await audit()).map(({ outcome }) => outcome);
      assert.ok(outcomes.filter((one) => one === "denied").length < 15, `${outcomes.length}`);
      assert.equal(outcomes.at(-1), "done");
    }));

  it("refuses bodies that are no command, and other methods", () =>
    withAdmin(async (stage) => {
      const { ask, post, port } = await talk(stage);
      for (const body of ["", "[]", "null", '{"command": 1}', "{"]) {
        assert.equal((await ask(body)).status, 400, body);
      }
      assert.equal((await ask("command=stat", { "content-type": "text/plain" })).status, 415);
      const response = await fetch(`http://127.0.0.1:${port}${adminPath}`);
      assert.equal(response.status, 405);
      assert.equal(response.headers.get("allow"), "POST");
      await response.body?.cancel();
      assert.equal((await post({ command: "x".repeat(100_000) })).status, 413);
    }));
});

describe("admin verb", () => {
  it("prints the lines of the answer, and 0", () =>
    withAdmin(async (stage) => {
      const { code, stdout, stderr } = await verb(stage, ["lsplayer"]);
      assert.deepEqual([code, stderr], [0, ""]);
      assert.match(stdout, /^id {2}name .*\n 1 {2}Alice .*\n 2 {2}Bob .*\n12 {2}小明 .*\n$/);
    }));

  it("joins its words, and prints JSON if asked", () =>
    withAdmin(async (stage) => {
      const { code, stdout } = await verb(stage, ["lsroom", "3"], { json: true });
      assert.equal(code, 0);
      const answer = JSON.parse(stdout) as { ok: boolean; data: { id: number } };
      assert.deepEqual([answer.ok, answer.data.id], [true, 3]);
    }));

  it("takes an answer of several megabytes", () =>
    withAdmin(async (stage) => {
      const [alice] = stage.game.online;
      assert.ok(alice !== undefined);
      for (let id = 100; id < 10_000; id++) {
        stage.game.online.push({ ...alice, id, name: `Player${id}`, device: "d".repeat(128) });
      }
      const { code, stdout, stderr } = await verb(stage, ["lsplayer"]);
      assert.deepEqual([code, stderr], [0, ""]);
      assert.equal(stdout.split("\n").length, 9_905);
    }));

  it("prints a refusal on stderr, and 1", () =>
    withAdmin(async (stage) => {
      assert.deepEqual(await verb(stage, ["killroom 9"]), {
        code: 1,
        stdout: "",
        stderr: "There is no room 9: lsroom lists those there are.\n",
      });
    }));

  it("refuses what it does not understand by itself, with 2", () =>
    withAdmin(async (stage) => {
      const wrong = await verb(stage, ["lsplayers"]);
      assert.deepEqual([wrong.code, wrong.stdout], [2, ""]);
      assert.match(wrong.stderr, /^Unknown command "lsplayers"\. Did you mean lsplayer\?\n$/);
      const empty = await verb(stage, []);
      assert.equal(empty.code, 2);
      assert.match(empty.stderr, /^admin needs a command, such as "lsplayer"/);
      assert.deepEqual(await stage.audit(), []);
    }));

  it("says in one line that no server runs here, or not any more, with 3", () =>
    withAdmin(async (stage) => {
      const token = await stage.files.read("server/admin.token");
      await stage.admin.stop();
      const none = await verb(stage, ["stat"]);
      assert.equal(none.code, 3);
      assert.match(
        none.stderr,
        /^No game server runs in "[^\n]*": there is no server\/admin\.token[^\n]*\n$/,
      );
      assert.equal((await verb(stage, ["help"])).code, 0);

      const door = JSON.parse(new TextDecoder().decode(token)) as Record<string, unknown>;
      const stale = async (url: string) => {
        const bytes = new TextEncoder().encode(JSON.stringify({ ...door, url }));
        await stage.files.replace("server/admin.token", bytes);
        return await verb(stage, ["stat"]);
      };
      const refused = await stale("http://127.0.0.1:1/api/admin");
      assert.equal(refused.code, 3);
      assert.match(
        refused.stderr,
        /^The server of this directory \(process \d+\) does not answer at http:\/\/127\.0\.0\.1:1\/api\/admin: [^\n]+\n$/,
      );
      const other = await stale(`http://127.0.0.1:${stage.port}/health`);
      assert.equal(other.code, 3);
      assert.match(other.stderr, /HTTP status 405: method not allowed\n$/);
      await stage.files.replace("server/admin.token", new TextEncoder().encode("{}"));
      assert.match((await verb(stage, ["stat"])).stderr, /it was not written by freekill-gw/);
    }));

  it("says that it needs http_port when HTTP is off, with 3", () =>
    withAdmin(async (stage) => {
      const { code, stderr } = await verb(stage, ["stat"]);
      assert.equal(code, 3);
      assert.match(stderr, /^The server of this directory .* its http_port is 0; [^\n]*\n$/);
      assert.equal((await doorOf(stage.runtime))["token"], "");
    }, { isHttpOff: true }));
});

async function verb(
  { runtime }: AdminStage,
  words: readonly string[],
  flags: Readonly<Record<string, unknown>> = {},
): Promise<{ code: number; stdout: string; stderr: string }> {
  const written = { stdout: "", stderr: "" };
  const process = {
    ...runtime.process,
    writeStdout: (text: string) => void (written.stdout += text),
    writeStderr: (text: string) => void (written.stderr += text),
  };
  const code = await adminVerb({ ...runtime, process }, { verb: "admin", flags, words });
  return { code, ...written };
}

async function doorOf(
  runtime: AdminStage["runtime"],
): Promise<Record<string, unknown>> {
  return JSON.parse(new TextDecoder().decode(await runtime.files.read("server/admin.token")));
}

type Talk = AdminStage & {
  /** Straight at the routes, where any header and peer can be played. */
  ask(body: unknown, headers?: Record<string, string>, remoteHost?: string): Promise<Response>;
  /** Over HTTP. */
  post(
    body: unknown,
    headers?: Record<string, string>,
  ): Promise<{ status: number; headers: Headers; body: unknown }>;
};

/** Asks with the right token, unless `headers` say otherwise. */
async function talk(stage: AdminStage): Promise<Talk> {
  const { token } = await doorOf(stage.runtime);
  const own = { authorization: `Bearer ${token}`, "content-type": "application/json" };
  const text = (body: unknown) => typeof body === "string" ? body : JSON.stringify(body);
  return {
    ...stage,
    async ask(body, headers = {}, remoteHost = "127.0.0.1") {
      const url = `http://127.0.0.1${adminPath}`;
      const all = { host: "127.0.0.1", ...own, ...headers };
      const request = new Request(url, { method: "POST", body: text(body), headers: all });
      return await stage.answer(request, remoteHost);
    },
    async post(body, headers = {}) {
      const url = `http://127.0.0.1:${stage.port}${adminPath}`;
      const all = { ...own, ...headers };
      const response = await fetch(url, { method: "POST", body: text(body), headers: all });
      const answer = await response.text();
      const isJson = response.headers.get("content-type")?.includes("json");
      return {
        status: response.status,
        headers: response.headers,
        body: isJson ? JSON.parse(answer) as unknown : answer,
      };
    },
  };
}
