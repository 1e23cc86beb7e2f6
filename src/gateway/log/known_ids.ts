import type { LogClient, RecoveredId, Slot } from "./message_log_types.ts";
import { noSlot } from "./message_log_types.ts";

interface Page {
  readonly clients: LogClient[];
  readonly low: Uint32Array;
  readonly high: Uint32Array;
  readonly bodyCrc: Uint32Array;
  readonly bodyBytes: Uint32Array;
  readonly stampMs: Float64Array;
  readonly sequence: Float64Array;
}

const pageRows = 8_192;

export interface KnownId {
  readonly client: LogClient;
  readonly low: number;
  readonly high: number;
  readonly bodyCrc: number;
  readonly bodyBytes: number;
  readonly stampMs: number;
  /** 0: not known, since its message was delivered. */
  readonly sequence: number;
}

/** The ids that are read back at start; the newest `max` of them. */
export class KnownIds {
  readonly #pages: Page[] = [];
  readonly #max: number;
  #count = 0;
  #skipped = 0;

  constructor(max: number) {
    this.#max = max;
  }

  add(id: KnownId): void {
    const row = this.#count++ % pageRows;
    if (row === 0) this.#pages.push(newPage());
    const page = this.#pages.at(-1)!;
    page.clients[row] = id.client;
    page.low[row] = id.low;
    page.high[row] = id.high;
    page.bodyCrc[row] = id.bodyCrc;
    page.bodyBytes[row] = id.bodyBytes;
    page.stampMs[row] = id.stampMs;
    page.sequence[row] = id.sequence;
    if (this.#count - this.#skipped < this.#max + pageRows) return;
    this.#pages.shift();
    this.#skipped += pageRows;
  }

  /** Oldest first. */
  *all(slotOf: (sequence: number) => Slot): Generator<RecoveredId> {
    for (let at = Math.max(this.#skipped, this.#count - this.#max); at < this.#count; at++) {
      const page = this.#pages[Math.floor((at - this.#skipped) / pageRows)]!;
      const row = at % pageRows;
      const slot = slotOf(page.sequence[row]!);
      yield {
        client: page.clients[row]!,
        messageId: { low: page.low[row]!, high: page.high[row]! },
        bodyCrc: page.bodyCrc[row]!,
        bodyBytes: page.bodyBytes[row]!,
        stampMs: page.stampMs[row]!,
        slot: slot === noSlot ? undefined : slot,
      };
    }
  }
}

function newPage(): Page {
  return {
    clients: [],
    low: new Uint32Array(pageRows),
    high: new Uint32Array(pageRows),
    bodyCrc: new Uint32Array(pageRows),
    bodyBytes: new Uint32Array(pageRows),
    stampMs: new Float64Array(pageRows),
    sequence: new Float64Array(pageRows),
  };
}
