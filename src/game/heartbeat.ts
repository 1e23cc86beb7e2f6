import type { ConnectionId } from "./player.ts";

/** At this tick after the last answer the connection is closed. */
export const missedHeartbeatsMax = 7;

/** Counts the unanswered heartbeats of every connection. All of them beat together. */
export class Heartbeats {
  readonly #missed = new Map<ConnectionId, number>();
  /** Another one counts from the next beat on. */
  intervalMs: number;
  #nextAt: number | undefined;

  constructor(intervalMs: number) {
    this.intervalMs = intervalMs;
  }

  /** When the next beat is due; undefined while nobody is connected. */
  get nextAt(): number | undefined {
    return this.#nextAt;
  }

  get size(): number {
    return this.#missed.size;
  }

  add(connection: ConnectionId, now: number): void {
    this.#missed.set(connection, 0);
    this.#nextAt ??= now + this.intervalMs;
  }

  remove(connection: ConnectionId): void {
    this.#missed.delete(connection);
    if (this.#missed.size === 0) this.#nextAt = undefined;
  }

  answered(connection: ConnectionId): void {
    if (this.#missed.has(connection)) this.#missed.set(connection, 0);
  }

  /** Who gets a heartbeat now and whose connection is dead; nothing before it is due. */
  beat(now: number): { readonly alive: ConnectionId[]; readonly dead: ConnectionId[] } {
    const alive: ConnectionId[] = [];
    const dead: ConnectionId[] = [];
    if (this.#nextAt === undefined || now < this.#nextAt) return { alive, dead };
    for (const [connection, missed] of this.#missed) {
      this.#missed.set(connection, missed + 1);
      if (missed + 1 >= missedHeartbeatsMax) dead.push(connection);
      else alive.push(connection);
    }
    // After a long sleep one beat is enough: a burst would close the living.
    this.#nextAt = Math.max(this.#nextAt + this.intervalMs, now + 1);
    return { alive, dead };
  }
}
