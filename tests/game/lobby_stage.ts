import { defaultGameSettings, type GameSettings } from "../../src/game/game_settings.ts";
import { Lobby } from "../../src/game/lobby.ts";
import type { LobbyEvent } from "../../src/game/lobby_events.ts";
import type { LuaCall } from "../../src/game/lua/lua_host.ts";
import type { Effect } from "../../src/game/outbox.ts";
import type { ClientCommand } from "../../src/wire/client_packet.ts";
import type { ServerMessage } from "../../src/wire/server_messages.ts";

/** Drives a lobby by accounts: the connection of account 5 is 105, its next one 205. */
export class LobbyStage {
  readonly lobby: Lobby;
  readonly effects: Effect[] = [];
  now = 0;
  readonly #connections = new Map<number, number>();

  constructor(settings: Partial<GameSettings> = {}) {
    this.lobby = new Lobby({ ...defaultGameSettings, ...settings });
  }

  give(event: LobbyEvent): Effect[] {
    const effects = this.lobby.handle(event, this.now);
    this.effects.push(...effects);
    return effects;
  }

  login(id: number, address = `10.0.0.${id}`): Effect[] {
    const connection = (this.#connections.get(id) ?? id) + 100;
    this.#connections.set(id, connection);
    const account = {
      id,
      name: `p${id}`,
      avatar: "liubei",
      totalGameTime: 0,
      statistics: new Map(),
    };
    const origin = { address, device: `device ${id}` };
    return this.give({ kind: "login", connection, account, origin, epochMs: 1 });
  }

  connection(id: number): number {
    return this.#connections.get(id) ?? -1;
  }

  close(id: number): Effect[] {
    return this.give({ kind: "closed", connection: this.connection(id) });
  }

  say(id: number, command: ClientCommand): Effect[] {
    return this.give({ kind: "command", connection: this.connection(id), command });
  }

  create(id: number, room: { capacity?: number; name?: string; password?: string } = {}): Effect[] {
    const { capacity = 2, name = "room", password = "" } = room;
    const settings = { bytes: Uint8Array.of(0xa0), gameMode: "mode", password };
    return this.say(id, { command: "CreateRoom", name, capacity, timeoutSeconds: 15, settings });
  }

  enter(id: number, roomId = 1, password = ""): Effect[] {
    return this.say(id, { command: "EnterRoom", roomId, password });
  }

  /** Both in one room, and its game on. */
  startGame(owner: number, guest: number): Effect[] {
    for (const id of [owner, guest]) this.login(id);
    this.create(owner);
    this.enter(guest);
    this.say(guest, { command: "Ready" });
    return this.say(owner, { command: "StartGame" });
  }

  luaId(id: number): number {
    return this.lobby.online.byId(id)?.player.luaId ?? -1;
  }

  /** What an account was told, as "Command detail". */
  told(id: number, effects: readonly Effect[] = this.effects): string[] {
    const connection = this.connection(id);
    return effects.flatMap((effect) => {
      if (effect.kind === "request" && effect.to === connection) return ["request"];
      if (effect.kind !== "send" || !effect.to.includes(connection)) return [];
      return [show(effect.message)];
    });
  }
}

export function luaCalls(effects: readonly Effect[]): string[] {
  return effects.flatMap((effect) => effect.kind === "lua" ? [showCall(effect.call)] : []);
}

function showCall(call: LuaCall): string {
  switch (call.kind) {
    case "resume":
      return `resume ${call.reason}`;
    case "request":
      return `${call.playerId} ${call.command}`;
    case "set_player_state":
      return `state ${call.playerId} ${call.state}`;
    case "remove_observer":
      return `remove_observer ${call.playerId}`;
    case "add_observer":
      return `add_observer ${call.player.id}`;
    default:
      return call.kind;
  }
}

function show(message: ServerMessage): string {
  switch (message.command) {
    case "ErrorMsg":
    case "ErrorDlg":
    case "ServerMessage":
      return `${message.command} ${message.text}`;
    case "ReadyChanged":
      return `ReadyChanged ${message.id} ${message.ready}`;
    case "NetStateChanged":
      return `NetStateChanged ${message.id} ${message.state}`;
    case "AddTotalGameTime":
      return `AddTotalGameTime ${message.id} ${message.seconds}`;
    case "UpdatePlayerNum":
      return `UpdatePlayerNum ${message.inLobby} ${message.online}`;
    case "UpdateGameData":
      return `UpdateGameData ${message.id} ${message.total} ${message.win} ${message.run}`;
    case "Chat":
      return `Chat ${message.sender} ${message.msg}`;
    case "raw":
      return `raw ${message.name}`;
    case "AddPlayer":
    case "RemovePlayer":
    case "RoomOwner":
    case "ChangeSelf":
      return `${message.command} ${message.id}`;
    default:
      return message.command;
  }
}
