import type { Clock } from "../ports/clock.ts";
import type { Client, ClientSession } from "./gateway_types.ts";

/** How long it may take until a message is durable. */
const answerMsMax = 10_000;

/** What the gateway said to a message; undefined where it said nothing in time. */
export interface ApiAnswer {
  readonly action?: string;
  readonly code?: string;
  readonly message?: string;
}

/**
 * Speaks for a client without being its connection: what the gateway answers goes to who uses the
 * API, and the client itself hears nothing of it.
 */
export class ApiSession implements ClientSession {
  readonly client: Client;
  readonly isApart = true;
  readonly isModern = true;
  readonly isRaw = false;
  readonly takesChunks = false;
  readonly history = undefined;
  readonly wantsAcks: boolean;
  readonly priorityMax: number;
  #answer: ApiAnswer | undefined;
  #tell: () => void = () => {};

  constructor(client: Client, options: { wantsAcks: boolean; priorityMax: number }) {
    this.client = client;
    this.wantsAcks = options.wantsAcks;
    this.priorityMax = options.priorityMax;
  }

  /** What it said by now. */
  get answer(): ApiAnswer | undefined {
    return this.#answer;
  }

  /** What it says to the message; waits for that as long as a disk may take. */
  answered(clock: Clock): Promise<ApiAnswer | undefined> {
    if (this.#answer !== undefined) return Promise.resolve(this.#answer);
    return new Promise((resolve) => {
      const cancel = clock.after(answerMsMax, () => resolve(undefined));
      this.#tell = () => {
        cancel();
        resolve(this.#answer);
      };
    });
  }

  send(text: string): "sent" {
    this.#answer ??= JSON.parse(text) as ApiAnswer;
    this.#tell();
    return "sent";
  }

  sendBinary(): "sent" {
    return "sent";
  }

  sendAll(texts: readonly string[]): "sent" {
    for (const text of texts) this.send(text);
    return "sent";
  }

  authenticate(): boolean {
    return false;
  }

  hasRoom(): boolean {
    return true;
  }

  exemptPing(): void {}

  close(): void {}
}
