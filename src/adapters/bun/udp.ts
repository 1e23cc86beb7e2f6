import { plainAddress } from "../../base/address.ts";
import { BindError } from "../../ports/bind_error.ts";
import type { UdpHandlers, UdpPort, UdpSocket } from "../../ports/udp.ts";
import { reportHandlerFailure } from "../handler_failure.ts";

/** How often a send is tried that met the failure of an earlier datagram instead of its own. */
const SEND_TRIES_MAX = 3;

/** What ICMP tells of datagrams sent earlier: their peer is gone, which is no fault of the socket. */
const UNREACHABLE_CODES = new Set(["ECONNREFUSED", "EHOSTUNREACH", "ENETUNREACH"]);

/** What an adapter does when a handler throws: the socket goes on, and this is told. */
export interface UdpFailureHook {
  handlerFailed?(error: unknown): void;
}

/** UDP through `Bun.udpSocket`: half as many replies again as `node:dgram` gives on Bun. */
export function bunUdp(hook: UdpFailureHook = {}): UdpPort {
  const handlerFailed = hook.handlerFailed?.bind(hook) ?? logFailure;
  return { bind: (options) => bind(options, handlerFailed) };
}

function logFailure(error: unknown): void {
  reportHandlerFailure("A UDP handler failed; its datagram was dropped", error);
}

async function bind(
  options: { host: string; port: number; handlers: UdpHandlers },
  handlerFailed: (error: unknown) => void,
): Promise<UdpSocket> {
  const { host, port } = options;
  // Bun may report a datagram before it has given us the socket.
  let bound: BunUdpSocket | null = null;
  try {
    const socket = await Bun.udpSocket({
      hostname: host,
      port,
      binaryType: "uint8array",
      socket: {
        data: (_socket, bytes, port, address) => bound?.received(bytes, address, port),
        // Bun gives the error first, whatever its types say.
        error: (...given: unknown[]) => bound?.failed(given.find((one) => one instanceof Error)),
      },
    });
    bound = new BunUdpSocket(socket, options, handlerFailed);
    return bound;
  } catch (error) {
    throw new BindError({ protocol: "udp", host, port, code: bindCode(error) }, error);
  }
}

function bindCode(error: unknown): string {
  const code = errorCode(error) ?? "EUNKNOWN";
  // Bun's answer to a name that cannot be resolved.
  return code === "ENOENT" ? "ENOTFOUND" : code;
}

function errorCode(error: unknown): string | undefined {
  const code = error instanceof Error && "code" in error ? error.code : undefined;
  return typeof code === "string" ? code : undefined;
}

function isOfEarlierDatagram(error: unknown): boolean {
  return UNREACHABLE_CODES.has(errorCode(error) ?? "");
}

class BunUdpSocket implements UdpSocket {
  readonly host: string;
  readonly port: number;
  readonly #socket: Bun.udp.Socket<"uint8array">;
  readonly #handlers: UdpHandlers;
  readonly #handlerFailed: (error: unknown) => void;
  #closed = false;

  constructor(
    socket: Bun.udp.Socket<"uint8array">,
    options: { host: string; handlers: UdpHandlers },
    handlerFailed: (error: unknown) => void,
  ) {
    this.#socket = socket;
    this.#handlers = options.handlers;
    this.#handlerFailed = handlerFailed;
    this.host = options.host;
    this.port = socket.port;
  }

  send(bytes: Uint8Array, host: string, port: number): boolean {
    // Port 0 comes from forged datagrams and cannot be answered.
    if (this.#closed || port === 0) return false;
    for (let tries = 1;; tries++) {
      try {
        return this.#socket.send(bytes, port, host);
      } catch (error) {
        if (isOfEarlierDatagram(error) && tries < SEND_TRIES_MAX) continue;
        this.failed(error);
        return false;
      }
    }
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#socket.close();
  }

  received(bytes: Uint8Array, host: string, port: number): void {
    if (this.#closed) return;
    try {
      this.#handlers.message(this, bytes, plainAddress(host), port);
    } catch (error) {
      this.#handlerFailed(error);
    }
  }

  failed(error: unknown): void {
    if (this.#closed || !(error instanceof Error) || isOfEarlierDatagram(error)) return;
    try {
      this.#handlers.error(this, error);
    } catch (failure) {
      this.#handlerFailed(failure);
    }
  }
}
