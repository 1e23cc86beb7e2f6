import type { Clock } from "./clock.ts";
import type { CryptoPort } from "./crypto.ts";
import type { FilesPort } from "./files.ts";
import type { HttpServerPort } from "./http.ts";
import type { LineShellPort } from "./line_shell.ts";
import type { LogPort } from "./log.ts";
import type { LogFilesPort } from "./log_file.ts";
import type { ProcessPort } from "./process.ts";
import type { Random } from "./random.ts";
import type { SqlitePort } from "./sqlite.ts";
import type { TcpPort } from "./tcp.ts";
import type { UdpPort } from "./udp.ts";
import type { WebSocketClientPort } from "./websocket_client.ts";
import type { WorkersPort } from "./workers.ts";
import type { Zlib } from "./zlib.ts";

/** All that the program needs of the world; built by the entry file, the only one that knows which
 * runtime it is on. */
export interface Runtime {
  readonly name: "bun" | "deno" | "fake";
  readonly version: string;
  readonly tcp: TcpPort;
  readonly udp: UdpPort;
  readonly http: HttpServerPort;
  readonly webSocketClient: WebSocketClientPort;
  readonly sqlite: SqlitePort;
  readonly workers: WorkersPort;
  readonly files: FilesPort;
  /** Of the gateway's message log. */
  readonly logFiles: LogFilesPort;
  readonly process: ProcessPort;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: LogPort;
  readonly zlib: Zlib;
  /** What takes long in it belongs on a thread of its own. */
  readonly crypto: CryptoPort;
  readonly lineShell: LineShellPort;
  /** Gives back memory that is not used any more, as far as the runtime lets a program ask for it. */
  collectGarbage(): void;
  /** Sends a message to the service manager (sd_notify(3)); does nothing without one. */
  notifyServiceManager(message: string): void;
}
