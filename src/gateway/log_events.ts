import {
  ClientMessage,
  messageIdInMembers,
  readUpstreamMessage,
  UpstreamMessage,
} from "../wire/gateway_message.ts";
import type { Clients } from "./clients.ts";
import type { LogClient, MessageLogOwner } from "./log/message_log_types.ts";
import type { MessageGateway } from "./message_gateway.ts";

/** What the log reports, handed to the core, which is made after it. */
export class LogEvents implements MessageLogOwner {
  core: MessageGateway | undefined;
  readonly #clients: Clients;
  readonly #clientMessage = new ClientMessage();
  readonly #upstreamMessage = new UpstreamMessage();

  constructor(clients: Clients) {
    this.#clients = clients;
  }

  clientNamed(id: string): LogClient {
    return this.#clients.named(id);
  }

  messageIdIn(direction: "up" | "down", body: string): string {
    if (direction === "up") return messageIdInMembers(body, this.#clientMessage);
    const message = this.#upstreamMessage;
    return readUpstreamMessage(body, message) === undefined ? message.messageId : "";
  }

  committed(sequence: number): void {
    this.core?.acknowledgements.committed(sequence);
  }

  notStored(_from: number, through: number): void {
    this.core?.acknowledgements.notStored(through);
  }

  /** Whoever asks whether the gateway is ready asks the log itself. */
  troubleChanged(): void {}
}
