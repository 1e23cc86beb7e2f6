import { parseAddressBlock } from "../base/address.ts";
import type { Settings } from "../config/settings.ts";
import type { GatewayServer } from "../gateway/gateway_server.ts";
import type { HostMetrics } from "../host/host_metrics.ts";
import type { Logger } from "../ports/log.ts";
import type { Runtime } from "../ports/runtime.ts";
import type { Admin } from "./admin.ts";
import type { Api } from "./api.ts";
import { apiBodyBytesMax } from "./api_routes.ts";
import { flatGameFigures, gameFigures } from "./game_figures.ts";
import type { GamePart } from "./game_part.ts";
import { addDemoRoute } from "./demo_routes.ts";
import { httpRoutes } from "./http_routes.ts";
import { type HttpSide, listenHttp } from "./start_https.ts";
import { PrometheusText } from "./prometheus.ts";
import { addSdkRoutes } from "./sdk_routes.ts";

/** An HTTP request carries no body worth reading, unless it is for the API, which has a limit of its
 * own below this one. */
const httpBodyBytesMax = 65_536;
const httpBodyBytesMaxWithApi = apiBodyBytesMax + 65_536;

/** For who asks for the WebSocket as for a page. */
const upgradeRequired = { error: "this is a WebSocket: connect to it with ws: or wss:" };
const upgrade = { Upgrade: "websocket", Connection: "Upgrade" };

/** What the HTTP side serves; parts that are not there have no routes and no figures. */
export interface HttpParts {
  readonly runtime: Runtime;
  readonly settings: Settings;
  readonly logger: Logger;
  readonly game: GamePart | undefined;
  readonly gateway: GatewayServer | undefined;
  readonly admin: Admin | undefined;
  readonly api: Api | undefined;
  /** Serves the page `/demo`. */
  readonly isDemo: boolean;
  host(): HostMetrics;
  lagMs(): number;
  /** undefined when requests may come; else why not, in a word or two. */
  notReady(): string | undefined;
}

/** Opens the HTTP port: probes, metrics, the operators' API, and the gateway's WebSockets. Rejects
 * with BindError, FileError, or TlsFilesError. */
export function startHttp(parts: HttpParts): Promise<HttpSide> {
  const { runtime, settings, logger, game, gateway, admin } = parts;
  const measured = settings.gateway.metrics.enabled ? gateway : undefined;
  const prometheus = new PrometheusText({
    host: () => parts.host(),
    process: () => ({
      residentBytes: runtime.process.usage().residentBytes,
      cpuSeconds: runtime.process.usage().cpuMicros / 1e6,
      eventLoopLagSeconds: parts.lagMs() / 1_000,
    }),
    runtimeName: settings.runtime_name,
    game: game && (() => gameFigures(game)),
    gateway: measured,
  });
  return listenHttp({
    host: settings.http_host,
    port: settings.http_port,
    bodyBytesMax: parts.api === undefined ? httpBodyBytesMax : httpBodyBytesMaxWithApi,
    fetch: httpRoutes({
      notReady: () => parts.notReady(),
      metrics: () => ({
        ...parts.host(),
        ...(game === undefined ? {} : flatGameFigures(gameFigures(game))),
        ...measured?.figures(),
        runtime_name: settings.runtime_name,
      }),
      mayReadMetrics: (peer, headers) => parts.api?.mayReadMetrics(peer, headers) ?? false,
      addRoutes: (app) => {
        admin?.addRoutes(app);
        parts.api?.addRoutes(app);
        if (gateway !== undefined) addSdkRoutes(app);
        if (parts.isDemo) addDemoRoute(app);
        if (gateway !== undefined) app.get("/ws", (c) => c.json(upgradeRequired, 426, upgrade));
      },
      prometheus: async () => ({
        contentType: prometheus.contentType,
        text: await prometheus.text(),
      }),
      metricsAllow: settings.metricsAllow.map(parseAddressBlock)
        .filter((block) => block !== undefined),
    }),
    error: (error) => {
      parts.host().error_count++;
      logger.error({ error: error.message }, "http request failed");
    },
    ...(gateway === undefined ? {} : {
      webSocket: {
        limits: gateway.door.limits,
        compression: gateway.door.compression,
        handlers: gateway.door.handlers,
        traffic: gateway.counters,
      },
    }),
  }, { runtime, settings, logger, hasAdmin: admin !== undefined });
}
