import type { ReasonCounts } from "../game/game_metrics.ts";
import type { GamePart } from "./game_part.ts";

/** The game's figures, named as in Prometheus without the prefix. */
export interface GameFigures {
  /** Of the moment. */
  readonly gauges: Readonly<Record<string, number>>;
  /** Since the start. */
  readonly counters: Readonly<Record<string, number>>;
  /** Counters with a label `reason`. */
  readonly byReason: Readonly<Record<string, ReasonCounts>>;
}

/** Reads them all; cheap enough for every scrape. */
export function gameFigures({ server, store, crypto }: GamePart): GameFigures {
  const { lobby, metrics, deliveries, rules } = server;
  const { batches, operations, failures, retries } = store.counters;
  let playing = 0;
  let observers = 0;
  let seats = 0;
  for (const room of lobby.rooms.all()) {
    if (room.state.kind === "playing") playing++;
    observers += room.seats.observers.length;
    seats += room.seats.taken.length;
  }
  return {
    gauges: {
      players: lobby.online.size,
      players_in_lobby: lobby.online.lobby.size,
      capacity: server.config.capacity,
      pending_connections: server.pending.size,
      rooms: lobby.rooms.size,
      rooms_playing: playing,
      room_seats: seats,
      room_observers: observers,
      lua_states: rules.states.length,
      lua_rooms: rules.states.reduce((sum, { load }) => sum + load, 0),
      store_queue: store.pending,
      crypto_queue: crypto.pending,
    },
    counters: {
      ...metrics.counters,
      packets_out: deliveries.packets,
      bytes_out: deliveries.bytes,
      writes: deliveries.writes,
      lua_calls_dropped: rules.dropped,
      store_batches: batches,
      store_operations: operations,
      store_failures: failures,
      store_retries: retries,
    },
    byReason: {
      logins_refused: metrics.refusals,
      disconnects: metrics.disconnects,
      packets_ignored: metrics.ignored,
    },
  };
}

/** One flat object, as the JSON form of the metrics has it: `game_players`, …; sums of reasons. */
export function flatGameFigures(figures: GameFigures): Record<string, number> {
  const flat: Record<string, number> = {};
  for (const [name, value] of Object.entries({ ...figures.gauges, ...figures.counters })) {
    flat[`game_${name}`] = value;
  }
  for (const [name, counts] of Object.entries(figures.byReason)) {
    flat[`game_${name}`] = counts.total;
    for (const [reason, count] of counts.entries) flat[`game_${name}_${reason}`] = count;
  }
  return flat;
}
