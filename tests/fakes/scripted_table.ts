import { bytesOf, CborMap, type CborValue, integerOf } from "../../src/wire/cbor.ts";
import { type CborInput, encodeCbor } from "../../src/wire/cbor_encode.ts";
import type { ScriptedRpc } from "./scripted_rpc.ts";

/** A player or robot at the table, or one who looks on. */
export interface Seat {
  readonly id: number;
  readonly connId: number;
  state: number;
  misses: number;
}

/** A game that goes on until it is ordered to end. */
export interface Room {
  readonly id: number;
  readonly seats: Seat[];
  readonly observers: Seat[];
  asked: Set<Seat>;
  /** What the next resume is for, unless it is for a question. */
  pending: string | undefined;
}

const online = 1;
const missesMax = 3;
const notReady = "__notready";

/** The rooms of the scripted rules, and what is done to them in more than one place. */
export class ScriptedTable {
  readonly rpc: ScriptedRpc;
  readonly rooms = new Map<number, Room>();

  constructor(rpc: ScriptedRpc) {
    this.rpc = rpc;
  }

  tell(room: Room, command: string, data: Uint8Array): void {
    for (const seat of [...room.seats, ...room.observers]) {
      this.rpc.call("ServerPlayer_doNotify", seat.connId, command, data);
    }
  }

  /** Asks for a save; everybody gets `command` with what it resumes with. */
  query(room: Room, command: string, method: string, ...params: CborInput[]): void {
    room.pending = command;
    this.rpc.call(method, ...params);
  }

  /** Takes the answers that are there; those who gave none have missed it when it `isOver`. */
  collect(room: Room, { isOver }: { isOver: boolean }): void {
    for (const seat of [...room.asked]) {
      const reply = bytesOf(this.rpc.call("ServerPlayer_waitForReply", seat.connId, 0));
      const word = reply && new TextDecoder().decode(reply);
      if (word === notReady && !isOver) continue;
      room.asked.delete(seat);
      this.rpc.call("ServerPlayer_setThinking", seat.connId, false);
      seat.misses = word === notReady && seat.state === online ? seat.misses + 1 : 0;
      if (seat.misses >= missesMax) this.rpc.call("ServerPlayer_emitKick", seat.connId);
      this.tell(room, "Answered", encodeCbor([seat.id, reply ?? new Uint8Array(0)]));
    }
    if (room.asked.size === 0) this.rpc.call("Room_destroyRequestTimer", room.id);
  }

  leave(room: Room): void {
    this.rpc.call("Room_gameOver", room.id);
    this.rpc.call("Room_decreaseRefCount", room.id);
    this.rooms.delete(room.id);
  }
}

/** A player as the server writes him. */
export function seatOf(player: CborValue): Seat {
  const number = (key: string) =>
    (player instanceof CborMap ? integerOf(player.get(key)) : undefined) ?? 0;
  return { id: number("id"), connId: number("connId"), state: number("state"), misses: 0 };
}

/** The items of an array; none for anything else. */
export function listOf(value: CborValue | undefined): readonly CborValue[] {
  return Array.isArray(value) ? value : [];
}
