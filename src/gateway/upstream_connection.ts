import type { Clock } from "../ports/clock.ts";
import type { CryptoPort } from "../ports/crypto.ts";
import type { Random } from "../ports/random.ts";
import type { TcpCloseReason, TcpConnection, TcpHandlers, TcpPort } from "../ports/tcp.ts";
import { decodeUtf8Lossy } from "../wire/utf8.ts";
import { closePayload, FrameBatch, frameOpcode } from "../wire/websocket_frame.ts";
import { FrameParser, type FrameRoom } from "../wire/websocket_parser.ts";
import {
  acceptOf,
  handshakeKey,
  handshakeRequest,
  headEnd,
  judgeHandshake,
  responseHeadBytesMax,
} from "./link_handshake.ts";
import { linkTimes } from "./link_life.ts";
import type { LinkEnd } from "./link_types.ts";
import type { UpstreamAddress } from "./upstream_url.ts";

/** The link sends no batch while another one waits, so this bounds one message and some control
 * frames; it is far over the longest message that the gateway takes. */
const OUTBOUND_BYTES_MAX = 1 << 30;

/** How long the upstream may take to close after our close frame. */
const LINGER_MS = 1_000;

/** What a connection tells its link. `ended` comes exactly once, last but for `gone`. */
export interface ConnectionEvents {
  opened(): void;
  /** Bytes came; before what they mean. */
  heard(): void;
  text(text: string): void;
  binary(bytes: Uint8Array): void;
  /** Bytes are valid only during the call, as of `pong`. */
  ping(payload: Uint8Array): void;
  pong(payload: Uint8Array): void;
  /** Everything that waited has left, after a `write` returned false. */
  drained(): void;
  /** It is over, or could not be had; `why` is for the log. */
  ended(end: LinkEnd, why: string): void;
  /** The socket is gone as well. */
  gone(): void;
}

/**
 * One attempt at a WebSocket to an upstream, over TCP or TLS: dials, shakes hands, and then carries
 * frames. It begins at once.
 */
export class UpstreamConnection {
  readonly #address: UpstreamAddress;
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #crypto: Pick<CryptoPort, "sha1">;
  readonly #events: ConnectionEvents;
  readonly #parser: FrameParser;
  readonly #key: string;
  #tcp: TcpConnection<undefined> | undefined;
  #phase: "dialing" | "handshake" | "open" | "over" = "dialing";
  #head: Uint8Array = new Uint8Array(0);
  #cancelTimeout: () => void = () => {};

  constructor(options: {
    address: UpstreamAddress;
    tcp: TcpPort;
    clock: Clock;
    random: Random;
    crypto: Pick<CryptoPort, "sha1">;
    messageBytesMax: number;
    /** PEM of the only authorities to trust for `wss:`; those of the system when absent. */
    authorities?: string | undefined;
    /** Where its large messages are counted. */
    room?: FrameRoom | undefined;
    events: ConnectionEvents;
  }) {
    this.#address = options.address;
    this.#clock = options.clock;
    this.#random = options.random;
    this.#crypto = options.crypto;
    this.#events = options.events;
    this.#parser = new FrameParser({
      messageBytesMax: options.messageBytesMax,
      room: options.room,
      handlers: {
        text: (text) => this.#events.text(text),
        binary: (bytes) => this.#events.binary(bytes),
        ping: (payload) => this.#events.ping(payload),
        pong: (payload) => this.#events.pong(payload),
        close: (code, reason) => this.#closedByUpstream(code, reason),
      },
    });
    this.#key = handshakeKey(options.random.bytes(16));
    this.#dial(options.tcp, options.authorities);
  }

  get bufferedBytes(): number {
    return this.#tcp?.bufferedBytes ?? 0;
  }

  /** Sends frames; false when they wait: nothing more is to be sent until `drained`. */
  write(frames: Uint8Array): boolean {
    return this.#phase === "open" && this.#tcp !== undefined && this.#tcp.write(frames);
  }

  /** Ends it: with a close frame of this code if it is open and its bytes flow. */
  close(end: LinkEnd, why: string, closeCode?: number): void {
    if (this.#phase === "over") return;
    const isOpen = this.#phase === "open" && this.bufferedBytes === 0;
    this.#phase = "over";
    this.#cancelTimeout();
    this.#parser.stop();
    if (isOpen && closeCode !== undefined) this.#sayGoodbye(closeCode);
    else this.#tcp?.destroy();
    this.#events.ended(end, why);
  }

  #open(tcp: TcpConnection<undefined>): void {
    tcp.data = undefined;
    this.#tcp = tcp;
    if (this.#phase === "over") return tcp.destroy();
    this.#phase = "handshake";
    this.#cancelTimeout = this.#clock.after(linkTimes.handshakeMsMax, () => {
      const seconds = linkTimes.handshakeMsMax / 1000;
      this.close("handshake_failed", `it did not answer the handshake within ${seconds} s`);
    });
    tcp.write(handshakeRequest(this.#address, this.#key));
  }

  #data(bytes: Uint8Array): void {
    if (this.#phase === "open") this.#readFrames(bytes);
    else if (this.#phase === "handshake") this.#readHead(bytes);
  }

  #end(): void {
    this.close("lost", "it ended the connection without a close frame");
    this.#tcp?.destroy();
  }

  #drain(): void {
    if (this.#phase === "open") this.#events.drained();
  }

  #gone(reason: TcpCloseReason): void {
    this.close("lost", reason === "error" ? "the connection was reset" : "the connection closed");
    this.#events.gone();
  }

  #dial(tcp: TcpPort, authorities: string | undefined): void {
    const { host, port, isSecure } = this.#address;
    const tls = { serverName: host, ...(authorities === undefined ? {} : { authorities }) };
    const handlers: TcpHandlers<undefined> = {
      open: (connection) => this.#open(connection),
      data: (_connection, bytes) => this.#data(bytes),
      end: () => this.#end(),
      drain: () => this.#drain(),
      close: (_connection, reason) => this.#gone(reason),
    };
    tcp.connect<undefined>({
      host,
      port,
      ...(isSecure ? { tls } : {}),
      timeoutMs: linkTimes.dialMsMax,
      limits: { outboundBytesMax: OUTBOUND_BYTES_MAX, lingerMs: LINGER_MS },
      handlers,
    }).catch((error: unknown) => {
      this.close("refused", error instanceof Error ? error.message : String(error));
      this.#events.gone();
    });
  }

  #readHead(bytes: Uint8Array): void {
    const before = this.#head.length;
    const head = new Uint8Array(before + bytes.length);
    head.set(this.#head);
    head.set(bytes, before);
    const end = headEnd(head, before);
    if (end > responseHeadBytesMax || (end < 0 && head.length > responseHeadBytesMax)) {
      const most = `${responseHeadBytesMax} bytes`;
      return this.close("handshake_failed", `the head of its answer is over ${most}`);
    }
    this.#head = head;
    if (end < 0) return;
    const accept = acceptOf(this.#key, this.#crypto);
    const fault = judgeHandshake(decodeUtf8Lossy(head.subarray(0, end)), accept);
    if (fault !== undefined) return this.close("handshake_failed", fault);
    this.#cancelTimeout();
    this.#head = new Uint8Array(0);
    this.#phase = "open";
    this.#events.opened();
    if (end < head.length) this.#readFrames(head.subarray(end));
  }

  #readFrames(bytes: Uint8Array): void {
    this.#events.heard();
    const fault = this.#parser.push(bytes);
    if (fault === undefined) return;
    const end = fault.closeCode === 1009 ? "too_big" : "protocol_error";
    this.close(end, fault.message, fault.closeCode);
  }

  #closedByUpstream(code: number, reason: string): void {
    const said = reason === "" ? "" : `: ${JSON.stringify(reason)}`;
    // Answered with its own code (RFC 6455 §5.5.1).
    const answer = code === 1005 ? 1000 : code;
    this.close("closed_by_upstream", `it closed with code ${code}${said}`, answer);
  }

  #sayGoodbye(closeCode: number): void {
    const batch = new FrameBatch((count) => this.#random.bytes(count));
    batch.control(frameOpcode.close, closePayload(closeCode, ""));
    this.#tcp?.write(batch.frames);
    this.#tcp?.end();
  }
}
