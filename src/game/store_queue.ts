import type { StoreResult } from "./accounts/store_batch.ts";
import type { StoreLane } from "./game_store_work.ts";
import { anyKey, type StoreRules } from "./store_rules.ts";

/** An operation that has no answer yet. */
export interface Waiting<Operation, Answer> {
  readonly operation: Operation;
  /** Counted up in the order in which operations were given. */
  readonly number: number;
  /** Its estimated size. */
  readonly bytes: number;
  /** When it was given. */
  readonly since: number;
  /** Called once. */
  readonly answer: (result: StoreResult<Answer>) => void;
}

/** What goes into one transaction, at the most. */
export interface BatchLimits {
  readonly batchOperationsMax: number;
  readonly batchBytesMax: number;
}

interface Entry<Operation, Answer> extends Waiting<Operation, Answer> {
  readonly lane: StoreLane;
  isAnswered: boolean;
  /** Nobody waits for it any longer; the batch in which it is decides. */
  isLate: boolean;
  /** Reads that need this write to be done. */
  readonly held: Set<Entry<Operation, Answer>>;
  /** The write that this read needs to be done. */
  heldBy: Entry<Operation, Answer> | undefined;
}

interface Lane<Operation, Answer> {
  waiting: Entry<Operation, Answer>[];
  inFlight: readonly Entry<Operation, Answer>[];
  /** Of those that wait, how many have been answered and are to be passed over. */
  stale: number;
}

/**
 * The operations of one file: writes in their order, and beside them reads, which overtake writes
 * as far as the rules allow. A read sees every write that was given before it all the same. At most
 * one batch of each lane is in flight, and batches must be answered in the order they were taken.
 */
export class StoreQueue<Operation, Answer> {
  readonly #rules: StoreRules<Operation, Answer>;
  readonly #lanes: Record<StoreLane, Lane<Operation, Answer>> = {
    writes: { waiting: [], inFlight: [], stale: 0 },
    reads: { waiting: [], inFlight: [], stale: 0 },
  };
  readonly #writes = new Map<string, Set<Entry<Operation, Answer>>>();

  constructor(rules: StoreRules<Operation, Answer>) {
    this.#rules = rules;
  }

  /** Whether anything waits there or is being done. */
  isBusy(name: StoreLane): boolean {
    const { waiting, inFlight, stale } = this.#lanes[name];
    return inFlight.length > 0 || waiting.length > stale;
  }

  /** Answers at once if the waiting writes tell the answer. Returns how to give the operation up:
   * it is answered with that reason unless it is being done at that moment. */
  add(waiting: Waiting<Operation, Answer>): (reason: string) => void {
    const { operation } = waiting;
    const lane = this.#rules.isRead(operation) ? "reads" : "writes";
    const entry: Entry<Operation, Answer> = {
      ...waiting,
      lane,
      isAnswered: false,
      isLate: false,
      held: new Set(),
      heldBy: undefined,
    };
    const known = lane === "reads"
      ? this.#rules.known(operation, this.#earlierThan(entry))
      : undefined;
    if (known !== undefined) {
      this.#answer(entry, { ok: true, value: known.value });
      return () => {};
    }
    this.#lanes[lane].waiting.push(entry);
    if (lane === "writes") this.#index(entry);
    return (reason) => this.#giveUp(entry, reason);
  }

  /** The next batch; empty when nothing waits or one is in flight. */
  take(name: StoreLane, limits: BatchLimits): Operation[] {
    const lane = this.#lanes[name];
    if (lane.inFlight.length > 0) return [];
    const batch: Entry<Operation, Answer>[] = [];
    let bytes = 0;
    let taken = 0;
    for (const entry of lane.waiting) {
      if (entry.isAnswered) {
        lane.stale--;
        taken++;
        continue;
      }
      const isFull = batch.length >= limits.batchOperationsMax ||
        bytes + entry.bytes > limits.batchBytesMax;
      // One alone goes whatever its size: it has been accepted.
      if (isFull && batch.length > 0) break;
      batch.push(entry);
      bytes += entry.bytes;
      taken++;
    }
    lane.waiting.splice(0, taken);
    lane.inFlight = batch;
    return batch.map(({ operation }) => operation);
  }

  /** Takes the results of the batch in flight. What may be tried again waits again, at the front;
   * the reason is returned then. */
  finish(name: StoreLane, results: readonly StoreResult<Answer>[]): string | undefined {
    const lane = this.#lanes[name];
    const done = lane.inFlight;
    lane.inFlight = [];
    const again: Entry<Operation, Answer>[] = [];
    let trouble: string | undefined;
    done.forEach((entry, i) => {
      const result = results[i] ?? { ok: false, reason: "the store gave no result" };
      if (!result.ok && result.passes === true) {
        trouble = result.reason;
        if (!entry.isLate && !entry.isAnswered) {
          again.push(entry);
          return;
        }
      }
      if (name === "reads" && result.ok) this.#settle(entry, result.value);
      else this.#answer(entry, result);
    });
    if (again.length > 0) lane.waiting = [...again, ...lane.waiting];
    return trouble;
  }

  /** Gives up the writes that were given by then and are not being done; returns them. */
  giveUpWrites(given: { readonly by: number; readonly reason: string }): Operation[] {
    const old = this.#lanes.writes.waiting
      .filter((entry) => !entry.isAnswered && entry.since <= given.by);
    for (const entry of old) this.#giveUp(entry, given.reason);
    return old.map(({ operation }) => operation);
  }

  /** Answers all, those in flight too; returns the writes among them. */
  failAll(reason: string): Operation[] {
    const { writes, reads } = this.#lanes;
    const lost = [...writes.inFlight, ...writes.waiting].filter((entry) => !entry.isAnswered);
    const held = lost.flatMap((entry) => [...entry.held]);
    const entries = [...lost, ...held, ...reads.inFlight, ...reads.waiting];
    for (const lane of [writes, reads]) {
      Object.assign(lane, { waiting: [], inFlight: [], stale: 0 });
    }
    for (const entry of entries) this.#answer(entry, { ok: false, reason });
    // Reads that were held have come back to wait, answered.
    reads.waiting = [];
    return lost.map(({ operation }) => operation);
  }

  #settle(entry: Entry<Operation, Answer>, value: Answer): void {
    if (entry.isAnswered) return;
    const outcome = this.#rules.settle(entry.operation, value, this.#earlierThan(entry));
    if (outcome.kind === "answer") return this.#answer(entry, { ok: true, value: outcome.value });
    const last = this.#earlier(entry.number, [outcome.key]).at(-1);
    if (last === undefined) return this.#answer(entry, { ok: true, value });
    last.held.add(entry);
    entry.heldBy = last;
  }

  #giveUp(entry: Entry<Operation, Answer>, reason: string): void {
    if (entry.isAnswered) return;
    const lane = this.#lanes[entry.lane];
    const isInFlight = lane.inFlight.includes(entry);
    if (isInFlight && entry.lane === "writes") {
      entry.isLate = true;
      return;
    }
    const isHeld = entry.heldBy?.held.delete(entry) === true;
    this.#answer(entry, { ok: false, reason });
    if (isInFlight || isHeld) return;
    lane.stale++;
    if (lane.stale * 2 <= lane.waiting.length) return;
    lane.waiting = lane.waiting.filter(({ isAnswered }) => !isAnswered);
    lane.stale = 0;
  }

  #answer(entry: Entry<Operation, Answer>, result: StoreResult<Answer>): void {
    if (entry.isAnswered) return;
    entry.isAnswered = true;
    if (entry.lane === "writes") {
      for (const key of this.#keysOf(entry)) {
        const entries = this.#writes.get(key);
        entries?.delete(entry);
        if (entries?.size === 0) this.#writes.delete(key);
      }
      const { reads } = this.#lanes;
      for (const read of entry.held) {
        read.heldBy = undefined;
        reads.waiting.push(read);
      }
      entry.held.clear();
    }
    entry.answer(result);
  }

  #index(entry: Entry<Operation, Answer>): void {
    for (const key of this.#keysOf(entry)) {
      const entries = this.#writes.get(key);
      if (entries === undefined) this.#writes.set(key, new Set([entry]));
      else entries.add(entry);
    }
  }

  #keysOf({ operation }: Entry<Operation, Answer>): string[] {
    return [anyKey, ...this.#rules.keysOf(operation)];
  }

  #earlierThan({ number }: Entry<Operation, Answer>): (...keys: string[]) => Operation[] {
    return (...keys) => this.#earlier(number, keys).map(({ operation }) => operation);
  }

  #earlier(number: number, keys: readonly string[]): Entry<Operation, Answer>[] {
    return keys.flatMap((key) => [...this.#writes.get(key) ?? []])
      .filter((entry) => entry.number < number)
      .sort((a, b) => a.number - b.number);
  }
}
