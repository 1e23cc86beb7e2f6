import type { Clock } from "../ports/clock.ts";
import type { CryptoPort } from "../ports/crypto.ts";
import { chunkHash, parseChunkFrame, type TransferStart } from "../wire/gateway_chunk.ts";
import type { ClientSession } from "./gateway_types.ts";
import type { MessageBody } from "./log/message_body.ts";
import type { MemoryAccount } from "./memory_account.ts";
import { BinaryBody } from "./transfer_sinks.ts";
import { isTransferFault, type TransferFault, Transfers } from "./transfers.ts";

/** A large message of a client that is whole. */
export interface WholeMessage {
  readonly start: TransferStart;
  readonly body: MessageBody;
}

export interface ClientTransfersParts {
  readonly clock: Clock;
  readonly crypto: CryptoPort;
  readonly memory: MemoryAccount;
  /** Bytes of one message. */
  readonly maxMessageSize: number;
  refuse(session: ClientSession, fault: TransferFault): void;
}

/** Large messages of clients, put together from binary frames. */
export class ClientTransfers {
  readonly #parts: ClientTransfersParts;
  readonly #transfers: Transfers<ClientSession, BinaryBody>;

  constructor(parts: ClientTransfersParts) {
    this.#parts = parts;
    this.#transfers = new Transfers({
      ...parts,
      newSink: (start) => new BinaryBody(start),
      idle: parts.refuse,
    });
  }

  /** Open ones. */
  get size(): number {
    return this.#transfers.size;
  }

  /** Takes a binary frame: `other` when it is a message of its own, undefined when there is nothing
   * more to do. */
  frame(session: ClientSession, bytes: Uint8Array): WholeMessage | "other" | undefined {
    const { maxMessageSize: totalSizeMax, refuse } = this.#parts;
    const frame = parseChunkFrame(bytes, { from: "client", totalSizeMax });
    if (frame === undefined) return "other";
    let fault: TransferFault | undefined;
    switch (frame.kind) {
      case "bad_start":
        fault = { code: "bad_transfer", text: frame.fault, messageId: frame.messageId };
        break;
      case "start":
        fault = this.#transfers.start(session, frame.start);
        break;
      case "chunk":
        fault = this.#transfers.chunk(session, frame);
        break;
      case "end": {
        const whole = this.#transfers.end(session, frame, chunkHash(frame.messageId));
        if (!isTransferFault(whole)) return { start: whole.start, body: whole.sink.finish() };
        fault = whole;
      }
    }
    if (fault !== undefined) refuse(session, fault);
    return undefined;
  }

  left(session: ClientSession): void {
    this.#transfers.drop(session);
  }

  /** To be called about once a second. */
  expire(): void {
    this.#transfers.expire();
  }
}
