import type { LuaAnswers, LuaPlayer, LuaRoom, LuaTask } from "../../../src/game/lua/lua_host.ts";
import { encodeUtf8 } from "../../../src/wire/utf8.ts";

/** What the tests' server knows, open to be changed. */
export interface RulesTable extends LuaAnswers {
  readonly rooms: Map<number, LuaRoom>;
  readonly sessions: Map<number, { id: number; data: string }>;
  readonly thinkers: Map<number, boolean>;
  readonly replies: Map<number, Uint8Array>;
  readonly tasks: Map<number, LuaTask>;
  npc: LuaPlayer | undefined;
  /** Lets him look on at a room. */
  seatObserver(roomId: number, player: LuaPlayer): void;
}

/** A player of the table: connection 1000 is account 9, 1001 is 10, and so on. */
export function tablePlayer(connId: number): LuaPlayer {
  return {
    connId,
    id: connId - 991,
    screenName: `player${connId}`,
    avatar: "liubei",
    totalGameTime: 0,
    state: 1,
    gameData: [0, 0, 0],
  };
}

/** A server with room 1 (and more if asked for), players 1000 and 1001, and task −1000. */
export function rulesTable(roomIds: readonly number[] = [1]): RulesTable {
  const players = [tablePlayer(1000), tablePlayer(1001)];
  const table: RulesTable = {
    rooms: new Map(roomIds.map((id) => [id, {
      id,
      ownerId: 9,
      timeout: 15,
      settings: Uint8Array.of(0xa1, 0x61, 0x78, 0x41, 0xff),
      players,
      observers: [],
    }])),
    sessions: new Map(roomIds.map((id) => [id, { id: 1, data: "{}" }])),
    thinkers: new Map(players.map(({ connId }) => [connId, false])),
    replies: new Map(players.map(({ connId }) => [connId, encodeUtf8("__notready")])),
    tasks: new Map([[-1000, {
      id: -1000,
      taskType: "echo",
      data: Uint8Array.of(0x18, 0x64),
      player: tablePlayer(1000),
    }]]),
    npc: { ...tablePlayer(1002), id: -2, state: 5 },
    seatObserver(roomId, player) {
      const room = table.rooms.get(roomId);
      if (room === undefined) return;
      table.rooms.set(roomId, { ...room, observers: [...room.observers, player] });
      table.thinkers.set(player.connId, false);
      table.replies.set(player.connId, encodeUtf8("__cancel"));
    },
    room: (roomId) => table.rooms.get(roomId),
    session: (roomId) => table.sessions.get(roomId),
    reply: (connId) => table.replies.get(connId),
    thinking: (connId) => table.thinkers.get(connId),
    task: (taskId) => table.tasks.get(taskId),
    addNpc() {
      if (table.npc !== undefined) table.thinkers.set(table.npc.connId, false);
      return table.npc;
    },
    npcPlaces: () => table.npc === undefined ? 0 : 1,
    newNpc: () => table.npc ?? { ...tablePlayer(1003), state: 5 },
    seatNpc: (_roomId, npc) => void table.thinkers.set(npc.connId, false),
  };
  return table;
}
