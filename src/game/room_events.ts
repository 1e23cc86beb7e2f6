import type { RoomRequest } from "../wire/room_settings.ts";
import type { GameDisconnect } from "./disconnect.ts";
import type { GameSettings } from "./game_settings.ts";
import type { LuaNpcRequest, LuaRequest, LuaTaskRequest } from "./lua/lua_host.ts";
import type { Effect, Outbox } from "./outbox.ts";
import type { LuaPlayerId, Player, PlayerId } from "./player.ts";
import { GameIds } from "./request_slot.ts";

/** From 1, never used again. */
export type RoomId = number;

/** Seats of the smallest and the largest room. */
export const roomCapacity = { min: 1, max: 64 } as const;
/** Seconds that a player may think about one question. */
export const roomTimeout = { min: 1, max: 600 } as const;
/** UTF-8 bytes of a room's name. */
export const roomNameBytes = { min: 1, max: 128 } as const;
/** Settings go to everybody who enters, and into Lua. */
export const roomSettingsBytesMax = 64 * 1024;

/** UTF-8 bytes of a game mode: it is in every line of the room list. The database has 16. */
export const gameModeBytesMax = 128;

/** What its creator chose, checked. */
export type RoomConfig = RoomRequest;

/** What all rooms of a server share. */
export interface RoomContext {
  readonly ids: GameIds;
  settings: GameSettings;
  /** In which room each player, robot or observer is, by the name that Lua knows. */
  readonly whereabouts: Map<LuaPlayerId, RoomId>;
}

/** A server without rooms. */
export function roomContext(settings: GameSettings): RoomContext {
  return { ids: new GameIds(), settings, whereabouts: new Map() };
}

/** What the rules want of a room, or of a player in it. */
export type RoomRequestOfRules = Exclude<LuaRequest, LuaTaskRequest> | LuaNpcRequest;

/** What happens to a room; players are those of the lobby. */
export type RoomEvent =
  | { readonly kind: "enter"; readonly player: Player; readonly password: string }
  | { readonly kind: "observe"; readonly player: Player; readonly password: string }
  | { readonly kind: "quit"; readonly player: Player }
  /** His connection is gone, or another one logged in with his name. */
  | { readonly kind: "disconnect"; readonly player: Player }
  /** Only for one whose seat `keepsSeat`; he has his new connection. */
  | { readonly kind: "reconnect"; readonly player: Player }
  | { readonly kind: "add_robot"; readonly player: Player }
  | { readonly kind: "kick"; readonly player: Player; readonly target: PlayerId }
  /** A toggle, as clients send it. */
  | { readonly kind: "ready"; readonly player: Player }
  | { readonly kind: "start"; readonly player: Player }
  /** `data`: as the owner sent it; `config` undefined when something in it is outside the limits. */
  | {
    readonly kind: "change";
    readonly player: Player;
    readonly capacity: number;
    readonly config: RoomConfig | undefined;
    readonly data: Uint8Array;
  }
  | { readonly kind: "trust"; readonly player: Player }
  | { readonly kind: "chat"; readonly player: Player; readonly message: string }
  | { readonly kind: "push_request"; readonly player: Player; readonly request: Uint8Array }
  | {
    readonly kind: "reply";
    readonly player: Player;
    readonly id: number;
    readonly data: Uint8Array;
  }
  | { readonly kind: "lua"; readonly request: RoomRequestOfRules }
  /** What the game of that session recorded is on disk. */
  | { readonly kind: "stored"; readonly session: number }
  /** A query of the rules: what it found, or undefined when it was a save. */
  | { readonly kind: "query_done"; readonly text?: string }
  | { readonly kind: "wake" }
  /** The packages have changed. */
  | { readonly kind: "outdate" }
  /** The room ends at once: its Lua state is lost, or an operator wants it. */
  | { readonly kind: "close"; readonly text: string };

/** What a room wants of the lobby, beside the effects that go further. */
export type RoomOrder =
  /** He is no longer in the lobby. */
  | { readonly kind: "entered"; readonly player: Player; readonly observes: boolean }
  /** He is back in the lobby, if he is connected. */
  | { readonly kind: "to_lobby"; readonly player: Player }
  /** He is told who he is and what this server allows. */
  | { readonly kind: "welcome"; readonly player: Player }
  /** His seat stays; he goes on as somebody else: closed (and banned), or in the lobby. */
  | {
    readonly kind: "run_away";
    readonly player: Player;
    readonly fate: "ban" | "close" | "lobby";
  }
  | { readonly kind: "drop"; readonly player: Player; readonly reason: GameDisconnect }
  /** He is offline and his seat is gone: the server forgets him. */
  | { readonly kind: "forget"; readonly player: Player }
  | { readonly kind: "ban"; readonly player: Player }
  | { readonly kind: "room_wake"; readonly at: number }
  /** Nobody is left in the room. */
  | { readonly kind: "gone" };

/** What a room wants done, in this order. */
export type RoomEffect = Effect | RoomOrder;
/** Where a room puts what it wants. */
export type RoomOutbox = Outbox<RoomOrder>;
