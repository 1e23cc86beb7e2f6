import { unreachable } from "../base/assert.ts";
import {
  beginsLikeHttpRequest,
  type HostCommand,
  isHttpRequestLine,
  LineFramer,
  parseHostCommand,
  replyBytesMax,
} from "../wire/host_text.ts";
import { authFailuresMax, opensControl, type Peer } from "./access.ts";
import type { ReplySlot, SessionEffect, SessionEvent, SessionShared } from "./session_events.ts";

/** Replies of one connection that wait for an earlier one; then its input waits too. */
export const waitingRepliesMax = 1_024;
/** Reply characters made before the connection is asked whether it can take more. */
const replyBatchMax = 65_536;
/** Input that may come in after reading was stopped: what the system had read already. */
const heldInputBytesMax = 1_048_576;

type Close = SessionEffect & { kind: "end" | "destroy" };

/**
 * A connection that speaks command lines. Replies keep the order of their commands, whatever takes
 * longer; a close is always the last effect.
 */
export class TextStream {
  readonly kind = "text";
  readonly #shared: SessionShared;
  #peer: Peer;
  readonly #framer = new LineFramer();
  readonly #slots: ReplySlot[] = [];
  #isFirstLine = true;
  #peerEnded = false;
  #authFailures = 0;
  #inputWaits = false;
  #blockedSince: number | undefined;
  #close: Close | undefined;

  constructor(shared: SessionShared, host: string) {
    this.#shared = shared;
    this.#peer = { host, transport: "tcp", authenticated: false };
  }

  get inputWaits(): boolean {
    return this.#inputWaits;
  }

  /** When writing began to stall; undefined while it does not. */
  get blockedSince(): number | undefined {
    return this.#blockedSince;
  }

  handle(event: SessionEvent, now: number): SessionEffect[] {
    switch (event.kind) {
      case "data":
        this.#framer.push(event.bytes);
        if (this.#framer.heldBytes > heldInputBytesMax) {
          return [{ kind: "destroy", reason: "flood" }];
        }
        break;
      case "peer_end":
        this.#peerEnded = true;
        break;
      case "replied":
        event.slot.text = event.text;
        this.#countReply();
        break;
      case "blocked":
        this.#blockedSince ??= now;
        break;
      case "writable":
        this.#blockedSince = undefined;
        break;
      case "silent":
      case "wake":
      case "sweep":
        return [];
      default:
        unreachable(event);
    }
    return this.#answerLines();
  }

  /** Answers lines until there is none or too much waits, then says what that means for input. */
  #answerLines(): SessionEffect[] {
    const effects: SessionEffect[] = [];
    let out = this.#takeReady();
    let more = true;
    while (more && this.#close === undefined && this.#mayAnswer(out)) {
      const line = this.#framer.next();
      if (line === undefined) more = false;
      else if (line === "too_large") out += this.#refuseTooLarge();
      else if (!(line instanceof Uint8Array)) out += this.#run(line, effects);
      else if (line.length > 0) out += this.#answerLine(line, effects);
    }
    this.#framer.keep();
    if (out !== "") effects.push(this.#write(out));
    if (this.#close === undefined && more !== this.#inputWaits) {
      this.#inputWaits = more;
      effects.push({ kind: more ? "pause" : "resume" });
    }
    const isDone = this.#peerEnded && !more && this.#slots.length === 0;
    if (isDone) this.#close ??= { kind: "end", reason: "peer_done" };
    if (this.#close !== undefined) effects.push(this.#close);
    return effects;
  }

  #mayAnswer(out: string): boolean {
    return this.#blockedSince === undefined && out.length < replyBatchMax &&
      this.#slots.length < waitingRepliesMax;
  }

  /** The reply with its line end; "" when it comes later, or never. */
  #answerLine(line: Uint8Array, effects: SessionEffect[]): string {
    const command = parseHostCommand(line);
    if (command === undefined && this.#isFirstLine && isHttpRequestLine(asciiOf(line))) {
      this.#shared.metrics.codec_frame_parse_count++;
      this.#takeFirst();
      return this.#refuseHttp();
    }
    return this.#run(command, effects);
  }

  #run(command: HostCommand | undefined, effects: SessionEffect[]): string {
    const { metrics, commands } = this.#shared;
    metrics.codec_frame_parse_count++;
    this.#takeFirst();
    if (command?.verb === "AUTH:") return this.#authenticate(command.argument);
    const start = commands.start(command, this.#peer);
    switch (start.kind) {
      case "reply":
        return this.#reply(start.text);
      case "reading":
        return this.#reply(start.read);
      case "stop":
        effects.push({ kind: "stop_server" });
        return this.#reply(start.text);
      case "task": {
        const slot: ReplySlot = { text: undefined };
        this.#slots.push(slot);
        effects.push({ kind: "task", task: start.task, slot });
        return "";
      }
      default:
        return unreachable(start);
    }
  }

  #refuseTooLarge(): string {
    const isFirst = this.#takeFirst();
    this.#shared.metrics.codec_error_count++;
    if (isFirst && beginsLikeHttpRequest(this.#framer.tooLargeStart)) return this.#refuseHttp();
    return this.#reply(this.#shared.commands.refuse("ERR_CODEC_COMMAND_TOO_LARGE").text);
  }

  #takeFirst(): boolean {
    this.#shared.metrics.tcp_rx_packet_count++;
    const isFirst = this.#isFirstLine;
    this.#isFirstLine = false;
    return isFirst;
  }

  #refuseHttp(): string {
    this.#shared.metrics.rejected_command_count++;
    this.#close = { kind: "destroy", reason: "http_request" };
    return "";
  }

  #authenticate(token: string): string {
    const { commands } = this.#shared;
    if (opensControl(token, this.#peer.host, commands.rules.access)) {
      this.#peer = { ...this.#peer, authenticated: true };
      return this.#reply("AUTH_OK");
    }
    this.#authFailures++;
    if (this.#authFailures >= authFailuresMax) this.#close = { kind: "end", reason: "auth_failed" };
    return this.#reply(commands.refuse("ERR_FORBIDDEN").text);
  }

  /** A reply that is ready: now, or behind those that wait. */
  #reply(text: string | (() => string)): string {
    this.#countReply();
    if (this.#slots.length > 0) {
      this.#slots.push({ text });
      return "";
    }
    return this.#bounded(typeof text === "string" ? text : text());
  }

  /** The replies at the head that nothing holds up any more. */
  #takeReady(): string {
    let ready = 0;
    let out = "";
    for (const { text } of this.#slots) {
      if (text === undefined) break;
      out += this.#bounded(typeof text === "string" ? text : text());
      ready++;
    }
    if (ready > 0) this.#slots.splice(0, ready);
    return out;
  }

  #bounded(text: string): string {
    // A UTF-16 unit is at most 3 bytes of UTF-8; only long replies are worth counting exactly.
    const fits = text.length * 3 < replyBytesMax || encoder.encode(text).length < replyBytesMax;
    return `${fits ? text : this.#shared.commands.refuse("ERR_CODEC_FRAME_TOO_LARGE").text}\n`;
  }

  #countReply(): void {
    this.#shared.metrics.tcp_tx_packet_count++;
    this.#shared.metrics.codec_frame_build_count++;
  }

  #write(text: string): SessionEffect {
    const bytes = knownReplies.get(text) ?? encoder.encode(text);
    this.#shared.metrics.tcp_tx_bytes += bytes.length;
    return { kind: "write", bytes };
  }
}

const encoder = new TextEncoder();

/** Replies that probes ask for again and again, encoded once. */
const knownReplies: ReadonlyMap<string, Uint8Array> = new Map(
  ["M1_CONN_PONG\n", "M1_UDP_PONG\n", "M6_OK\n", "ERR_UNKNOWN_TCP\n"]
    .map((text) => [text, encoder.encode(text)]),
);

function asciiOf(line: Uint8Array): string {
  return String.fromCharCode(...line);
}
