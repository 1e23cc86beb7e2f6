import type { GatewayConfig } from "../config/gateway_config.ts";
import type { Clock } from "../ports/clock.ts";
import type { CryptoPort } from "../ports/crypto.ts";
import type { FilesPort } from "../ports/files.ts";
import type { LogFilesPort } from "../ports/log_file.ts";
import type { Logger } from "../ports/log.ts";
import type { ProcessPort } from "../ports/process.ts";
import type { Random } from "../ports/random.ts";
import type { TcpPort } from "../ports/tcp.ts";

/** What the gateway needs of the world. */
export interface GatewayPorts {
  readonly clock: Clock;
  readonly random: Random;
  readonly crypto: CryptoPort;
  readonly tcp: TcpPort;
  readonly files: FilesPort;
  readonly logFiles: LogFilesPort;
  readonly process: ProcessPort;
  /** As of the runtime. */
  collectGarbage?(): void;
}

/** What a gateway is made of. */
export interface GatewayServerOptions {
  readonly ports: GatewayPorts;
  readonly config: GatewayConfig;
  readonly logger: Logger;
  /** Client connections that may be open. */
  readonly maxConnections: number;
}
