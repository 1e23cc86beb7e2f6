import { gameDisconnects } from "./disconnect.ts";
import type { Lobby } from "./lobby.ts";
import type { Outbox } from "./outbox.ts";
import type { Player } from "./player.ts";
import type { RoomEffect, RoomId, RoomOrder } from "./room_events.ts";

/** Does for a room what only the lobby can, and passes on what goes further. */
export function carryOut(
  lobby: Lobby,
  order: {
    readonly effect: Exclude<RoomEffect, { kind: "room_wake" }>;
    readonly roomId: RoomId;
    readonly out: Outbox;
    readonly epochMs: number;
  },
): void {
  const { effect, roomId, out } = order;
  switch (effect.kind) {
    case "entered": {
      const visitor = lobby.online.of(effect.player);
      if (visitor === undefined) return;
      lobby.online.enterRoom(visitor, roomId);
      lobby.tasks.abortAllOf(effect.player, out);
      return;
    }
    case "to_lobby": {
      const visitor = lobby.online.of(effect.player);
      if (visitor?.player.connection !== undefined) lobby.welcomeToLobby(visitor);
      return;
    }
    case "welcome": {
      const visitor = lobby.online.of(effect.player);
      if (visitor !== undefined) lobby.introduce(visitor, order.epochMs);
      return;
    }
    case "run_away":
      return runAway(lobby, effect, out);
    case "drop": {
      const visitor = lobby.online.of(effect.player);
      if (visitor !== undefined) lobby.drop(visitor, effect.reason);
      return;
    }
    case "forget": {
      const visitor = lobby.online.of(effect.player);
      if (visitor?.player.connection === undefined && visitor !== undefined) {
        lobby.online.remove(visitor);
      }
      return;
    }
    case "ban":
      return ban(lobby, effect.player, out);
    case "gone":
      return out.push({ kind: "forget_room", roomId });
    default:
      out.push(effect);
  }
}

/** His player stays in the seat; the connection goes on with a new one, for as long as it may. */
function runAway(
  lobby: Lobby,
  { player, fate }: Extract<RoomOrder, { kind: "run_away" }>,
  out: Outbox,
): void {
  const visitor = lobby.online.of(player);
  const { connection } = player;
  if (visitor === undefined || connection === undefined) return;
  visitor.player = lobby.newPlayer(player.record, { connection, origin: player.origin });
  player.connection = undefined;
  lobby.welcomeToLobby(visitor);
  out.sendTo(connection, { command: "ChangeSelf", id: player.id });
  lobby.announce(visitor, "logged out");
  if (fate === "lobby") return;
  if (fate === "ban") ban(lobby, player, out);
  const reason = fate === "ban" ? gameDisconnects.ranAway : gameDisconnects.outdated;
  out.push({ kind: "close", connection, reason });
  // Everybody has been told already.
  lobby.heartbeats.remove(connection);
  lobby.online.remove(visitor);
}

function ban(lobby: Lobby, player: Player, out: Outbox): void {
  const { tempBanMinutes: minutes } = lobby.settings;
  const { address } = player.origin;
  if (minutes > 0) out.push({ kind: "ban_ip", address, minutes });
}
