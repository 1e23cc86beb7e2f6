import type { RoomListEntry } from "../wire/server_messages.ts";
import { defaultGameSettings } from "./game_settings.ts";
import type { PlayerId } from "./player.ts";
import { Room } from "./room.ts";
import {
  type RoomConfig,
  type RoomContext,
  roomContext,
  type RoomEffect,
  type RoomEvent,
  type RoomId,
} from "./room_events.ts";

/** The rooms of a server, by id from 1 on. A room that nobody sits in is forgotten. */
export class RoomList {
  readonly #context: RoomContext;
  readonly #rooms = new Map<RoomId, Room>();
  readonly #madeBy = new Map<PlayerId, number>();
  #lastId = 0;
  /** The list as it was last made, until anything happens in a room: clients ask often. */
  #entries: readonly RoomListEntry[] | undefined;

  constructor(context: RoomContext = roomContext(defaultGameSettings)) {
    this.#context = context;
  }

  get size(): number {
    return this.#rooms.size;
  }

  all(): Iterable<Room> {
    return this.#rooms.values();
  }

  room(id: RoomId): Room | undefined {
    return this.#rooms.get(id);
  }

  /** The new, still empty room; undefined when there are too many, of this player or at all. */
  create(creatorId: PlayerId, config: RoomConfig): Room | undefined {
    const made = this.#madeBy.get(creatorId) ?? 0;
    const { roomsMax, roomsPerPlayerMax } = this.#context.settings;
    if (this.#rooms.size >= roomsMax || made >= roomsPerPlayerMax) return undefined;
    const room = new Room(this.#context, { id: ++this.#lastId, creatorId, config });
    this.#rooms.set(room.id, room);
    this.#madeBy.set(creatorId, made + 1);
    this.#entries = undefined;
    return room;
  }

  /** Gives an event to a room; no effects when there is no such room. */
  handle(id: RoomId, event: RoomEvent, now: number): RoomEffect[] {
    const room = this.#rooms.get(id);
    if (room === undefined) return [];
    const effects = room.handle(event, now);
    this.#entries = undefined;
    if (room.state.kind === "gone") this.#forget(room);
    return effects;
  }

  /** As `UpdateRoomList` has them: rooms that are not full first, by ascending id. */
  entries(): readonly RoomListEntry[] {
    return this.#entries ??= this.#makeEntries();
  }

  #makeEntries(): RoomListEntry[] {
    const open: RoomListEntry[] = [];
    const full: RoomListEntry[] = [];
    for (const room of this.#rooms.values()) {
      const { name, capacity, settings: { gameMode, password } } = room.config;
      const { id, isOutdated: outdated } = room;
      const players = room.seats.taken.length;
      const hasPassword = password !== "";
      const entry = { id, name, gameMode, players, capacity, hasPassword, outdated };
      (room.isFull ? full : open).push(entry);
    }
    return [...open, ...full];
  }

  #forget({ id, creatorId }: Room): void {
    if (!this.#rooms.delete(id)) return;
    const made = (this.#madeBy.get(creatorId) ?? 1) - 1;
    if (made > 0) this.#madeBy.set(creatorId, made);
    else this.#madeBy.delete(creatorId);
  }
}
