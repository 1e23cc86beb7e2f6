import { playerStateNumbers } from "../../src/game/player.ts";
import type { CborRead } from "../client/cbor.ts";
import type { GamePacket } from "../client/game_packet.ts";

/** A seat as its room's players see it. */
export interface SeenSeat {
  ready: boolean;
  state: string;
}

/** Where a client is, by what it was told. */
export type Place = "nowhere" | "lobby" | "room" | "observing";

export interface SeenRoom {
  readonly id: number;
  readonly isFull: boolean;
}

const ofRoom: ReadonlySet<string> = new Set(
  "ChangeRoom AddPlayer RemovePlayer RoomOwner ReadyChanged NetStateChanged".split(" "),
);

const decoder = new TextDecoder();
const stateOfNumber = new Map(
  Object.entries(playerStateNumbers).map(([name, number]) => [number, name]),
);

/** What one client makes of the packets that it got, as real clients do. */
export class ClientView {
  place: Place = "nowhere";
  self = 0;
  avatar = "";
  owner: number | undefined;
  capacity = 0;
  isPlaying = false;
  readonly seats = new Map<number, SeenSeat>();
  rooms: SeenRoom[] = [];
  numbers = "";

  /** A notification of the server. */
  notified(packet: GamePacket): void {
    // Of a room that it has not been told of yet: the core's word will hold all.
    if (this.place === "nowhere" && ofRoom.has(packet.command)) return;
    switch (packet.command) {
      case "Setup":
        return this.#setup(listOf(packet.value));
      case "EnterLobby":
        this.#clear("lobby");
        return;
      case "UpdatePlayerNum":
        this.numbers = listOf(packet.value).join(" ");
        return;
      case "UpdateRoomList":
        this.rooms = listOf(packet.value).map((room) => {
          const [id, , , players, capacity] = listOf(room);
          return { id: Number(id), isFull: Number(players) >= Number(capacity) };
        });
        return;
      case "EnterRoom": {
        this.#clear("room");
        this.capacity = Number(listOf(packet.value)[0]);
        this.seats.set(this.self, { ready: false, state: "online" });
        return;
      }
      case "ChangeRoom":
        this.capacity = Number(listOf(packet.value)[1]);
        return;
      case "AddPlayer": {
        const [id, , , ready] = listOf(packet.value);
        if (this.seats.has(Number(id))) throw new Error(`player ${id} sits down twice`);
        const state = Number(id) < 0 ? "robot" : "online";
        this.seats.set(Number(id), { ready: ready === true, state });
        return;
      }
      case "RemovePlayer": {
        const [id] = listOf(packet.value);
        if (!this.seats.delete(Number(id))) throw new Error(`player ${id} was not there`);
        return;
      }
      case "RoomOwner":
        this.owner = Number(listOf(packet.value)[0]);
        return;
      case "ReadyChanged": {
        const [id, ready] = listOf(packet.value);
        this.#seat(id).ready = ready === true;
        return;
      }
      case "NetStateChanged": {
        const [id, state] = listOf(packet.value);
        this.#seat(id).state = textOf(state);
        return;
      }
      case "StartGame":
        this.isPlaying = true;
        return;
      case "GameOver":
        this.isPlaying = false;
        return;
      case "Observe":
        this.#clear("observing");
        return;
      case "Reconnect":
        return this.#reconnect(packet.value as { [key: string]: CborRead });
    }
  }

  #setup([id, , avatar, now]: CborRead[]): void {
    this.self = Number(id);
    this.avatar = textOf(avatar);
    // With three items only who looked on is himself again.
    if (now !== undefined) this.#clear("nowhere");
  }

  /** What a core sends, made short. */
  #reconnect(data: { [key: string]: CborRead }): void {
    this.#clear("room");
    this.isPlaying = true;
    this.capacity = 0;
    this.owner = Number(data.owner);
    for (const seat of listOf(data.players)) {
      const [id, state] = listOf(seat);
      const name = stateOfNumber.get(Number(state)) ?? String(state);
      this.seats.set(Number(id), { ready: false, state: name });
    }
  }

  #clear(place: Place): void {
    this.place = place;
    this.seats.clear();
    this.owner = undefined;
    this.isPlaying = false;
  }

  #seat(id: CborRead): SeenSeat {
    const seat = this.seats.get(Number(id));
    if (seat === undefined) throw new Error(`player ${id} has no seat in this room`);
    return seat;
  }
}

function listOf(value: CborRead): CborRead[] {
  return Array.isArray(value) ? value : [];
}

function textOf(value: CborRead): string {
  return value instanceof Uint8Array ? decoder.decode(value) : String(value);
}
