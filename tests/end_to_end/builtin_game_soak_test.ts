import assert from "node:assert/strict";
import { join } from "node:path";
import { describe, it } from "node:test";
import { rowsIn } from "./data_server.ts";
import { ferryMode } from "./ferry_table.ts";
import { Stage, unhurried } from "./game_stage.ts";
import { figureBecomes, figures, residentBytes } from "./program_figures.ts";

const roomsAtOnce = 8;
/** Of one player: nobody may trust and take over again too often in a short time. */
const gamesOfOneMax = 10;
/** After how many games memory is read: it swings, so of the first readings the highest counts, of the
 * last ones the lowest. */
const games = { warm: [30, 40], late: [160, 180, 200], all: 200 } as const;

/** Memory after all games, as a multiple of what it was when the first of them were over. */
const growthMax = 1.25;

/** Games of nobody but robots and one who trusts his, at no pace. */
class Table {
  readonly #stage: Stage;

  constructor(stage: Stage) {
    this.#stage = stage;
  }

  /** Plays some games one after the other, as long as `mayPlay` says so. */
  async play(mayPlay: () => boolean): Promise<void> {
    const player = await this.#stage.player("trusting");
    player.answerRequests(() => "__cancel");
    const settings = { gameMode: ferryMode, roomName: "", password: "", _game: { pace: 0 } };
    player.createRoom({ name: `of ${player.name}`, capacity: 4, settings });
    await player.expect("RoomOwner");
    for (let game = 0; game < gamesOfOneMax && mayPlay(); game++) {
      for (let robot = 0; robot < 3; robot++) player.addRobot();
      player.startGame();
      player.trust();
      await player.expect("GameOver", () => true, { withinMs: 60_000 });
      await player.expect("AddTotalGameTime");
      // The robots leave.
      for (let robot = 0; robot < 3; robot++) await player.expect("RemovePlayer");
    }
    await player.close();
  }
}

describe("serve: many games of Night Ferry", () => {
  it(`${games.all} games leave memory where ${games.warm[1]} did, and nothing behind`, async () => {
    const stage = new Stage("binary");
    const game = { ...unhurried, packetsPerSecond: 10_000, packetsBurst: 10_000 };
    await stage.open({ core: null, game });
    try {
      const { program } = stage;
      let begun = 0;
      const playUntil = async (all: number) => {
        const mayPlay = () => begun < all && ++begun > 0;
        const table = async () => {
          while (begun < all) await new Table(stage).play(mayPlay);
        };
        await Promise.all(Array.from({ length: roomsAtOnce }, table));
        await figureBecomes(program, "game_players", (players) => players === 0);
        await program.command("gc");
        return residentBytes(program);
      };
      const readings = async (counts: readonly number[]) => {
        const bytes: number[] = [];
        for (const count of counts) bytes.push(await playUntil(count));
        return bytes;
      };
      const warm = Math.max(...await readings(games.warm));
      const after = Math.min(...await readings(games.late));
      const figure = await figures(program);
      for (const name of ["rooms", "lua_rooms", "lua_calls_dropped", "store_failures"]) {
        assert.equal(figure(`game_${name}`), 0, name);
      }
      const sql = "SELECT SUM(total) AS games FROM pWinRateView WHERE mode = ?";
      const users = join(program.directory, "server/users.db");
      assert.deepEqual(rowsIn(users, sql, ferryMode), [{ games: games.all }]);
      const growth = after / warm;
      const shown = [warm, after].map((bytes) => `${(bytes / 1_048_576).toFixed(1)} MiB`);
      console.log(`memory of ${games.all} games: ${shown.join(" → ")}`);
      assert.ok(growth <= growthMax, `memory went from ${shown.join(" to ")}`);
    } finally {
      await stage.clear();
      await stage.close();
    }
  });
});
