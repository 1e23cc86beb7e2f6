import type { LuaPlayerId, PlayerId } from "../player.ts";

/** A player as the rules see him. */
export interface LuaPlayer {
  readonly connId: LuaPlayerId;
  readonly id: PlayerId;
  readonly screenName: string;
  readonly avatar: string;
  readonly totalGameTime: number;
  readonly state: number;
  /** Games, games won, games run away from, in the mode of the room. */
  readonly gameData: readonly [total: number, win: number, run: number];
}

/** What the rules learn of a room when its game starts. */
export interface LuaRoom {
  readonly id: number;
  readonly ownerId: PlayerId;
  readonly timeout: number;
  readonly settings: Uint8Array;
  readonly players: readonly LuaPlayer[];
  readonly observers: readonly LuaPlayer[];
}

/** What a player in the lobby lets the rules do. */
export interface LuaTask {
  readonly id: number;
  readonly taskType: string;
  /** CBOR, as the client sent it. */
  readonly data: Uint8Array;
  readonly player: LuaPlayer;
}

/** What the server tells the rules; nothing of it is answered. */
export type LuaCall =
  | { readonly kind: "new_room"; readonly roomId: number }
  | { readonly kind: "new_task"; readonly taskId: number }
  /** `HandleRequest("roomId,playerId,command")`: reconnect, observe or leave. */
  | {
    readonly kind: "request";
    readonly roomId: number;
    readonly playerId: PlayerId;
    readonly command: string;
  }
  /** The same with a client's own "command,args…". */
  | {
    readonly kind: "push_request";
    readonly roomId: number;
    readonly playerId: PlayerId;
    readonly request: Uint8Array;
  }
  /** Of a room, or of a task, whose ids are below 0. Reason, or the text that a query found. */
  | { readonly kind: "resume"; readonly roomId: number; readonly reason: string }
  | {
    readonly kind: "set_player_state";
    readonly roomId: number;
    readonly playerId: PlayerId;
    readonly state: number;
  }
  | { readonly kind: "add_observer"; readonly roomId: number; readonly player: LuaPlayer }
  | { readonly kind: "remove_observer"; readonly roomId: number; readonly playerId: PlayerId };

type OfPlayer = { readonly connId: LuaPlayerId };
type OfRoom = { readonly roomId: number };

/** What the rules want of the server and do not wait for. */
export type LuaPlayerRequest =
  & OfPlayer
  & (
    | {
      readonly kind: "do_request";
      readonly command: string;
      readonly data: Uint8Array;
      /** Seconds. */
      readonly timeout: number;
      /** Milliseconds, as the client is to be told. */
      readonly timestamp: number;
    }
    | { readonly kind: "do_notify"; readonly command: string; readonly data: Uint8Array }
    | { readonly kind: "set_thinking"; readonly thinking: boolean }
    | { readonly kind: "set_died"; readonly died: boolean }
    | { readonly kind: "emit_kick" }
    | { readonly kind: "save_state"; readonly json: string }
    | { readonly kind: "get_save_state" }
    | { readonly kind: "save_global_state"; readonly key: string; readonly json: string }
    | { readonly kind: "get_global_save_state"; readonly key: string }
  );

/** 1 win, 2 lose, 3 draw. */
export type GameResult = 1 | 2 | 3;

/** How a game ended for a player, as the rules say it and as it is stored. */
export interface PlayerResult {
  readonly kind: "player_result";
  readonly playerId: PlayerId;
  readonly mode: string;
  readonly role: string;
  readonly result: GameResult;
}

/** The same for a general. */
export interface GeneralResult {
  readonly kind: "general_result";
  readonly general: string;
  readonly mode: string;
  readonly role: string;
  readonly result: GameResult;
}

/** What the rules want of a room and do not wait for. */
export type LuaRoomRequest =
  & OfRoom
  & (
    | { readonly kind: "delay"; readonly ms: number }
    | { readonly kind: "set_request_timer"; readonly ms: number }
    | { readonly kind: "destroy_request_timer" }
    | PlayerResult
    | GeneralResult
    | { readonly kind: "game_over" }
    | { readonly kind: "decrease_ref_count" }
    | { readonly kind: "set_session_data"; readonly json: string }
    | { readonly kind: "save_room_state"; readonly key: string; readonly json: string }
    | { readonly kind: "get_room_state"; readonly key: string }
  );

/** A task's owner is resumed by the task's id, as a room is. */
export type LuaTaskRequest =
  & { readonly taskId: number }
  & (
    | { readonly kind: "task_delay"; readonly ms: number }
    | { readonly kind: "task_decrease_ref_count" }
    | {
      readonly kind: "task_save_state";
      readonly of: "player" | "server";
      readonly key: string;
      readonly json: string;
    }
    | {
      readonly kind: "task_get_state";
      readonly of: "player" | "server";
      readonly key: string;
    }
  );

/** All that the rules may want; what they read is in `LuaReads`. */
export type LuaRequest = LuaPlayerRequest | LuaRoomRequest | LuaTaskRequest;

/** A robot of the rules' own leaves. */
export interface LuaNpcRequest {
  readonly kind: "remove_npc";
  readonly roomId: number;
  readonly connId: LuaPlayerId;
}

/** What the rules read at once. The texts of faults are those of the rules' contract. */
export interface LuaReads {
  /** Undefined for an unknown room: "Room not found". */
  room(roomId: number): LuaRoom | undefined;
  session(roomId: number): { readonly id: number; readonly data: string } | undefined;
  /** Undefined for an unknown task: "Task not found". */
  task(taskId: number): LuaTask | undefined;
  /** Raw `__notready` or `__cancel`, or the client's answer; undefined for "Player not found". */
  reply(connId: LuaPlayerId): Uint8Array | undefined;
  thinking(connId: LuaPlayerId): boolean | undefined;
}

/** The same with robots that the rules add in the middle of a turn. */
export interface LuaAnswers extends LuaReads {
  /** A new robot, at once; undefined when the room takes none. */
  addNpc(roomId: number): LuaPlayer | undefined;
  /** How many more of them the room takes. */
  npcPlaces(roomId: number): number;
  /** A robot with ids of its own that sits nowhere yet. */
  newNpc(): LuaPlayer;
  /** Seats one of those; he stays away when the room takes none any more. */
  seatNpc(roomId: number, npc: LuaPlayer): void;
}

/** Runs the rules of rooms: takes calls; requests of the rules come back as events. */
export interface LuaHost {
  call(call: LuaCall): void;
}
