import type { Clock } from "../ports/clock.ts";
import { decodeUtf8Lossy } from "../wire/utf8.ts";
import type { Link, LinkOwner, LinkQueue, LinkState } from "./link_types.ts";
import { noSlot } from "./log/message_log_types.ts";

/** Echoed in one turn of the event loop; then others have theirs. */
const TURN_BYTES = 1 << 20;

/** Larger messages get an array of their own. */
const KEPT_BYTES_MAX = 65_536;

/**
 * The upstream `echo:` in this process: answers each message with its own text, on the next turn of
 * the event loop, and confirms it. For tests, and for whoever tries the gateway for the first time.
 */
export class EchoLink implements Link {
  readonly bufferedBytes = 0;
  readonly reconnects = 0;
  readonly unconfirmed = 0;
  readonly #queue: LinkQueue;
  readonly #owner: LinkOwner;
  readonly #clock: Clock;
  readonly #kept = new Uint8Array(KEPT_BYTES_MAX);
  #state: LinkState = "closed";
  #isDue = false;
  readonly #echoNow: () => void;

  constructor(options: { queue: LinkQueue; owner: LinkOwner; clock: Clock }) {
    this.#queue = options.queue;
    this.#owner = options.owner;
    this.#clock = options.clock;
    this.#echoNow = () => {
      this.#isDue = false;
      this.#echo();
    };
  }

  get state(): LinkState {
    return this.#state;
  }

  start(): void {
    this.#state = "open";
    this.#owner.changed("open", undefined);
    this.wake();
  }

  wake(): void {
    if (this.#isDue || this.#state !== "open") return;
    this.#isDue = true;
    this.#clock.soon(this.#echoNow);
  }

  /** It confirms everything by itself. */
  acknowledged(): boolean {
    return false;
  }

  async stop(): Promise<void> {
    if (this.#state === "closed") return;
    this.#echo({ bytesMax: Infinity });
    this.#state = "closed";
    this.#owner.changed("closed", "stopped");
  }

  #echo({ bytesMax } = { bytesMax: TURN_BYTES }): void {
    const queue = this.#queue;
    let echoed = 0;
    while (this.#state === "open") {
      if (echoed >= bytesMax) return this.wake();
      const slot = queue.take();
      if (slot === noSlot) return;
      const bytes = queue.messageBytes(slot);
      const into = bytes > KEPT_BYTES_MAX ? new Uint8Array(bytes) : this.#kept;
      const end = queue.writeMessage(slot, into, 0);
      const text = decodeUtf8Lossy(into.subarray(0, end));
      queue.sent(slot);
      // While it still counts as on its way: so the client hears of it after a change of its route.
      this.#owner.text(text);
      queue.confirm(slot);
      echoed += bytes;
    }
  }
}
