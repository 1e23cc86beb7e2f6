import { connect as connectSocket, createServer, type Server, type Socket } from "node:net";
import { connect as connectSecurely, type ConnectionOptions } from "node:tls";
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
import { connectionsMax } from "./file_limit.ts";

/** Keep-alive probes start after this silence: a dead peer is then noticed within some minutes. */
const KEEP_ALIVE_MS = 60_000;

/** The most that is handed to the socket at once: it counts a piece as waiting until all of it has
 * left. A quarter of `outboundBytesMax` when that is less. */
const PIECE_BYTES_MAX = 65_536;

/** Smaller pieces than this cost more than they tell. */
const PIECE_BYTES_MIN = 1024;

/** Connections the kernel completes ahead of us (the kernel's own limit is 4,096 too): a burst of
 * thousands of clients waits there instead of trying again a second later. */
const BACKLOG = 4096;

/** What an adapter does when a handler throws: that connection is destroyed, and this is told. */
export interface TcpFailureHook {
  handlerFailed?(error: unknown): void;
}

interface ListenOptions<T> {
  host: string;
  port: number;
  limits: TcpLimits;
  handlers: TcpHandlers<T>;
}

/** TCP through `node:net`, the quickest and smallest of what Deno offers. */
export function denoTcp(hook: TcpFailureHook = {}): TcpPort {
  const handlerFailed = hook.handlerFailed?.bind(hook) ?? logFailure;
  let authorities: string[] | undefined;
  return {
    listen: (options) => listen(options, handlerFailed),
    connect(options) {
      if (options.tls === undefined) return connect(options, handlerFailed);
      const ca = options.tls.authorities ?? (authorities ??= trustedAuthorities());
      return connect({ ...options, secure: { ...nameOf(options.tls), ca } }, handlerFailed);
    },
  };
}

function logFailure(error: unknown): void {
  reportHandlerFailure("A TCP handler failed; its connection was closed", error);
}

function listen<T>(
  options: ListenOptions<T>,
  handlerFailed: (error: unknown) => void,
): Promise<TcpListener> {
  const { host, port } = options;
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    new DenoConnection(socket, options, handlerFailed).open();
  });
  // Deno stops accepting for ever, without a word, once an accept has failed for want of a file.
  const most = connectionsMax();
  if (most !== undefined) server.maxConnections = most;
  return new Promise((resolve, reject) => {
    server.once("error", (error) => {
      reject(new BindError({ protocol: "tcp", host, port, code: bindCode(error) }, error));
    });
    server.listen({ host, port, backlog: BACKLOG }, () => {
      server.removeAllListeners("error");
      server.on("error", handlerFailed);
      resolve(tcpListener(server, host));
    });
  });
}

function bindCode(error: Error): string {
  const code = errorCode(error) ?? "EUNKNOWN";
  // Deno's answer where the system says that the machine has no such address.
  return code === "EINVAL" ? "EADDRNOTAVAIL" : code;
}

function errorCode(error: Error): string | undefined {
  return "code" in error && typeof error.code === "string" ? error.code : undefined;
}

function tcpListener(server: Server, host: string): TcpListener {
  const address = server.address();
  const port = typeof address === "object" && address !== null ? address.port : 0;
  return {
    host,
    port,
    async close() {
      // Its callback waits for the last connection, but the port is free at once.
      server.close();
    },
  };
}

/** An address is no name to ask for, but the certificate must be for it all the same. */
function nameOf(tls: TlsOptions): { servername?: string } {
  return isIpAddress(tls.serverName) ? {} : { servername: tls.serverName };
}

function connect<T>(
  options: ListenOptions<T> & { timeoutMs: number; secure?: ConnectionOptions },
  handlerFailed: (error: unknown) => void,
): Promise<TcpConnection<T>> {
  const { host, port, timeoutMs, secure } = options;
  return new Promise((resolve, reject) => {
    const where = { host, port, allowHalfOpen: true };
    const socket = secure === undefined
      ? connectSocket(where)
      : connectSecurely({ ...where, ...secure, rejectUnauthorized: true });
    const fail = (error: Error) => {
      clearTimeout(timer);
      socket.destroy();
      reject(error);
    };
    const timer = setTimeout(() => {
      const message = `Cannot connect to ${host} port ${port}: no answer within ${timeoutMs} ms`;
      fail(Object.assign(new Error(message), { code: "ETIMEDOUT" }));
    }, timeoutMs);
    socket.on("error", fail);
    socket.once(secure === undefined ? "connect" : "secureConnect", () => {
      clearTimeout(timer);
      socket.off("error", fail);
      const connection = new DenoConnection(socket, options, handlerFailed);
      const failure = connection.open();
      if (failure === null) resolve(connection);
      else reject(failure.error);
    });
  });
}

class DenoConnection<T> implements TcpConnection<T> {
  data!: T;
  // Kept here because the socket forgets them when it closes.
  readonly remoteHost: string;
  readonly remotePort: number;
  readonly #socket: Socket;
  readonly #limits: TcpLimits;
  readonly #handlers: TcpHandlers<T>;
  readonly #handlerFailed: (error: unknown) => void;
  readonly #pieceBytes: number;
  /** What follows the piece that the socket holds; null while nothing does. */
  #waiting: OutboundBuffer | null = null;
  /** Set by what first led to the close; a slow consumer is always named. */
  #reason: TcpCloseReason | null = null;
  #lingerTimer: ReturnType<typeof setTimeout> | null = null;
  #drainDue = false;
  #paused = false;
  #endCalled = false;
  #destroyed = false;

  constructor(
    socket: Socket,
    options: { limits: TcpLimits; handlers: TcpHandlers<T> },
    handlerFailed: (error: unknown) => void,
  ) {
    this.#socket = socket;
    this.#limits = options.limits;
    this.#handlers = options.handlers;
    this.#handlerFailed = handlerFailed;
    const quarter = Math.floor(this.#limits.outboundBytesMax / 4);
    this.#pieceBytes = Math.max(PIECE_BYTES_MIN, Math.min(PIECE_BYTES_MAX, quarter));
    this.remoteHost = plainAddress(socket.remoteAddress ?? "");
    this.remotePort = socket.remotePort ?? 0;
  }

  get bufferedBytes(): number {
    return this.#destroyed ? 0 : this.#socket.writableLength + (this.#waiting?.length ?? 0);
  }

  write(bytes: Uint8Array): boolean {
    if (this.#destroyed || this.#endCalled) return false;
    let taken = 0;
    while (this.#waiting === null && taken < bytes.length && this.#socket.writableLength === 0) {
      this.#send(bytes.subarray(taken, taken + this.#pieceBytes));
      taken += this.#pieceBytes;
    }
    if (taken < bytes.length) {
      this.#waiting ??= new OutboundBuffer(this.#limits.outboundBytesMax);
      if (!this.#waiting.push(bytes, taken)) return this.#cutSlowConsumer();
    }
    const buffered = this.bufferedBytes;
    if (buffered === 0) return true;
    if (buffered > this.#limits.outboundBytesMax) return this.#cutSlowConsumer();
    this.#drainDue = true;
    return false;
  }

  pause(): void {
    this.#paused = true;
    if (!this.#endCalled) this.#socket.pause();
  }

  resume(): void {
    this.#paused = false;
    if (!this.#endCalled) this.#socket.resume();
  }

  end(): void {
    if (this.#destroyed || this.#endCalled) return;
    this.#endCalled = true;
    this.#reason ??= "local";
    // The peer's FIN shows only to one who reads; what comes while paused is dropped from here on.
    if (this.#paused) this.#socket.resume();
    this.#lingerTimer = setTimeout(() => this.#socket.resetAndDestroy(), this.#limits.lingerMs);
    if (this.#waiting === null) this.#socket.end();
  }

  destroy(): void {
    if (this.#destroyed) return;
    this.#reason ??= "local";
    this.#forget();
    this.#socket.destroy();
  }

  /** Attaches to the socket and tells the owner. Answers why not, when it did not open. */
  open(): { error: unknown } | null {
    const socket = this.#socket;
    if (socket.remoteAddress === undefined) {
      // Reset by the peer before we came to it: there is no address and nothing to open.
      socket.destroy();
      return { error: Object.assign(new Error("Connection reset"), { code: "ECONNRESET" }) };
    }
    socket.setNoDelay(true);
    socket.setKeepAlive(true, KEEP_ALIVE_MS);
    socket.on("error", () => this.#reason ??= "error");
    try {
      this.#handlers.open(this);
    } catch (error) {
      // It never opened for its owner, so no close is reported.
      this.#forget();
      socket.destroy();
      this.#handlerFailed(error);
      return { error };
    }
    socket.on("close", () => this.#closed());
    socket.on("end", () => this.#peerEnded());
    socket.on("data", (bytes: Uint8Array) => this.#received(bytes));
    return null;
  }

  #received(bytes: Uint8Array): void {
    if (this.#destroyed || (this.#paused && this.#endCalled)) return;
    try {
      this.#handlers.data(this, bytes);
    } catch (error) {
      this.#failed(error);
    }
  }

  #peerEnded(): void {
    this.#reason ??= "remote";
    // After our own end() only the close is of interest.
    if (this.#destroyed || this.#endCalled) return;
    try {
      this.#handlers.end(this);
    } catch (error) {
      this.#failed(error);
    }
  }

  #closed(): void {
    const reason = this.#reason ?? "remote";
    this.#forget();
    try {
      this.#handlers.close(this, reason);
    } catch (error) {
      this.#handlerFailed(error);
    }
  }

  #send(bytes: Uint8Array): void {
    // The socket sends at once what the kernel takes but refers to the rest, hence the copy.
    this.#socket.write(bytes.slice(), this.#written);
  }

  readonly #written = (error?: Error | null): void => {
    if (error || this.#destroyed || this.#socket.writableLength > 0) return;
    while (this.#waiting !== null && this.#socket.writableLength === 0) {
      const piece = this.#waiting.peek(this.#pieceBytes);
      this.#send(piece);
      this.#waiting.drop(piece.length);
      if (this.#waiting.length === 0) this.#waiting = null;
    }
    if (this.#waiting !== null) return;
    if (this.#endCalled) this.#socket.end();
    if (!this.#drainDue || this.#endCalled || this.#socket.writableLength > 0) return;
    this.#drainDue = false;
    try {
      this.#handlers.drain(this);
    } catch (error) {
      this.#failed(error);
    }
  };

  #cutSlowConsumer(): false {
    this.#reason = "slow_consumer";
    this.#forget();
    // A reset, so that the kernel frees at once what it holds for this peer.
    this.#socket.resetAndDestroy();
    return false;
  }

  #failed(error: unknown): void {
    this.#handlerFailed(error);
    this.destroy();
  }

  #forget(): void {
    this.#destroyed = true;
    this.#waiting = null;
    if (this.#lingerTimer !== null) clearTimeout(this.#lingerTimer);
  }
}
