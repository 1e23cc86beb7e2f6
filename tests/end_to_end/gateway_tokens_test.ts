import assert from "node:assert/strict";
import { readdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import type { ProgramKind } from "../client/game_program.ts";
import { ed25519Pair, makeToken, rsaPair, type Signer } from "../gateway/identity/token_maker.ts";
import { GatewayProgram } from "../gateway_tools/gateway_program.ts";
import { message, withGateway } from "./gateway_stage.ts";
import { withDirectory } from "./run_program.ts";

const kinds: readonly ProgramKind[] = ["binary", "deno"];
const secret = "a secret of the end-to-end tests, long enough";
const bySecret: Signer = { alg: "HS256", secret };

for (const kind of kinds) {
  describe(`gateway (${kind}): tokens`, () => {
    it("only a token lets a client in, as itself, and no log shows it", () =>
      withDirectory((cwd) => {
        const secretFile = join(cwd, "secret");
        writeFileSync(secretFile, `${secret}\n`, { mode: 0o600 });
        const gateway = { jwt: { secretFile } };
        const root = { log: { level: "debug", file: join(cwd, "log") } };
        return withGateway({ kind, gateway, root }, async ({ gateway, upstream }) => {
          const good = token("alice");
          const byUrl = await gateway.client("alice", `token=${good}&ack=1`);
          byUrl.sendJson(message("m1", "hello"));
          const got = [await byUrl.nextJson(), await byUrl.nextJson()];
          assert.ok(got.some(({ action }) => action === "ack"), JSON.stringify(got));
          const headers = { "Sec-WebSocket-Protocol": `bearer, ${token("bob")}` };
          const byProtocol = await gateway.client("bob", "", { headers });
          assert.equal(byProtocol.upgradeHeaders.get("sec-websocket-protocol"), "bearer");
          const wrong = {
            missing: "",
            expired: token("alice", -600),
            unsigned: makeToken({ sub: "alice", exp: soon(60) }, { alg: "none" }),
            foreign: token("mallory"),
            signature: `${good.slice(0, -4)}AAAA`,
          };
          for (const [what, bad] of Object.entries(wrong)) {
            const { status, body } = await gateway.refused({
              clientId: "alice",
              query: `token=${bad}`,
            });
            assert.equal(status, 401, what);
            assert.match(body, /^\{"error":"[a-z ]+"\}$/, what);
          }
          // Whoever holds it is the client: on another connection too.
          const again = await gateway.client("alice", `token=${good}`);
          assert.equal((await byUrl.expectClose()).code, 4409);
          await again.close();
          for (const { text } of upstream.arrivals) assert.doesNotMatch(text, /eyJ/);
          const written = [gateway.log, ...filesIn(gateway.directory), ...filesIn(cwd)].join("\n");
          assert.match(written, /"level":"/);
          assert.doesNotMatch(written, /eyJ/);
        });
      }));

    it("a connection lasts as long as its token, and longer with a new one", () =>
      withGateway({ kind, gateway: { jwt: { secret, leewaySeconds: 0 } } }, async ({ gateway }) => {
        const fresh = await gateway.client("fresh", `token=${token("fresh", 3)}`);
        const stale = await gateway.client("stale", `token=${token("stale", 3)}`);
        fresh.sendJson({ type: 2, action: "auth", token: token("stale", 60) });
        assert.deepEqual(await fresh.nextJson(), {
          type: 2,
          action: "error",
          code: "unauthorized",
          message: "token of another client",
        });
        const exp = soon(60);
        const next = makeToken({ sub: "fresh", exp }, bySecret);
        fresh.sendJson({ type: 2, action: "auth", token: next });
        assert.deepEqual(await fresh.nextJson(), { type: 2, action: "auth_ok", exp });
        assert.deepEqual(await stale.expectClose(), { code: 1008, reason: "token expired" });
        assert.equal((await gateway.refused({ clientId: "stale" })).status, 401);
        assert.equal(fresh.isClosed, false);
        await fresh.close();
      }));

    it("SIGHUP takes over the keys of a file, and keeps the old ones while it is garbage", () =>
      withDirectory((cwd) => {
        const [rsa, ed] = [rsaPair(), ed25519Pair()];
        const jwksFile = join(cwd, "keys.json");
        const write = (text: string) => {
          writeFileSync(`${jwksFile}.new`, text);
          renameSync(`${jwksFile}.new`, jwksFile);
        };
        write(JSON.stringify({ keys: [rsa.publicJwk] }));
        const routes = [{ clientIdPrefix: "", upstream: "echo:" }];
        const config = { gateway: { jwt: { jwksFile } }, routes };
        return GatewayProgram.with({ kind, config }, async (gateway) => {
          const statusOf = async (signer: Signer) =>
            await gateway.client("a", `token=${token("a", 60, signer)}`).then(
              (client) => client.close().then(() => 101),
              (error: Error) => Number(/refused with (\d+)/.exec(error.message)?.[1]),
            );
          assert.deepEqual([await statusOf(rsa.signer), await statusOf(ed.signer)], [101, 401]);
          write(JSON.stringify({ keys: [ed.publicJwk] }));
          gateway.signal("SIGHUP");
          for (let i = 0; i < 200 && await statusOf(ed.signer) !== 101; i++) await moment();
          assert.deepEqual([await statusOf(rsa.signer), await statusOf(ed.signer)], [401, 101]);
          write("garbage");
          gateway.signal("SIGHUP");
          await gateway.logs(/JSON Web Key Set/);
          assert.deepEqual([await statusOf(rsa.signer), await statusOf(ed.signer)], [401, 101]);
        });
      }));

    it("SIGHUP switches tokens on and off for whoever comes from then on", () => {
      const routes = [{ clientIdPrefix: "", upstream: "echo:" }];
      const plain = { gateway: {}, routes };
      return GatewayProgram.with({ kind, config: plain }, async (gateway) => {
        const early = await gateway.client("early");
        gateway.configure({ ...plain, gateway: { jwt: { secret } } });
        gateway.signal("SIGHUP");
        const on = await gateway.reloaded(1);
        assert.deepEqual([on.changed, on.need_restart], [["gateway.jwt.secret"], []]);
        assert.equal((await gateway.refused({ clientId: "late" })).status, 401);
        const late = await gateway.client("late", `token=${token("late")}`);
        early.sendJson(message("still here"));
        assert.equal((await early.nextJson()).messageId, "still here");
        gateway.configure(plain);
        gateway.signal("SIGHUP");
        assert.deepEqual((await gateway.reloaded(2)).changed, ["gateway.jwt.secret"]);
        await gateway.client("later");
        assert.deepEqual([early.isClosed, late.isClosed], [false, false]);
      });
    });

    it("keys that cannot be used end the start with one line", () =>
      withDirectory(async (cwd) => {
        writeFileSync(join(cwd, "key.pem"), "garbage");
        const config = { gateway: { jwt: { publicKeyFile: "key.pem" } } };
        const start = GatewayProgram.with({ kind, config, directory: cwd }, async () => {});
        await assert.rejects(
          start,
          /ended with 3 .*Cannot use the keys in "key\.pem": must be a PEM/,
        );
      }));
  });
}

function token(clientId: string, seconds = 60, signer: Signer = bySecret): string {
  return makeToken({ sub: clientId, exp: soon(seconds) }, signer);
}

function soon(seconds: number): number {
  return Math.floor(Date.now() / 1_000) + seconds;
}

function moment(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 20));
}

/** What is in the files of a directory. */
function filesIn(directory: string): string[] {
  return readdirSync(directory, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => readFileSync(join(entry.parentPath, entry.name), "latin1"));
}
