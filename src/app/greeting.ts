import { reachableAddress, showAddress } from "../base/address.ts";
import type { Settings } from "../config/settings.ts";
import { describeRules } from "./make_rules.ts";
import type { RunningServer } from "./server.ts";
import { isTlsOn } from "./tls_files.ts";
import { version } from "./version.ts";

/** What a person at the terminal sees when the server is up; several lines. */
export function greeting(
  parts: { settings: Settings; server: RunningServer; directory: string },
): string {
  const { settings, server, directory } = parts;
  const { host, http_host } = settings;
  const reach = reachableAddress(host);
  const rows: [string, string][] = [
    ["tcp", `${showAddress(host, server.tcpPort)}  ${whoOnTcp(server)}`],
    ["udp", `${showAddress(host, server.tcpPort)} and ${showAddress(host, server.udpPort)}`],
    [
      "http",
      server.httpPort === undefined
        ? "off"
        : `${isTlsOn(settings) ? "https" : "http"}://${
          showAddress(reachableAddress(http_host), server.httpPort)
        }/health  /metrics`,
    ],
    ["data", `${directory} (state in ${settings.db_path})`],
    ["rules", rulesLine(settings, server)],
    ...gatewayRows(settings, server),
  ];
  const lines = rows.map(([name, value]) => `  ${name.padEnd(10)} ${value}`);
  const live = `freekill-gw check --live --host ${reach} --tcp-port ${server.tcpPort}`;
  return [
    `freekill-gw ${version} is up. Ctrl-C stops it.`,
    "",
    ...lines,
    "",
    `  try        ${live}`,
    `             freekill-gw admin help`,
    "",
    "",
  ].join("\n");
}

function gatewayRows(settings: Settings, { gateway, httpPort }: RunningServer): [string, string][] {
  if (gateway === undefined || httpPort === undefined) return [];
  const address = showAddress(reachableAddress(settings.http_host), httpPort);
  const { length } = settings.gateway.routes;
  const routes = length === 1 ? "1 route" : `${length} routes`;
  return [[
    "gateway",
    `${isTlsOn(settings) ? "wss" : "ws"}://${address}/ws?clientId=…  (${routes})`,
  ]];
}

function whoOnTcp({ game }: RunningServer): string {
  return game === undefined ? "probes" : "game clients and probes";
}

function rulesLine(settings: Settings, { game }: RunningServer): string {
  return game === undefined ? "none: tcp_port_mode is host" : describeRules(settings, game.facts);
}
