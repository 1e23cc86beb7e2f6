import { Database } from "bun:sqlite";
import assert from "node:assert/strict";
import { join } from "node:path";
import { describe, it } from "node:test";
import type { GameClient } from "../client/game_client.ts";
import { Bystanders, talkative } from "./bystanders.ts";
import { DataServer, eventually } from "./data_server.ts";
import { dialog } from "./game_stage.ts";
import { gameMode } from "./game_table.ts";
import { runProgram } from "./run_program.ts";

const password = "secret";
const busy = dialog("the server is busy, please try again");

/** A login that needs the disk is answered after 5 s of trouble; the rest is for a busy machine. */
const answerMsMax = 8_000;
/** A line in the lobby; the lock lasts far longer. */
const lineMsMax = 1_500;

for (const kind of ["binary", "deno"] as const) {
  describe(`serve: what the game keeps (${kind})`, () => {
    it("plays on while another program holds users.db, and writes it all afterwards", () =>
      DataServer.with({ kind, game: talkative }, async (server) => {
        await server.start();
        const known = { name: "known", password };
        await (await server.player(known)).close();
        const [first, second, player] = await joined(server, "first", "second", "player");
        const result = await startGame(player);
        await eventually(
          "all of that is written",
          () => server.rows("server/users.db", "SELECT uid FROM freekill_gw_password").length === 4,
        );
        const other = new Database(join(server.directory, "server/users.db"));
        other.exec("BEGIN EXCLUSIVE");
        const bystanders = Bystanders.of(first, second);
        const from = performance.now();
        second.updateAvatar("lvbu");
        player.pushRequest("end,win");
        await player.expect("AddTotalGameTime");
        const registration = server.refusal({ name: "newcomer", password });
        second.updatePassword(password, "next");
        const again = await server.player(known);
        assert.deepEqual(await registration, busy);
        assert.equal((await second.expect("UpdatePassword")).text, "0");
        const took = performance.now() - from;
        assert.ok(took < answerMsMax, `answered after ${Math.round(took)} ms`);
        await bystanders.part(lineMsMax);
        assert.equal((await server.rows("server/users.db", result)).length, 0);
        other.exec("ROLLBACK");
        other.close();
        await eventually(
          "the game's result is written",
          () => server.rows("server/users.db", result).length === 1,
        );
        const avatars = "SELECT avatar FROM userinfo WHERE name = 'second'";
        assert.deepEqual(server.rows("server/users.db", avatars), [{ avatar: "lvbu" }]);
        await server.player({ name: "newcomer", password });
        assert.equal(again.ending, undefined);
        assert.equal(await server.stop(), 0);
      }));

    it("has after kill -9 whatever it said was done", () =>
      DataServer.with({ kind }, async (server) => {
        let secret = password;
        await server.start();
        for (let round = 1; round <= 3; round++) {
          const player = await server.player({ name: "player", password: secret });
          const writers = await joined(server, ...["a", "b", "c"].map((one) => `${one}${round}`));
          const noise = setInterval(() => {
            for (const writer of writers) writer.updateAvatar(`avatar${Math.random()}`);
          }, 5);
          await startGame(player);
          player.pushRequest(`save_global,key,{"round":${round}}`);
          await player.expect("Saved");
          player.pushRequest("end,win");
          await player.expect("AddTotalGameTime");
          player.quitRoom();
          await player.expect("EnterLobby");
          player.updateAvatar(`avatar${round}`);
          const next = `secret ${round}`;
          player.updatePassword(secret, next);
          assert.equal((await player.expect("UpdatePassword")).text, "1");
          const fresh = { name: `fresh${round}`, password };
          const { id } = await server.player(fresh);
          await server.kill();
          clearInterval(noise);
          await server.start();
          const said = await server.refusal({ name: "player", password: secret });
          assert.deepEqual(said, dialog("username or password error"));
          const back = await server.player({ name: "player", password: next });
          assert.match(back.received[1]?.diag ?? "", new RegExp(`"avatar${round}"`));
          back.readGlobalSaveState("key");
          assert.equal(
            (await back.expect("ReadGlobalSaveState")).value,
            `{"round":${round}}`,
          );
          assert.equal((await server.player(fresh)).id, id);
          const wins = `SELECT win FROM pWinRate WHERE id = ${back.id}`;
          assert.deepEqual(server.rows("server/users.db", wins), [{ win: round }]);
          secret = next;
        }
        assert.equal(await server.stop(), 0);
      }));

    it("keeps accounts, statistics and saves over a stop, and lets in no second server", () =>
      DataServer.with({ kind }, async (server) => {
        const [command = "", ...args] = server.command;
        await server.start();
        const [player] = await joined(server, "player");
        await startGame(player);
        player.pushRequest('save,{"of":"mode"}');
        await player.expect("Saved");
        player.pushRequest("end,lose");
        await player.expect("AddTotalGameTime");
        const second = await runProgram([command, ...args, "--tcp-port", "0", "--http-port", "0"], {
          cwd: server.directory,
        });
        assert.equal(second.exitCode, 3, second.stderr);
        assert.match(second.stderr, new RegExp(`\\(process ${server.pid}\\) is running`));
        assert.equal(await server.stop(), 0);
        await server.start();
        const back = await server.player({ name: "player", password });
        assert.equal(back.id, player.id);
        back.createRoom({ name: "again", capacity: 1, settings: { gameMode } });
        await back.expect("UpdateGameData", ({ diag }) => diag === `[${back.id}, 1, 0, 0]`);
        back.startGame();
        await back.expect("Settings");
        back.pushRequest("load");
        assert.match((await back.expect("Loaded")).diag, /of.*mode/);
        assert.equal(await server.stop(), 0);
      }));
  });
}

/** One after the other, with one password. */
async function joined<Names extends readonly string[]>(
  server: DataServer,
  ...names: Names
): Promise<{ [At in keyof Names]: GameClient }> {
  const clients: GameClient[] = [];
  for (const name of names) clients.push(await server.player({ name, password }));
  return clients as unknown as { [At in keyof Names]: GameClient };
}

/** A game for one; gives the question for its result. */
async function startGame(player: GameClient): Promise<string> {
  player.createRoom({ name: player.name, capacity: 1, settings: { gameMode } });
  await player.expect("RoomOwner");
  player.startGame();
  await player.expect("Settings");
  return `SELECT win FROM pWinRate WHERE id = ${player.id}`;
}
