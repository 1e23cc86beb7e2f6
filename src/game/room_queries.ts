import type { LuaPlayerRequest, LuaRoomRequest } from "./lua/lua_host.ts";
import type { RoomConfig, RoomId, RoomOutbox } from "./room_events.ts";
import type { RoomSeats } from "./room_seats.ts";

/** The requests of the rules that the store answers, by resuming the room later. */
type Query = Extract<
  LuaPlayerRequest | LuaRoomRequest,
  {
    kind:
      | "save_state"
      | "get_save_state"
      | "save_global_state"
      | "get_global_save_state"
      | "save_room_state"
      | "get_room_state";
  }
>;

interface QueryingRoom {
  readonly id: RoomId;
  readonly seats: RoomSeats;
  readonly config: RoomConfig;
}

/** The account that holds what belongs to the server itself. */
export const serverAccount = 0;

/** What a query of the rules found: JSON of an object or array, or the empty object. */
export function foundState(text: string): string {
  return text.startsWith("{") || text.startsWith("[") ? text : "{}";
}

/**
 * Hands a query to the store, for players and for who looks on. Nothing is stored for robots, yet
 * their query is done.
 */
export function answerQuery(room: QueryingRoom, query: Query, out: RoomOutbox): void {
  const { id: roomId } = room;
  if (query.kind === "save_room_state") {
    const { key, json } = query;
    out.store({ kind: "save_global_state", roomId, playerId: serverAccount, key, json });
    return;
  }
  if (query.kind === "get_room_state") {
    out.store({ kind: "get_global_state", roomId, playerId: serverAccount, key: query.key });
    return;
  }
  const playerId = room.seats.playerOf(query.connId)?.id;
  const saves = query.kind === "save_state" || query.kind === "save_global_state";
  if (playerId === undefined || playerId < 0) {
    out.lua({ kind: "resume", roomId, reason: saves ? "query_done" : "{}" });
    return;
  }
  const { gameMode: mode } = room.config.settings;
  switch (query.kind) {
    case "save_state":
      out.store({ kind: "save_state", roomId, playerId, mode, json: query.json });
      return;
    case "get_save_state":
      out.store({ kind: "get_state", roomId, playerId, mode });
      return;
    case "save_global_state": {
      const { key, json } = query;
      out.store({ kind: "save_global_state", roomId, playerId, key, json });
      return;
    }
    case "get_global_save_state":
      out.store({ kind: "get_global_state", roomId, playerId, key: query.key });
      return;
  }
}
