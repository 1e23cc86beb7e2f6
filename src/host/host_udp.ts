import { unreachable } from "../base/assert.ts";
import type { Logger } from "../ports/log.ts";
import type { UdpPort, UdpSocket } from "../ports/udp.ts";
import type { HostCommands } from "./host_commands.ts";
import { type Datagram, type DiscoveryAnswers, HostDatagrams } from "./host_datagrams.ts";
import type { HostMetrics } from "./host_metrics.ts";
import type { TaskRunner } from "./task_runner.ts";

/** What the sockets of the host protocol need of their server. */
export interface HostUdpParts {
  readonly udp: UdpPort;
  readonly logger: Logger;
  readonly commands: HostCommands;
  readonly metrics: HostMetrics;
  readonly tasks: TaskRunner;
  readonly host: string;
  readonly discovery: DiscoveryAnswers | undefined;
  /** Monotonic milliseconds. */
  now(): number;
  /** A datagram came. */
  heard(): void;
  /** `__STOP__` was accepted. */
  stop(): void;
}

/** The shell of the host protocol by UDP: owns its sockets, decides nothing. */
export class HostUdp {
  readonly #parts: HostUdpParts;
  readonly #datagrams: HostDatagrams;
  readonly #sockets: UdpSocket[] = [];

  constructor(parts: HostUdpParts) {
    this.#parts = parts;
    this.#datagrams = new HostDatagrams(parts);
  }

  /** Binds one more socket and answers its port; 0 asks for any. Rejects with BindError. */
  async bind(port: number, { onGamePort }: { onGamePort: boolean }): Promise<number> {
    const socket = await this.#parts.udp.bind({
      host: this.#parts.host,
      port,
      handlers: {
        message: (socket, bytes, host, peerPort) =>
          this.#receive(socket, { bytes, host, port: peerPort, onGamePort }),
        error: (_, error) => this.#parts.logger.warn({ error: error.message }, "udp error"),
      },
    });
    this.#sockets.push(socket);
    return socket.port;
  }

  close(): void {
    for (const socket of this.#sockets.splice(0)) socket.close();
  }

  #receive(socket: UdpSocket, datagram: Datagram): void {
    this.#parts.heard();
    const outcome = this.#datagrams.handle(datagram, this.#parts.now());
    const { host, port } = datagram;
    const requestBytes = datagram.bytes.length;
    switch (outcome.kind) {
      case "silence":
        return;
      case "reply":
        return this.#send(socket, outcome.bytes, { host, port });
      case "stop_server":
        this.#send(socket, outcome.bytes, { host, port });
        return this.#parts.stop();
      case "task":
        return this.#parts.tasks.run(outcome.task, (text) => {
          const bytes = this.#datagrams.replyTo({ host }, requestBytes, text);
          if (bytes !== undefined) this.#send(socket, bytes, { host, port });
        });
      default:
        unreachable(outcome);
    }
  }

  #send(socket: UdpSocket, bytes: Uint8Array, to: { host: string; port: number }): void {
    if (!socket.send(bytes, to.host, to.port)) return;
    this.#parts.metrics.udp_tx_datagram_count++;
    this.#parts.metrics.udp_tx_bytes += bytes.length;
  }
}
