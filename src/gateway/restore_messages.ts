import type { Clock } from "../ports/clock.ts";
import type { Clients } from "./clients.ts";
import type { DedupWindow } from "./dedup_window.ts";
import type { RecoveredLog } from "./log/message_log.ts";
import { type MessageLog, noSlot } from "./log/message_log_types.ts";
import type { Mailbox } from "./mailbox.ts";
import type { Upstreams } from "./upstreams.ts";

/**
 * Puts what the log read back at start where it belongs: messages to upstreams into their queues,
 * those that wait for clients into the mailbox, and ids into the de-duplication window.
 */
export function restoreMessages(
  recovered: Pick<RecoveredLog, "eachId">,
  to: {
    readonly log: MessageLog;
    readonly clients: Clients;
    readonly upstreams: Upstreams;
    readonly mailbox: Mailbox;
    readonly known: DedupWindow;
    readonly clock: Clock;
  },
): void {
  const { log, clients, upstreams, mailbox, known, clock } = to;
  for (let slot = log.oldest; slot !== noSlot; slot = log.newer(slot)) {
    const client = clients.at(log.clientIndex(slot));
    if (!log.isUp(slot)) {
      mailbox.push(client, slot);
    } else {
      const upstream = upstreams.upstreamOf(client) ?? upstreams.unrouted;
      client.pendingUp++;
      client.upstream = upstream;
      upstream.push(slot);
    }
  }
  const nowMs = clock.monotonic();
  const nowWallMs = clock.now();
  recovered.eachId((id) => {
    const { clientIndex, low, high, bodyCrc, bodyBytes, stampMs } = id;
    // A clock that was set back must not make an id immortal.
    const ageMs = Math.max(0, nowWallMs - stampMs);
    const key = { low, high, bodyCrc, bodyBytes, nowMs };
    if (known.add(clientIndex, key, durable, ageMs)) clients.at(clientIndex).knownIds++;
  });
  for (const client of clients.all()) clients.tidy(client);
}

/** In place of a sequence number: what was read back can be acknowledged at once. */
const durable = 0;
