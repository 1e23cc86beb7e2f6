import { Room, type RoomEffect, type RoomEvent, type RoomId } from "./room.ts";

/** Rooms of one server: each costs memory for as long as somebody sits in it. */
export const roomsMax = 10_000;

/** The rooms of a server, by id from 1 on. A room that nobody sits in is forgotten. */
export class RoomList {
  readonly #rooms = new Map<RoomId, Room>();
  #lastId = 0;

  get size(): number {
    return this.#rooms.size;
  }

  room(id: RoomId): Room | undefined {
    return this.#rooms.get(id);
  }

  /** The new room, its owner seated; undefined when there are `roomsMax` of them. Throws RangeError
   * for a wrong capacity. */
  create(options: { capacity: number; ownerId: number }): Room | undefined {
    if (this.#rooms.size >= roomsMax) return undefined;
    const room = new Room({ id: ++this.#lastId, ...options });
    this.#rooms.set(room.id, room);
    return room;
  }

  /** Gives an event to a room; no effects when there is no such room. */
  handle(id: RoomId, event: RoomEvent): RoomEffect[] {
    const room = this.#rooms.get(id);
    if (room === undefined) return [];
    const effects = room.handle(event);
    if (room.state.kind === "abandoned") this.#rooms.delete(id);
    return effects;
  }
}
