/** Figures of the game server, from its start; see `gameGauges` for those that are of the moment. */
export interface GameCounters {
  /** Connections taken over by the game, and of them: given back to the host protocol. */
  connections: number;
  given_back: number;
  logins: number;
  registrations: number;
  reconnects: number;
  packets_in: number;
  bytes_in: number;
  lua_turns: number;
  lua_states_lost: number;
  /** Rooms that ended with their state. */
  rooms_lost: number;
  games_started: number;
  /** Internal errors, each with a line in the log. */
  faults: number;
}

/** Counts by a reason out of a closed list. */
export class ReasonCounts {
  readonly #counts = new Map<string, number>();

  add(reason: string): void {
    this.#counts.set(reason, (this.#counts.get(reason) ?? 0) + 1);
  }

  get entries(): Iterable<[string, number]> {
    return this.#counts;
  }

  get total(): number {
    let total = 0;
    for (const count of this.#counts.values()) total += count;
    return total;
  }
}

/** All that the game server counts itself. */
export class GameMetrics {
  readonly counters: GameCounters = {
    connections: 0,
    given_back: 0,
    logins: 0,
    registrations: 0,
    reconnects: 0,
    packets_in: 0,
    bytes_in: 0,
    lua_turns: 0,
    lua_states_lost: 0,
    rooms_lost: 0,
    games_started: 0,
    faults: 0,
  };
  /** Logins refused, by reason. */
  readonly refusals = new ReasonCounts();
  /** Connections closed, by the code of the reason. */
  readonly disconnects = new ReasonCounts();
  /** Packets ignored, by reason. */
  readonly ignored = new ReasonCounts();
}
