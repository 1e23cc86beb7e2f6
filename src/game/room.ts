import { unreachable } from "../base/assert.ts";

/** Seats of the smallest and the largest room. */
export const roomCapacity = { min: 1, max: 64 } as const;

export type PlayerId = number;
export type RoomId = number;

/** A seat that is taken. */
export interface Seat {
  readonly playerId: PlayerId;
  readonly ready: boolean;
}

export type RoomState =
  | { readonly kind: "waiting" }
  /** A game is on; `session` counts the games of this room from 1. */
  | { readonly kind: "playing"; readonly session: number }
  /** Nobody is left: the owner of the room forgets it. */
  | { readonly kind: "abandoned" };

export type RoomEvent =
  | { readonly kind: "join"; readonly playerId: PlayerId }
  | { readonly kind: "leave"; readonly playerId: PlayerId }
  /** A toggle, as clients send it. */
  | { readonly kind: "ready"; readonly playerId: PlayerId }
  | { readonly kind: "start"; readonly playerId: PlayerId }
  | { readonly kind: "game_over" };

export type RoomEffect =
  | { readonly kind: "player_added"; readonly playerId: PlayerId }
  | { readonly kind: "player_removed"; readonly playerId: PlayerId }
  | { readonly kind: "owner_changed"; readonly playerId: PlayerId }
  | { readonly kind: "ready_changed"; readonly playerId: PlayerId; readonly ready: boolean }
  | { readonly kind: "game_started"; readonly session: number }
  | { readonly kind: "game_ended"; readonly session: number }
  | { readonly kind: "refused"; readonly playerId: PlayerId; readonly reason: RoomRefusal }
  | { readonly kind: "abandoned" };

export type RoomRefusal =
  | "Room is full or already started!"
  | "already in the room"
  | "not in the room"
  | "only the owner starts"
  | "room is not full"
  | "somebody is not ready"
  | "a game is running";

/**
 * A room from its creation to its end: who sits in it, who owns it, whether a game is on. A
 * machine: events in, effects out. The owner sits first and need not be ready to start.
 */
export class Room {
  readonly id: RoomId;
  readonly capacity: number;
  #seats: Seat[];
  #ownerId: PlayerId;
  #state: RoomState = { kind: "waiting" };
  #sessions = 0;

  /** Throws RangeError for a capacity outside `roomCapacity`. */
  constructor(options: { id: RoomId; capacity: number; ownerId: PlayerId }) {
    const { id, capacity, ownerId } = options;
    if (!Number.isInteger(capacity) || capacity < roomCapacity.min || capacity > roomCapacity.max) {
      throw new RangeError(
        `Cannot create room ${id}: capacity must be ${roomCapacity.min}–${roomCapacity.max}, got ${capacity}`,
      );
    }
    this.id = id;
    this.capacity = capacity;
    this.#ownerId = ownerId;
    this.#seats = [{ playerId: ownerId, ready: false }];
  }

  get state(): RoomState {
    return this.#state;
  }

  get seats(): readonly Seat[] {
    return this.#seats;
  }

  get ownerId(): PlayerId {
    return this.#ownerId;
  }

  handle(event: RoomEvent): RoomEffect[] {
    switch (event.kind) {
      case "join":
        return this.#join(event.playerId);
      case "leave":
        return this.#leave(event.playerId);
      case "ready":
        return this.#toggleReady(event.playerId);
      case "start":
        return this.#start(event.playerId);
      case "game_over":
        return this.#endGame();
      default:
        return unreachable(event);
    }
  }

  #join(playerId: PlayerId): RoomEffect[] {
    if (this.#seatOf(playerId) !== undefined) return refused(playerId, "already in the room");
    if (this.#state.kind !== "waiting" || this.#seats.length >= this.capacity) {
      return refused(playerId, "Room is full or already started!");
    }
    this.#seats = [...this.#seats, { playerId, ready: false }];
    return [{ kind: "player_added", playerId }];
  }

  #leave(playerId: PlayerId): RoomEffect[] {
    if (this.#seatOf(playerId) === undefined) return refused(playerId, "not in the room");
    if (this.#state.kind === "playing") return refused(playerId, "a game is running");
    this.#seats = this.#seats.filter((seat) => seat.playerId !== playerId);
    const effects: RoomEffect[] = [{ kind: "player_removed", playerId }];
    const next = this.#seats[0];
    if (next === undefined) {
      this.#state = { kind: "abandoned" };
      effects.push({ kind: "abandoned" });
    } else if (this.#ownerId === playerId) {
      this.#ownerId = next.playerId;
      effects.push({ kind: "owner_changed", playerId: next.playerId });
    }
    return effects;
  }

  #toggleReady(playerId: PlayerId): RoomEffect[] {
    const seat = this.#seatOf(playerId);
    if (seat === undefined) return refused(playerId, "not in the room");
    if (this.#state.kind !== "waiting") return refused(playerId, "a game is running");
    const ready = !seat.ready;
    this.#seats = this.#seats.map((other) => other === seat ? { playerId, ready } : other);
    return [{ kind: "ready_changed", playerId, ready }];
  }

  #start(playerId: PlayerId): RoomEffect[] {
    if (this.#state.kind !== "waiting") return refused(playerId, "a game is running");
    if (playerId !== this.#ownerId) return refused(playerId, "only the owner starts");
    if (this.#seats.length < this.capacity) return refused(playerId, "room is not full");
    const waitsFor = this.#seats.some((seat) => seat.playerId !== this.#ownerId && !seat.ready);
    if (waitsFor) return refused(playerId, "somebody is not ready");
    this.#sessions++;
    this.#state = { kind: "playing", session: this.#sessions };
    return [{ kind: "game_started", session: this.#sessions }];
  }

  #endGame(): RoomEffect[] {
    if (this.#state.kind !== "playing") return [];
    const { session } = this.#state;
    this.#state = { kind: "waiting" };
    const unready = this.#seats.filter((seat) => seat.ready);
    this.#seats = this.#seats.map(({ playerId }) => ({ playerId, ready: false }));
    return [
      { kind: "game_ended", session },
      ...unready.map(({ playerId }): RoomEffect => ({
        kind: "ready_changed",
        playerId,
        ready: false,
      })),
    ];
  }

  #seatOf(playerId: PlayerId): Seat | undefined {
    return this.#seats.find((seat) => seat.playerId === playerId);
  }
}

function refused(playerId: PlayerId, reason: RoomRefusal): RoomEffect[] {
  return [{ kind: "refused", playerId, reason }];
}
