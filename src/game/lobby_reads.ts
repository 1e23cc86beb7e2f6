import type { LuaAnswers, LuaRoom } from "./lua/lua_host.ts";
import { type LuaPlayerId, robotPlayer } from "./player.ts";
import type { RoomContext } from "./room_events.ts";
import type { LobbyTasks } from "./lobby_tasks.ts";
import type { Room } from "./room.ts";
import type { RoomList } from "./room_list.ts";
import { luaPlayer } from "./room_seats.ts";
import { cancelledReply } from "./request_slot.ts";

/** What the rules may read of these rooms. */
export function lobbyReads(
  rooms: RoomList,
  tasks: LobbyTasks,
  { whereabouts, ids }: RoomContext,
): LuaAnswers {
  const roomOf = (connId: LuaPlayerId) => {
    const roomId = whereabouts.get(connId);
    return roomId === undefined ? undefined : rooms.room(roomId);
  };
  /** In the lobby only those who have the rules do something for them are known to the rules. */
  const hasTask = (connId: LuaPlayerId) => tasks.player(connId) !== undefined;
  const playing = (roomId: number) => {
    const room = rooms.room(roomId);
    return room?.state.kind === "playing" ? room : undefined;
  };
  return {
    room: (roomId) => luaRoom(rooms.room(roomId)),
    session: (roomId) => rooms.room(roomId)?.session,
    reply: (connId) => {
      const room = roomOf(connId);
      if (room === undefined) return hasTask(connId) ? cancelledReply : undefined;
      const seat = room.seats.seatOfLuaId(connId);
      // Who looks on is never asked.
      return seat === undefined ? cancelledReply : seat.slot.read(seat.state === "online");
    },
    task: (taskId) => tasks.view(taskId),
    addNpc: (roomId) => {
      const room = playing(roomId);
      if (room === undefined) return undefined;
      const npc = robotPlayer(ids.nextLuaId(), ids.nextRobot());
      return room.seats.addNpc(npc) ? luaPlayer(npc, "", "robot") : undefined;
    },
    npcPlaces: (roomId) => playing(roomId)?.seats.npcPlaces ?? 0,
    newNpc: () => luaPlayer(robotPlayer(ids.nextLuaId(), ids.nextStoredRobot()), "", "robot"),
    seatNpc: (roomId, { connId, id }) => {
      playing(roomId)?.seats.addNpc(robotPlayer(connId, id));
    },
    thinking: (connId) => {
      const room = roomOf(connId);
      if (room === undefined) return hasTask(connId) ? false : undefined;
      return room.seats.seatOfLuaId(connId)?.thinking ?? false;
    },
  };
}

function luaRoom(room: Room | undefined): LuaRoom | undefined {
  if (room === undefined) return undefined;
  const { id, seats } = room;
  const { timeoutSeconds: timeout, settings: { bytes: settings, gameMode } } = room.config;
  const players = seats.taken.map(({ player, state }) => luaPlayer(player, gameMode, state));
  const observers = seats.observers.map((player) => luaPlayer(player, gameMode, "online"));
  return { id, ownerId: seats.owner?.id ?? 0, timeout, settings, players, observers };
}
