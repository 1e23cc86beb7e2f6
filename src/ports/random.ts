/** Randomness that an attacker cannot guess. */
export interface Random {
  bytes(count: number): Uint8Array;
  /** From 0 up to, not including, 1. */
  fraction(): number;
  /** RFC 9562 version 4. */
  uuid(): string;
}
