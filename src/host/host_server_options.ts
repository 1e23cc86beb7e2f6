import type { Clock } from "../ports/clock.ts";
import type { Logger } from "../ports/log.ts";
import type { TcpPort } from "../ports/tcp.ts";
import type { UdpPort } from "../ports/udp.ts";
import type { HostCommands } from "./host_commands.ts";
import type { DiscoveryAnswers } from "./host_datagrams.ts";
import type { HostMetrics } from "./host_metrics.ts";
import type { OtherProtocol } from "./other_protocol.ts";
import type { ScriptBridge } from "./script_bridge.ts";
import type { SessionShared } from "./session_events.ts";
import type { HostStore } from "./store.ts";

/** What a host server is made of, and told. */
export interface HostServerOptions {
  readonly tcp: TcpPort;
  readonly udp: UdpPort;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly commands: HostCommands;
  readonly metrics: HostMetrics;
  readonly store: HostStore;
  readonly script: ScriptBridge;
  readonly host: string;
  readonly tcpPort: number;
  /** 0 = the TCP port's number + 1 (any free one when that was chosen by the system). */
  readonly udpPort: number;
  readonly mode: SessionShared["mode"];
  /** The game; without it, its clients are closed. */
  readonly other?: OtherProtocol | undefined;
  /** Bytes that may wait for one of its peers; it closes those that are too slow itself. */
  readonly otherOutboundBytesMax?: number | undefined;
  /** Silence after which a peer elsewhere is taken for a game client. */
  readonly sniffMs: number;
  /** The same for a peer on this machine: probes in scripts are slow to speak. */
  readonly sniffLoopbackMs: number;
  /** Answers game clients that look for servers; without it, nobody does. */
  readonly discovery?: DiscoveryAnswers | undefined;
  readonly idleMsMax: number;
  readonly connectionsMax: number;
  /** Connections that one other machine may hold; 0 = as many as there may be. */
  readonly connectionsPerHostMax: number;
  readonly tickMs: number;
  /** `__STOP__` was accepted. */
  stop(): void;
}
