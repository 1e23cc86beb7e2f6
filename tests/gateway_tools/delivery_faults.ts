import type { Arrival } from "./upstream_server.ts";

/** What a client knows of the messages that it numbered 1 … sent. */
export interface Ledger {
  readonly clientId: string;
  readonly sent: number;
  readonly acknowledged: ReadonlySet<number>;
}

export interface Delivery {
  /** One line for each broken promise; at most a few. */
  readonly faults: string[];
  /** Messages that came, repetitions not counted. */
  readonly delivered: number;
  /** Repetitions. */
  readonly repeated: number;
}

const faultsMax = 10;

/**
 * Holds what reached the upstream against the clients' ledgers: nothing acknowledged is missing,
 * nothing came that was not sent, a repetition is the same message, and each client's messages,
 * the repetitions taken out, are in the order of their numbers.
 */
export function judgeDelivery(
  ledgers: readonly Ledger[],
  arrivals: readonly Arrival[],
): Delivery {
  const faults: string[] = [];
  const seen = new Map<string, Map<number, string>>();
  const last = new Map<string, number>();
  let delivered = 0;
  for (const { clientId, messageId, text } of arrivals) {
    const number = Number(messageId);
    let ofClient = seen.get(clientId);
    if (ofClient === undefined) seen.set(clientId, ofClient = new Map());
    const before = ofClient.get(number);
    const data = dataIn(text);
    if (before !== undefined) {
      if (before !== data) faults.push(`${clientId} ${messageId} came again with other data`);
      continue;
    }
    delivered++;
    ofClient.set(number, data);
    const newest = last.get(clientId) ?? 0;
    if (number < newest) faults.push(`${clientId} ${messageId} came after ${newest}`);
    last.set(clientId, Math.max(newest, number));
  }
  for (const { clientId, sent, acknowledged } of ledgers) {
    const came = seen.get(clientId) ?? new Map<number, string>();
    const missing = [...acknowledged].filter((number) => !came.has(number));
    if (missing.length > 0) {
      faults.push(`${clientId}: ${missing.length} acknowledged are missing, first ${missing[0]}`);
    }
    const strange = [...came.keys()].filter((number) => !(number >= 1 && number <= sent));
    if (strange.length > 0) faults.push(`${clientId}: came, but was never sent: ${strange[0]}`);
    for (const [number, data] of came) {
      if (data !== "" && !data.startsWith(`${clientId} ${number} `)) {
        faults.push(`${clientId} ${number} came with the data of another: ${data.slice(0, 40)}`);
      }
    }
  }
  return {
    faults: faults.slice(0, faultsMax),
    delivered,
    repeated: arrivals.length - delivered,
  };
}

function dataIn(text: string): string {
  return text === "" ? "" : String((JSON.parse(text) as { data?: unknown }).data);
}
