import type { TcpCloseReason, TcpConnection } from "../ports/tcp.ts";
import type { ConnectionId } from "./player.ts";
import type { GameSession } from "./session.ts";

/** Whom a peer tells what happens to it. */
export interface PeerOwner {
  received(peer: GamePeer, bytes: Uint8Array): void;
  /** The peer sent its FIN. */
  ended(peer: GamePeer): void;
  gone(peer: GamePeer, reason: TcpCloseReason): void;
}

/** Hands a connection back with all the bytes that came. */
export type GiveBack = (connection: TcpConnection<unknown>, bytes: Uint8Array) => void;

/**
 * `greeted`: has our key, nothing of it counts yet. `logging_in`: its Setup is being looked at.
 * `playing`: the lobby knows it. `closing`: what was queued still leaves, nothing is read.
 */
export type PeerStage = "greeted" | "logging_in" | "playing" | "closing";

/** One connection of a game client: socket, reading side, and what waits to be written. */
export class GamePeer {
  readonly id: ConnectionId;
  readonly socket: TcpConnection<unknown>;
  readonly session: GameSession;
  readonly #owner: PeerOwner;
  stage: PeerStage = "greeted";
  /** Packets of this turn; undefined when there is none. */
  queued: Uint8Array[] | undefined;
  /** Their bytes, while there are some. */
  queuedBytes = 0;
  /** Sends too fast and is not read for a moment. */
  isResting = false;
  /** Why it is being closed, once it is. */
  closedFor: string | undefined;
  /** Gives the connection back to the host protocol; undefined when it cannot be one of that. */
  readonly giveBack: GiveBack | undefined;

  constructor(parts: {
    id: ConnectionId;
    socket: TcpConnection<unknown>;
    session: GameSession;
    owner: PeerOwner;
    giveBack: GiveBack | undefined;
  }) {
    this.id = parts.id;
    this.socket = parts.socket;
    this.session = parts.session;
    this.#owner = parts.owner;
    this.giveBack = parts.giveBack;
  }

  get ip(): string {
    return this.socket.remoteHost;
  }

  data(bytes: Uint8Array): void {
    this.#owner.received(this, bytes);
  }

  end(): void {
    this.#owner.ended(this);
  }

  /** Nothing waits for it: what is too slow is closed by its queue's limit. */
  drain(): void {}

  closed(reason: TcpCloseReason): void {
    this.#owner.gone(this, reason);
  }
}
