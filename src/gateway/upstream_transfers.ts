import type { Clock } from "../ports/clock.ts";
import type { CryptoPort } from "../ports/crypto.ts";
import { chunkHash, parseChunkFrame, type TransferStart } from "../wire/gateway_chunk.ts";
import type { UpstreamMessage } from "../wire/gateway_message.ts";
import type { MemoryAccount } from "./memory_account.ts";
import { MessageText } from "./transfer_sinks.ts";
import { isTransferFault, Transfers } from "./transfers.ts";
import type { UpstreamTarget } from "./upstream_target.ts";

/** A large message of an upstream that is whole. */
export interface WholeUpstreamMessage {
  readonly start: TransferStart;
  readonly sink: MessageText;
}

export interface UpstreamTransfersParts {
  readonly clock: Clock;
  readonly crypto: CryptoPort;
  readonly memory: MemoryAccount;
  /** Bytes of one message. */
  readonly maxMessageSize: number;
  /** Whether anybody would get a message of this upstream. */
  isWanted(target: UpstreamTarget, start: TransferStart): boolean;
  /** A frame that means nothing here, or a transfer that broke. */
  refused(): void;
}

/** Large messages of upstreams, put together from binary frames. */
export class UpstreamTransfers {
  readonly #parts: UpstreamTransfersParts;
  readonly #transfers: Transfers<UpstreamTarget, MessageText>;

  constructor(parts: UpstreamTransfersParts) {
    this.#parts = parts;
    this.#transfers = new Transfers({
      ...parts,
      newSink: (start) => new MessageText(start),
      idle: () => parts.refused(),
    });
  }

  /** Takes a binary frame: the message that is whole now, if there is one. */
  frame(target: UpstreamTarget, bytes: Uint8Array): WholeUpstreamMessage | undefined {
    const { maxMessageSize: totalSizeMax, isWanted, refused } = this.#parts;
    const frame = parseChunkFrame(bytes, { from: "upstream", totalSizeMax });
    switch (frame?.kind) {
      case "start":
        if (!isWanted(target, frame.start)) refused();
        else if (this.#transfers.start(target, frame.start) !== undefined) refused();
        return undefined;
      case "chunk":
        if (this.#transfers.chunk(target, frame) !== undefined) refused();
        return undefined;
      case "end": {
        const whole = this.#transfers.end(target, frame, chunkHash(frame.messageId));
        if (!isTransferFault(whole)) return whole;
        refused();
        return undefined;
      }
      default:
        refused();
        return undefined;
    }
  }

  /** The connection to an upstream is over. */
  lost(target: UpstreamTarget): void {
    this.#transfers.drop(target);
  }

  /** To be called about once a second. */
  expire(): void {
    this.#transfers.expire();
  }
}

/** The text of a message, which `into` describes as if it had been read from it; undefined when its
 * data had to be UTF-8 and is not. */
export function textOf(
  { start, sink }: WholeUpstreamMessage,
  into: UpstreamMessage,
): string | undefined {
  const made = sink.finish();
  if (made === undefined) return undefined;
  const { clientId, type, messageId } = start;
  into.clientId = clientId;
  into.type = type;
  into.messageId = messageId;
  into.action = "";
  into.dataFrom = made.dataFrom;
  into.dataTo = made.dataTo;
  into.scan.bodyFrom = 1;
  into.scan.bodyTo = made.text.length - 1;
  return made.text;
}
