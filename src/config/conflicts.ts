import { reachableAddress } from "../base/address.ts";
import type { Place } from "./faults.ts";
import { showFound, wrongValue } from "./faults.ts";
import type { Fault } from "./faults.ts";
import { gatewayConflicts } from "./gateway_settings.ts";
import type { Settings } from "./settings.ts";

/** Says where the value at a path came from. */
export type PlaceOf = (path: string) => Place;

/** What no key can tell alone: ports and limits that exclude each other. */
export function conflicts(settings: Settings, placeOf: PlaceOf): Fault[] {
  const faults: Fault[] = [];
  const { tcp_port, udp_port, http_port, game } = settings;
  const refuse = (path: string, found: number | string, allowed: string) =>
    faults.push(wrongValue({ ...placeOf(path), found: String(found), allowed }));
  if (udp_port > 65_535) {
    refuse("tcp_port", tcp_port, "below 65535 while udp_port is 0 (= tcp_port + 1)");
  }
  if (tcp_port !== 0 && udp_port === tcp_port) {
    refuse("udp_port", udp_port, `another than tcp_port (${tcp_port})`);
  }
  if (http_port !== 0 && http_port === tcp_port && overlap(settings.host, settings.http_host)) {
    refuse("http_port", http_port, `another than tcp_port (${tcp_port}), or 0 for no HTTP`);
  }
  if (http_port === 0 && settings.gateway.enabled) {
    refuse("http_port", 0, "a port while there is a message gateway: its clients come over HTTP");
  }
  const { tls_cert, tls_key } = settings;
  if ((tls_cert === "") !== (tls_key === "")) {
    const [missing, given] = tls_cert === "" ? ["tls_cert", "tls_key"] : ["tls_key", "tls_cert"];
    refuse(missing, '""', `a path where ${given} is one`);
  }
  if (game.bytesBurst < game.maxPacketBytes) {
    const allowed = `at least maxPacketBytes (${game.maxPacketBytes})`;
    refuse("game.bytesBurst", game.bytesBurst, allowed);
  }
  faults.push(...gatewayConflicts(settings.gateway, placeOf));
  return faults;
}

/** Two things in one file would destroy each other; `read` are the files that were read. */
export function collisions(
  settings: Settings,
  placeOf: PlaceOf,
  read: readonly string[],
): Fault[] {
  const { log, watchdog } = settings;
  const files: [string, string][] = [
    ["db_path", settings.db_path],
    ["log.file", log.file],
    ["watchdog.status_path", watchdog.status_path],
    ["watchdog.event_log_path", watchdog.event_log_path],
    ["watchdog.stdout_log_path", watchdog.stdout_log_path],
    ["watchdog.stderr_log_path", watchdog.stderr_log_path],
    ["buffer.persistFile", settings.gateway.buffer.persistFile],
  ];
  const users = new Map(read.map((path) => [plainPath(path), "the configuration itself"]));
  const faults: Fault[] = [];
  for (const [path, file] of files) {
    if (file === "") continue;
    const other = users.get(plainPath(file));
    users.set(plainPath(file), path);
    if (other === undefined) continue;
    const found = showFound(file);
    faults.push(wrongValue({ ...placeOf(path), found, allowed: `another file than ${other}` }));
  }
  return faults;
}

/** One spelling for `a/b`, `./a/b` and `a//b`. */
function plainPath(path: string): string {
  return path.replace(/\/+/g, "/").replace(/(^|\/)(\.\/)+/g, "$1");
}

function overlap(a: string, b: string): boolean {
  // A wildcard takes the port on every address.
  return a === b || reachableAddress(a) !== a || reachableAddress(b) !== b;
}
