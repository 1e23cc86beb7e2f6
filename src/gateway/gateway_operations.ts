import type { RouteRule } from "../config/gateway_config.ts";
import type { Clock } from "../ports/clock.ts";
import { nanosecondsLiteral, quoteJson } from "../wire/gateway_frames.ts";
import { type ApiAnswer, ApiSession } from "./api_session.ts";
import type { Downstream } from "./downstream.ts";
import type { ConnectionFacts } from "./connection_facts.ts";
import type { GatewayDoor } from "./gateway_door.ts";
import type { HistoryRange, MessageHistory } from "./history/message_history.ts";
import type { DeadLetter } from "./log/dead_letters.ts";
import type { MessageLog } from "./log/message_log_types.ts";
import type { MessageGateway } from "./message_gateway.ts";
import type { Upstreams } from "./upstreams.ts";

/** A message that an operator sends. */
export interface OperatorMessage {
  /** 0 text, 1 binary (`data` is base64), 2 control. */
  readonly type: 0 | 1 | 2;
  readonly data: string;
  /** "" for none. */
  readonly messageId: string;
  readonly contentType: string;
}

/** A message of the history. */
export interface HistoryEntry {
  readonly direction: "up" | "down";
  /** When the gateway took it, ISO 8601. */
  readonly time: string;
  /** As it was kept, in JSON. */
  readonly message: string;
}

/** One upstream, for operators. */
export interface UpstreamFacts {
  readonly url: string;
  readonly isOpen: boolean;
  readonly pending: number;
}

interface OperationParts {
  readonly core: MessageGateway;
  readonly door: GatewayDoor;
  readonly downstream: Downstream;
  readonly history: MessageHistory;
  readonly log: MessageLog & { deadLetters?(count: number): Promise<readonly DeadLetter[]> };
  readonly upstreams: Upstreams;
  readonly clock: Clock;
}

/** What operators do with a gateway that runs, apart from its configuration. */
export class GatewayOperations {
  readonly #parts: OperationParts;

  constructor(parts: OperationParts) {
    this.#parts = parts;
  }

  /** `kept`: it waits for the client's return; `refused`: nobody with that id is here or was lately,
   * or nothing can be kept for it. */
  sendToClient(clientId: string, message: OperatorMessage): "sent" | "kept" | "refused" {
    const now = this.#parts.clock.now();
    const text = `{"type":${message.type},"clientId":${quoteJson(clientId)},"timestamp":${
      nanosecondsLiteral(Math.floor(now), 0)
    },${members(message)}}`;
    return this.#parts.downstream.fromOperator(clientId, text);
  }

  /** As if the client had sent it; resolves when it is durable, where it has an id and there is a
   * disk. An answer with `code` is a refusal. */
  async sendToUpstream(
    clientId: string,
    { message, priority }: { message: OperatorMessage; priority: number },
  ): Promise<{ readonly isDurable: boolean; readonly refusal: ApiAnswer | undefined }> {
    if (message.type === 2 && message.data === "ping") {
      const refusal = { code: "bad_message", message: "the gateway answers pings itself" };
      return { isDurable: false, refusal };
    }
    const { core, log, clock } = this.#parts;
    const isAsked = message.messageId !== "" && log.isDurable;
    const session = new ApiSession(core.clientNamed(clientId), {
      wantsAcks: isAsked,
      priorityMax: 9,
    });
    core.text(session, `{"type":${message.type},"priority":${priority},${members(message)}}`);
    core.left(session);
    const answer = isAsked ? await session.answered(clock) : session.answer;
    if (answer?.action === "error") return { isDurable: false, refusal: answer };
    if (isAsked && answer === undefined) {
      const refusal = { code: "store_unavailable", message: "the disk does not answer" };
      return { isDurable: false, refusal };
    }
    return { isDurable: isAsked, refusal: undefined };
  }

  async history(clientId: string, range: HistoryRange): Promise<HistoryEntry[]> {
    const records = await this.#parts.history.read(clientId, range);
    return records.map(({ isUp, stampMs, text }) => ({
      direction: isUp ? "up" : "down",
      time: new Date(stampMs).toISOString(),
      message: shownMessage(isUp, text),
    }));
  }

  /** How many messages were forgotten. */
  forgetHistory(clientId: string): number {
    return this.#parts.history.forget(clientId);
  }

  /** Some of the open connections; their order changes as clients come and go. */
  connections(page: { offset: number; limit: number }): ConnectionFacts[] {
    return this.#parts.door.page(page);
  }

  get connectionCount(): number {
    return this.#parts.door.size;
  }

  connection(clientId: string): ConnectionFacts | undefined {
    return this.#parts.door.connectionOf(clientId);
  }

  /** False when the client is not connected. */
  kick(clientId: string): boolean {
    return this.#parts.door.kick(clientId);
  }

  get routes(): readonly RouteRule[] {
    return this.#parts.upstreams.rules;
  }

  /** Works out other rules of those of now, which holds until the configuration is read again. Gives
   * the reason when they cannot be used. */
  changeRoutes(
    change: (now: readonly RouteRule[]) => readonly RouteRule[] | string,
  ): Promise<string | undefined> {
    return this.#parts.upstreams.changeRules(change);
  }

  /** The newest last, each message in JSON. Rejects with FileError. */
  async deadLetters(count: number): Promise<DeadLetter[]> {
    const letters = await this.#parts.log.deadLetters?.(count) ?? [];
    return letters.map((letter) => ({
      ...letter,
      message: shownMessage(letter.direction === "up", letter.message),
    }));
  }

  upstreams(): UpstreamFacts[] {
    return this.#parts.upstreams.all().filter(({ url }) => url !== "")
      .map(({ url, isOpen, pending }) => ({ url, isOpen, pending }));
  }
}

/** What clients send is kept as members, without what the gateway sets. */
function shownMessage(isUp: boolean, text: string): string {
  return isUp ? `{${text}}` : text;
}

function members({ data, messageId, contentType }: OperatorMessage): string {
  const id = messageId === "" ? "" : `"messageId":${quoteJson(messageId)},`;
  const type = contentType === "" ? "" : `"contentType":${quoteJson(contentType)},`;
  return `${id}${type}"data":${quoteJson(data)}`;
}
