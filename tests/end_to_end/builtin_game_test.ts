import assert from "node:assert/strict";
import { join } from "node:path";
import type { GameClient } from "../client/game_client.ts";
import type { FerryView, Over } from "../game/builtin_game/ferry_players.ts";
import { checkGame } from "../game/builtin_game/ferry_rules.ts";
import { type Row, rowsIn } from "./data_server.ts";
import { checkSight } from "./ferry_sight.ts";
import {
  addressOf,
  answersByChance,
  ferryMode,
  HeldBack,
  lastGame,
  startAgain,
  startFerry,
  toldByRules,
} from "./ferry_table.ts";
import { describePrograms, dialog, Ear, type Stage, unhurried } from "./game_stage.ts";

const banMinutes = 20;

/** How often the built-in game closes who does not answer: behind the third question in a row. */
const missesMax = 3;

/** `timeout` and the grace of a question, in milliseconds, less a clock's step. */
const oneQuestionMs = 1_450;

/** A run of games by chance; another one is another course of games. */
const seed = Number(process.env.FREEKILL_GW_TEST_SEED ?? 20_261_122);

function rows(stage: Stage, file: string, sql: string, ...values: (string | number)[]): Row[] {
  return rowsIn(join(stage.program.directory, "server", file), sql, ...values);
}

/** `win lose draw` of a player in the mode of the built-in game; "" before any result. */
function resultOf(stage: Stage, { id }: { readonly id: number }): string {
  const sql = "SELECT win, lose, draw FROM pWinRate WHERE id = ? AND mode = ? AND role = 'skipper'";
  const [row] = rows(stage, "users.db", sql, id, ferryMode);
  return row === undefined ? "" : `${row.win} ${row.lose} ${row.draw}`;
}

/** How often he ran away. */
function runsOf(stage: Stage, { id }: { readonly id: number }): unknown {
  const sql = "SELECT run FROM runRate WHERE id = ? AND mode = ?";
  return rows(stage, "users.db", sql, id, ferryMode)[0]?.run ?? 0;
}

/** What Night Ferry itself keeps of a player. */
function recordOf(stage: Stage, { id }: { readonly id: number }): unknown {
  const sql = "SELECT data FROM gameSaves WHERE uid = ? AND mode = ?";
  const [row] = rows(stage, "game.db", sql, id, ferryMode);
  return row === undefined ? undefined : JSON.parse(Buffer.from(row.data as Uint8Array).toString());
}

/** Waits for the end of the game, and for what the server tells behind it. */
async function toTheEnd(...clients: readonly GameClient[]): Promise<Over> {
  let over: Over | undefined;
  for (const client of clients) {
    over = (await client.expect("GameOver")).value as unknown as Over;
    await client.expect("AddTotalGameTime");
    await client.settled();
  }
  return over as Over;
}

/** The view of a player who asks for it. */
async function viewOf(client: GameClient): Promise<FerryView> {
  client.pushRequest("view");
  return (await client.expect("FerryView")).value as unknown as FerryView;
}

describePrograms(
  "serve: Night Ferry, the built-in game",
  { core: null, game: unhurried, server: { tempBanTime: banMinutes } },
  (stage, test) => {
    test(`four players by chance (seed ${seed}) end two games, and what came of them is kept`, async () => {
      const answers = (player: number) => answersByChance(seed + player);
      const ferry = await startFerry(stage, { players: 4, answers });
      const { players } = ferry;
      const wins = new Map<GameClient, number>();
      for (let game = 1; game <= 2; game++) {
        if (game > 1) await startAgain(ferry);
        const over = await toTheEnd(...players);
        assert.ok(["goal", "empty"].includes(over.reason), over.reason);
        assert.ok(over.winners.length > 0);
        for (const [at, player] of players.entries()) {
          const told = lastGame(player);
          assert.deepEqual(checkGame(told, players.length), over);
          checkSight(told, at + 1);
          const hasWon = over.winners.length === 1 && over.winners[0] === player.id;
          if (hasWon) wins.set(player, (wins.get(player) ?? 0) + 1);
          const record = recordOf(stage, player) as Record<string, number>;
          assert.equal(record.played, game);
          assert.equal(record.won, wins.get(player) ?? 0);
          const [win = 0, lose = 0, draw = 0] = resultOf(stage, player).split(" ").map(Number);
          assert.deepEqual([win, win + lose + draw], [record.won, game]);
          const figures = player.received.findLast(({ command, value }) =>
            command === "UpdateGameData" && (value as number[])[0] === player.id
          );
          assert.equal(figures?.diag, `[${player.id}, ${game}, ${win}, 0]`);
        }
      }
      const begun = players[0]?.received.filter(({ command }) => command === "FerryBegin") ?? [];
      const [first, second] = begun.map(({ value }) => value as unknown as FerryView);
      assert.deepEqual(second?.seats.map(({ record }) => record?.played), [1, 1, 1, 1]);
      assert.notEqual(first?.skipper, second?.skipper, "the next game has another first skipper");
    });

    test("equal seeds and answers give equal games, and robots play two of the seats", async () => {
      const answers = (player: number) => answersByChance(player);
      const course = async () => {
        const { players } = await startFerry(stage, { players: 2, robots: 2, seed: 7, answers });
        await toTheEnd(...players);
        const kinds = new Set(["FerryTurn", "FerryLoaded", "FerryShipped", "FerryHand"]);
        return players.map((one) => lastGame(one).filter(({ command }) => kinds.has(command)));
      };
      const [once, again] = [await course(), await course()];
      assert.ok((once[0]?.length ?? 0) > 8);
      assert.deepEqual(once, again);
    });

    test("who lost the connection finds all he knew when he is back, and goes on", async () => {
      const held = new HeldBack("FerryLoad", 3);
      const { players } = await startFerry(stage, { players: 3, seed: 5, answers: held.answers });
      const [one, lost, holder] = players as [GameClient, GameClient, GameClient];
      await held.asked(holder);
      const before = await viewOf(lost);
      const ear = await Ear.of(one);
      const { name, id, localAddress } = lost;
      await lost.reset();
      await one.expect("NetStateChanged", ({ diag }) => diag === `[${id}, 'offline']`);
      const back = await stage.connect(localAddress);
      back.answerRequests(answersByChance(34));
      await back.login({ name, password: "secret" });
      const view = await back.expect("Reconnect");
      assert.deepEqual(view.value, before, "all is as it was, his crates too");
      await one.expect("NetStateChanged", ({ diag }) => diag === `[${id}, 'online']`);
      assert.deepEqual(
        (await ear.heard()).filter((text) => /^(Ferry|GameOver)/.test(text)),
        [],
        "nothing was played meanwhile",
      );
      await held.go();
      const over = await toTheEnd(one, back, holder);
      checkSight(toldByRules(back.received), 2);
      assert.equal(over.coins.length, 3);
      const asked = back.received.filter(({ command }) => /^Ferry(Load|Open)$/.test(command));
      assert.ok(asked.length > 0, "he is asked again");
      assert.equal(runsOf(stage, back), 0);
    });

    test("who is lost while he is asked does not hold up the game; who logs in twice is asked again", async () => {
      const held = new HeldBack("FerryLoad", 3);
      const { players } = await startFerry(stage, { players: 3, seed: 6, answers: held.answers });
      const [one, other, twice] = players as [GameClient, GameClient, GameClient];
      const question = await held.asked(twice);
      const { name, localAddress } = twice;
      const again = await stage.connect(localAddress);
      again.answerRequests(undefined);
      await again.login({ name, password: "secret" });
      await again.expect("Reconnect");
      const repeated = await again.expect("FerryLoad");
      assert.deepEqual(repeated.value, question.value);
      assert.notEqual(repeated.id, question.id);
      const from = performance.now();
      await again.reset();
      await one.expect("FerryLoaded", ({ diag }) => diag.includes('"skipper": 3'));
      assert.ok(performance.now() - from < 5_000, "the robot has answered for him at once");
      await toTheEnd(one, other);
      assert.equal(runsOf(stage, twice), 1, "not back at the end: he has run away");
    });

    test("who looks on sees what all see, and nothing of what is hidden", async () => {
      const held = new HeldBack("FerryLoad", 2);
      const { players, roomId } = await startFerry(stage, {
        players: 2,
        robots: 1,
        seed: 8,
        answers: held.answers,
      });
      const [one, holder] = players as [GameClient, GameClient];
      await held.asked(holder);
      const watcher = await stage.player("watcher");
      watcher.observeRoom(roomId);
      const view = (await watcher.expect("Observe")).value as unknown as FerryView;
      const { you: _, hand: __, ...open } = await viewOf(one);
      assert.deepEqual(view, open);
      const { you, hand, ...seen } = await viewOf(watcher);
      assert.deepEqual([you, hand], [undefined, undefined]);
      assert.deepEqual(seen, open);
      await held.go();
      await one.expect("FerryShipped");
      await watcher.expect("FerryShipped");
      watcher.quitRoom();
      await watcher.expect("EnterLobby");
      const ear = await Ear.of(watcher);
      await toTheEnd(one, holder);
      assert.deepEqual(await ear.heard(), [], "and nothing once he has left");
      checkSight(toldByRules(watcher.received), undefined);
      const hidden = watcher.received.filter(({ command }) =>
        ["FerryHand", "FerryLoad", "FerryOpen", "FerryBegin"].includes(command)
      );
      assert.deepEqual(hidden, []);
    });

    test("who leaves has lost and is kept out, while a robot plays on for him", async () => {
      const held = new HeldBack("FerryLoad", 1);
      const { players } = await startFerry(stage, { players: 3, seed: 9, answers: held.answers });
      const [one, other, runner] = players as [GameClient, GameClient, GameClient];
      await held.asked(one);
      const { localAddress, name } = runner;
      runner.quitRoom();
      await runner.closed;
      const tail = runner.received.slice(-4).map(({ command }) => command);
      assert.deepEqual(tail, ["NetStateChanged", "EnterLobby", "UpdatePlayerNum", "ChangeSelf"]);
      await one.expect("NetStateChanged", ({ diag }) => diag === `[${runner.id}, 'run']`);
      await held.go();
      await toTheEnd(one, other);
      assert.equal(resultOf(stage, runner), "0 1 0", "whatever the robot made of it");
      assert.equal(runsOf(stage, runner), 1);
      assert.equal(runsOf(stage, other), 0);
      const banned = await stage.connect(localAddress);
      await banned.closed;
      const said = banned.received.map(({ command, diag }) => `${command} ${diag}`);
      assert.deepEqual(said, dialog("you have been temporarily banned!"));
      await stage.program.command(`unban ${name}`);
      await stage.player("", { name, localAddress });
    });

    test("who trusts the machine is asked nothing until he takes over again", async () => {
      const held = new HeldBack("FerryLoad", 2);
      const { players, roomId } = await startFerry(stage, {
        players: 2,
        robots: 1,
        seed: 10,
        answers: held.answers,
      });
      const [one, trusting] = players as [GameClient, GameClient];
      await held.asked(trusting);
      trusting.trust();
      await one.expect("NetStateChanged", ({ diag }) => diag === `[${trusting.id}, 'trust']`);
      await one.expect("FerryLoaded", ({ diag }) => diag.includes('"skipper": 2'));
      const from = trusting.received.length;
      await toTheEnd(one, trusting);
      const asked = trusting.received.slice(from).filter(({ type }) => type === 0x121);
      assert.deepEqual(asked.map(({ command }) => command), []);
      assert.ok(lastGame(trusting).filter(({ command }) => command === "FerryHand").length > 1);
      const state = trusting.received.findLast(({ command }) => command === "NetStateChanged");
      assert.equal(state?.diag, `[${trusting.id}, 'online']`, "behind the end he is himself again");

      await held.go();
      await startAgain({ roomId, players }, 1);
      await toTheEnd(one, trusting);
    });

    test("time that is up is the robot's turn; three times in a row close the connection", async () => {
      const answers = (player: number) => () => player === 2 ? undefined : "__cancel";
      const { players } = await startFerry(stage, { players: 2, timeout: 1, answers });
      const [one, silent] = players as [GameClient, GameClient];
      const from = performance.now();
      const asked = await silent.expect("FerryLoad", () => true, { withinMs: 20_000 });
      assert.equal(asked.timeout, 1);
      await silent.closed;
      const took = performance.now() - from;
      assert.ok(took >= missesMax * oneQuestionMs, `closed after ${took} ms`);
      const questions = silent.received.filter(({ type }) => type === 0x121);
      assert.equal(questions.length, missesMax);
      await one.expect("NetStateChanged", ({ diag }) => diag === `[${silent.id}, 'offline']`);
      await toTheEnd(one);
      checkGame(lastGame(one), 2);
      assert.equal(runsOf(stage, silent), 1);
      await stage.program.command(`unban ${silent.name}`);
    });

    test("cancelling everything ends a game as well, and closes nobody", async () => {
      const { players } = await startFerry(stage, { players: 4, answers: () => () => "__cancel" });
      const over = await toTheEnd(...players);
      for (const player of players) {
        assert.deepEqual(checkGame(lastGame(player), 4), over);
        assert.equal(player.ending, undefined);
        assert.equal(runsOf(stage, player), 0);
      }
    });

    test("a game whose players have all gone is given up, and leaves nothing", async () => {
      const { players, roomId } = await startFerry(stage, { players: 2, pace: 5_000 });
      const guest = await stage.player("guest", { localAddress: addressOf(stage.unique) });
      for (const player of players) await player.reset();
      let rooms = await guest.rooms();
      const giveUpAt = performance.now() + 10_000;
      while (rooms.some(({ id }) => id === roomId) && performance.now() < giveUpAt) {
        rooms = await guest.rooms();
      }
      assert.ok(!rooms.some(({ id }) => id === roomId));
    });
  },
);
