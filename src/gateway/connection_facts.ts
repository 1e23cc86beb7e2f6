/** One open connection, for operators. */
export interface ConnectionFacts {
  readonly clientId: string;
  readonly remoteHost: string;
  readonly remotePort: number;
  readonly bufferedBytes: number;
  readonly silentMs: number;
}
