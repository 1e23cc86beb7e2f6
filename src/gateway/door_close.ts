export interface DoorClose {
  readonly code: number;
  readonly reason: string;
}

/** Why the gateway ends the connection of a client. The adapter has reasons of its own besides
 * (`webSocketCloseByAdapter`): 1009, and gross floods. */
export const doorClose = {
  /** Another connection has the client id now. */
  replaced: { code: 4409, reason: "replaced" },
  /** No frame for `connectionTimeout`, not even the answer to a ping. Who is gone learns nothing. */
  silent: { code: 1008, reason: "connection timeout" },
  /** Far over its message rate, for a while. */
  flood: { code: 1008, reason: "flood" },
  /** Too much waited for it, for too long. */
  slow: { code: 1013, reason: "slow consumer" },
  /** Its token is over, and no new one came in time. */
  tokenExpired: { code: 1008, reason: "token expired" },
  /** Others that asked at the same time have taken the last places. */
  full: { code: 1013, reason: "max connections reached" },
  /** The gateway is stopping. */
  goingAway: { code: 1001, reason: "going away" },
  /** An operator wanted it. */
  kicked: { code: 1008, reason: "kicked" },
} as const satisfies Readonly<Record<string, DoorClose>>;
