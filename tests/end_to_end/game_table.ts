import assert from "node:assert/strict";
import { encode } from "../client/cbor.ts";
import type { GameClient } from "../client/game_client.ts";
import { RawData } from "../client/game_connection.ts";
import { fromHex } from "../client/diagnosis.ts";
import type { Stage } from "./game_stage.ts";

/** The mode for which the scripted rules record results. */
export const gameMode = "scripted";

/** `{gameMode, password}` with a map head that is longer than it needs to be, as one client writes. */
export function settingsBytes(password: string): Uint8Array {
  const items = ["gameMode", gameMode, "password", password].map((item) => encode(item));
  return Buffer.concat([fromHex("b90002"), ...items]);
}

/** The data of `CreateRoom` and `ChangeRoom` with those settings. */
export function roomData(name: string, capacity: number, password = ""): RawData {
  const head = [Uint8Array.of(0x84), encode(name), encode(capacity), encode(15)];
  return new RawData(Buffer.concat([...head, settingsBytes(password)]));
}

/** Makes a room and tells its id. */
export async function openRoom(
  owner: GameClient,
  lister: GameClient,
  room: { readonly name: string; readonly capacity: number; readonly password?: string },
): Promise<number> {
  owner.notify("CreateRoom", roomData(room.name, room.capacity, room.password));
  await owner.expect("RoomOwner");
  const found = (await lister.rooms()).find(({ name }) => name === room.name);
  assert.ok(found !== undefined, `${room.name} is in the list`);
  return found.id;
}

/** A running game of the scripted rules, and somebody in the lobby. */
export interface Table {
  readonly roomId: number;
  /** The owner first. */
  readonly players: readonly GameClient[];
  readonly guest: GameClient;
}

/** Fills a room and starts the game; each player comes from an address of his own. */
export async function startGame(
  stage: Stage,
  options: { readonly players: number; readonly robots?: number },
): Promise<Table> {
  const { players: count, robots = 0 } = options;
  const guest = await stage.player("guest");
  const players: GameClient[] = [];
  for (let at = 0; at < count; at++) {
    const number = stage.unique;
    const localAddress = `127.1.${number >> 8}.${(number & 255) || 1}`;
    players.push(await stage.player("player", { localAddress }));
  }
  const [owner, ...others] = players as [GameClient, ...GameClient[]];
  const capacity = count + robots;
  const roomId = await openRoom(owner, guest, { name: `room of ${owner.name}`, capacity });
  for (const player of others) {
    player.enterRoom(roomId);
    await player.expect("RoomOwner");
    player.ready();
    await player.expect("ReadyChanged");
  }
  for (let robot = 0; robot < robots; robot++) owner.addRobot();
  owner.startGame();
  for (const player of players) await player.expect("Settings");
  return { roomId, players, guest };
}
