import { requestIdMax } from "../wire/packet_types.ts";

/** A late answer still counts for so long after its time-out: what travel takes. */
export const replyGraceMs = 500;

// Raw answers of the host, unlike a client's own, which are CBOR.
const notReadyReply: Uint8Array = new TextEncoder().encode("__notready");

/** What Lua reads of one who is not asked. */
export const cancelledReply: Uint8Array = new TextEncoder().encode("__cancel");

type SlotState =
  | { readonly kind: "idle" }
  | { readonly kind: "awaiting"; readonly id: number; readonly until: number }
  | { readonly kind: "answered"; readonly data: Uint8Array };

/**
 * The newest question to one seat and its answer. It belongs to the seat, so it survives a
 * reconnect; the answer stays readable until the next question.
 */
export class RequestSlot {
  #state: SlotState = { kind: "idle" };

  /** A new question went out; `timeoutSeconds` as the client was told. */
  ask(id: number, timeoutSeconds: number, now: number): void {
    this.#state = { kind: "awaiting", id, until: now + timeoutSeconds * 1000 + replyGraceMs };
  }

  /** Whether this answer is the awaited one and in time; if so it is kept. */
  answer(id: number, data: Uint8Array, now: number): boolean {
    const state = this.#state;
    if (state.kind !== "awaiting" || state.id !== id || now > state.until) return false;
    this.#state = { kind: "answered", data };
    return true;
  }

  /** What Lua reads: the answer, `__notready`, or `__cancel` of one who is not online. */
  read(isOnline: boolean): Uint8Array {
    if (!isOnline) return cancelledReply;
    return this.#state.kind === "answered" ? this.#state.data : notReadyReply;
  }

  clear(): void {
    this.#state = { kind: "idle" };
  }
}

/** Hands out the ids of a server: one counter of each kind for all rooms. */
export class GameIds {
  #connection = 999;
  #robot = -1;
  #storedRobot = -1_000_000;
  #task = -999;
  #request = 0;

  nextLuaId(): number {
    return ++this.#connection;
  }

  /** From −2 down. */
  nextRobot(): number {
    return --this.#robot;
  }

  /** Of robots that the rules have in store: far below the others, which go on without gaps. */
  nextStoredRobot(): number {
    return --this.#storedRobot;
  }

  /** From −1000 down. */
  nextTask(): number {
    return --this.#task;
  }

  /** From 1 to `requestIdMax`, then again. */
  nextRequest(): number {
    this.#request = this.#request >= requestIdMax ? 1 : this.#request + 1;
    return this.#request;
  }
}
