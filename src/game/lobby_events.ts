import type { ClientCommand } from "../wire/client_packet.ts";
import type { GameSettings } from "./game_settings.ts";
import type { LuaNpcRequest, LuaRequest } from "./lua/lua_host.ts";
import type { Account, ConnectionId, Origin, PlayerId } from "./player.ts";
import type { RoomId } from "./room_events.ts";

/** What happens to a game server after the logins, and what the operator wants of it. */
export type LobbyEvent =
  /** The login is through; the connection is this player's from now on. */
  | {
    readonly kind: "login";
    readonly connection: ConnectionId;
    readonly account: Account;
    readonly origin: Origin;
    /** The wall clock, for the client. */
    readonly epochMs: number;
  }
  | { readonly kind: "closed"; readonly connection: ConnectionId }
  | {
    readonly kind: "command";
    readonly connection: ConnectionId;
    readonly command: ClientCommand;
  }
  | {
    readonly kind: "reply";
    readonly connection: ConnectionId;
    readonly id: number;
    readonly data: Uint8Array;
  }
  | { readonly kind: "lua"; readonly request: LuaRequest | LuaNpcRequest }
  /** The state that these rooms ran in is lost. */
  | {
    readonly kind: "lua_lost";
    readonly roomIds: readonly RoomId[];
    readonly taskIds?: readonly number[];
  }
  /** He came, or came back, into a game that the rules had just ended: he is told nothing of it. */
  | { readonly kind: "unheard"; readonly roomId: RoomId; readonly playerId: PlayerId }
  | { readonly kind: "stored"; readonly roomId: RoomId; readonly session: number }
  /** `roomId` as in the operation: a task's, when it is below 0. */
  | { readonly kind: "query_done"; readonly roomId: RoomId; readonly text?: string }
  | { readonly kind: "global_save"; readonly connection: ConnectionId; readonly json: string }
  | {
    readonly kind: "password_changed";
    readonly connection: ConnectionId;
    readonly changed: boolean;
  }
  | { readonly kind: "settings"; readonly settings: GameSettings }
  /** The packages have changed: rooms are outdated, and who does not play logs in again. */
  | { readonly kind: "outdate" }
  /** From the operator, to everybody or to one room. */
  | { readonly kind: "announce"; readonly text: string; readonly roomId?: RoomId }
  | { readonly kind: "kick"; readonly playerId: PlayerId }
  | { readonly kind: "kill_room"; readonly roomId: RoomId }
  /** `until` in the clock of `now`; without it he may speak again. */
  | { readonly kind: "mute"; readonly playerId: PlayerId; readonly until?: number }
  | { readonly kind: "wake" };
