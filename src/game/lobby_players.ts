import type { ConnectionId, Player, PlayerId } from "./player.ts";
import type { RoomId } from "./room_events.ts";
import type { VisitorRates } from "./visitor_rates.ts";

/** Somebody who is on the server: connected, or offline with a seat in a running game. */
export interface Visitor {
  player: Player;
  /** Undefined in the lobby. */
  roomId: RoomId | undefined;
  readonly rates: VisitorRates;
  /** The last numbers that he was told since he is in the lobby. */
  numbersTold: string | undefined;
}

/** Who is on the server, by account, by connection, and in the lobby. */
export class OnlinePlayers {
  readonly #byId = new Map<PlayerId, Visitor>();
  readonly #byConnection = new Map<ConnectionId, Visitor>();
  readonly #lobby = new Set<Visitor>();

  /** Seats of offline players in running games are counted. */
  get size(): number {
    return this.#byId.size;
  }

  get lobby(): ReadonlySet<Visitor> {
    return this.#lobby;
  }

  get all(): Iterable<Visitor> {
    return this.#byId.values();
  }

  byId(id: PlayerId): Visitor | undefined {
    return this.#byId.get(id);
  }

  byConnection(connection: ConnectionId): Visitor | undefined {
    return this.#byConnection.get(connection);
  }

  /** Undefined when this player is not, or no longer, who the account plays as. */
  of(player: Player): Visitor | undefined {
    const visitor = this.#byId.get(player.id);
    return visitor?.player === player ? visitor : undefined;
  }

  connections(except?: ConnectionId): ConnectionId[] {
    const all = [...this.#byConnection.keys()];
    return except === undefined ? all : all.filter((connection) => connection !== except);
  }

  lobbyConnections(): ConnectionId[] {
    return [...this.#lobby].flatMap(({ player: { connection } }) => connection ?? []);
  }

  /** Takes the place of whoever played as this account before. */
  add(visitor: Visitor): void {
    this.#byId.set(visitor.player.id, visitor);
    this.connect(visitor);
  }

  /** His player has a connection. */
  connect(visitor: Visitor): void {
    const { connection } = visitor.player;
    if (connection !== undefined) this.#byConnection.set(connection, visitor);
  }

  /** His connection is nobody's any more. */
  disconnect(visitor: Visitor): void {
    const { player } = visitor;
    if (player.connection !== undefined) this.#byConnection.delete(player.connection);
    player.connection = undefined;
    this.#lobby.delete(visitor);
  }

  remove(visitor: Visitor): void {
    this.disconnect(visitor);
    if (this.#byId.get(visitor.player.id) === visitor) this.#byId.delete(visitor.player.id);
  }

  enterLobby(visitor: Visitor): void {
    visitor.roomId = undefined;
    visitor.numbersTold = undefined;
    this.#lobby.add(visitor);
  }

  leaveLobby(visitor: Visitor): void {
    this.#lobby.delete(visitor);
  }

  enterRoom(visitor: Visitor, roomId: RoomId): void {
    visitor.roomId = roomId;
    this.#lobby.delete(visitor);
  }
}
