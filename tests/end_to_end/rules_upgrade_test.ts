import assert from "node:assert/strict";
import { appendFileSync, cpSync, mkdirSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { join } from "node:path";
import type { GameClient } from "../client/game_client.ts";
import { packetType } from "../client/game_packet.ts";
import { addressOf, answersByChance, ferryMode, lastGame } from "./ferry_table.ts";
import { checkGame } from "../game/builtin_game/ferry_rules.ts";
import { describePrograms, refusedLogin, type Stage, unhurried } from "./game_stage.ts";
import { packagesMd5, statOf } from "./hostile_core.ts";
import { figureBecomes } from "./program_figures.ts";

const core = "packages/freekill-core";
const builtinGame = fileURLToPath(new URL("../../src/game/builtin_game/lua", import.meta.url));
const gamesCount = 20;

const outdatedNotice = /RoomOutdated/;

/** A player in a game of two with a robot, which has begun; he answers nothing until he is told to. */
async function inGame(stage: Stage, md5: string): Promise<GameClient> {
  const client = await stage.player("ferryman", { md5, localAddress: addressOf(stage.unique) });
  const settings = { gameMode: ferryMode, roomName: "", password: "", _game: { pace: 0, goal: 6 } };
  client.createRoom({ name: `of ${client.name}`, capacity: 2, settings });
  await client.expect("RoomOwner");
  client.addRobot();
  client.startGame();
  await client.expect("FerryBegin");
  const isAsked = () => client.received.at(-1)?.type === packetType.serverRequest;
  assert.ok(await client.until(isAsked));
  return client;
}

/** Answers what he was asked, and all that he is asked from now on. */
function goOn(client: GameClient): void {
  const answer = answersByChance(client.id);
  client.answerRequests(answer);
  const asked = client.received.findLast(({ type }) => type === packetType.serverRequest);
  if (asked !== undefined) client.reply(asked, answer(asked));
}

const commandsOf = (client: GameClient, from: number) =>
  client.received.slice(from).map(({ command }) => command);

describePrograms(
  "serve: packages that change while games run",
  {
    core: null,
    game: unhurried,
    prepare(directory) {
      mkdirSync(join(directory, core), { recursive: true });
      cpSync(builtinGame, join(directory, core, "lua"), { recursive: true });
    },
  },
  (stage, test) => {
    test(`${gamesCount} games end on the old version, new ones begin on the new one`, async () => {
      const { program } = stage;
      const oldMd5 = await packagesMd5(program);
      const players = await Promise.all(
        Array.from({ length: gamesCount }, () => inGame(stage, oldMd5)),
      );
      const owner = await stage.player("waiting", { md5: oldMd5 });
      owner.createRoom({ name: "waits", capacity: 2 });
      await owner.expect("RoomOwner");
      const idler = await stage.player("idler", { md5: oldMd5 });
      const from = players.map(({ received }) => received.length);

      // What it says of itself is what its clients hear of in a view.
      appendFileSync(
        join(program.directory, core, "lua/ferry/play.lua"),
        "\n-- the next version\n",
      );
      assert.match(await program.command("reloadconf"), /The packages have changed/);
      const newMd5 = await packagesMd5(program);
      assert.notEqual(newMd5, oldMd5);
      for (const client of [owner, idler]) assert.equal(await client.closed, "fin");
      const [first] = players as [GameClient];
      const notice = await first.expect("GameLog");
      assert.match(notice.diag, outdatedNotice);

      const login = { name: idler.name, password: "secret" };
      const refused = await refusedLogin(stage, { ...login, md5: oldMd5 });
      assert.deepEqual(refused, ['ErrorMsg raw "MD5 check failed!"', "UpdatePackage []"]);
      const back = await stage.player("", { ...login, md5: newMd5 });
      const listed = await back.rooms();
      assert.ok(listed.length > 0, "the games still run");
      assert.deepEqual(listed.filter(({ outdated }) => !outdated), []);
      back.observeRoom(listed[0]?.id ?? 0);
      assert.equal((await back.expect("ErrorMsg")).text, "room is outdated");

      const next = await inGame(stage, newMd5);
      const { luaStates } = await statOf(program);
      assert.deepEqual(luaStates.map(({ isOutdated }) => isOutdated).sort(), [false, true]);
      for (const client of [next, ...players]) goOn(client);
      await next.expect("GameOver");
      for (const [at, player] of players.entries()) {
        await player.expect("GameOver");
        await player.expect("AddTotalGameTime");
        const heard = commandsOf(player, from[at] ?? 0);
        assert.ok(!heard.some((command) => command.startsWith("Error")), heard.join());
        assert.equal(heard.filter((command) => command === "GameLog").length, 1);
        assert.ok(heard.indexOf("GameLog") < heard.indexOf("GameOver"));
        checkGame(lastGame(player), 2);
        player.quitRoom();
        assert.equal(await player.closed, "fin", "he has to log in again");
      }
      await figureBecomes(program, "game_lua_states", (states) => states === 1);
      const after = (await statOf(program)).luaStates;
      assert.deepEqual(after.map(({ isOutdated }) => isOutdated), [false]);
      await figureBecomes(program, "game_rooms", (rooms) => rooms === 1);
      await next.expect("AddTotalGameTime");
      next.addRobot();
      next.startGame();
      await next.expect("FerryBegin");
    });
  },
);
