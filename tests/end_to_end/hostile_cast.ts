import assert from "node:assert/strict";
import type { GameClient } from "../client/game_client.ts";
import type { GamePacket } from "../client/game_packet.ts";
import { Bystanders } from "./bystanders.ts";
import { addressOf } from "./ferry_table.ts";
import type { Stage } from "./game_stage.ts";
import { openRoom } from "./game_table.ts";
import { packagesMd5, putIntoCore } from "./hostile_core.ts";
import { figureBecomes } from "./program_figures.ts";

/** `lua_turn_ms` of these servers. */
export const turnMs = 300;

/** A turn that is given up, and the way back to the lobby. */
const backInLobbyMs = 2 * turnMs + 2_000;

/** Between two words of a game that nothing must hold up, and the longest it may take. */
const paceMs = 40;
const slowestMsMax = 1_000;

const watchersCount = 4;

/** The rooms that go on behind every fault: the neighbours' and the bystanders'. */
const roomsThatGoOn = 2;

/**
 * What a fault costs. `game`: the core ends the game by itself, as its coroutine was ended; `room`:
 * the server ends the room; `state`: all rooms of the state end; `nothing`: an error in one call.
 */
export type Cost = "nothing" | "game" | "room" | "state";

/** Who plays while rules misbehave: the victims and one who watches them, their neighbours in the same
 * Lua state, bystanders in a game in another state, and two who talk in the lobby. */
export class HostileCast {
  readonly victims: readonly [GameClient, GameClient];
  readonly neighbours: readonly [GameClient, GameClient];
  /** By turns: nobody may look on at too many games in a short time. */
  readonly #watchers: GameClient[];
  readonly #bystanders: BystanderGame;
  readonly #talk: Bystanders;
  readonly #stage: Stage;

  private constructor(stage: Stage, crowd: readonly GameClient[], game: BystanderGame) {
    const [a, b, c, d, talker, hearer, ...watchers] = crowd as [
      GameClient,
      GameClient,
      GameClient,
      GameClient,
      GameClient,
      GameClient,
      ...GameClient[],
    ];
    this.#stage = stage;
    this.victims = [a, b];
    this.neighbours = [c, d];
    this.#watchers = watchers;
    this.#bystanders = game;
    this.#talk = Bystanders.of(talker, hearer);
  }

  /** The bystanders begin on one version of the packages, all others play on the next one. */
  static async meet(stage: Stage): Promise<HostileCast> {
    const crowdOf = async (count: number) => {
      const md5 = await packagesMd5(stage.program);
      const crowd: GameClient[] = [];
      for (let at = 0; at < count; at++) {
        const localAddress = addressOf(stage.unique);
        crowd.push(await stage.player("player", { md5, localAddress }));
      }
      return crowd;
    };
    const others = await crowdOf(2) as [GameClient, GameClient];
    await startRoom(others);
    putIntoCore(stage.program, "version.lua", "return 2\n");
    await stage.program.command("reloadconf");
    const cast = new HostileCast(
      stage,
      await crowdOf(6 + watchersCount),
      new BystanderGame(others),
    );
    await startRoom(cast.neighbours);
    return cast;
  }

  /** Who looks on at the victims' present game. */
  get watcher(): GameClient {
    return this.#watchers[0] as GameClient;
  }

  /** Lets the victims play, and somebody look on. */
  async begin(): Promise<void> {
    this.#watchers.push(...this.#watchers.splice(0, 1));
    const roomId = await startRoom(this.victims);
    this.watcher.observeRoom(roomId);
    await this.watcher.expect("Observe");
  }

  /** The victims' owner orders it, and it costs what it is to cost. */
  async suffer(order: string, cost: Cost): Promise<void> {
    await this.begin();
    const from = this.#marks();
    this.victims[0].pushRequest(order);
    await this.pay(cost, from);
  }

  /** Waits until those have paid who are to pay, and nobody else has; then all is as it was. */
  async pay(cost: Cost, from = this.#marks()): Promise<void> {
    const { victims, neighbours, watcher } = this;
    const hurt = [...victims, watcher, ...cost === "state" ? neighbours : []];
    if (cost === "room" || cost === "state") {
      await Promise.all(hurt.map((client) => backInLobby(client, from.get(client) ?? 0)));
    } else if (cost === "game") {
      for (const client of hurt) {
        await client.expect("GameOver");
        client.quitRoom();
        await client.expect("EnterLobby");
      }
    } else {
      await goesOn(victims);
      victims[0].pushRequest("end,win,lose");
      for (const client of hurt) {
        await client.expect("GameOver");
        client.quitRoom();
        await client.expect("EnterLobby");
      }
    }
    if (cost === "state") await startRoom(neighbours);
    else await goesOn(neighbours);
    const spared = cost === "state" ? [] : neighbours;
    for (const client of spared) assertUnhurt(client, from.get(client) ?? 0);
    await this.nothingIsLeft();
  }

  /** Neither lobby nor rules hold more rooms than those that go on. */
  async nothingIsLeft(): Promise<void> {
    for (const name of ["game_rooms", "game_lua_rooms"]) {
      await figureBecomes(this.#stage.program, name, (rooms) => rooms === roomsThatGoOn);
    }
  }

  /** Everybody leaves; nobody but those who were to pay has noticed anything. */
  async part(): Promise<void> {
    await this.#bystanders.part();
    await this.#talk.part(slowestMsMax);
    const [owner, other] = this.neighbours;
    owner.pushRequest("end,win,lose");
    for (const client of [owner, other]) {
      await client.expect("GameOver");
      client.quitRoom();
      await client.expect("EnterLobby");
    }
  }

  #marks(): Map<GameClient, number> {
    const all = [...this.victims, this.watcher, ...this.neighbours];
    return new Map(all.map((client) => [client, client.received.length]));
  }
}

/** A room of two whose game runs; its id. */
export async function startRoom(
  [owner, other]: readonly [GameClient, GameClient],
): Promise<number> {
  const name = `room of ${owner.name}`;
  const roomId = await openRoom(owner, other, { name, capacity: 2 });
  other.enterRoom(roomId);
  await other.expect("RoomOwner");
  other.ready();
  await owner.expect("ReadyChanged", ({ diag }) => diag === `[${other.id}, true]`);
  owner.startGame();
  return roomId;
}

/** Waits for the server's dialog and the lobby behind it, which must not take long. */
export async function backInLobby(client: GameClient, from: number): Promise<void> {
  const heard = () => client.received.slice(from).map(({ command }) => command);
  const began = performance.now();
  await client.until(() => heard().includes("EnterLobby"));
  const took = performance.now() - began;
  const dialog = client.received.slice(from).find(({ command }) => command === "ErrorDlg");
  assert.equal(dialog?.text, "Server Internal Error", `${client.name} heard ${heard()}`);
  assert.ok(heard().indexOf("ErrorDlg") < heard().indexOf("EnterLobby"));
  assert.ok(took < backInLobbyMs, `${client.name} was in the lobby after ${Math.round(took)} ms`);
  // Behind that, so that the next one is another one.
  await client.expect("ErrorDlg");
  await client.expect("EnterLobby");
}

/** Whatever one orders is heard by the other. */
async function goesOn([owner, other]: readonly [GameClient, GameClient]): Promise<void> {
  owner.pushRequest("notify,Note,on");
  for (const client of [owner, other]) await client.expect("Note");
}

function assertUnhurt(client: GameClient, from: number): void {
  const wrong = client.received.slice(from).filter(isError);
  assert.deepEqual(wrong.map(({ command, diag }) => `${command} ${diag}`), [], client.name);
}

function isError({ command }: GamePacket): boolean {
  return ["ErrorDlg", "ErrorMsg", "EnterLobby", "GameOver"].includes(command);
}

/** A game in which one speaks and the other one hears it at once, again and again. */
class BystanderGame {
  readonly #players: readonly [GameClient, GameClient];
  readonly #from: number;
  #said = 0;
  #saidAt = 0;
  #slowestMs = 0;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(players: readonly [GameClient, GameClient]) {
    this.#players = players;
    const [, hearer] = players;
    this.#from = hearer.received.length;
    hearer.onPacket = ({ command }) => {
      if (command !== "Word") return;
      this.#slowestMs = Math.max(this.#slowestMs, performance.now() - this.#saidAt);
      this.#timer = setTimeout(() => this.#say(), paceMs);
    };
    this.#say();
  }

  #say(): void {
    this.#saidAt = performance.now();
    this.#players[0].pushRequest(`notify,Word,${++this.#said}`);
  }

  async part(): Promise<void> {
    const [owner, hearer] = this.#players;
    const words = () =>
      hearer.received.slice(this.#from).filter(({ command }) => command === "Word");
    const isHeard = () => words().length >= this.#said;
    assert.ok(await hearer.until(isHeard), "the game of bystanders goes on");
    clearTimeout(this.#timer);
    assert.equal(words().length, this.#said);
    for (const client of this.#players) assertUnhurt(client, this.#from);
    const slowest = Math.round(this.#slowestMs);
    assert.ok(slowest < slowestMsMax, `the slowest of ${this.#said} words took ${slowest} ms`);
    owner.pushRequest("end,draw,draw");
    for (const client of this.#players) await client.expect("GameOver");
  }
}
