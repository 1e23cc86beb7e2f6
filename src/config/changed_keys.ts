/** What differs between two configurations, and what of it a running server can take over. */
import type { Settings } from "./settings.ts";

/** By their paths in the file; a path ends with `*` where it stands for all keys of a section. */
const takenOverAtRunTime = [
  "log.level",
  "game.*",
  "routes",
  "gateway.maxConnections",
  "gateway.connectionTimeout",
  "gateway.heartbeatInterval",
  "gateway.trustedProxies",
  "gateway.requireIdentity",
  "gateway.messagesPerSecond",
  "gateway.messageBurst",
  "gateway.outboundBytesMax",
  "gateway.slowConsumerSeconds",
  "gateway.priorityMax",
  "gateway.rateLimit.*",
  "gateway.security.allowedOrigins",
  "gateway.api.*",
  "gateway.jwt.*",
  "gateway.waiting.*",
  "gateway.history.*",
  "buffer.retries",
  "buffer.ttlSeconds",
  "buffer.overflow",
  "metrics.logInterval",
  "memory.*",
];

/**
 * The paths of keys, as in the file, whose values differ. Rules are not looked at: there may be a
 * million of them.
 */
export function changedKeys(before: Settings, after: Settings): string[] {
  const changed: string[] = [];
  const compare = (a: unknown, b: unknown, path: string) => {
    if (path === "gateway.routes" || a === b) return;
    if (isSection(a) && isSection(b)) {
      for (const key of new Set([...Object.keys(a), ...Object.keys(b)])) {
        compare(a[key], b[key], path === "" ? key : `${path}.${key}`);
      }
      return;
    }
    // What is left is plain and short.
    if (JSON.stringify(a) !== JSON.stringify(b)) changed.push(pathInFile(path));
  };
  compare(before, after, "");
  return changed;
}

/** Whether a running server takes over a changed value of the key with this path. */
export function isTakenOver(path: string): boolean {
  return takenOverAtRunTime.some((known) =>
    known.endsWith("*") ? path.startsWith(known.slice(0, -1)) : known === path
  );
}

function isSection(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** Settings have durations in milliseconds, and some sections in others than the file. */
function pathInFile(path: string): string {
  if (path === "gateway.enabled") return "gateway";
  return path.replace(/^gateway\.(buffer|metrics|memory)\./, "$1.")
    .replace(/(connectionTimeout|heartbeatInterval|dedupWindow|logInterval)Ms$/, "$1");
}
