import { type ClientOptions, type RawData, WebSocket } from "ws";
import { webSocketCloseByAdapter } from "../../ports/http.ts";
import type { WebSocketClientPort } from "../../ports/websocket_client.ts";
import { sendableClose } from "../http_rules.ts";
import { WebSocketClientLife, webSocketUrl } from "../websocket_client_life.ts";

/** WebSocket client by `ws`: Deno's own bounds no message and cannot cut a connection off. */
export function denoWebSocketClient(): WebSocketClientPort {
  return {
    connect(options) {
      const clientOptions: ClientOptions = {
        perMessageDeflate: false,
        maxPayload: options.messageBytesMax,
      };
      const protocols = [...options.protocols ?? []];
      const socket = new WebSocket(webSocketUrl(options.url), protocols, clientOptions);
      const life = new WebSocketClientLife(options, () => socket.terminate());
      socket.on("open", () => life.opened());
      socket.on("error", (error: Error & { code?: string }) => {
        if (error.code === "WS_ERR_UNSUPPORTED_MESSAGE_LENGTH") {
          // `ws` has sent the close frame.
          const { code, reason } = webSocketCloseByAdapter.tooBig;
          life.close(code, reason);
        } else {
          life.failed(error.message);
        }
      });
      socket.on("close", (code, reason) => life.gone(code, reason.toString()));
      socket.on("message", (data: RawData, isBinary) => {
        const bytes = data as Buffer;
        life.received(
          isBinary
            ? new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.length)
            : bytes.toString("utf8"),
        );
      });
      return {
        get bufferedBytes() {
          return life.isOpen ? socket.bufferedAmount : 0;
        },
        send(message) {
          if (!life.isOpen || socket.readyState !== WebSocket.OPEN) return false;
          // `ws` masks a copy of a string, but binary messages in place.
          socket.send(typeof message === "string" ? message : message.slice());
          return true;
        },
        close(code, reason) {
          const allowed = sendableClose(code, reason);
          if (life.close(allowed.code, allowed.reason)) socket.close(allowed.code, allowed.reason);
        },
        terminate: () => life.terminate(),
      };
    },
  };
}
