import { unreachable } from "../base/assert.ts";
import type { ClientCommand } from "../wire/client_packet.ts";
import type { ChatCommand, LobbyCommand } from "../wire/lobby_commands.ts";
import type { RoomCommand } from "../wire/room_commands.ts";
import type { RoomRequest } from "../wire/room_settings.ts";
import { chatCharsMax, cutChat, holdsBanWord } from "./chat.ts";
import type { Lobby } from "./lobby.ts";
import type { Visitor } from "./lobby_players.ts";
import type { Outbox } from "./outbox.ts";
import { type ConnectionId, isCleanName, type Player } from "./player.ts";
import {
  gameModeBytesMax,
  roomCapacity,
  type RoomConfig,
  type RoomEvent,
  roomNameBytes,
  roomSettingsBytesMax,
  roomTimeout,
} from "./room_events.ts";

/** Characters of an avatar's name: what its column is declared for. */
export const avatarLengthMax = 64;

/** Clients translate it. */
const tooOften = "rejected your demand of joining room";

interface Order {
  readonly visitor: Visitor;
  readonly command: ClientCommand;
  readonly out: Outbox;
  readonly now: number;
}

/** Does what a client asks for, where he is: commands of the other place are ignored. */
export function obey(lobby: Lobby, order: Order): void {
  const { visitor, command, out } = order;
  const { player, player: { connection, id: playerId }, roomId } = visitor;
  if (connection === undefined) return;
  switch (command.command) {
    case "Heartbeat":
      return lobby.heartbeats.answered(connection);
    case "ReadGlobalSaveState":
      return out.store({ kind: "read_global_save", connection, playerId, key: command.key });
    case "Chat":
      return chat(lobby, order, command);
    case "UpdateAvatar":
    case "UpdatePassword":
    case "CreateRoom":
    case "EnterRoom":
    case "ObserveRoom":
    case "RefreshRoomList":
    case "LobbyTask":
      if (roomId === undefined) {
        obeyInLobby(lobby, { visitor, connection, command, out, now: order.now });
      }
      return;
    default:
      if (command.command === "Trust" && !visitor.rates.callsOfRules.take(order.now)) return;
      if (roomId !== undefined) lobby.tellRoom(roomId, roomEvent(lobby, player, command));
  }
}

function obeyInLobby(
  lobby: Lobby,
  { visitor, connection, command, out, now }: {
    readonly visitor: Visitor;
    readonly connection: ConnectionId;
    readonly command: Exclude<LobbyCommand, { command: "Chat" | "ReadGlobalSaveState" }>;
    readonly out: Outbox;
    readonly now: number;
  },
): void {
  const { player, rates } = visitor;
  const { id: playerId } = player;
  switch (command.command) {
    case "UpdateAvatar": {
      const { avatar } = command;
      if (!isCleanName(avatar) || avatar.length > avatarLengthMax) return;
      player.record.avatar = avatar;
      out.store({ kind: "set_avatar", playerId, avatar });
      return out.sendTo(connection, { command: "UpdateAvatar", avatar });
    }
    case "UpdatePassword": {
      if (!rates.passwordChanges.take(now)) {
        return out.sendTo(connection, { command: "UpdatePassword", changed: false });
      }
      const { oldPassword: old, newPassword } = command;
      return out.store({ kind: "change_password", connection, playerId, old, new: newPassword });
    }
    case "CreateRoom": {
      const config = checkedConfig(command, lobby.settings.banWords);
      const room = config === undefined ? undefined : lobby.rooms.create(playerId, config);
      if (room === undefined) {
        return out.sendTo(connection, { command: "ErrorMsg", text: "unk error" });
      }
      const { password } = room.config.settings;
      return lobby.tellRoom(room.id, { kind: "enter", player, password });
    }
    case "EnterRoom":
    case "ObserveRoom": {
      const { roomId, password } = command;
      if (lobby.rooms.room(roomId) === undefined) {
        return out.sendTo(connection, { command: "ErrorMsg", text: "no such room" });
      }
      const kind = command.command === "EnterRoom" ? "enter" : "observe";
      if (kind === "observe" && !rates.callsOfRules.take(now)) {
        return out.sendTo(connection, { command: "ErrorMsg", text: tooOften });
      }
      return lobby.tellRoom(roomId, { kind, player, password });
    }
    case "RefreshRoomList":
      return out.sendTo(connection, { command: "UpdateRoomList", rooms: lobby.rooms.entries() });
    case "LobbyTask":
      return lobby.tasks.begin(player, command, out);
    default:
      return unreachable(command);
  }
}

function roomEvent(lobby: Lobby, player: Player, command: RoomCommand): RoomEvent {
  switch (command.command) {
    case "QuitRoom":
      return { kind: "quit", player };
    case "AddRobot":
      return { kind: "add_robot", player };
    case "KickPlayer":
      return { kind: "kick", player, target: command.playerId };
    case "Ready":
      return { kind: "ready", player };
    case "StartGame":
      return { kind: "start", player };
    case "Trust":
      return { kind: "trust", player };
    case "ChangeRoom": {
      const config = checkedConfig(command, lobby.settings.banWords);
      const { capacity, data } = command;
      return { kind: "change", player, capacity, config, data };
    }
    case "PushRequest":
      return { kind: "push_request", player, request: command.request };
    default:
      return unreachable(command);
  }
}

/** Undefined when it is outside the limits or has a ban word in its name. */
function checkedConfig(wish: RoomRequest, banWords: readonly string[]): RoomConfig | undefined {
  const { name, capacity, timeoutSeconds, settings } = wish;
  const bytesOf = (text: string) => new TextEncoder().encode(text).length;
  const isFine = isWithin(capacity, roomCapacity) && isWithin(timeoutSeconds, roomTimeout) &&
    isWithin(bytesOf(name), roomNameBytes) && bytesOf(settings.gameMode) <= gameModeBytesMax &&
    settings.bytes.length <= roomSettingsBytesMax && !holdsBanWord(name, banWords);
  return isFine ? { name, capacity, timeoutSeconds, settings } : undefined;
}

function isWithin(value: number, limit: { readonly min: number; readonly max: number }): boolean {
  return Number.isInteger(value) && value >= limit.min && value <= limit.max;
}

function chat(lobby: Lobby, { visitor, out, now }: Order, { type, msg: said }: ChatCommand): void {
  const { player, roomId } = visitor;
  const isLobbyChat = type === 1;
  if (isLobbyChat !== (roomId === undefined)) return;
  if ((player.record.mutedUntil ?? -Infinity) > now || !visitor.rates.chat.take(now)) return;
  const heard = said.slice(0, chatCharsMax);
  if (holdsBanWord(heard, lobby.settings.banWords)) return;
  const msg = cutChat(heard);
  if (roomId !== undefined) {
    return lobby.tellRoom(roomId, { kind: "chat", player, message: msg });
  }
  const { id: sender, name: userName } = player;
  out.send(lobby.online.lobbyConnections(), { command: "Chat", msg, sender, type, userName });
}
