import { Changes, withinMs } from "./changes.ts";
import { type ClientOptions, GatewayClient } from "./gateway_client.ts";

/** Between two attempts to connect. */
const retryMs = 10;

export interface LoadOptions extends ClientOptions {
  readonly clientId: string;
  /** Messages that may be without an acknowledgement. */
  readonly windowMax: number;
  /** Length of `data`. */
  readonly dataBytes: number;
}

/**
 * A client as a good one is: it numbers its messages, asks for acknowledgements, connects again when
 * the connection breaks, and then repeats in order what was not acknowledged before it goes on. It
 * remembers what was acknowledged.
 */
export class LoadClient {
  readonly clientId: string;
  /** Numbers 1 … sent went out at least once. */
  sent = 0;
  readonly acknowledged = new Set<number>();
  /** Frames that were neither acknowledgements nor messages. */
  readonly errors: string[] = [];
  /** Texts that are no control frames. */
  replies = 0;
  /** Times from sending to acknowledgement in ms, of messages that needed one attempt. */
  readonly ackMs: number[] = [];
  readonly #options: LoadOptions;
  readonly #changes = new Changes();
  readonly #waiting = new Map<number, number>();
  #client: GatewayClient | undefined;
  #isOver = false;
  #goal = 0;

  constructor(options: LoadOptions) {
    this.#options = options;
    this.clientId = options.clientId;
    this.#connect();
  }

  get isConnected(): boolean {
    return this.#client !== undefined;
  }

  get unacknowledged(): number {
    return this.#waiting.size;
  }

  /** Goes on sending until `sent` is that, as fast as the window allows. */
  sendUpTo(goal: number): void {
    this.#goal = Math.max(this.#goal, goal);
    this.#fill();
  }

  /** One more, if the window has room. */
  sendOne(): void {
    this.sendUpTo(this.sent + 1);
  }

  /** Stops sending new ones; resolves when all that went out is acknowledged. */
  async settled(limitMs = withinMs): Promise<void> {
    this.#goal = this.sent;
    await this.#changes.until(
      `acknowledgements of ${this.clientId} (${this.#waiting.size} are missing)`,
      () => this.#waiting.size === 0 || undefined,
      limitMs,
    );
  }

  until(what: string, isSo: () => boolean, limitMs?: number): Promise<true> {
    return this.#changes.until(what, () => isSo() || undefined, limitMs);
  }

  end(): void {
    this.#isOver = true;
    this.#client?.destroy();
  }

  async #connect(): Promise<void> {
    while (!this.#isOver) {
      try {
        const query = this.#options.query ?? "ack=1";
        const client = await GatewayClient.open({ ...this.#options, query });
        if (this.#isOver) return client.destroy();
        return this.#joined(client);
      } catch {
        // The gateway is down or refuses: it is asked again.
        await new Promise((resolve) => setTimeout(resolve, retryMs));
      }
    }
  }

  #joined(client: GatewayClient): void {
    client.onText = (text) => this.#heard(text);
    client.onClose = () => {
      if (this.#client === client) this.#client = undefined;
      this.#changes.happened();
      this.#connect();
    };
    for (const text of client.unread()) this.#heard(text);
    this.#client = client;
    for (const number of this.#waiting.keys()) {
      this.#waiting.set(number, 0);
      this.#say(number);
    }
    this.#fill();
    this.#changes.happened();
  }

  #fill(): void {
    while (
      this.#client !== undefined && this.sent < this.#goal &&
      this.#waiting.size < this.#options.windowMax
    ) {
      const number = ++this.sent;
      this.#waiting.set(number, performance.now());
      this.#say(number);
    }
  }

  #say(number: number): void {
    const data = loadData(this.clientId, number, this.#options.dataBytes);
    this.#client?.sendText(`{"type":0,"messageId":"${number}","data":"${data}"}`);
  }

  #heard(text: string): void {
    const message = JSON.parse(text) as { type: number; action?: string; messageId?: string };
    if (message.type !== 2) {
      this.replies++;
    } else if (message.action === "ack") {
      const number = Number(message.messageId);
      const sentAt = this.#waiting.get(number);
      if (sentAt !== undefined && sentAt > 0) this.ackMs.push(performance.now() - sentAt);
      this.#waiting.delete(number);
      this.acknowledged.add(number);
      this.#fill();
    } else {
      this.errors.push(text);
    }
    this.#changes.happened();
  }
}

/** The data of a numbered message: tells one from another and fills up the length. */
export function loadData(clientId: string, number: number, bytes: number): string {
  return `${clientId} ${number} `.padEnd(bytes, "x");
}
