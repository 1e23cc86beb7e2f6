import { IdTable } from "../base/id_table.ts";
import { noSlot } from "./log/message_log_types.ts";
import type { Client } from "./gateway_types.ts";

/**
 * The clients that the gateway has anything of: a connection, messages, or ids that it remembers.
 * Each has a small number while it is here, which messages carry instead of the id.
 */
export class Clients {
  readonly #byId: IdTable<Client>;
  readonly #byIndex: (Client | undefined)[] = [];
  readonly #free: number[] = [];

  /** `seed`: any 32 bits that strangers cannot guess. */
  constructor(seed: number) {
    this.#byId = new IdTable<Client>(seed);
  }

  get size(): number {
    return this.#byId.size;
  }

  /** One that is forgotten or added meanwhile may be left out. */
  *all(): Generator<Client> {
    for (const client of this.#byIndex) if (client !== undefined) yield client;
  }

  get(id: string): Client | undefined {
    return this.#byId.get(id);
  }

  /** The client with the number that one of its messages carries. */
  at(index: number): Client {
    const client = this.#byIndex[index];
    if (client === undefined) throw new Error(`No client has the number ${index}`);
    return client;
  }

  /** The client with that id; a new one if there is none yet. */
  named(id: string): Client {
    return this.#byId.get(id) ?? this.#add(id);
  }

  /** Forgets a client that the gateway has nothing of any more. */
  tidy(client: Client): void {
    const isNeeded = client.session !== undefined || client.pendingUp > 0 ||
      client.waitingCount > 0 || client.knownIds > 0 || client.dying > 0;
    if (isNeeded || this.#byIndex[client.index] !== client) return;
    this.#byId.delete(client.id);
    this.#byIndex[client.index] = undefined;
    this.#free.push(client.index);
  }

  #add(id: string): Client {
    const index = this.#free.pop() ?? this.#byIndex.length;
    const client: Client = {
      id,
      index,
      quotedBytes: 0,
      logSegment: 0,
      logName: 0,
      session: undefined,
      route: undefined,
      upstream: undefined,
      chosenAt: 0,
      pendingUp: 0,
      onLink: 0,
      dying: 0,
      waitingFirst: noSlot,
      waitingLast: noSlot,
      waitingCount: 0,
      waitingBytes: 0,
      knownIds: 0,
      // Time begins with the process: 0 would be a moment ago.
      pongAtMs: -Infinity,
    };
    this.#byId.set(client);
    this.#byIndex[index] = client;
    return client;
  }
}
