import type { OnlinePlayers, Visitor } from "./lobby_players.ts";
import type { Outbox } from "./outbox.ts";

/** The lobby hears its numbers at most four times a second: each login would cost O(N) else. */
export const numbersIntervalMs = 250;

/** Tells players in the lobby how many are there and on the server (`UpdatePlayerNum`). */
export class LobbyNumbers {
  readonly #online: OnlinePlayers;
  #seen = "";
  #toldAt = -Infinity;
  #dueAt: number | undefined;

  constructor(online: OnlinePlayers) {
    this.#online = online;
  }

  get nextAt(): number | undefined {
    return this.#dueAt;
  }

  /** A newcomer does not wait. */
  tell(visitor: Visitor, out: Outbox): void {
    visitor.numbersTold = this.#key();
    out.sendTo(visitor.player.connection, this.#message());
  }

  /** To be called after every event: tells everybody who has not heard the newest numbers. */
  settle(out: Outbox, now: number): void {
    const key = this.#key();
    if (key !== this.#seen) {
      this.#seen = key;
      this.#dueAt ??= Math.max(now, this.#toldAt + numbersIntervalMs);
    }
    if (this.#dueAt === undefined || now < this.#dueAt) return;
    this.#dueAt = undefined;
    const waiting = [...this.#online.lobby].filter(({ numbersTold }) => numbersTold !== key);
    if (waiting.length === 0) return;
    this.#toldAt = now;
    for (const visitor of waiting) visitor.numbersTold = key;
    out.send(waiting.flatMap(({ player: { connection } }) => connection ?? []), this.#message());
  }

  #key(): string {
    return `${this.#online.lobby.size} ${this.#online.size}`;
  }

  #message() {
    const { lobby, size: online } = this.#online;
    return { command: "UpdatePlayerNum", inLobby: lobby.size, online } as const;
  }
}
