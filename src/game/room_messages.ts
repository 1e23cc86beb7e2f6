import type { ServerMessage } from "../wire/server_messages.ts";
import type { Player } from "./player.ts";
import type { RoomConfig, RoomOutbox } from "./room_events.ts";
import { type RoomSeats, type Seat, sharedOrigins } from "./room_seats.ts";

/** A seat as others see it: text to those already there, bytes in the newcomer's list. */
export function seatAdded({ player, ready }: Seat, strings: "text" | "bytes"): ServerMessage {
  const { id, name, record: { avatar, totalGameTime: totalGameTimeSeconds } } = player;
  return { command: "AddPlayer", strings, id, name, avatar, ready, totalGameTimeSeconds };
}

/** The others learn of the newcomer, and he of the room and everybody in it (trace waiting_room). */
export function tellNewcomer(
  room: { readonly config: RoomConfig; readonly seats: RoomSeats },
  newcomer: Seat,
  out: RoomOutbox,
): void {
  const { config, seats } = room;
  const { player, player: { connection } } = newcomer;
  const gameData = ({ id, record }: Player): ServerMessage => {
    return { command: "UpdateGameData", id, ...record.statisticsOf(config.settings.gameMode) };
  };
  out.send(seats.connections(player), seatAdded(newcomer, "text"));
  const { capacity, timeoutSeconds, settings: { bytes: settings } } = config;
  out.sendTo(connection, { command: "EnterRoom", capacity, timeoutSeconds, settings });
  for (const seat of seats.taken) {
    if (seat === newcomer) continue;
    out.sendTo(connection, seatAdded(seat, "bytes"));
    if (!seat.player.isRobot) out.sendTo(connection, gameData(seat.player));
  }
  tellOwner(seats, out, connection === undefined ? [] : [connection]);
  out.send(seats.connections(), gameData(player));
}

/** Who owns the room, to all who sit there unless `to` says otherwise. */
export function tellOwner(
  seats: RoomSeats,
  out: RoomOutbox,
  to: readonly number[] = seats.connections(),
): void {
  if (seats.owner !== undefined) out.send(to, { command: "RoomOwner", id: seats.owner.id });
}

/** Before a game: nobody is ready any more, and players who share a machine are named. */
export function tellStart(seats: RoomSeats, out: RoomOutbox): void {
  const to = seats.connections();
  for (const { player: { id } } of seats.taken) {
    out.send(to, { command: "ReadyChanged", id, ready: false });
  }
  for (const [what, words] of [["address", "IP address"], ["device", "device id"]] as const) {
    for (const names of sharedOrigins(seats.taken, what)) {
      const text = `*WARN* Same ${words}: [${names.join(", ")}]`;
      out.send(to, { command: "ServerMessage", text });
    }
  }
}

/** A chat of the room; who looks on hears it too. */
export function tellChat(
  seats: RoomSeats,
  chat: { readonly sender: number; readonly msg: string },
  out: RoomOutbox,
): void {
  out.send(seats.allConnections(), { command: "Chat", ...chat, type: 2 });
}
