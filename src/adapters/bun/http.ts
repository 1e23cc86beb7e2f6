import { lookup } from "node:dns/promises";
import { isIP } from "node:net";
import { plainAddress } from "../../base/address.ts";
import { BindError } from "../../ports/bind_error.ts";
import type {
  HttpListenOptions,
  HttpPeer,
  HttpServerPort,
  TlsKeyPair,
  UpgradeDecision,
} from "../../ports/http.ts";
import {
  absoluteUrl,
  agreedProtocol,
  asError,
  asksForWebSocket,
  codeOf,
  httpIdleSecondsMax,
  internalError,
  refuseRequest,
  refuseUpgrade,
  upgradeRequest,
} from "../http_rules.ts";
import { checkTlsKeyPair } from "../node/tls_key_pair.ts";
import { PendingUpgrades } from "../pending_upgrades.ts";
import { ReceiveBuffers } from "./receive_buffers.ts";
import { BunTlsServer } from "./tls_server.ts";
import {
  BunWebSocketConnection,
  bunWebSocketHandler,
  type BunWebSocketOwner,
} from "./websocket.ts";

type Server<T> = Bun.Server<BunWebSocketConnection<T>>;

/** What Bun says when a chunked body grew past its limit; the peer has its 413 by then. */
const BODY_TOO_BIG = "Request body exceeded maxRequestBodySize";

/**
 * HTTP server on `Bun.serve`. A connection that is no WebSocket is cut after `idleSecondsMax`
 * without progress: Bun counts in steps of 4 seconds, and takes neither a header that drips in nor
 * a body slower than 16 KB/s for progress. Before its first request Bun gives a connection 10
 * seconds, whatever `idleSecondsMax` says. It tells neither of new connections nor how many there
 * are, its `closeIdleConnections()` spares the silent ones, and those of a server that was stopped
 * with `stop(false)` stay for ever: there is nothing to build a limit for connections on.
 */
export function bunHttp({ idleSecondsMax = httpIdleSecondsMax } = {}): HttpServerPort {
  return {
    async listen(options) {
      const { host, port, tls, webSocket, error } = options;
      if (tls !== undefined) checkTlsKeyPair(tls);
      const owner = webSocket && {
        traffic: { bytesReceived: 0 },
        ...webSocket,
        pending: new PendingUpgrades(),
        buffers: new ReceiveBuffers(),
        error,
      };
      try {
        // Bun reports a name that it cannot resolve with whatever error came before.
        if (isIP(host) === 0) await lookup(host);
        if (tls === undefined) {
          const server = serve(options, { owner, idleSecondsMax, port });
          return {
            host,
            port: server.port ?? port,
            replaceTls() {
              throw new Error(`Cannot replace the certificate of ${host}: it has none`);
            },
            close: () => server.stop(true),
          };
        }
        if (port !== 0) tryPort(host, port);
        return new BunTlsServer(
          host,
          tls,
          (pair, shared) =>
            serve(options, { owner, idleSecondsMax, port: shared ?? port, tls: pair }),
        );
      } catch (error) {
        throw new BindError({ protocol: "http", host, port, code: codeOf(error) }, error);
      }
    },
  };
}

/** Servers over TLS share their port with the next one of their own, and would with a stranger's. */
function tryPort(hostname: string, port: number): void {
  Bun.listen({ hostname, port, socket: { data() {} } }).stop(true);
}

function serve<T>(
  options: HttpListenOptions<T>,
  { owner, idleSecondsMax, port, tls }: {
    owner: BunWebSocketOwner<T> | undefined;
    idleSecondsMax: number;
    port: number;
    tls?: TlsKeyPair;
  },
): Server<T> {
  return Bun.serve<BunWebSocketConnection<T>>({
    hostname: options.host,
    port,
    development: false,
    // Outside development it would be true, and two servers could share a port unnoticed.
    reusePort: tls !== undefined,
    ...(tls === undefined ? {} : { tls: { cert: tls.certificate, key: tls.key } }),
    idleTimeout: idleSecondsMax,
    maxRequestBodySize: options.bodyBytesMax,
    websocket: bunWebSocketHandler<T>({
      messageBytesMax: owner?.limits.messageBytesMax ?? 0,
      isDeflating: owner?.compression !== undefined,
    }),
    fetch(received, server) {
      const { headers } = received;
      const url = absoluteUrl(received.url, headers.get("host"));
      const refusal = refuseRequest(received.method, url);
      if (refusal !== undefined) return refusal;
      const address = server.requestIP(received);
      // It left between its request and now; nobody reads this.
      if (address === null) return new Response(null, { status: 400 });
      const peer = { remoteHost: plainAddress(address.address), remotePort: address.port };
      try {
        if (owner !== undefined && asksForWebSocket(headers)) {
          return upgrade(received, { url, peer, server, owner });
        }
        // Without a Host, Bun's own has only a path for a URL.
        const request = url === received.url ? received : new Request(url, received);
        const response = options.fetch(request, peer);
        if (!(response instanceof Promise)) return response;
        return response.catch((thrown) => failed(received, thrown, options));
      } catch (thrown) {
        return failed(received, thrown, options);
      }
    },
  });
}

/** Undefined, at once or later, when the connection is a WebSocket now. */
function upgrade<T>(
  request: Request,
  { url, peer, server, owner }: {
    url: string;
    peer: HttpPeer;
    server: Server<T>;
    owner: BunWebSocketOwner<T>;
  },
): Response | undefined | Promise<Response | undefined> {
  const { headers } = request;
  const refusal = refuseUpgrade(request.method, headers);
  if (refusal !== undefined) return refusal;
  const busy = owner.pending.refusal;
  if (busy !== undefined) return busy;
  const decision = owner.handlers.upgrade(upgradeRequest(url, headers, peer));
  if (!(decision instanceof Promise)) return decided(decision, { request, peer, server, owner });
  return owner.pending.settle(decision)
    .then((settled) => decided(settled, { request, peer, server, owner }))
    .catch((thrown) => failed(request, thrown, owner));
}

/** Undefined when the connection is a WebSocket now. */
function decided<T>(
  decision: UpgradeDecision<T>,
  { request, peer, server, owner }: {
    request: Request;
    peer: HttpPeer;
    server: Server<T>;
    owner: BunWebSocketOwner<T>;
  },
): Response | undefined {
  if (!decision.accept) return decision.response;
  const { headers } = request;
  const data = new BunWebSocketConnection<T>(owner, decision.data, peer);
  // Left to itself Bun agrees to the first protocol that the peer offers.
  const protocol = agreedProtocol(headers, decision.protocol) ?? "";
  const upgraded = headers.has("sec-websocket-protocol")
    ? server.upgrade(request, { data, headers: { "Sec-WebSocket-Protocol": protocol } })
    : server.upgrade(request, { data });
  return upgraded ? undefined : new Response("bad WebSocket request\n", { status: 400 });
}

function failed(
  request: Request,
  error: unknown,
  options: { error(error: Error): void },
): Response {
  const cause = asError(error);
  // The peer left or sent too much: its doing, and not worth a line for each.
  if (!request.signal.aborted && cause.message !== BODY_TOO_BIG) options.error(cause);
  return internalError();
}
