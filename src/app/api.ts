import type { ApiConfig } from "../config/gateway_config.ts";
import type { GatewayServer } from "../gateway/gateway_server.ts";
import type { HttpPeer } from "../ports/http.ts";
import type { Logger } from "../ports/log.ts";
import type { Runtime } from "../ports/runtime.ts";
import { ApiAudit } from "./api_audit.ts";
import { ApiGuard } from "./api_guard.ts";
import { apiWork } from "./api_operations.ts";
import { addApiRoutes } from "./api_routes.ts";
import type { HttpApp } from "./http_routes.ts";
import type { ReloadReport } from "./reloader.ts";
import { version } from "./version.ts";

interface ApiServerParts {
  readonly runtime: Runtime;
  readonly config: ApiConfig;
  readonly gateway: GatewayServer;
  readonly logger: Logger;
  reload(): Promise<ReloadReport>;
}

/** The API of the message gateway: who may use it, what it does, and the log of its uses. */
export class Api {
  readonly #parts: ApiServerParts;
  readonly #guard: ApiGuard;
  readonly #audit: ApiAudit;

  constructor(parts: ApiServerParts) {
    const { runtime, config, logger } = parts;
    this.#parts = parts;
    this.#guard = new ApiGuard(config, runtime);
    this.#audit = new ApiAudit({ ...runtime, logger });
  }

  /** Other tokens and limits from now on. */
  configure(config: ApiConfig): void {
    this.#guard.configure(config);
  }

  /** Whether somebody shows a token, of either kind. */
  mayReadMetrics(peer: HttpPeer, headers: Headers): boolean {
    const address = this.#parts.gateway.door.admission.addressOf(peer, headers);
    return this.#guard.isKnown(address, headers.get("authorization") ?? undefined);
  }

  addRoutes(app: HttpApp): void {
    const { runtime, gateway, logger, reload } = this.#parts;
    addApiRoutes(app, {
      guard: this.#guard,
      work: apiWork(gateway, reload),
      audit: this.#audit,
      version,
      now: () => runtime.clock.monotonic(),
      addressOf: (peer, headers) => gateway.door.admission.addressOf(peer, headers),
      failed: (error) => {
        const reason = error instanceof Error ? error.message : String(error);
        logger.error({ error: reason }, "a request of the API failed");
      },
    });
  }

  /** Writes what waits for the log of its uses. */
  close(): Promise<void> {
    return this.#audit.close();
  }
}
