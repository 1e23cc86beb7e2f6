/** Why the game server closes a connection of a player. */
export interface GameDisconnect {
  /** For the log and the metrics. */
  readonly code: string;
  /** What the player was told before (`ErrorDlg`); undefined when there is only the close. */
  readonly text: string | undefined;
  /** Whether the same client may well try again at once. */
  readonly retry: boolean;
}

/** Every reason of lobby and rooms; those of packets and of the login are the session's. */
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
