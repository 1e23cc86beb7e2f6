import type { Slot } from "./log/message_log_types.ts";
import type { LongMessage } from "./long_messages.ts";

/** The messages that wait for one upstream, as its link sees them. All calls are synchronous. */
export interface LinkQueue {
  /** Takes the next message out; it is the link's until it confirms it or puts it back. noSlot when
   * none waits. */
  take(): Slot;
  /** Bytes of the whole JSON message as it goes to the upstream. */
  messageBytes(slot: Slot): number;
  /** Writes it as UTF-8, unmasked; returns the position behind it. */
  writeMessage(slot: Slot, into: Uint8Array, at: number): number;
  /** How a message of so many bytes is sent piece by piece; undefined when it is to be written whole.
   * Asked of messages above `longBytesMin`. */
  long(slot: Slot, bytes: number): LongMessage | undefined;
  /** As `take`, but none of the client that this message is of. */
  takeOther(slot: Slot): Slot;
  /** Whether an upstream can acknowledge it by its id. */
  hasMessageId(slot: Slot): boolean;
  /** It has left for the upstream (bytes handed to the socket); once per send. */
  sent(slot: Slot): void;
  /** It is delivered: by an acknowledgement, or because a later ping was answered. */
  confirm(slot: Slot): void;
  /** What was not confirmed when the connection went, in the order of its sending; it goes out
   * again before what waits. The array is valid only during the call. */
  putBack(slots: readonly Slot[]): void;
}

/** Why an upstream's connection ended or could not be had; one word for logs and metrics. */
export type LinkEnd =
  | "refused"
  | "handshake_failed"
  | "closed_by_upstream"
  | "protocol_error"
  | "too_big"
  | "no_answer"
  | "slow"
  | "lost"
  | "stopped";

export interface LinkOwner {
  /** One text message of the upstream. */
  text(text: string): void;
  /** One binary message; the bytes are valid only during the call. */
  binary(bytes: Uint8Array): void;
  /** It can send now, or no longer. */
  changed(state: LinkState, end: LinkEnd | undefined): void;
}

export type LinkState = "closed" | "dialing" | "open" | "backoff";

/** What carries the messages of one queue to one upstream, and back. */
export interface Link {
  readonly state: LinkState;
  /** Messages taken from the queue, and neither confirmed nor put back. */
  readonly unconfirmed: number;
  /** Bytes written that the system has not taken yet. */
  readonly bufferedBytes: number;
  /** Connections that opened after the first. */
  readonly reconnects: number;
  /** Begins to connect, and goes on until `stop`. Once. */
  start(): void;
  /** The queue has something: it is sent at the end of this turn of the event loop, together with
   * all that comes until then. Costs nothing when that is due already. */
  wake(): void;
  /**
   * The upstream has acknowledged a message. Confirms the oldest that is unconfirmed, has an id and
   * `matches`; false when none does. Called for every acknowledgement, also for one of a message that
   * cannot be here (undefined): the first one shows an `auto` link that its upstream acknowledges.
   */
  acknowledged(matches: ((slot: Slot) => boolean) | undefined): boolean;
  /** Sends what waits and awaits its confirmation for a while, closes in order, and puts back what
   * is not confirmed then. Idempotent. */
  stop(): Promise<void>;
}
