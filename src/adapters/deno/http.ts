import { createServer, type IncomingMessage, type Server } from "node:http";
import { createServer as createTlsServer } from "node:https";
import type { AddressInfo, Socket } from "node:net";
import type { TLSSocket } from "node:tls";
import { plainAddress } from "../../base/address.ts";
import { BindError } from "../../ports/bind_error.ts";
import type { HttpListenOptions, HttpPeer, HttpServerPort, TlsKeyPair } from "../../ports/http.ts";
import {
  asError,
  asksForWebSocket,
  codeOf,
  httpIdleSecondsMax,
  httpSilentSecondsMax,
  internalError,
  refuseRequest,
  refuseUpgrade,
  upgradeRequest,
} from "../http_rules.ts";
import { checkTlsKeyPair } from "../node/tls_key_pair.ts";
import { connectionsMax } from "./file_limit.ts";
import { headersOf, HttpExchange, urlOf, writeRawResponse } from "./http_exchange.ts";
import { DenoWebSockets } from "./websocket.ts";

/** How long a whole request may take to come in, in idle times: a body at 16 KB/s of the size that
 * is usual here fits, a peer that drips does not stay. */
const REQUEST_IDLE_TIMES_MAX = 2;

/**
 * HTTP server on `node:http`, WebSockets by `ws`: Deno's own have no ping, and no close frame for a
 * message that is too big. A connection that is no WebSocket is cut after `idleSecondsMax` without
 * a byte, and after `httpSilentSecondsMax` without one when it has not asked for anything yet.
 */
export function denoHttp({ idleSecondsMax = httpIdleSecondsMax } = {}): HttpServerPort {
  return {
    async listen(options) {
      const idleMsMax = idleSecondsMax * 1000;
      const { tls } = options;
      const times = {
        headersTimeout: idleMsMax,
        requestTimeout: idleMsMax * REQUEST_IDLE_TIMES_MAX,
        keepAliveTimeout: idleMsMax,
        connectionsCheckingInterval: Math.min(1000, idleMsMax),
      };
      if (tls !== undefined) checkTlsKeyPair(tls);
      const overTls = tls && createTlsServer({ ...times, ...contextOf(tls) });
      const server = overTls ?? createServer(times);
      // Out of files, node:net would stop accepting for ever without a word.
      const most = connectionsMax();
      if (most !== undefined) server.maxConnections = most;
      const webSockets = options.webSocket && new DenoWebSockets(options.webSocket, options.error);
      const sockets = trackSockets(server, { idleMsMax, isOverTls: overTls !== undefined });
      server.on("request", (incoming, outgoing) => {
        incoming.socket.setTimeout(idleMsMax);
        const exchange = new HttpExchange(incoming, outgoing, options.bodyBytesMax);
        void exchange.answer((request) => options.fetch(request, peerOf(incoming)), options.error);
      });
      server.on("connect", (_incoming, socket: Socket) => {
        void writeRawResponse(socket, refuseRequest("CONNECT", "") ?? internalError());
      });
      server.on("upgrade", (incoming, socket: Socket, head: Uint8Array) => {
        socket.setTimeout(idleMsMax);
        void upgrade(incoming, { socket, head, options, webSockets });
      });
      await listen(server, options.host, options.port);
      return {
        host: options.host,
        port: (server.address() as AddressInfo).port,
        replaceTls(pair) {
          if (overTls === undefined) {
            throw new Error(`Cannot replace the certificate of ${options.host}: it has none`);
          }
          checkTlsKeyPair(pair);
          overTls.setSecureContext(contextOf(pair));
        },
        async close() {
          const closed = new Promise<void>((resolve) => server.close(() => resolve()));
          await webSockets?.close();
          for (const socket of sockets) socket.destroy();
          await closed;
        },
      };
    },
  };
}

/** Answers what asked for an upgrade: a WebSocket, a refusal, or, for any other kind of upgrade, a
 * response as if it had not asked. */
async function upgrade<T>(
  incoming: IncomingMessage,
  { socket, head, options, webSockets }: {
    socket: Socket;
    head: Uint8Array;
    options: HttpListenOptions<T>;
    webSockets: DenoWebSockets<T> | undefined;
  },
): Promise<void> {
  socket.on("error", () => socket.destroy());
  const method = incoming.method ?? "";
  const url = urlOf(incoming);
  const headers = headersOf(incoming);
  let response = refuseRequest(method, url);
  try {
    if (response === undefined && webSockets !== undefined && asksForWebSocket(headers)) {
      response = refuseUpgrade(method, headers);
      response ??= await webSockets.upgrade(upgradeRequest(url, headers, peerOf(incoming)), {
        incoming,
        socket,
        head,
      });
      if (response === undefined) return;
    }
    response ??= await options.fetch(new Request(url, { method, headers }), peerOf(incoming));
  } catch (error) {
    options.error(asError(error));
    response = internalError();
  }
  await writeRawResponse(socket, response);
}

function listen(server: Server, host: string, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const fail = (error: Error) => {
      // Deno shows "no such address of this machine" so; the arguments themselves are sound.
      const code = codeOf(error) === "EINVAL" ? "EADDRNOTAVAIL" : codeOf(error);
      reject(new BindError({ protocol: "http", host, port, code }, error));
    };
    server.once("error", fail);
    server.listen(port, host, () => {
      server.off("error", fail);
      resolve();
    });
  });
}

function contextOf({ certificate, key }: TlsKeyPair): { cert: string; key: string } {
  return { cert: certificate, key };
}

/** All connections of a server, each cut when nothing comes of it for too long. */
function trackSockets(
  server: Server,
  { idleMsMax, isOverTls }: { idleMsMax: number; isOverTls: boolean },
): Set<Socket> {
  const sockets = new Set<Socket>();
  const silentMsMax = Math.min(idleMsMax, httpSilentSecondsMax * 1000);
  const track = (socket: Socket) => {
    sockets.add(socket);
    socket.once("close", () => sockets.delete(socket));
    socket.setTimeout(silentMsMax, () => socket.destroy());
  };
  const shaking = new Map<string, Socket>();
  server.on("connection", (socket: Socket) => {
    track(socket);
    if (!isOverTls) return;
    const peer = `${socket.remoteAddress} ${socket.remotePort}`;
    shaking.set(peer, socket);
    socket.once("close", () => {
      if (shaking.get(peer) === socket) shaking.delete(peer);
    });
  });
  // From the handshake on the socket below sees no bytes: the one above stands for it.
  server.on("secureConnection", (socket: TLSSocket) => {
    const peer = `${socket.remoteAddress} ${socket.remotePort}`;
    const below = shaking.get(peer);
    shaking.delete(peer);
    below?.setTimeout(0);
    if (below !== undefined) sockets.delete(below);
    track(socket);
  });
  server.on("tlsClientError", (_error: Error, socket: TLSSocket) => socket.destroy());
  return sockets;
}

function peerOf({ socket }: IncomingMessage): HttpPeer {
  return {
    remoteHost: plainAddress(socket.remoteAddress ?? ""),
    remotePort: socket.remotePort ?? 0,
  };
}
