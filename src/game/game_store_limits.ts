/** Bounds of the game's store; tests have shorter times. */
export interface GameStoreLimits {
  readonly batchOperationsMax: number;
  readonly batchBytesMax: number;
  readonly waitingOperationsMax: number;
  readonly waitingBytesMax: number;
  readonly busyTimeoutMs: number;
  readonly retryPauseMs: { readonly first: number; readonly max: number };
  readonly restartPauseMs: number;
  readonly answerPatienceMs: number;
  readonly writePatienceMs: number;
  readonly openPatienceMs: number;
  readonly closePatienceMs: number;
}

export const gameStoreLimits: GameStoreLimits = {
  /** In one transaction: more would make the first of them wait too long. */
  batchOperationsMax: 512,
  /** Four of the largest saves. */
  batchBytesMax: 4 * 1_048_576,
  /** Of both files. A full server writes some hundred a second: minutes of a locked file. */
  waitingOperationsMax: 100_000,
  waitingBytesMax: 64 * 1_048_576,
  /** How long SQLite itself waits for a lock: reads have to wait as long behind it. */
  busyTimeoutMs: 20,
  /** Doubled from try to try, so that a lock that lasts costs little. */
  retryPauseMs: { first: 50, max: 500 },
  /** A worker that failed, or a file that cannot be opened, is tried again not before this. */
  restartPauseMs: 1_000,
  /** What somebody waits for is answered by then, done or not: a login should not hang. */
  answerPatienceMs: 5_000,
  /** What was accepted is tried for so long: longer than a backup of the file takes. */
  writePatienceMs: 5 * 60_000,
  /** At the start, while another program holds a file. */
  openPatienceMs: 10_000,
  /** At the end, for what waits to be written. */
  closePatienceMs: 5_000,
};
