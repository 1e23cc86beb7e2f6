import type { RecordFields, RecordName } from "./supervisor_events.ts";

/** One line of the event log: JSON with `time` (ISO 8601, UTC) and `event` first, then the fields. */
export function eventLine(
  event: { name: RecordName; fields: RecordFields; timeMs: number },
): string {
  const time = new Date(event.timeMs).toISOString();
  return `${JSON.stringify({ time, event: event.name, ...event.fields })}\n`;
}
