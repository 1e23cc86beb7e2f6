import type { Clock } from "../ports/clock.ts";
import type { Clients } from "./clients.ts";
import { Detour } from "./detour.ts";
import type { Client } from "./gateway_types.ts";
import { type MessageLog, noSlot, type Slot } from "./log/message_log_types.ts";
import type { Places } from "./places.ts";
import { Slices } from "./slices.ts";
import type { TargetMoves, UpstreamTarget } from "./upstream_target.ts";

/** Steps between two looks at the clock. */
const stepsBetweenLooks = 64;

/** What moving needs to know of the rules. */
export interface ReroutingParts {
  readonly log: MessageLog;
  readonly clients: Clients;
  readonly places: Places;
  readonly clock: Clock;
  /** Counts the changes of the rules. */
  generation(): number;
  /** Whether messages of this client may be with this upstream by the rules of now. */
  mayStay(client: Client, target: UpstreamTarget): boolean;
  /** Where its messages go by the rules of now; a new choice where there is one. */
  choose(client: Client): UpstreamTarget;
}

/**
 * Moves messages when the rules have changed, in slices, without ever changing the order of one
 * client's messages to an upstream. All waiting messages of a client are in one place at any time,
 * and new ones go behind them there; only when that place is empty of them does the client go on to
 * its new upstream. One place is emptied after the other, so that nothing moves under a move.
 */
export class Rerouting implements TargetMoves {
  readonly #parts: ReroutingParts;
  readonly #detourPlace: number;
  readonly #detours = new Set<Detour>();
  /** The place that is being emptied, and where its clients go to. */
  #sweep: Sweep | undefined;
  #work: Promise<void> = Promise.resolve();

  constructor(parts: ReroutingParts) {
    this.#parts = parts;
    this.#detourPlace = parts.places.add({ remove: (slot) => this.#removeFromDetour(slot) });
  }

  /** Does one piece of work after all that was asked for before. */
  inTurn(work: (slices: Slices) => Promise<void>): Promise<void> {
    const done = this.#work.then(() => work(new Slices(this.#parts.clock)));
    // Whoever asked gets to know of a failure; the next work is done all the same.
    this.#work = done.catch(() => {});
    return done;
  }

  /**
   * The place for the next message of a client whose earlier ones are at `held`, which the rules do
   * not name for it any more.
   */
  placeBehind(client: Client, held: UpstreamTarget | Detour): UpstreamTarget | Detour {
    if (held instanceof Detour) return held;
    const isSwept = held.generation === this.#parts.generation();
    // What is to be swept yet, or right now, takes new messages behind the others.
    if (!isSwept || this.#sweep?.target === held || client.onLink === 0) return held;
    return this.#detour(client, held);
  }

  detourOf(client: Client, from: UpstreamTarget): Detour | undefined {
    const { upstream } = client;
    if (upstream instanceof Detour) return upstream;
    const sweep = this.#sweep?.target === from ? this.#sweep : undefined;
    const to = sweep?.to.get(client);
    if (to instanceof Detour) return to;
    if (this.#parts.mayStay(client, from)) return undefined;
    if (sweep === undefined && from.generation !== this.#parts.generation()) return undefined;
    const detour = this.#detour(client, from);
    if (sweep === undefined) client.upstream = detour;
    else sweep.to.set(client, detour);
    return detour;
  }

  leftLink(client: Client): void {
    if (client.upstream instanceof Detour) this.#goOn(client.upstream);
  }

  putBack(): void {
    for (const detour of this.#detours) {
      if (detour.client.onLink === 0 && detour.client.upstream === detour) this.#goOn(detour);
    }
  }

  /** Takes all that waits for an upstream to where the rules of now lead. */
  async sweep(target: UpstreamTarget, slices: Slices): Promise<void> {
    const { clients, log, places } = this.#parts;
    const generation = this.#parts.generation();
    if (target.queued === 0) {
      target.generation = generation;
      return;
    }
    const unswept = target.beginSweep(places.add(target));
    // Until now that number was the target's; what waits under it is no longer in its queue.
    places.replace(unswept.index, unswept.queue);
    const sweep = this.#sweep = { target, to: new Map<Client, Destination>() };
    let steps = 0;
    for (;;) {
      if (++steps % stepsBetweenLooks === 0 && slices.isOver) await slices.next();
      const slot = unswept.queue.take();
      if (slot === noSlot) {
        if (this.#release(sweep, slices)) break;
        continue;
      }
      const client = clients.at(log.clientIndex(slot));
      if (this.#parts.mayStay(client, target)) target.keep(slot);
      else this.#destination(client, sweep).push(slot);
    }
    target.endSweep();
    target.generation = generation;
    places.free(unswept.index);
    this.#sweep = undefined;
  }

  #destination(client: Client, { target, to }: Sweep): Destination {
    const known = to.get(client);
    if (known !== undefined) return known;
    const made = client.onLink > 0 ? this.#detour(client, target) : this.#parts.choose(client);
    to.set(client, made);
    return made;
  }

  /** Nothing waits any more where it was swept: its clients are with their new upstreams. False
   * when the slice is over before all of them are. */
  #release({ target, to }: Sweep, slices: Slices): boolean {
    let steps = 0;
    for (const [client, destination] of to) {
      to.delete(client);
      const isHeld = client.upstream === target;
      if (isHeld) client.upstream = destination;
      if (destination instanceof Detour) {
        if (!isHeld) this.#detours.delete(destination);
        else if (client.onLink === 0) this.#goOn(destination);
      }
      if (++steps % stepsBetweenLooks === 0 && slices.isOver) break;
    }
    return to.size === 0;
  }

  #detour(client: Client, from: UpstreamTarget): Detour {
    const detour = new Detour(client, from, { log: this.#parts.log, place: this.#detourPlace });
    this.#detours.add(detour);
    return detour;
  }

  /** Nothing of its client is on a link: what waits may go where the rules of that time lead. */
  #goOn(detour: Detour): void {
    // Once.
    if (!this.#detours.delete(detour)) return;
    void this.inTurn(async (slices) => {
      const { client } = detour;
      const to = this.#parts.choose(client);
      for (let steps = 1;; steps++) {
        const slot = detour.take();
        if (slot === noSlot) break;
        to.push(slot);
        if (steps % stepsBetweenLooks === 0 && slices.isOver) await slices.next();
      }
      if (client.upstream === detour) client.upstream = to;
    });
  }

  #removeFromDetour(slot: Slot): void {
    const { clients, log } = this.#parts;
    const client = clients.at(log.clientIndex(slot));
    const { upstream } = client;
    const detour = upstream instanceof Detour ? upstream : this.#sweep?.to.get(client);
    if (detour instanceof Detour) detour.remove(slot);
  }
}

type Destination = UpstreamTarget | Detour;

interface Sweep {
  readonly target: UpstreamTarget;
  readonly to: Map<Client, Destination>;
}
