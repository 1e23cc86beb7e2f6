import { fakeRandom } from "../fakes/random.ts";
import type { CborRead } from "../client/cbor.ts";
import type { GameClient } from "../client/game_client.ts";
import type { Answer } from "../client/game_connection.ts";
import type { GamePacket } from "../client/game_packet.ts";
import type { FerrySettings, Told } from "../game/builtin_game/ferry_stage.ts";
import type { LoadQuestion } from "../game/builtin_game/ferry_players.ts";
import type { Stage } from "./game_stage.ts";

/** The mode under which the built-in game keeps its results. */
export const ferryMode = "night_ferry";

export interface FerryOptions extends FerrySettings {
  readonly players: number;
  readonly robots?: number;
  /** Seconds to answer. */
  readonly timeout?: number;
  /** How the players answer until something else is said; by chance when absent. */
  readonly answers?: (player: number) => Answer;
}

/** A running game of Night Ferry. */
export interface Ferry {
  readonly roomId: number;
  /** The owner first: seats in this order. */
  readonly players: readonly GameClient[];
}

/** Legal answers by chance, the same for the same seed. */
export function answersByChance(seed: number): Answer {
  const random = fakeRandom(seed);
  const one = <Item>(items: readonly Item[]) => items[Math.floor(random.fraction() * items.length)];
  return ({ command, value }) => {
    if (command === "FerryOpen") return random.fraction() < 0.4;
    const { hand, sayings } = value as unknown as LoadQuestion;
    return [one(hand) ?? "", one(sayings) ?? ""];
  };
}

/** Answers by chance, but one player keeps his first question of a command waiting. */
export class HeldBack {
  readonly #command: string;
  readonly #player: number;
  #asked: { readonly client: GameClient; readonly packet: GamePacket } | undefined;
  #isOver = false;

  /** `player` counts from 1. */
  constructor(command: string, player: number) {
    this.#command = command;
    this.#player = player;
  }

  readonly answers = (player: number): Answer => {
    const answer = answersByChance(player);
    return (packet) => {
      const isHeld = player === this.#player && packet.command === this.#command && !this.#isOver;
      return isHeld ? undefined : answer(packet);
    };
  };

  /** Waits for the question. */
  async asked(client: GameClient): Promise<GamePacket> {
    const packet = await client.expect(this.#command);
    this.#asked = { client, packet };
    return packet;
  }

  /** Answers it, and everything from now on. */
  async go(): Promise<void> {
    this.#isOver = true;
    if (this.#asked === undefined) return;
    const { client, packet } = this.#asked;
    client.reply(packet, this.answers(this.#player)(packet));
    await client.settled();
  }
}

/** Opens a room, fills it and starts its game, of no pace unless one is given. */
export async function startFerry(stage: Stage, options: FerryOptions): Promise<Ferry> {
  const { players: count, robots = 0, timeout = 15, answers = answersByChance } = options;
  const { seed, pace = 0, goal } = options;
  const players: GameClient[] = [];
  for (let at = 0; at < count; at++) {
    const player = await stage.player("ferryman", { localAddress: addressOf(stage.unique) });
    player.answerRequests(answers(at + 1));
    players.push(player);
  }
  const [owner, ...others] = players as [GameClient, ...GameClient[]];
  const name = `ferry of ${owner.name}`;
  const own = { pace, ...seed !== undefined && { seed }, ...goal !== undefined && { goal } };
  const settings = { gameMode: ferryMode, roomName: name, password: "", _game: own };
  owner.createRoom({ name, capacity: count + robots, timeout, settings });
  await owner.expect("RoomOwner");
  // Only who is in the lobby gets the list.
  const lister = others[0] ?? await stage.player("lister");
  const found = (await lister.rooms()).find((room) => room.name === name);
  const roomId = found?.id ?? 0;
  for (const player of others) {
    player.enterRoom(roomId);
    await player.expect("RoomOwner");
  }
  await startAgain({ roomId, players }, robots);
  return { roomId, players };
}

/** Starts the next game of a room: its robots have left. */
export async function startAgain({ players }: Ferry, robots = 0): Promise<void> {
  const [owner, ...others] = players as [GameClient, ...GameClient[]];
  for (const player of others) {
    player.ready();
    await owner.expect("ReadyChanged", ({ diag }) => diag === `[${player.id}, true]`);
  }
  for (let robot = 0; robot < robots; robot++) owner.addRobot();
  owner.startGame();
  for (const player of players) await player.expect("FerryBegin");
}

/** An address that nobody else has: who runs away is banned by it. */
export function addressOf(number: number): string {
  return `127.3.${number >> 8}.${(number & 255) || 1}`;
}

/** What the rules told this client in its last game, from its beginning. */
export function lastGame(client: GameClient): Told[] {
  const start = client.received.findLastIndex(({ command }) => command === "StartGame");
  return toldByRules(client.received.slice(Math.max(0, start)));
}

/** Commands of the built-in game, of all that were heard. */
export function toldByRules(packets: readonly GamePacket[]): Told[] {
  return packets.filter(({ command }) => rulesCommands.has(command)).map((packet) => ({
    command: packet.command,
    value: packet.value as CborRead,
  }));
}

const rulesCommands = new Set(
  ("StartGame FerryBegin FerryTurn FerryLoad FerryLoaded FerryOpen FerryShipped FerryHand GameOver " +
    "Reconnect Observe FerryView").split(" "),
);
