import { isLoopback, showAddress } from "../base/address.ts";
import { unreachable } from "../base/assert.ts";
import { TokenBucket } from "../base/token_bucket.ts";
import { decodePing, encodePong } from "../wire/host_protobuf.ts";
import { commandBytesMax, isHostReply, parseHostCommand } from "../wire/host_text.ts";
import type { HostCommands, HostTask } from "./host_commands.ts";
import type { HostMetrics } from "./host_metrics.ts";

/** To other machines, a reply is at most this many times its request: no amplifier for forgers. */
const replyFactorMax = 3;
/** What a datagram over IPv4 can carry: 65,535 bytes less its headers (RFC 768, RFC 791). */
const datagramBytesMax = 65_507;
/** A Pong that equals its Ping could go back and forth between two servers; so many in a row go. */
const echoBurst = 16;
const echoPerSecond = 4;
/** Senders whose echoes are counted at a time; the eldest is forgotten first. */
const echoSendersMax = 256;

export interface Datagram {
  readonly bytes: Uint8Array;
  readonly host: string;
  readonly port: number;
  /** It came to the TCP port's number, where game clients look for servers. */
  readonly onGamePort: boolean;
}

export type DatagramOutcome =
  | { readonly kind: "silence" }
  | { readonly kind: "reply"; readonly bytes: Uint8Array }
  /** The reply comes later, through `replyTo`. */
  | { readonly kind: "task"; readonly task: HostTask }
  | { readonly kind: "stop_server"; readonly bytes: Uint8Array };

/** The answers to game clients that look for servers by UDP; the host only passes them on. */
export interface DiscoveryAnswers {
  isDiscovery(bytes: Uint8Array): boolean;
  /** `now` is a monotonic time in milliseconds; undefined when `host` is not to be answered now. */
  answer(bytes: Uint8Array, host: string, now: number): Uint8Array | undefined;
}

const silence: DatagramOutcome = { kind: "silence" };

/** The host protocol by UDP: one command or Ping a datagram, one datagram back. Pure. */
export class HostDatagrams {
  readonly #commands: HostCommands;
  readonly #metrics: HostMetrics;
  readonly #discovery: DiscoveryAnswers | undefined;
  readonly #echoes = new Map<string, TokenBucket>();

  /** Without `discovery` no game is served here, and who looks for one is not answered. */
  constructor(
    parts: {
      commands: HostCommands;
      metrics: HostMetrics;
      discovery?: DiscoveryAnswers | undefined;
    },
  ) {
    this.#commands = parts.commands;
    this.#metrics = parts.metrics;
    this.#discovery = parts.discovery;
  }

  /** `now` is a monotonic time in milliseconds. */
  handle(datagram: Datagram, now: number): DatagramOutcome {
    const { bytes } = datagram;
    this.#metrics.udp_rx_datagram_count++;
    this.#metrics.udp_rx_bytes += bytes.length;
    if (bytes.length === 0) return silence;
    if (bytes[0] === 0x0a) return this.#ping(datagram, now);
    if (this.#discovery?.isDiscovery(bytes)) {
      const answer = this.#discovery.answer(bytes, datagram.host, now);
      return answer === undefined ? silence : { kind: "reply", bytes: answer };
    }
    return this.#text(datagram);
  }

  /** The datagram for a task's reply; undefined when it may not be sent. */
  replyTo(datagram: Pick<Datagram, "host">, requestBytes: number, text: string) {
    let bytes = encoder.encode(text + "\n");
    if (bytes.length > datagramBytesMax) {
      bytes = encoder.encode(`${this.#commands.refuse("ERR_CODEC_FRAME_TOO_LARGE").text}\n`);
    }
    return this.#bounded({ host: datagram.host, requestBytes }, bytes);
  }

  #ping(datagram: Datagram, now: number): DatagramOutcome {
    const metrics = this.#metrics;
    const ping = datagram.bytes.length > commandBytesMax ? undefined : decodePing(datagram.bytes);
    if (ping === undefined) {
      metrics.codec_error_count++;
      return silence;
    }
    metrics.protobuf_request_count++;
    metrics.codec_frame_parse_count++;
    const pong = encodePong({
      payload: this.#commands.answerPayload(ping.payload),
      seq: ping.seq,
    });
    if (sameBytes(pong, datagram.bytes) && !this.#mayEcho(datagram, now)) return silence;
    const bytes = this.#bounded(
      { host: datagram.host, requestBytes: datagram.bytes.length },
      pong,
    );
    if (bytes === undefined) return silence;
    metrics.protobuf_response_count++;
    return { kind: "reply", bytes };
  }

  #text(datagram: Datagram): DatagramOutcome {
    const metrics = this.#metrics;
    if (isHostReply(datagram.bytes) || isGameDiscovery(datagram.bytes)) return silence;
    if (datagram.bytes.length > commandBytesMax) {
      metrics.codec_error_count++;
      if (datagram.onGamePort) return silence;
      return this.#answer(datagram, this.#commands.refuse("ERR_CODEC_COMMAND_TOO_LARGE").text);
    }
    const line = withoutLineEnd(datagram.bytes);
    if (line.length === 0) return silence;
    metrics.codec_frame_parse_count++;
    const command = line.includes(0x0a) ? undefined : parseHostCommand(line);
    if (command === undefined && datagram.onGamePort) return silence;
    const peer = { host: datagram.host, transport: "udp", authenticated: false } as const;
    const start = this.#commands.start(command, peer);
    switch (start.kind) {
      case "reply":
        return this.#answer(datagram, start.text);
      case "reading":
        return this.#answer(datagram, start.read());
      case "stop":
        return { kind: "stop_server", bytes: encoder.encode(start.text + "\n") };
      case "task":
        return start;
      default:
        return unreachable(start);
    }
  }

  #answer(datagram: Datagram, text: string): DatagramOutcome {
    const bytes = this.replyTo(datagram, datagram.bytes.length, text);
    return bytes === undefined ? silence : { kind: "reply", bytes };
  }

  #bounded(
    request: { host: string; requestBytes: number },
    bytes: Uint8Array,
  ): Uint8Array | undefined {
    if (bytes.length > request.requestBytes * replyFactorMax && !isLoopback(request.host)) {
      return undefined;
    }
    this.#metrics.codec_frame_build_count++;
    return bytes;
  }

  #mayEcho(datagram: Datagram, now: number): boolean {
    const sender = showAddress(datagram.host, datagram.port);
    let bucket = this.#echoes.get(sender);
    if (bucket === undefined) {
      if (this.#echoes.size >= echoSendersMax) {
        for (const eldest of this.#echoes.keys()) {
          this.#echoes.delete(eldest);
          break;
        }
      }
      bucket = new TokenBucket({ perSecond: echoPerSecond, burst: echoBurst, now });
      this.#echoes.set(sender, bucket);
    }
    return bucket.take(now);
  }
}

const encoder = new TextEncoder();
const gameDiscovery = ["fkDetectServer", "fkGetDetail,"].map((text) => encoder.encode(text));

/** Asked by game clients that look for servers; it is no unknown command, whoever may answer it. */
function isGameDiscovery(bytes: Uint8Array): boolean {
  return gameDiscovery.some((start) => sameBytes(start, bytes.subarray(0, start.length)));
}

function withoutLineEnd(bytes: Uint8Array): Uint8Array {
  let end = bytes.length;
  if (bytes[end - 1] === 0x0a) end--;
  if (bytes[end - 1] === 0x0d) end--;
  return bytes.subarray(0, end);
}

function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, i) => byte === b[i]);
}
