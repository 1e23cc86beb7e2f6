/** Makes settings of checked values: fills in defaults and works out what depends on others. */
import { reachableAddress } from "../base/address.ts";
import type { GameConfig } from "./game_config.ts";
import { gameKeys } from "./game_keys.ts";
import type { GatewayConfig } from "./gateway_config.ts";
import type { KeySpec } from "./key_spec.ts";
import { rootKeys } from "./root_keys.ts";
import { logKeys, watchdogKeys } from "./section_keys.ts";
import type { RootSettings, Settings } from "./settings.ts";

/** `impliedHost` is the address to listen on when `host` is not among the values. */
export function completeSettings(
  values: ReadonlyMap<string, unknown>,
  { gateway, impliedHost }: { gateway: GatewayConfig; impliedHost: string | undefined },
): Settings {
  const fill = <Section>(
    keys: { readonly [key in keyof Section]: KeySpec },
    prefix: string,
  ): Section => {
    const entries = Object.entries<KeySpec>(keys);
    // The schema has checked each value against the specification of its key.
    return Object.fromEntries(
      entries.map(([key, spec]) => [key, values.get(prefix + key) ?? spec.default]),
    ) as Section;
  };
  const root = fill<RootSettings>(rootKeys, "");
  const game = fill<GameConfig>(gameKeys, "game.");
  const bytesBurst = values.has("game.bytesBurst")
    ? game.bytesBurst
    : Math.max(game.bytesBurst, game.maxPacketBytes);
  const host = impliedHost ?? root.host;
  const watchdog = fill<Settings["watchdog"]>(watchdogKeys, "watchdog.");
  const nextPort = root.tcp_port === 0 ? 0 : root.tcp_port + 1;
  const udpPort = root.udp_port === 0 ? nextPort : root.udp_port;
  return {
    ...root,
    host,
    udp_port: udpPort,
    // Where the host is implied, root.host is the default: what nobody asked for opens no HTTP.
    http_host: root.http_host === "" ? root.host : root.http_host,
    log: fill<Settings["log"]>(logKeys, "log."),
    watchdog: {
      ...watchdog,
      health_host: watchdog.health_host === "" ? reachableAddress(host) : watchdog.health_host,
      health_tcp_port: watchdog.health_tcp_port === 0 ? root.tcp_port : watchdog.health_tcp_port,
      health_udp_port: watchdog.health_udp_port === 0 ? udpPort : watchdog.health_udp_port,
    },
    game: { ...game, bytesBurst },
    gateway,
  };
}
