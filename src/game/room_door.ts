import type { Player, PlayerId } from "./player.ts";
import type { RoomConfig } from "./room_events.ts";
import type { RoomSeats } from "./room_seats.ts";

/** Who was kicked cannot come back for so long. */
export const rejectionMs = 3 * 60_000;

interface GuardedRoom {
  readonly config: RoomConfig;
  readonly seats: RoomSeats;
  readonly isOutdated: boolean;
  readonly isFull: boolean;
  readonly isAbandoned: boolean;
  /** Whether the rules of its game would let somebody look on. */
  readonly isOn: boolean;
  readonly state: { readonly kind: "waiting" | "playing" | "gone" };
}

/** Decides who may come into a room, in the order that clients know. */
export class RoomDoor {
  readonly #room: GuardedRoom;
  readonly #rejectedUntil = new Map<PlayerId, number>();

  constructor(room: GuardedRoom) {
    this.#room = room;
  }

  reject(id: PlayerId, now: number): void {
    // Swept at each kick, so that it holds the kicked of three minutes at most.
    for (const [other, until] of this.#rejectedUntil) {
      if (until <= now) this.#rejectedUntil.delete(other);
    }
    if (id > 0) this.#rejectedUntil.set(id, now + rejectionMs);
  }

  /** The text of the `ErrorMsg`, or undefined when he may come in. */
  refusal(
    player: Player,
    wish: { readonly password: string; readonly as: "player" | "observer" },
    now: number,
  ): string | undefined {
    const { config, isOutdated, isFull, isAbandoned, isOn, state, seats } = this.#room;
    const { password } = config.settings;
    if (password !== "" && password !== wish.password) return "room password error";
    if (isOutdated) return "room is outdated";
    const until = this.#rejectedUntil.get(player.id) ?? -Infinity;
    // Who ran away from this game still has his seat in it, and the rules know players by id.
    const isRejected = until > now || seats.seatOfId(player.id) !== undefined || isAbandoned;
    const rejected = isRejected ? "rejected your demand of joining room" : undefined;
    if (wish.as === "player") {
      if (rejected !== undefined) return rejected;
      return isFull || state.kind !== "waiting" ? "Room is full or already started!" : undefined;
    }
    return isOn || isAbandoned ? rejected : "Can only observe running room.";
  }
}
