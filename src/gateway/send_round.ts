import type { Clock } from "../ports/clock.ts";

/** What has something to send at the end of a turn. */
export interface Sender {
  flush(): void;
}

/**
 * Collects who has something to send, and lets each send it in one piece at the end of this turn of
 * the event loop: a write to the system costs more than all else that is done for a message.
 */
export class SendRound {
  readonly #clock: Clock;
  #senders: Sender[] = [];
  #isDue = false;
  readonly #flushAll: () => void;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#flushAll = () => {
      this.#isDue = false;
      const senders = this.#senders;
      this.#senders = [];
      for (const sender of senders) sender.flush();
    };
  }

  /** `sender` is called once in this turn; it adds itself once. */
  add(sender: Sender): void {
    this.#senders.push(sender);
    if (this.#isDue) return;
    this.#isDue = true;
    this.#clock.soon(this.#flushAll);
  }
}
