import type { Clock } from "../ports/clock.ts";
import type { Random } from "../ports/random.ts";
import { reconnectFrame } from "../wire/gateway_frames.ts";
import type { ClientConnection } from "./client_connection.ts";
import type { ConnectionRing } from "./connection_ring.ts";

/** Least distance of the steps in which clients are sent away; of few clients each has its own. This
 * often it is looked whether anybody is left. */
const goodbyeMsMin = 50;

/** How many are sent away in one turn of the event loop where there is no time to spread them. */
const goodbyesATurn = 500;

/** When a client that is sent away should come back: not all of them at once. */
const returnMsMin = 500;
const returnMsSpreadMin = 4_500;

/** Sends everybody away, evenly spread over `spreadMs`, the last one at its end: those who understand
 * it are asked to come back. Resolves when all are gone. */
export async function sendAway(
  ring: ConnectionRing<ClientConnection>,
  { clock, random, spreadMs, end }: {
    clock: Clock;
    random: Random;
    spreadMs: number;
    end: (connection: ClientConnection) => void;
  },
): Promise<void> {
  const returnMs = Math.max(spreadMs, returnMsSpreadMin);
  let lookedAt = clock.monotonic();
  const endsAt = lookedAt + spreadMs;
  while (ring.size > 0) {
    const leftMs = endsAt - lookedAt;
    if (leftMs > 0) {
      const eachMs = leftMs / ring.size;
      const together = Math.ceil(goodbyeMsMin / eachMs);
      const dueAt = lookedAt + Math.min(leftMs, together * eachMs);
      for (let ms = dueAt - lookedAt; ms > 0 && ring.size > 0; ms = dueAt - clock.monotonic()) {
        await passed(clock, Math.min(ms, goodbyeMsMin));
      }
    }
    const now = clock.monotonic();
    // Of those who are still here, as many as the time that has passed since is of what was left.
    const share = leftMs > 0 ? Math.min(1, (now - lookedAt) / leftMs) : 1;
    const due = share < 1 ? Math.round(ring.size * share) : goodbyesATurn;
    lookedAt = now;
    for (let i = 0; i < due && ring.size > 0; i++) {
      const connection = ring.next() as ClientConnection;
      if (connection.isModern) {
        const afterMs = returnMsMin + Math.floor(random.fraction() * returnMs);
        connection.send(reconnectFrame(afterMs));
      }
      end(connection);
    }
    if (ring.size > 0 && share === 1) await passed(clock, 0);
  }
}

function passed(clock: Clock, ms: number): Promise<void> {
  return new Promise((resolve) => clock.after(ms, resolve));
}
