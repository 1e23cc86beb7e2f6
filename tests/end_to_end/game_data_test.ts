import assert from "node:assert/strict";
import { readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import { DataServer, eventually } from "./data_server.ts";
import { dialog } from "./game_stage.ts";
import {
  accounts,
  isLegacyHash,
  longName,
  oldPassword as password,
  packagesMd5 as md5,
  updateList,
  writeOriginalDirectory,
} from "./original_directory.ts";

for (const kind of ["binary", "deno"] as const) {
  describe(`serve in a copied data directory of the original server (${kind})`, () => {
    const withCopy = (
      game: Readonly<Record<string, unknown>>,
      use: (server: DataServer, original: { publicPem: string }) => Promise<void>,
    ) => {
      let original = { publicPem: "" };
      const prepare = (directory: string) => void (original = writeOriginalDirectory(directory));
      return DataServer.with({ kind, game, prepare }, (server) => use(server, original));
    };

    it("lets each account in, or not, as its rows say", () =>
      withCopy({}, async (server) => {
        await server.start();
        const refused = (name: string, more = {}) =>
          server.refusal({ name, password, md5, uuid: "a-device", ...more });
        const banned = dialog("you have been banned!");
        const wrong = dialog("username or password error");
        const caocao = await server.player({ name: "caocao", password, md5 });
        const said = caocao.received.slice(1, 5).map(({ command, diag }) => `${command} ${diag}`);
        assert.match(said[0] ?? "", /^Setup \[1, "caocao", "zhangfei", \d+\]$/);
        assert.equal(said[1], 'SetServerSettings ["Old greeting", [], ["ChangeRoom"]]');
        assert.equal(said[2], "AddTotalGameTime [1, 300]");
        caocao.readGlobalSaveState("k");
        assert.equal((await caocao.expect("ReadGlobalSaveState")).value, '{"old":2}');
        assert.deepEqual(await refused("caocao", { password: "another" }), wrong);
        for (const empty of ["", "NULL", "null"]) {
          const said = await refused("sunquan", { password: empty });
          assert.deepEqual(said, wrong, `without a password, "${empty}"`);
        }
        assert.deepEqual(await refused("banned"), banned);
        assert.match((await refused("banned_for_now"))[0] ?? "", /banned! expire at %1.*20\d\d-/);
        assert.deepEqual(await refused("somebody", { uuid: "bad-device" }), banned);
        assert.deepEqual(await refused("my_badword"), dialog("invalid user name"));
        assert.deepEqual(await refused("x".repeat(65)), dialog("invalid user name"));
        for (const name of ["ban_is_over", longName] as const) {
          assert.equal((await server.player({ name, password, md5 })).id, accounts[name]);
        }
        const left = () => server.rows("server/users.db", "SELECT uid FROM tempban");
        await eventually("the ban that is over is gone", () => left().length === 1);
        for (const at of [1, 2]) {
          const client = await server.connect(`127.66.0.${at}`);
          await client.closed;
          assert.equal(client.received[0]?.text, "you have been banned!");
        }
        await eventually("the login is recorded", () => {
          const sql = "SELECT lastLoginIp, uuid, lastLoginTime FROM userinfo JOIN uuidinfo USING" +
            " (id) JOIN usergameinfo USING (id) WHERE id = 1";
          const [row = {}] = server.rows("server/users.db", sql);
          return row.lastLoginIp === "::ffff:127.0.0.1" && row.uuid === "caocao" &&
            Number(row.lastLoginTime) > 1_700_000_000;
        });
        assert.equal(await server.stop(), 0);
      }));

    it("mutes who is muted, and nobody whose mute is over", () =>
      withCopy({}, async (server) => {
        await server.start();
        const muted = await server.player({ name: "muted", password, md5 });
        const free = await server.player({ name: "mute_is_over", password, md5 });
        muted.chat("not heard");
        await muted.settled();
        free.chat("heard");
        await muted.expect("Chat");
        await free.settled();
        const lines = muted.received.filter(({ command }) => command === "Chat");
        assert.deepEqual(lines.map(({ value }) => (value as { msg: string }).msg), ["heard"]);
        assert.equal(await server.stop(), 0);
      }));

    it("keeps the whitelist when that is on", () =>
      withCopy({ enableWhitelist: true }, async (server) => {
        await server.start();
        await server.player({ name: "caocao", password, md5 });
        const said = await server.refusal({ name: "muted", password, md5 });
        assert.deepEqual(said, dialog("user name not in whitelist"));
        assert.equal(await server.stop(), 0);
      }));

    it("keeps the key, and asks for the packages that are there and enabled", () =>
      withCopy({}, async (server, { publicPem }) => {
        const files = () =>
          ["rsa", "rsa_pub"].map((name) => readFileSync(join(server.directory, "server", name)));
        const before = files();
        await server.start();
        const client = await server.connect();
        assert.equal(await client.greeted(), publicPem);
        await client.reset();
        assert.deepEqual(files(), before);
        assert.equal(statSync(join(server.directory, "server/rsa")).mode & 0o777, 0o600);
        const [said, update = ""] = await server.refusal({ name: "caocao", password, md5: "0" });
        assert.equal(said, 'ErrorMsg raw "MD5 check failed!"');
        const list = updateList.map(({ hash, name, url }) => ({ hash, name, url }));
        const told = update.replace(/^UpdatePackage /, "");
        assert.deepEqual(JSON.parse(told.replaceAll("'", '"')), list);
        assert.equal(await server.stop(), 0);
      }));

    for (const keepLegacyHash of [false, true]) {
      const what = keepLegacyHash ? "and keeps the old columns" : "and empties the old columns";
      it(`moves passwords to a better hash after the login, ${what}; the schema stays`, () =>
        withCopy({ keepLegacyHash }, async (server) => {
          const schema = () => {
            const sql = "SELECT * FROM sqlite_master WHERE name NOT LIKE 'freekill\\_gw%'" +
              " ESCAPE '\\' ORDER BY rowid";
            return ["server/users.db", "server/game.db"].map((file) => server.rows(file, sql));
          };
          const others = () => {
            const sql = "SELECT * FROM userinfo WHERE id <> 1 ORDER BY id";
            return server.rows("server/users.db", sql);
          };
          const [before, untouched] = [schema(), others()];
          await server.start();
          await (await server.player({ name: "caocao", password, md5 })).close();
          const sql = "SELECT u.password, u.salt, length(p.hash) AS ours FROM userinfo AS u" +
            " JOIN freekill_gw_password AS p ON p.uid = u.id WHERE u.id = 1";
          const row = () => server.rows("server/users.db", sql)[0];
          await eventually("the password is in the table of our own", () => row() !== undefined);
          const kept = row() as { password: string; salt: string; ours: number };
          assert.equal(kept.ours, 32);
          if (keepLegacyHash) assert.ok(isLegacyHash(kept, password), "the original takes it");
          else assert.deepEqual([kept.password, kept.salt], ["", ""]);
          assert.deepEqual(schema(), before);
          assert.deepEqual(others(), untouched);
          for (const start of ["the same", "the next"]) {
            await (await server.player({ name: "caocao", password, md5 })).close();
            const said = await server.refusal({ name: "caocao", password: "12345", md5 });
            assert.deepEqual(said, dialog("username or password error"), start);
            assert.equal(await server.stop(), 0);
            if (start === "the same") await server.start();
          }
          assert.deepEqual(schema(), before);
        }));
    }
  });
}
