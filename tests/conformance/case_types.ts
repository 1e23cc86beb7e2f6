/** What a conformance case is: a script of frames that one side sends, and what the other must do. */

/** Opcodes of RFC 6455 §5.2. */
export const opcode = { continuation: 0, text: 1, binary: 2, close: 8, ping: 9, pong: 10 } as const;

export type MessageKind = "text" | "binary";

/** One frame as it goes out, right or wrong. */
export interface FrameStep {
  readonly step: "frame";
  readonly opcode: number;
  readonly payload: Uint8Array;
  readonly fin: boolean;
  /** The three reserved bits, 0–7. */
  readonly reserved: number;
  /** Masked where it must not be, and the other way round. */
  readonly isWronglyMasked: boolean;
  /** Length as the head says it, when it is not the payload's. */
  readonly announced?: bigint;
  /** Bytes of the extended length, when it is not in its shortest form. */
  readonly lengthBytes?: 2 | 8;
}

/** A message that permessage-deflate compresses (RFC 7692 §7.2.1), with the connection's context. */
export interface DeflatedStep {
  readonly step: "deflated";
  readonly kind: MessageKind;
  readonly payload: Uint8Array;
  /** Bytes of compressed data in one frame; absent: one frame. */
  readonly fragmentBytes?: number;
  /** How the blocks are made: `stored` holds the data as it is, `flushed` has an empty block in the
   * middle, `final` ends in a block with BFINAL set (RFC 7692 §7.2.3.4). */
  readonly blocks?: "stored" | "flushed" | "final";
  /** The payload so many times over, without ever being in memory as a whole. */
  readonly times?: number;
}

export type Step =
  | FrameStep
  | DeflatedStep
  /** Further payload of a frame that announced more than it had. */
  | { readonly step: "bytes"; readonly payload: Uint8Array }
  /** Goes on when this pong came, or the connection is over. */
  | { readonly step: "await_pong"; readonly payload: Uint8Array }
  /** Goes on when so many messages came, or the connection is over. */
  | { readonly step: "await_messages"; readonly count: number }
  /** The peer knows by now that the message is wrong. If it still answers a ping, it is late. */
  | { readonly step: "is_late" }
  /** As `is_late`, in the middle of a frame, where no ping can be sent: looks whether it is over
   * when all that was sent must have been read. */
  | { readonly step: "is_late_within_frame" };

export interface Message {
  readonly kind: MessageKind;
  readonly payload: Uint8Array;
}

export type Ending =
  /** The runner closes with 1000 when everything expected came, and is answered with 1000. */
  | { readonly by: "us" }
  /** The script has a close frame; it is answered with the code (1005: one without a code). */
  | { readonly by: "script"; readonly code: number }
  /** The peer must fail the connection (RFC 6455 §7.1.7) with one of the codes. */
  | { readonly by: "peer"; readonly codes: readonly number[] };

export interface Expectation {
  /** What comes back: each message once, in order. */
  readonly messages: readonly Message[];
  /** Payloads of the pongs that come back, in order. */
  readonly pongs: readonly Uint8Array[];
  readonly ending: Ending;
  /** What else is allowed by the RFCs, though not what they recommend: a verdict of `non_strict`. */
  readonly lenient?: {
    /** Messages and pongs due before the fault may be missing from their end. */
    readonly mayLack?: boolean;
    /** Only the last of several pongs has to come (RFC 6455 §5.5.3). */
    readonly lastPongOnly?: boolean;
    /** Other codes to fail with, or to answer a close frame with. */
    readonly codes?: readonly number[];
    /** The peer may as well take what was sent, and answer with these messages. */
    readonly accepts?: readonly Message[];
  };
  /** The RFCs leave it open: whatever comes is noted, as long as the connection ends. */
  readonly isInformational?: boolean;
}

/** An offer of permessage-deflate, and what becomes of it. */
export interface CompressionOffer {
  /** `Sec-WebSocket-Extensions` of the client. */
  readonly header: string;
  /** `declined`: none of it may be accepted (RFC 7692 §7.1). */
  readonly answer: "accepted" | "declined";
  /** Parameters that the answer must have. */
  readonly parameters?: readonly string[];
}

export interface Script {
  readonly steps: readonly Step[];
  readonly expect: Expectation;
  /** All bytes go out in writes of so many; absent: a frame a write. */
  readonly chopBytes?: number;
  /** All frames go out in one write. */
  readonly isOneWrite?: boolean;
}

export interface CaseGroup {
  readonly number: number;
  readonly name: string;
}

export interface ConformanceCase {
  /** `group.words-of-the-case`; unique. */
  readonly id: string;
  readonly group: CaseGroup;
  /** In one line, for readers of the report. */
  readonly title: string;
  /** Runs alone: it moves megabytes. */
  readonly isHeavy: boolean;
  readonly compression?: CompressionOffer;
  /** Only when a client is tested, or a server; absent: both. */
  readonly only?: "client" | "server";
  /** Makes the frames when they are needed: some are large. */
  make(): Script;
}

export type Verdict =
  | "ok"
  | "non_strict"
  | "informational"
  | "failed"
  | "unimplemented"
  | "not_for_it";

export interface CaseResult {
  readonly verdict: Verdict;
  /** What was seen, where that is not what was expected first; "" else. */
  readonly note: string;
  readonly ms: number;
}
