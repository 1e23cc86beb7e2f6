/** What differs between two configurations, and what of it a running server can take over. */
import type { Settings } from "./settings.ts";

/** Keys whose new values a running server uses at once, by their paths in the file. */
export const takenOverAtReload: readonly string[] = [
  "log.level",
  "routes",
  "game.banWords",
  "game.description",
  "game.iconUrl",
  "game.capacity",
  "game.tempBanTime",
  "game.motd",
  "game.hiddenPacks",
  "game.disabledFeatures",
  "game.enableWhitelist",
  "game.roomCountPerThread",
  "game.maxPlayersPerDevice",
  "game.setupTimeoutSeconds",
  "game.heartbeatSeconds",
  "game.maxPacketBytes",
  "game.maxPendingPerIp",
  "game.loginsPerMinutePerIp",
  "game.loginFailuresPerMinutePerName",
  "game.chatPerSecond",
  "game.chatBurst",
  "game.packetsPerSecond",
  "game.packetsBurst",
  "game.bytesPerSecond",
  "game.bytesBurst",
  "game.overLimitSeconds",
  "game.maxRooms",
  "game.maxRoomsPerPlayer",
  "game.keepLegacyHash",
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
  "gateway.rateLimit.enabled",
  "gateway.rateLimit.requestsPerSecond",
  "gateway.rateLimit.burstSize",
  "gateway.security.allowedOrigins",
  "gateway.api.tokens",
  "gateway.api.requestsPerSecond",
  "gateway.api.burstSize",
  "gateway.jwt.secret",
  "gateway.jwt.secretFile",
  "gateway.jwt.publicKeyFile",
  "gateway.jwt.jwksFile",
  "gateway.jwt.algorithms",
  "gateway.jwt.clientIdClaim",
  "gateway.jwt.audience",
  "gateway.jwt.issuer",
  "gateway.jwt.leewaySeconds",
  "gateway.jwt.required",
  "gateway.waiting.perClient",
  "gateway.waiting.perClientBytes",
  "gateway.waiting.total",
  "gateway.waiting.totalBytes",
  "gateway.waiting.ttlSeconds",
  "gateway.history.enabled",
  "gateway.history.maxTotalMB",
  "gateway.history.maxPerClient",
  "gateway.history.maxMsgSizeKB",
  "gateway.history.cleanupHours",
  "buffer.retries",
  "buffer.ttlSeconds",
  "buffer.overflow",
  "metrics.logInterval",
  "memory.maxMemoryMB",
  "memory.highWatermark",
];

/**
 * The paths of keys, as in the file, whose values differ. Rules are not looked at: there may be a
 * million of them. Nor is what a gateway is like that is not there before or after.
 */
export function changedKeys(before: Settings, after: Settings): string[] {
  const changed: string[] = [];
  const compare = (a: unknown, b: unknown, path: string) => {
    if (path === "gateway.routes" || a === b) return;
    if (path === "gateway" && !(before.gateway.enabled && after.gateway.enabled)) {
      if (before.gateway.enabled !== after.gateway.enabled) changed.push(path);
      return;
    }
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
  return takenOver.has(path);
}

const takenOver: ReadonlySet<string> = new Set(takenOverAtReload);

function isSection(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** Settings have durations in milliseconds, and some sections in others than the file. */
function pathInFile(path: string): string {
  return path.replace(/^gateway\.(buffer|metrics|memory)\./, "$1.")
    .replace(/(connectionTimeout|heartbeatInterval|dedupWindow|logInterval)Ms$/, "$1");
}
