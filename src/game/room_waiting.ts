import { type Player, robotPlayer } from "./player.ts";
import type { RoomConfig, RoomContext, RoomOutbox } from "./room_events.ts";
import { seatAdded, tellOwner } from "./room_messages.ts";
import type { RoomSeats, Seat } from "./room_seats.ts";

/** An owner who keeps a full and ready room waiting for so long may be kicked by anybody there. */
export const idleOwnerMsMax = 15_000;

const onlyOwnerChanges = "只有房主才能修改房间配置";
const capacityTooSmall = "新容量不得低于现有玩家数！";

/** A seat is given up, outside of a game: all are told, and who owns the room now. */
export function vacate(seats: RoomSeats, seat: Seat, out: RoomOutbox): void {
  const { player, player: { id } } = seat;
  out.send(seats.connections(), { command: "ReadyChanged", id, ready: false });
  const isHandedOver = seats.remove(player);
  out.send(seats.connections(), { command: "RemovePlayer", id });
  if (isHandedOver) tellOwner(seats, out);
}

/** A robot sits down, ready; the caller has made sure that it may. */
export function seatRobot(
  room: { readonly context: RoomContext; readonly seats: RoomSeats },
  out: RoomOutbox,
): void {
  const { ids } = room.context;
  const seat = room.seats.add(robotPlayer(ids.nextLuaId(), ids.nextRobot()));
  out.send(room.seats.connections(), seatAdded(seat, "text"));
}

/** Ready, or no longer: all are told. Nothing for who does not sit there. */
export function toggleReady(seats: RoomSeats, player: Player, out: RoomOutbox): void {
  const seat = seats.seatOf(player);
  if (seat === undefined) return;
  seat.ready = !seat.ready;
  const { id } = player;
  out.send(seats.connections(), { command: "ReadyChanged", id, ready: seat.ready });
}

/** Whether everybody but the owner is ready; robots are. */
export function guestsAreReady({ taken, owner }: RoomSeats): boolean {
  return taken.every(({ player, ready }) => player.isRobot || player === owner || ready);
}

/** The owner kicks anybody but himself; others only an owner who has let them wait too long. */
export function mayKick(
  seats: RoomSeats,
  kick: { readonly by: Player; readonly target: Player; readonly waitingMs: number },
): boolean {
  const { by, target, waitingMs } = kick;
  if (seats.seatOf(by) === undefined || by === target) return false;
  return by === seats.owner || (target === seats.owner && waitingMs >= idleOwnerMsMax);
}

/** The text of the `ErrorMsg` for a change of the room, or undefined when it is to be done. */
export function refusedChange(
  seats: RoomSeats,
  change: {
    readonly by: Player;
    readonly capacity: number;
    readonly config: RoomConfig | undefined;
  },
): string | undefined {
  const { by, capacity, config } = change;
  if (by !== seats.owner) return onlyOwnerChanges;
  if (capacity < seats.taken.length) return capacityTooSmall;
  return config === undefined ? "unk error" : undefined;
}

/** All who sit there learn of the change, as the owner wrote it, and must be ready anew. */
export function tellChange(seats: RoomSeats, data: Uint8Array, out: RoomOutbox): void {
  const to = seats.connections();
  out.send(to, { command: "ChangeRoom", data });
  for (const seat of seats.taken) {
    if (seat.player.isRobot) continue;
    seat.ready = false;
    out.send(to, { command: "ReadyChanged", id: seat.player.id, ready: false });
  }
}
