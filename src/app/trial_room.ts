import { runRoomLife } from "../game/room_life.ts";
import { RoomList } from "../game/room_list.ts";
import type { HostMetrics } from "../host/host_metrics.ts";
import type { Logger } from "../ports/log.ts";

/** Plays a room from its opening to its end, as a probe may ask for. A step that goes wrong is in log
 * and metrics. */
export function tryRoom(
  { metrics, logger }: { metrics: HostMetrics; logger: Logger },
): { ok: boolean } {
  // Rooms of its own: a life that fails half way leaves nothing behind either.
  const result = runRoomLife(new RoomList());
  if (!result.ok) {
    metrics.error_count++;
    logger.error({ step: result.step, found: result.found }, "trial room failed");
  }
  return result;
}
