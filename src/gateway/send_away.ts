import type { Clock } from "../ports/clock.ts";
import type { Random } from "../ports/random.ts";
import { reconnectFrame } from "../wire/gateway_frames.ts";
import type { ClientConnection } from "./client_connection.ts";
import type { ConnectionRing } from "./connection_ring.ts";

/** Distance of the steps in which clients are sent away. */
const goodbyeEveryMs = 50;

/** How many are sent away at once at least, and at most, where they need not go one by one. */
const goodbyesMin = 1;
const goodbyesMax = 500;

/** When a client that is sent away should come back: not all of them at once. */
const returnMsMin = 500;
const returnMsSpreadMin = 4_500;

/** Sends everybody away, evenly spread over `spreadMs`: those who understand it are asked to come
 * back. Resolves when all are gone. */
export async function sendAway(
  ring: ConnectionRing<ClientConnection>,
  { clock, random, spreadMs, end }: {
    clock: Clock;
    random: Random;
    spreadMs: number;
    end: (connection: ClientConnection) => void;
  },
): Promise<void> {
  const steps = Math.max(1, Math.ceil(spreadMs / goodbyeEveryMs));
  const atOnce = spreadMs > 0 ? Math.max(goodbyesMin, Math.ceil(ring.size / steps)) : goodbyesMax;
  const returnMs = Math.max(spreadMs, returnMsSpreadMin);
  while (ring.size > 0) {
    for (let i = 0; i < atOnce && ring.size > 0; i++) {
      const connection = ring.next() as ClientConnection;
      if (connection.isModern) {
        const afterMs = returnMsMin + Math.floor(random.fraction() * returnMs);
        connection.send(reconnectFrame(afterMs));
      }
      end(connection);
    }
    if (ring.size === 0) break;
    const waitMs = spreadMs > 0 ? goodbyeEveryMs : 0;
    await new Promise<void>((resolve) => clock.after(waitMs, resolve));
  }
}
