import type { Clock } from "../ports/clock.ts";
import type { Clients } from "./clients.ts";
import type { DedupWindow } from "./dedup_window.ts";
import type { MessageLog, RecoveredId, RecoveredMessage } from "./log/message_log_types.ts";
import type { Mailbox } from "./mailbox.ts";
import type { Upstreams } from "./upstreams.ts";

/**
 * Puts what the log read back at start where it belongs: messages to upstreams into their queues,
 * those that wait for clients into the mailbox, and ids into the de-duplication window.
 */
export function restoreMessages(
  recovered: { readonly messages: Iterable<RecoveredMessage>; readonly ids: Iterable<RecoveredId> },
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
  for (const { slot, direction } of recovered.messages) {
    const client = clients.at(log.clientIndex(slot));
    if (direction === "down") {
      mailbox.push(client, slot);
    } else {
      const upstream = upstreams.upstreamOf(client) ?? upstreams.unrouted;
      client.pendingUp++;
      client.upstream = upstream;
      upstream.push(slot);
    }
  }
  const nowMs = clock.monotonic();
  for (const { client, messageId, bodyCrc, bodyBytes, stampMs } of recovered.ids) {
    const { low, high } = messageId;
    // A clock that was set back must not make an id immortal.
    const ageMs = Math.max(0, clock.now() - stampMs);
    const key = { low, high, bodyCrc, bodyBytes, nowMs };
    if (known.add(client.index, key, durable, ageMs)) clients.at(client.index).knownIds++;
  }
  for (const client of clients.all()) clients.tidy(client);
}

/** In place of a sequence number: what was read back can be acknowledged at once. */
const durable = 0;
