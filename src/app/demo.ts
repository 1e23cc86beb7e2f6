import { reachableAddress, showAddress } from "../base/address.ts";
import type { Settings } from "../config/settings.ts";
import { isTlsOn } from "./tls_files.ts";

/** A message that anybody can type. */
const message = '{"type":0,"messageId":"1","data":"hello"}';

type DemoSettings = Pick<Settings, "http_host" | "tls_cert" | "tls_key">;

/** The settings with a gateway that answers: clients without a route of the configuration go to the
 * echo inside the program. */
export function withDemo(settings: Settings): Settings {
  const { gateway } = settings;
  const echo = { clientIdPrefix: "", upstreams: ["echo:"], strategy: "hash" } as const;
  const isTaken = gateway.routes.some(({ clientIdPrefix }) => clientIdPrefix === "");
  const routes = isTaken ? gateway.routes : [...gateway.routes, echo];
  return { ...settings, gateway: { ...gateway, enabled: true, routes } };
}

/** What to paste to see a message go round; several lines. */
export function demoLines(settings: DemoSettings, port: number): string {
  const address = showAddress(reachableAddress(settings.http_host), port);
  const tls = isTlsOn(settings) ? "s" : "";
  const url = `ws${tls}://${address}/ws?clientId=demo&ack=1`;
  return [
    "",
    "See messages acknowledged and answered, and survive a restart of this server, in a browser:",
    "",
    `  http${tls}://${address}/demo`,
    "",
    "or send one from a shell:",
    "",
    `  npx wscat -c '${url}' -x '${message}' -w 2`,
    "",
    "or from the console of a browser:",
    "",
    `  s = new WebSocket("${url}");`,
    `  s.onmessage = (e) => console.log(e.data); s.onopen = () => s.send('${message}')`,
    "",
    "",
  ].join("\n");
}
