import type { Runtime } from "../ports/runtime.ts";
import { BindError } from "../ports/bind_error.ts";
import { ProbeFailure } from "./probe_failure.ts";

/** Below what Linux hands out to outgoing connections (32768 and up), so that a stopped server's
 * port is still free when it is started again. */
const portMin = 20_000;
const portMax = 32_000;

/** Tries before giving up: on a machine where half of all ports are taken, 2^-40 for bad luck. */
const triesMax = 40;

export interface PortTriple {
  readonly tcpPort: number;
  readonly udpPort: number;
  readonly httpPort: number;
}

/** Three neighbouring ports that were free a moment ago. Rejects with ProbeFailure. */
export async function findFreePorts(runtime: Runtime, host: string): Promise<PortTriple> {
  for (let tries = 0; tries < triesMax; tries++) {
    const span = portMax - portMin - 3;
    const tcpPort = portMin + Math.floor(runtime.random.fraction() * span);
    const ports = { tcpPort, udpPort: tcpPort + 1, httpPort: tcpPort + 2 };
    if (await areFree(runtime, host, ports)) return ports;
  }
  throw new ProbeFailure(`No free ports on ${host} in ${triesMax} tries (${portMin}–${portMax})`);
}

/** `undefined` when TCP can be bound there, else why not. */
export async function tcpBindFault(
  runtime: Runtime,
  host: string,
  port: number,
): Promise<BindError | undefined> {
  try {
    const listener = await runtime.tcp.listen<undefined>({
      host,
      port,
      limits: { outboundBytesMax: 1, lingerMs: 1 },
      handlers: {
        open: (connection) => {
          connection.data = undefined;
          connection.destroy();
        },
        data: () => {},
        end: () => {},
        drain: () => {},
        close: () => {},
      },
    });
    await listener.close();
    return undefined;
  } catch (error) {
    if (error instanceof BindError) return error;
    throw error;
  }
}

/** `undefined` when UDP can be bound there, else why not. */
export async function udpBindFault(
  runtime: Runtime,
  host: string,
  port: number,
): Promise<BindError | undefined> {
  try {
    const handlers = { message: () => {}, error: () => {} };
    (await runtime.udp.bind({ host, port, handlers })).close();
    return undefined;
  } catch (error) {
    if (error instanceof BindError) return error;
    throw error;
  }
}

async function areFree(runtime: Runtime, host: string, ports: PortTriple): Promise<boolean> {
  const faults = await Promise.all([
    tcpBindFault(runtime, host, ports.tcpPort),
    tcpBindFault(runtime, host, ports.httpPort),
    // Game discovery uses the datagram port of the same number.
    udpBindFault(runtime, host, ports.tcpPort),
    udpBindFault(runtime, host, ports.udpPort),
  ]);
  return faults.every((fault) => fault === undefined);
}
