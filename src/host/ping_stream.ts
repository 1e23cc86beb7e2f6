import { encodePong, pingBytesMax, readPing, scanPing } from "../wire/host_protobuf.ts";
import type { SessionEffect, SessionEvent, SessionShared } from "./session_events.ts";

/** Silence after which what came of a Ping is taken as all of it (host protocol, "Framing"). */
export const pingSilenceMs = 200;

/** A connection that began with a Protobuf Ping: one Ping, one Pong, then it is closed. */
export class PingStream {
  readonly kind = "ping";
  readonly #shared: SessionShared;
  #bytes = new Uint8Array(0);
  #lastByteAt = 0;

  constructor(shared: SessionShared) {
    this.#shared = shared;
  }

  handle(event: SessionEvent, now: number): SessionEffect[] {
    switch (event.kind) {
      case "data":
        return this.#receive(event.bytes, now);
      case "peer_end":
        return this.#answer(this.#bytes);
      case "wake": {
        const silentAt = this.#lastByteAt + pingSilenceMs;
        return now >= silentAt ? this.#answer(this.#bytes) : [{ kind: "wake", at: silentAt }];
      }
      default:
        return [];
    }
  }

  #receive(bytes: Uint8Array, now: number): SessionEffect[] {
    const isFirst = this.#bytes.length === 0;
    const room = pingBytesMax + 1 - this.#bytes.length;
    const more = bytes.subarray(0, room);
    const joined = new Uint8Array(this.#bytes.length + more.length);
    joined.set(this.#bytes);
    joined.set(more, this.#bytes.length);
    this.#bytes = joined;
    this.#lastByteAt = now;
    const progress = scanPing(joined);
    if (progress.kind === "malformed") return this.#refuse();
    if (progress.kind === "complete") return this.#answer(joined.subarray(0, progress.bytes));
    return isFirst ? [{ kind: "wake", at: now + pingSilenceMs }] : [];
  }

  #answer(bytes: Uint8Array): SessionEffect[] {
    const ping = scanPing(bytes).kind === "inside_field" ? undefined : readPing(bytes);
    if (ping === undefined) return this.#refuse();
    const { metrics, commands } = this.#shared;
    const payload = commands.answerPayload(ping.payload);
    const pong = encodePong({ payload, seq: ping.seq });
    metrics.tcp_rx_packet_count++;
    metrics.codec_frame_parse_count++;
    metrics.protobuf_request_count++;
    metrics.protobuf_response_count++;
    metrics.codec_frame_build_count++;
    metrics.tcp_tx_packet_count++;
    metrics.tcp_tx_bytes += pong.length;
    return [{ kind: "write", bytes: pong }, { kind: "end", reason: "ping_answered" }];
  }

  #refuse(): SessionEffect[] {
    this.#shared.metrics.tcp_rx_packet_count++;
    this.#shared.metrics.codec_error_count++;
    return [{ kind: "end", reason: "ping_malformed" }];
  }
}
