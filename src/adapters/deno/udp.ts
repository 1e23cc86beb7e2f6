import { createSocket, type Socket } from "node:dgram";
import { lookup, type LookupOneOptions } from "node:dns";
import { isIP } from "node:net";
import { plainAddress } from "../../base/address.ts";
import { BindError } from "../../ports/bind_error.ts";
import type { UdpHandlers, UdpPort, UdpSocket } from "../../ports/udp.ts";
import { reportHandlerFailure } from "../handler_failure.ts";

/** Datagrams given to the system that it has not taken yet. More are refused: it is behind, and
 * what is late is worth nothing. */
const SENDS_WAITING_MAX = 1024;

/** What an adapter does when a handler throws: the socket goes on, and this is told. */
export interface UdpFailureHook {
  handlerFailed?(error: unknown): void;
}

/**
 * UDP through `node:dgram`: `Deno.listenDatagram` needs half the time a datagram but is behind an
 * unstable flag. Its `setRecvBufferSize` is left alone, because it stalls the socket on Deno.
 */
export function denoUdp(hook: UdpFailureHook = {}): UdpPort {
  const handlerFailed = hook.handlerFailed?.bind(hook) ?? logFailure;
  return { bind: (options) => bind(options, handlerFailed) };
}

function logFailure(error: unknown): void {
  reportHandlerFailure("A UDP handler failed; its datagram was dropped", error);
}

function bind(
  options: { host: string; port: number; handlers: UdpHandlers },
  handlerFailed: (error: unknown) => void,
): Promise<UdpSocket> {
  const { host, port } = options;
  const type = host.includes(":") ? "udp6" : "udp4";
  const socket = createSocket({ type, lookup: lookupUnlessNumber });
  return new Promise((resolve, reject) => {
    socket.once("error", (error) => {
      socket.close();
      const code = "code" in error && typeof error.code === "string" ? error.code : "EUNKNOWN";
      reject(new BindError({ protocol: "udp", host, port, code }, error));
    });
    socket.bind({ address: host, port }, () => {
      socket.removeAllListeners("error");
      resolve(new DenoUdpSocket(socket, options, handlerFailed));
    });
  });
}

/** Spares addresses that are numbers, which is nearly all, a turn of the name service. */
function lookupUnlessNumber(
  host: string,
  options: LookupOneOptions,
  found: (error: NodeJS.ErrnoException | null, address: string, family: number) => void,
): void {
  const family = isIP(host);
  if (family === 0) lookup(host, options, found);
  else found(null, host, family);
}

class DenoUdpSocket implements UdpSocket {
  readonly host: string;
  readonly port: number;
  readonly #socket: Socket;
  readonly #handlers: UdpHandlers;
  readonly #handlerFailed: (error: unknown) => void;
  #sendsWaiting = 0;
  #closed = false;

  constructor(
    socket: Socket,
    options: { host: string; handlers: UdpHandlers },
    handlerFailed: (error: unknown) => void,
  ) {
    this.#socket = socket;
    this.#handlers = options.handlers;
    this.#handlerFailed = handlerFailed;
    this.host = options.host;
    this.port = socket.address().port;
    socket.on("message", (bytes, peer) => this.#received(bytes, peer.address, peer.port));
    socket.on("error", (error) => this.#report(error));
  }

  send(bytes: Uint8Array, host: string, port: number): boolean {
    if (this.#closed || this.#sendsWaiting >= SENDS_WAITING_MAX) return false;
    // Port 0 comes from forged datagrams and cannot be answered.
    if (port === 0) return false;
    try {
      // It may leave after this call, hence the copy. IPv4 from a dual-stack socket is Deno's to map.
      this.#socket.send(bytes.slice(), port, host, this.#sent);
      this.#sendsWaiting += 1;
      return true;
    } catch (error) {
      this.#report(error as Error);
      return false;
    }
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#socket.close();
  }

  readonly #sent = (error: Error | null): void => {
    this.#sendsWaiting -= 1;
    if (error !== null) this.#report(error);
  };

  #received(bytes: Uint8Array, host: string, port: number): void {
    if (this.#closed) return;
    try {
      this.#handlers.message(this, bytes, plainAddress(host), port);
    } catch (error) {
      this.#handlerFailed(error);
    }
  }

  #report(error: Error): void {
    if (this.#closed) return;
    try {
      this.#handlers.error(this, error);
    } catch (failure) {
      this.#handlerFailed(failure);
    }
  }
}
