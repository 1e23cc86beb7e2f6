/** Handle of a message in the index of the history. */
export type Row = number;

/** In place of a row where there is none. */
export const noRow: Row = -1;

/** A client that has messages in the history. */
export interface HistoryClient {
  readonly id: string;
  readonly index: number;
  /** Its oldest and newest message. */
  first: Row;
  last: Row;
  count: number;
  /** The segment that has named it last, and under which number; both 0 at first. */
  segment: number;
  name: number;
}

/** A file of the history, or what would be one where nothing is written to disk. */
export interface HistorySegment {
  readonly number: number;
  readonly base: number;
  readonly salt: number;
  /** With its header and what is still to be written. */
  bytes: number;
  /** Of them in the file. */
  written: number;
  /** Its messages that are still in the index. */
  live: number;
  /** Replays that still read from it: until they are done it stays. */
  pins: number;
  /** Numbers given to clients in it. */
  names: number;
  /** It can go when so many bytes of the whole history are safe; undefined while it is needed. */
  removableAt: number | undefined;
}

/** A stretch of a segment. The newest ones are in memory as well. */
export interface HistoryBlock {
  readonly index: number;
  readonly segment: HistorySegment;
  /** Where it begins in the file. */
  readonly fileAt: number;
  /** undefined: only on disk. */
  bytes: Uint8Array | undefined;
  used: number;
  written: number;
}

/** A message to be added. */
export interface NewHistoryMessage {
  /** Of the client that sent it or that it is for. */
  readonly clientId: string;
  readonly isUp: boolean;
  /** Not "". */
  readonly messageId: string;
  /** When the gateway took it: milliseconds since 1970, and nanoseconds (0–999,999) on top. */
  readonly stampMs: number;
  readonly stampNs: number;
  /** `up`: the members of the JSON object without its braces and without those that the gateway
   * sets; `down`: the upstream's whole text. As UTF-8 where it is large. */
  readonly text: string | Uint8Array;
  /** Of a text in bytes: its members without `data`; "" for none. */
  readonly metadata?: string;
}

/** A message as it is kept. */
export interface HistoryRecord {
  readonly isUp: boolean;
  readonly sequence: number;
  readonly stampMs: number;
  readonly stampNs: number;
  readonly idLow: number;
  readonly idHigh: number;
  readonly text: string;
}

/** Why and how much, for operators. */
export interface HistoryFigures {
  readonly clients: number;
  readonly messages: number;
  /** Of the records of these messages. */
  readonly bytes: number;
  /** Of all files. */
  readonly diskBytes: number;
  /** Of index and records in memory. */
  readonly memoryBytes: number;
  /** Messages that were not taken in because nothing could be written. */
  readonly dropped: number;
  /** Calls of the disk that failed. */
  readonly failures: number;
  /** Messages that were asked for and could not be read. */
  readonly damaged: number;
}
