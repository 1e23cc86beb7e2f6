import type { TcpCloseReason } from "../ports/tcp.ts";

/** Why the game server closes a connection of a player. */
export interface GameDisconnect {
  /** For the log and the metrics. */
  readonly code: string;
  /** What the player was told before (`ErrorDlg`); undefined when there is only the close. */
  readonly text: string | undefined;
  /** Whether the same client may well try again at once. */
  readonly retry: boolean;
}

/** Every reason of lobby and rooms. */
export const gameDisconnects = {
  otherLogin: {
    code: "other_login",
    text: "others logged in again with this name",
    retry: false,
  },
  heartbeat: { code: "heartbeat", text: undefined, retry: true },
  missedRequests: { code: "missed_requests", text: undefined, retry: true },
  ranAway: { code: "ran_away", text: undefined, retry: false },
  outdated: { code: "outdated", text: undefined, retry: true },
  kickedByOperator: { code: "kicked_by_operator", text: undefined, retry: true },
} as const satisfies Record<string, GameDisconnect>;

/**
 * Reasons of a connection itself. Those of packets that are none have the fault's own name
 * (`PacketFault`), those of a refused login `refused_` and the refusal's.
 */
export const connectionDisconnects = {
  peerClosed: { code: "peer_closed", text: undefined, retry: true },
  connectionLost: { code: "connection_lost", text: undefined, retry: true },
  setupTimeout: { code: "setup_timeout", text: undefined, retry: true },
  tooManyPending: { code: "too_many_pending", text: undefined, retry: true },
  flood: { code: "flood", text: undefined, retry: true },
  slow: { code: "slow", text: undefined, retry: true },
  internalError: { code: "internal_error", text: undefined, retry: true },
  stopping: { code: "stopping", text: undefined, retry: true },
} as const satisfies Record<string, GameDisconnect>;

/** Why a connection that we did not close is gone. */
export function disconnectOf(reason: TcpCloseReason): GameDisconnect {
  switch (reason) {
    case "slow_consumer":
      return connectionDisconnects.slow;
    case "remote":
      return connectionDisconnects.peerClosed;
    case "error":
    case "local":
      return connectionDisconnects.connectionLost;
  }
}
