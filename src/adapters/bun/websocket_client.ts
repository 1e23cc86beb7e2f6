import { webSocketCloseByAdapter } from "../../ports/http.ts";
import type { WebSocketClientPort } from "../../ports/websocket_client.ts";
import { sendableClose } from "../http_rules.ts";
import { WebSocketClientLife, webSocketUrl } from "../websocket_client_life.ts";

/** The global class by the type that Bun gives it; the DOM's types, loaded for Fetch, hide that. */
const BunWebSocket = WebSocket as unknown as {
  new (url: URL, options: Bun.WebSocketOptions): Bun.WebSocket;
};

/**
 * WebSocket client on Bun's global `WebSocket` (`ws` is only imitated there). It has no limit for
 * messages, so one that is too big is in memory for a moment before the connection closes.
 */
export function bunWebSocketClient(): WebSocketClientPort {
  return {
    connect(options) {
      const socket = new BunWebSocket(webSocketUrl(options.url), {
        protocols: [...options.protocols ?? []],
        perMessageDeflate: false,
      });
      socket.binaryType = "arraybuffer";
      const life = new WebSocketClientLife(options, () => socket.terminate());
      const close = (code: number, reason: string) => {
        const allowed = sendableClose(code, reason);
        if (life.close(allowed.code, allowed.reason)) socket.close(allowed.code, allowed.reason);
      };
      socket.onopen = () => life.opened();
      socket.onerror = (event) => life.failed(withoutAddress(event.message));
      socket.onclose = (event) => life.gone(event.code, event.reason);
      socket.onmessage = ({ data }: MessageEvent<string | ArrayBuffer>) => {
        const message = typeof data === "string" ? data : new Uint8Array(data);
        const bytes = typeof message === "string" ? Buffer.byteLength(message) : message.length;
        if (bytes <= options.messageBytesMax) return life.received(message);
        const { code, reason } = webSocketCloseByAdapter.tooBig;
        close(code, reason);
      };
      return {
        get bufferedBytes() {
          return life.isOpen ? socket.bufferedAmount : 0;
        },
        send(message) {
          if (!life.isOpen || socket.readyState !== WebSocket.OPEN) return false;
          socket.send(message as string | Uint8Array<ArrayBuffer>);
          return true;
        },
        close,
        terminate: () => life.terminate(),
      };
    },
  };
}

/** `WebSocket connection to '…' failed: cause` without what the owner knows, and may hold secrets. */
function withoutAddress(message: string): string {
  return message.replace(/^WebSocket connection to '.*' failed: /, "");
}
