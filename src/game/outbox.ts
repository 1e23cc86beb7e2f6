import type { ServerMessage } from "../wire/server_messages.ts";
import type { GameDisconnect } from "./disconnect.ts";
import type { GeneralResult, LuaCall, PlayerResult } from "./lua/lua_host.ts";
import type { ConnectionId, PlayerId } from "./player.ts";

/** A question of the rules to one client: a packet of six items. */
export interface ClientRequest {
  readonly id: number;
  readonly command: string;
  readonly data: Uint8Array;
  /** Seconds. */
  readonly timeout: number;
  readonly timestamp: number;
}

/** Work for the store, in order. `roomId` names the room that is resumed with the outcome. */
export type StoreOperation =
  | { readonly kind: "set_avatar"; readonly playerId: PlayerId; readonly avatar: string }
  | {
    readonly kind: "change_password";
    readonly connection: ConnectionId;
    readonly playerId: PlayerId;
    readonly old: string;
    readonly new: string;
  }
  | {
    readonly kind: "read_global_save";
    readonly connection: ConnectionId;
    readonly playerId: PlayerId;
    readonly key: string;
  }
  | PlayerResult
  | GeneralResult
  | { readonly kind: "add_run"; readonly playerId: PlayerId; readonly mode: string }
  | { readonly kind: "add_game_time"; readonly playerId: PlayerId; readonly seconds: number }
  /** Answered by the event `stored` when all before it is on disk, or the store has given it up. */
  | { readonly kind: "end_of_game"; readonly roomId: number; readonly session: number }
  | {
    readonly kind: "save_state";
    readonly roomId: number;
    readonly playerId: PlayerId;
    readonly mode: string;
    readonly json: string;
  }
  | {
    readonly kind: "get_state";
    readonly roomId: number;
    readonly playerId: PlayerId;
    readonly mode: string;
  }
  /** Player 0 is the server itself. */
  | {
    readonly kind: "save_global_state";
    readonly roomId: number;
    readonly playerId: PlayerId;
    readonly key: string;
    readonly json: string;
  }
  | {
    readonly kind: "get_global_state";
    readonly roomId: number;
    readonly playerId: PlayerId;
    readonly key: string;
  };

/** What lobby and rooms want done, in this order. */
export type Effect =
  | {
    readonly kind: "send";
    readonly to: readonly ConnectionId[];
    readonly message: ServerMessage;
  }
  | { readonly kind: "request"; readonly to: ConnectionId; readonly request: ClientRequest }
  | { readonly kind: "lua"; readonly call: LuaCall }
  /** The room is no more: the rules are to forget it, if they have not let go of it themselves. */
  | { readonly kind: "forget_room"; readonly roomId: number }
  | { readonly kind: "store"; readonly operation: StoreOperation }
  /** After what was sent before has left; the machine has forgotten the connection already. */
  | { readonly kind: "close"; readonly connection: ConnectionId; readonly reason: GameDisconnect }
  | { readonly kind: "ban_ip"; readonly address: string; readonly minutes: number }
  /** An event `wake` is wanted at that time; an earlier one than asked for before. */
  | { readonly kind: "wake"; readonly at: number };

/** Collects effects; what goes to nobody is left out. */
export class Outbox<E extends { readonly kind: string } = never> {
  readonly effects: (Effect | E)[] = [];

  send(to: readonly ConnectionId[], message: ServerMessage): void {
    if (to.length > 0) this.effects.push({ kind: "send", to, message });
  }

  sendTo(connection: ConnectionId | undefined, message: ServerMessage): void {
    if (connection !== undefined) this.send([connection], message);
  }

  lua(call: LuaCall): void {
    this.effects.push({ kind: "lua", call });
  }

  store(operation: StoreOperation): void {
    this.effects.push({ kind: "store", operation });
  }

  push(effect: Effect | E): void {
    this.effects.push(effect);
  }
}
