import { isIpAddress, plainAddress } from "../../base/address.ts";
import { OutboundBuffer } from "../../base/outbound_buffer.ts";
import { BindError } from "../../ports/bind_error.ts";
import type {
  TcpCloseReason,
  TcpConnection,
  TcpHandlers,
  TcpLimits,
  TcpListener,
  TcpPort,
  TlsOptions,
} from "../../ports/tcp.ts";
import { reportHandlerFailure } from "../handler_failure.ts";
import { trustedAuthorities } from "../node/tls_authorities.ts";

/** Keep-alive probes start after this silence: a dead peer is then noticed within some minutes. */
const KEEP_ALIVE_MS = 60_000;

/** Memory of larger pieces is given back as soon as they are read. */
const FREED_BYTES_MIN = 65_536;

/** What an adapter does when a handler throws: that connection is destroyed, and this is told. */
export interface TcpFailureHook {
  handlerFailed?(error: unknown): void;
}

/** TCP through `Bun.listen` and `Bun.connect`: half the memory of `node:net` per idle connection. */
export function bunTcp(hook: TcpFailureHook = {}): TcpPort {
  const handlerFailed = hook.handlerFailed?.bind(hook) ?? logFailure;
  let authorities: string[] | undefined;
  return {
    async listen<T>(
      options: { host: string; port: number; limits: TcpLimits; handlers: TcpHandlers<T> },
    ): Promise<TcpListener> {
      return listen(new Endpoint(options.limits, options.handlers, handlerFailed), options);
    },
    connect<T>(
      options: {
        host: string;
        port: number;
        tls?: TlsOptions;
        timeoutMs: number;
        limits: TcpLimits;
        handlers: TcpHandlers<T>;
      },
    ): Promise<TcpConnection<T>> {
      const { tls, ...where } = options;
      const isSecure = tls !== undefined;
      const endpoint = new Endpoint(options.limits, options.handlers, handlerFailed, isSecure);
      if (tls === undefined) return connect(endpoint, where);
      const ca = tls.authorities ?? (authorities ??= trustedAuthorities());
      return connect(endpoint, { ...where, tls: { ...nameOf(tls), ca } });
    },
  };
}

function logFailure(error: unknown): void {
  reportHandlerFailure("A TCP handler failed; its connection was closed", error);
}

function listen<T>(
  endpoint: Endpoint<T>,
  { host, port }: { host: string; port: number },
): TcpListener {
  let listener: Bun.TCPSocketListener<BunConnection<T>>;
  try {
    listener = Bun.listen<BunConnection<T>>({
      hostname: host,
      port,
      allowHalfOpen: true,
      socket: {
        ...endpoint.socketHandlers(),
        open(socket) {
          const connection = new BunConnection(endpoint);
          socket.data = connection;
          connection.opened(socket);
        },
      },
    });
  } catch (error) {
    throw new BindError({ protocol: "tcp", host, port, code: bindCode(error) }, error);
  }
  return {
    host,
    port: listener.port,
    async close() {
      listener.stop(false);
    },
  };
}

function bindCode(error: unknown): string {
  // Bun gives no code when the name of the host cannot be resolved.
  return errorCode(error) ?? "ENOTFOUND";
}

function errorCode(error: unknown): string | undefined {
  const code = error instanceof Error && "code" in error ? error.code : undefined;
  return typeof code === "string" ? code : undefined;
}

/** An address is no name to ask for, but the certificate must be for it all the same. */
function nameOf(tls: TlsOptions): { serverName?: string } {
  return isIpAddress(tls.serverName) ? {} : { serverName: tls.serverName };
}

function connect<T>(
  endpoint: Endpoint<T>,
  { host, port, timeoutMs, tls }: {
    host: string;
    port: number;
    timeoutMs: number;
    tls?: { serverName?: string; ca: string | string[] };
  },
): Promise<TcpConnection<T>> {
  return new Promise((resolve, reject) => {
    let waiting = true;
    let half: Bun.Socket<BunConnection<T>> | undefined;
    const fail = (error: unknown) => {
      waiting = false;
      clearTimeout(timer);
      half?.terminate();
      reject(error);
    };
    const timer = setTimeout(() => {
      const message = `Cannot connect to ${host} port ${port}: no answer within ${timeoutMs} ms`;
      fail(Object.assign(new Error(message), { code: "ETIMEDOUT" }));
    }, timeoutMs);
    const connection = new BunConnection(endpoint);
    const opened = (socket: Bun.Socket<BunConnection<T>>) => {
      waiting = false;
      half = undefined;
      clearTimeout(timer);
      const failure = connection.opened(socket);
      if (failure === null) resolve(connection);
      else reject(failure.error);
    };
    const handlers = endpoint.socketHandlers();
    Bun.connect<BunConnection<T>>({
      hostname: host,
      port,
      allowHalfOpen: true,
      data: connection,
      ...(tls === undefined ? {} : { tls: { ...tls, rejectUnauthorized: true } }),
      socket: {
        ...handlers,
        open(socket) {
          // Bun cannot take back an attempt: one that succeeds after its time is up ends here.
          if (!waiting) socket.terminate();
          else if (tls === undefined) opened(socket);
          else half = socket;
        },
        ...(tls === undefined ? {} : {
          handshake(socket, success, error) {
            if (!waiting) return;
            if (success && error === null) opened(socket);
            else fail(error ?? Object.assign(new Error("TLS failed"), { code: "EPROTO" }));
          },
          close(socket, error) {
            if (!waiting) return void handlers.close?.(socket, error);
            const reset = Object.assign(new Error("Connection reset"), { code: "ECONNRESET" });
            fail(error ?? reset);
          },
        }),
        // Without it Bun prints the failure besides rejecting.
        connectError() {},
      },
    }).catch(fail);
  });
}

/** What all connections of one listener (or one attempt) share. */
class Endpoint<T> {
  readonly limits: TcpLimits;
  readonly handlers: TcpHandlers<T>;
  readonly handlerFailed: (error: unknown) => void;
  readonly isSecure: boolean;

  constructor(
    limits: TcpLimits,
    handlers: TcpHandlers<T>,
    handlerFailed: (error: unknown) => void,
    isSecure = false,
  ) {
    this.limits = limits;
    this.handlers = handlers;
    this.handlerFailed = handlerFailed;
    this.isSecure = isSecure;
  }

  socketHandlers(): Bun.SocketHandler<BunConnection<T>> {
    return {
      binaryType: "uint8array",
      data: (socket, bytes) => socket.data.received(bytes),
      drain: (socket) => socket.data.writable(),
      end: (socket) => socket.data.peerEnded(),
      close: (socket, error) => socket.data.closed(error),
      error: (_socket, error) => this.handlerFailed(error),
    };
  }
}

class BunConnection<T> implements TcpConnection<T> {
  data!: T;
  // Kept here because Bun forgets them when the connection closes.
  remoteHost = "";
  remotePort = 0;
  readonly #endpoint: Endpoint<T>;
  /** Null before the open and after the close. */
  #socket: Bun.Socket<BunConnection<T>> | null = null;
  /** Null while nothing waits, which is nearly always. */
  #waiting: OutboundBuffer | null = null;
  /** Set by what first led to the close; a slow consumer is always named. */
  #reason: TcpCloseReason | null = null;
  #lingerTimer: ReturnType<typeof setTimeout> | null = null;
  #paused = false;
  #endCalled = false;
  #peerEnded = false;

  constructor(endpoint: Endpoint<T>) {
    this.#endpoint = endpoint;
  }

  get bufferedBytes(): number {
    return this.#waiting === null ? 0 : this.#waiting.length;
  }

  write(bytes: Uint8Array): boolean {
    if (this.#socket === null || this.#endCalled) return false;
    if (this.#waiting !== null) return this.#keep(this.#waiting, bytes);
    const taken = this.#socket.write(bytes);
    if (taken === bytes.length) return true;
    if (taken < 0) return this.#cutFailed(this.#socket);
    this.#waiting = new OutboundBuffer(this.#endpoint.limits.outboundBytesMax);
    return this.#keep(this.#waiting, taken === 0 ? bytes : bytes.subarray(taken));
  }

  pause(): void {
    this.#paused = true;
    if (!this.#endCalled) this.#socket?.pause();
  }

  resume(): void {
    this.#paused = false;
    if (!this.#endCalled) this.#socket?.resume();
  }

  end(): void {
    const socket = this.#socket;
    if (socket === null || this.#endCalled) return;
    this.#endCalled = true;
    this.#reason ??= "local";
    // The peer's FIN shows only to one who reads; what comes while paused is dropped from here on.
    if (this.#paused) socket.resume();
    this.#lingerTimer = setTimeout(() => socket.terminate(), this.#endpoint.limits.lingerMs);
    if (this.#waiting === null) this.#sendFin(socket);
  }

  destroy(): void {
    this.#reason ??= "local";
    // With TLS Bun's end() waits for the peer to say that it closes too.
    if (this.#endpoint.isSecure) this.#socket?.terminate();
    else this.#socket?.end();
  }

  /** Takes the socket and tells the owner. Answers why not, when it did not open. */
  opened(socket: Bun.Socket<BunConnection<T>>): { error: unknown } | null {
    const host: string | undefined = socket.remoteAddress;
    if (host === undefined) {
      // Reset by the peer before we came to it: there is no address and nothing to open.
      socket.terminate();
      return { error: Object.assign(new Error("Connection reset"), { code: "ECONNRESET" }) };
    }
    this.#socket = socket;
    this.remoteHost = plainAddress(host);
    this.remotePort = socket.remotePort;
    socket.setNoDelay(true);
    socket.setKeepAlive(true, KEEP_ALIVE_MS);
    try {
      this.#endpoint.handlers.open(this);
      return null;
    } catch (error) {
      // It never opened for its owner, so no close is reported.
      this.#socket = null;
      socket.end();
      this.#endpoint.handlerFailed(error);
      return { error };
    }
  }

  received(bytes: Uint8Array): void {
    if (this.#socket === null || (this.#paused && this.#endCalled)) return;
    try {
      this.#endpoint.handlers.data(this, bytes);
    } catch (error) {
      this.#failed(error);
    }
    // Each has memory of its own; a collector would let a large message's pile up to its size.
    const isAlone = bytes.length === bytes.buffer.byteLength;
    if (isAlone && bytes.length >= FREED_BYTES_MIN) (bytes.buffer as ArrayBuffer).transfer(0);
  }

  /** Bun also calls it when nothing waits. */
  writable(): void {
    const waiting = this.#waiting;
    if (this.#socket === null || waiting === null) return;
    const taken = this.#socket.write(waiting.peek());
    if (taken < 0) return void this.#cutFailed(this.#socket);
    if (taken > 0) waiting.drop(taken);
    if (waiting.length > 0) return;
    this.#waiting = null;
    if (this.#endCalled) return this.#sendFin(this.#socket);
    try {
      this.#endpoint.handlers.drain(this);
    } catch (error) {
      this.#failed(error);
    }
  }

  peerEnded(): void {
    this.#peerEnded = true;
    this.#reason ??= "remote";
    // After our own end() only the close is of interest.
    if (this.#socket === null || this.#endCalled) return;
    try {
      this.#endpoint.handlers.end(this);
    } catch (error) {
      this.#failed(error);
    }
  }

  closed(error: Error | undefined): void {
    if (this.#socket === null) return;
    this.#socket = null;
    this.#waiting = null;
    if (this.#lingerTimer !== null) clearTimeout(this.#lingerTimer);
    const reason = this.#reason ?? (error === undefined ? "remote" : "error");
    // Bun closes within `end()` and `terminate()`: the owner hears of it when its own turn is over.
    queueMicrotask(() => {
      try {
        this.#endpoint.handlers.close(this, reason);
      } catch (error) {
        this.#endpoint.handlerFailed(error);
      }
    });
  }

  #keep(waiting: OutboundBuffer, bytes: Uint8Array): false {
    if (!waiting.push(bytes)) {
      this.#reason = "slow_consumer";
      // A reset, so that the kernel frees at once what it holds for this peer.
      this.#socket?.terminate();
    }
    return false;
  }

  /** Bun answers a write with -1 when the connection has failed. Once the peer has sent its FIN
   * nothing may tell of it again, so it ends here. */
  #cutFailed(socket: Bun.Socket<BunConnection<T>>): false {
    this.#reason ??= "error";
    socket.terminate();
    return false;
  }

  #sendFin(socket: Bun.Socket<BunConnection<T>>): void {
    if (this.#peerEnded) socket.end();
    else socket.shutdown();
  }

  #failed(error: unknown): void {
    this.#endpoint.handlerFailed(error);
    this.destroy();
  }
}
