import { type GameConfig, setupPacketBytesMax } from "../config/game_config.ts";
import type { Zlib } from "../ports/zlib.ts";
import {
  type ClientCommand,
  decodeClientPacket,
  type IgnoredPacket,
} from "../wire/client_packet.ts";
import type { Inflate } from "../wire/compression.ts";
import { hostVerbs, parseHostCommand } from "../wire/host_text.ts";
import { type PacketFault, PacketFramer } from "../wire/packet_framer.ts";
import { decodeSetup, type SetupRequest } from "../wire/setup.ts";
import { FloodGuard, type FloodLimits } from "./flood_guard.ts";

/** How soon a connection that sends too fast is read again, in milliseconds. */
export const floodPauseMs = 250;

/** A line of the host protocol that comes after the greeting: verb and argument are short. */
const textLineBytesMax = 2_048;

/** What all sessions share. */
export interface SessionRules {
  /** Largest declared length in the first packet. */
  readonly setupPacketBytesMax: number;
  /** The same after login. */
  readonly packetBytesMax: number;
  readonly flood: FloodLimits;
  readonly inflate: Inflate;
}

/** What a connection says, piece by piece. */
export type SessionInput =
  /** The first packet, and it is a Setup. The session waits until `loggedIn`. */
  | { readonly kind: "setup"; readonly setup: SetupRequest }
  /** The first packet, and it is something else. */
  | { readonly kind: "invalid_setup" }
  | { readonly kind: "command"; readonly command: ClientCommand }
  | { readonly kind: "reply"; readonly id: number; readonly data: Uint8Array }
  | { readonly kind: "ignored"; readonly reason: IgnoredPacket; readonly command: string }
  /** These bytes cannot be a packet; nothing more is read. */
  | { readonly kind: "fault"; readonly fault: PacketFault }
  /** The peer speaks the host protocol; all bytes that came so far. */
  | { readonly kind: "host_text"; readonly bytes: Uint8Array }
  /** Too fast: nothing is read before that time, `next` is to be asked again then. */
  | { readonly kind: "too_fast"; readonly until: number }
  | { readonly kind: "flood" };

type Phase = "greeted" | "text" | "logging_in" | "playing" | "closed";

/**
 * The reading side of one connection: bytes become what the player says. Pure, and small while
 * nothing came. Give it bytes with `push`, take what they say with `next` until there is nothing, then
 * call `keep`.
 */
export class GameSession {
  readonly #rules: SessionRules;
  #phase: Phase = "greeted";
  #framer: PacketFramer | undefined;
  #guard: FloodGuard | undefined;
  #text: Uint8Array = nothing;

  constructor(rules: SessionRules) {
    this.#rules = rules;
  }

  /** Bytes held, for limits and metrics. */
  get heldBytes(): number {
    return (this.#framer?.heldBytes ?? 0) + this.#text.length;
  }

  /** `now` is monotonic, in milliseconds. */
  push(bytes: Uint8Array, now: number): void {
    if (this.#phase === "closed" || bytes.length === 0) return;
    if (this.#framer === undefined && this.#phase === "greeted" && beginsText(bytes)) {
      this.#phase = "text";
    }
    if (this.#phase === "text") {
      this.#text = joined(this.#text, bytes);
      return;
    }
    this.#guard?.countBytes(bytes.length, now);
    this.#framer ??= new PacketFramer({
      packetBytesMax: this.#rules.setupPacketBytesMax,
    });
    this.#framer.push(bytes);
  }

  next(now: number): SessionInput | undefined {
    switch (this.#phase) {
      case "greeted":
        return this.#nextBeforeLogin();
      case "text":
        return this.#nextOfText();
      case "playing":
        return this.#nextOfPlayer(now);
      case "logging_in":
      case "closed":
        return undefined;
    }
  }

  /** Copies what was not taken: the bytes of `push` are valid only during the adapter's call. */
  keep(): void {
    this.#framer?.keep();
  }

  loggedIn(now: number): void {
    if (this.#phase !== "logging_in") return;
    this.#phase = "playing";
    this.#guard = new FloodGuard(this.#rules.flood, now);
    if (this.#framer !== undefined) this.#framer.packetBytesMax = this.#rules.packetBytesMax;
  }

  /** Nothing more is read. */
  close(): void {
    this.#phase = "closed";
    this.#framer = undefined;
    this.#guard = undefined;
    this.#text = nothing;
  }

  #nextBeforeLogin(): SessionInput | undefined {
    const packet = this.#framer?.next();
    if (packet === undefined) return undefined;
    if (typeof packet === "string") return this.#fault(packet);
    this.#phase = "logging_in";
    const setup = decodeSetup(packet);
    return setup === undefined ? { kind: "invalid_setup" } : { kind: "setup", setup };
  }

  #nextOfText(): SessionInput | undefined {
    const text = this.#text;
    const end = text.indexOf(0x0a);
    if (end < 0) {
      const mayGoOn = text.length <= textLineBytesMax && mayBecomeVerb(text);
      return mayGoOn ? undefined : this.#fault("packet_not_array");
    }
    const line = text.subarray(0, text[end - 1] === 0x0d ? end - 1 : end);
    if (parseHostCommand(line) === undefined) return this.#fault("packet_not_array");
    this.close();
    return { kind: "host_text", bytes: text };
  }

  #nextOfPlayer(now: number): SessionInput | undefined {
    const framer = this.#framer;
    const guard = this.#guard;
    if (framer === undefined || guard === undefined) return undefined;
    if (framer.heldBytes === 0) return undefined;
    if (!guard.takePacket(now)) {
      if (guard.isFlood(now)) return { kind: "flood" };
      return { kind: "too_fast", until: now + floodPauseMs };
    }
    const packet = framer.next();
    if (packet === undefined) {
      guard.giveBackPacket();
      return undefined;
    }
    if (typeof packet === "string") return this.#fault(packet);
    const { packetBytesMax: plainBytesMax } = this.#rules;
    const input = decodeClientPacket(packet, {
      plainBytesMax,
      inflate: (bytes, limits) => {
        guard.countBytes(limits.outputBytesMax, now);
        return this.#rules.inflate(bytes, limits);
      },
    });
    return input.kind === "reply"
      ? { kind: "reply", id: input.requestId, data: input.data }
      : input;
  }

  #fault(fault: PacketFault): SessionInput {
    this.close();
    return { kind: "fault", fault };
  }
}

/** The part of a configuration that sessions need. */
export function sessionRulesOf(config: GameConfig, zlib: Zlib): SessionRules {
  return {
    setupPacketBytesMax: setupPacketBytesMax(config),
    packetBytesMax: config.maxPacketBytes,
    flood: {
      packetsPerSecond: config.packetsPerSecond,
      packetsBurst: config.packetsBurst,
      bytesPerSecond: config.bytesPerSecond,
      bytesBurst: config.bytesBurst,
      overMsMax: config.overLimitSeconds * 1_000,
    },
    inflate: (bytes, limits) => zlib.inflate(bytes, limits),
  };
}

const nothing = new Uint8Array(0);

/** A letter or `_`, as every verb begins; no packet does. */
function beginsText(bytes: Uint8Array): boolean {
  const first = bytes[0] as number;
  return first === 0x5f || (first >= 0x41 && first <= 0x5a) || (first >= 0x61 && first <= 0x7a);
}

/** Whether a line that has not ended yet may still turn out to be a verb. */
function mayBecomeVerb(text: Uint8Array): boolean {
  const start = String.fromCharCode(...text.subarray(0, longestVerb));
  return hostVerbs.some((verb) =>
    verb.startsWith(start.replace(/\r$/, "")) || (verb.endsWith(":") && start.startsWith(verb))
  );
}

const longestVerb = Math.max(...hostVerbs.map((verb) => verb.length)) + 1;

function joined(first: Uint8Array, second: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(first.length + second.length);
  bytes.set(first);
  bytes.set(second, first.length);
  return bytes;
}
