import { isLoopback } from "../base/address.ts";
import { unreachable } from "../base/assert.ts";
import type { HostDisconnect } from "./disconnect.ts";
import { PingStream } from "./ping_stream.ts";
import type { SessionEffect, SessionEvent, SessionShared } from "./session_events.ts";
import { TextStream } from "./text_stream.ts";

/** How long a peer may leave replies unread before it is cut off. */
export const blockedMsMax = 30_000;

type SessionState =
  /** No byte came yet: text or Protobuf. */
  | { readonly kind: "sniffing" }
  | TextStream
  | PingStream
  | { readonly kind: "closing" };

const sniffing: SessionState = { kind: "sniffing" };
const closing: SessionState = { kind: "closing" };

/**
 * One TCP connection of the host protocol. A machine: bytes and outcomes go in, effects come out.
 * The first byte decides what is spoken; until then a session is two numbers and a name.
 */
export class HostSession {
  readonly #shared: SessionShared;
  readonly #host: string;
  #state: SessionState = sniffing;
  #heardAt: number;

  /** `now` is a monotonic time in milliseconds, here and in `handle`. */
  constructor(shared: SessionShared, host: string, now: number) {
    this.#shared = shared;
    this.#host = host;
    this.#heardAt = now;
  }

  /** A connection that is known to speak command lines. */
  static ofText(shared: SessionShared, host: string, now: number): HostSession {
    const session = new HostSession(shared, host, now);
    session.#state = new TextStream(shared, host);
    return session;
  }

  /** Input waits until what was written has left or an earlier reply is there. */
  get inputWaits(): boolean {
    return this.#state.kind === "text" && this.#state.inputWaits;
  }

  handle(event: SessionEvent, now: number): SessionEffect[] {
    if (event.kind === "sweep") return this.#sweep(now);
    if (event.kind === "data") {
      if (this.#isGamePacket(event.bytes)) return this.#handOver(event.bytes);
      this.#heardAt = now;
      this.#shared.metrics.tcp_rx_bytes += event.bytes.length;
    }
    const state = this.#state;
    switch (state.kind) {
      case "sniffing":
        return this.#sniff(event, now);
      case "text":
      case "ping":
        return this.#remembered(state.handle(event, now));
      case "closing":
        return [];
      default:
        return unreachable(state);
    }
  }

  #sniff(event: SessionEvent, now: number): SessionEffect[] {
    if (event.kind === "peer_end") return this.#close("end", "peer_done");
    if (event.kind === "silent") return this.#handOver(undefined);
    if (event.kind !== "data" || event.bytes.length === 0) return [];
    const first = event.bytes[0];
    // The handshake of TLS (RFC 8446 §5.1): a browser's, with bytes of a web page's choice in it.
    if (first === 0x16) return this.#close("destroy", "tls_client");
    const state = first === 0x0a
      ? new PingStream(this.#shared)
      : new TextStream(this.#shared, this.#host);
    this.#state = state;
    return this.#remembered(state.handle(event, now));
  }

  /** Whether these are the first bytes, and those of a game client. */
  #isGamePacket(bytes: Uint8Array): boolean {
    if (this.#state.kind !== "sniffing" || this.#shared.mode === "host") return false;
    // CBOR array headers of 4 and 6 items: what a game client's packets begin with.
    return bytes[0] === 0x84 || bytes[0] === 0x86;
  }

  /** After silence or a packet: a game client, served by the other protocol or by nobody. */
  #handOver(bytes: Uint8Array | undefined): SessionEffect[] {
    const { mode, hasOther } = this.#shared;
    if (mode !== "host" && hasOther) {
      this.#state = closing;
      return [{ kind: "adopt", bytes }];
    }
    return bytes === undefined ? [] : this.#close("destroy", "game_unavailable");
  }

  #sweep(now: number): SessionEffect[] {
    const state = this.#state;
    if (state.kind === "closing") return [];
    const blockedSince = state.kind === "text" ? state.blockedSince : undefined;
    if (blockedSince !== undefined && now - blockedSince > blockedMsMax) {
      return this.#close("destroy", "slow_consumer");
    }
    const { idleMsMax } = this.#shared;
    const isSilent = idleMsMax > 0 && now - this.#heardAt > idleMsMax;
    return isSilent && !isLoopback(this.#host) ? this.#close("end", "idle") : [];
  }

  #close(kind: "end" | "destroy", reason: HostDisconnect): SessionEffect[] {
    this.#state = closing;
    return [{ kind, reason }];
  }

  /** Nothing more is said on a connection that is being closed; a close is always the last effect. */
  #remembered(effects: SessionEffect[]): SessionEffect[] {
    const last = effects[effects.length - 1]?.kind;
    if (last === "end" || last === "destroy") this.#state = closing;
    return effects;
  }
}
