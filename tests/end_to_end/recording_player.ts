import { setImmediate as nextTurn } from "node:timers/promises";
import { GameClient } from "../client/game_client.ts";
import type { GameProgram } from "../client/game_program.ts";
import { diagnose, diagnoseText } from "../client/diagnosis.ts";
import type { GamePacket } from "../client/game_packet.ts";
import { isAutomatic, RecordedFrames } from "./recorded_frames.ts";
import {
  comparable,
  type Compared,
  type Heard,
  isOfRules,
  lastNumbers,
  Names,
  namesOf,
} from "./recording_masks.ts";
import type { ExpectedStep, Step } from "./recording_script.ts";

export interface PlayOptions {
  /** Md5 of the packages of the program under test. */
  readonly md5: string;
  /** What a login's cipher holds, by its line; else a password that goes with the name. */
  readonly plainTexts?: ReadonlyMap<number, string>;
  /** Connections that do not answer heartbeats, and whose heartbeats are compared. */
  readonly heartbeatsOf?: readonly string[];
  /** The names in a warning about one address for many. */
  readonly sameAddress?: string;
  /** Called with each new client. */
  readonly prepare?: (client: GameClient) => void;
  /** Called at the end, while everybody is still connected. */
  readonly afterwards?: (clients: readonly GameClient[]) => Promise<void>;
  /** Waits until the rules have said a good part of what they had said then, before going on. */
  readonly pacedByRules?: boolean;
  /** How long an answer may take, beyond the time that it took in the recording. */
  readonly patienceMs?: number;
}

/** One connection of the recording, and what stands for it now. */
interface Side {
  readonly label: string;
  readonly client: GameClient;
  readonly expected: ExpectedStep[];
  /** Where it was closed by us: what came later does not count. */
  until: number | undefined;
  isLoggedIn: boolean;
  /** It said something that nothing has answered yet. */
  isUnanswered: boolean;
}

const defaultPatienceMs = 10_000;

/** Of what the rules said in the recording; no two games are of the same length. */
const goodPart = 0.3;

/**
 * Plays what the clients of a recording sent to a program, step by step, and throws at the first
 * thing that the server says otherwise, or not at all.
 */
export class RecordingPlayer {
  readonly #program: GameProgram;
  readonly #options: PlayOptions;
  readonly #steps: readonly Step[];
  readonly #recordedNames: Names;
  readonly #names = new Names();
  readonly #frames: RecordedFrames;
  readonly #sides = new Map<string, Side>();
  readonly #all: Side[] = [];
  #lastTalker: Side | undefined;
  #stepMs = 0;

  constructor(program: GameProgram, steps: readonly Step[], options: PlayOptions) {
    this.#program = program;
    this.#steps = steps;
    this.#options = options;
    this.#recordedNames = namesOf(steps);
    this.#frames = new RecordedFrames(steps, {
      md5: options.md5,
      plainTexts: options.plainTexts ?? new Map(),
      recordedNames: this.#recordedNames,
      names: this.#names,
      clients: () => this.clients,
    });
  }

  /** All clients so far, whether they are still connected or not. */
  get clients(): GameClient[] {
    return this.#all.map(({ client }) => client);
  }

  async play(): Promise<void> {
    try {
      for (let at = 0; at < this.#steps.length;) at += await this.#step(at);
      await this.#finish();
      await this.#options.afterwards?.(this.clients);
    } finally {
      for (const { client } of this.#all) if (client.ending === undefined) client.reset();
    }
  }

  /** Plays one step, and others that belong to it; their number. */
  async #step(at: number): Promise<number> {
    const step = this.#steps[at] as Step;
    this.#stepMs = step.atMs - (this.#steps[Math.max(0, at - 1)] as Step).atMs;
    switch (step.kind) {
      case "note":
        await this.#note(step.text);
        return 1;
      case "expected":
        this.#side(step.conn).expected.push(step);
        this.#side(step.conn).isUnanswered = false;
        return 1;
      case "event":
        if (step.event === "client_close") return await this.#closeTogether(at);
        await this.#event(step);
        return 1;
      case "sent":
        return await this.#send(at);
    }
  }

  async #note(text: string): Promise<void> {
    const config = /^config: (\{.*\})$/.exec(text)?.[1];
    const order = /^console: (.*)$/.exec(text)?.[1];
    if (config === undefined && order === undefined) return;
    // A changed configuration is read again at its own note, which follows.
    if (order === "reloadconf") return;
    await this.#catchUp();
    await this.#settleTalk(undefined);
    if (config !== undefined) await this.#program.configure(JSON.parse(config));
    else await this.#program.command(order as string);
  }

  async #event(step: Extract<Step, { kind: "event" }>): Promise<void> {
    if (step.event === "connected") {
      await this.#catchUp();
      await this.#settleTalk(undefined);
      return await this.#connect(step.conn);
    }
    const side = this.#side(step.conn);
    if (step.event === "client_reset") {
      side.until ??= side.client.received.length;
      await side.client.reset();
    } else if (step.event === "server_end" && side.until === undefined) {
      const isOver = await side.client.until(
        () => side.client.ending !== undefined,
        this.#patience(),
      );
      if (!isOver) throw new Error(`line ${step.line}: ${side.label} is not closed by the server`);
      this.#compare(side, { isWhole: true });
    }
  }

  async #connect(label: string): Promise<void> {
    const client = await GameClient.connect({ port: this.#program.port });
    if (this.#options.heartbeatsOf?.includes(label)) client.answer("Heartbeat", undefined);
    this.#options.prepare?.(client);
    const side = {
      label,
      client,
      expected: [],
      until: undefined,
      isLoggedIn: false,
      isUnanswered: false,
    };
    client.onPacket = (packet) => {
      this.#names.learn(this.#heardOf(packet));
      if (packet.command === "Setup") side.isLoggedIn = true;
    };
    for (const packet of client.received) client.onPacket(packet);
    this.#sides.set(label, side);
    this.#all.push(side);
  }

  /** Clients that close at the same time do so before anybody hears of the others' leaving. */
  async #closeTogether(at: number): Promise<number> {
    await this.#catchUp();
    await this.#settleTalk(undefined);
    const ends: Promise<unknown>[] = [];
    let count = 0;
    for (;; count++) {
      const step = this.#steps[at + count];
      if (step?.kind !== "event" || step.event !== "client_close") break;
      const side = this.#side(step.conn);
      if (side.until !== undefined) continue;
      if (side.client.ending === undefined) ends.push(side.client.close());
      else this.#assertClosedBefore(side, at + count, step.line);
      side.until = side.client.received.length;
      this.#compare(side, { isWhole: true });
    }
    await Promise.all(ends);
    return count;
  }

  /** The recording knows that the server had closed this connection when its client did. */
  #assertClosedBefore(side: Side, at: number, line: number): void {
    const wasClosed = this.#steps.slice(0, at).findLast((step) =>
      step.kind === "event" && step.conn === side.label && step.event !== "client_close"
    );
    if (wasClosed?.kind === "event" && wasClosed.event === "server_end") return;
    throw new Error(`line ${line}: the server has closed ${side.label} (${side.client.ending})`);
  }

  async #send(at: number): Promise<number> {
    const step = this.#steps[at] as Extract<Step, { kind: "sent" }>;
    const side = this.#side(step.conn);
    const frames = [step.bytes];
    if (step.manner === "same segment" || step.manner.startsWith("split")) {
      for (let next = at + 1;; next++) {
        const other = this.#steps[next];
        if (other?.kind !== "sent" || other.manner !== step.manner) break;
        frames.push(other.bytes);
      }
    }
    if (isAutomatic(step.bytes)) return frames.length;
    await this.#catchUp();
    await this.#settleTalk(side);
    const bytes = frames.map((frame) => this.#frames.rewritten(frame, side.client, step.line));
    await this.#transmit(side, bytes, step.manner);
    side.isUnanswered = true;
    this.#lastTalker = side;
    return frames.length;
  }

  async #transmit({ client }: Side, frames: readonly Uint8Array[], manner: string): Promise<void> {
    const bytes = Buffer.concat(frames);
    if (manner === "sent one byte per segment") {
      for (const byte of bytes) {
        client.sendRaw(Uint8Array.of(byte));
        await nextTurn();
      }
    } else if (manner.startsWith("split")) {
      const cut = bytes.length - Math.floor((frames.at(-1) as Uint8Array).length / 2);
      const before = client.received.length;
      client.sendRaw(bytes.subarray(0, cut));
      // The whole packets in front are answered, so the server has read the half behind them.
      await client.until(
        () => client.received.length >= before + frames.length - 1,
        this.#patience(),
      );
      client.sendRaw(bytes.subarray(cut));
    } else {
      client.sendRaw(bytes);
    }
  }

  /** Lets what one client said be worked off before another one speaks, when nothing answered it. */
  async #settleTalk(next: Side | undefined): Promise<void> {
    const last = this.#lastTalker;
    if (last === undefined || last === next || !last.isUnanswered || !last.isLoggedIn) return;
    last.isUnanswered = false;
    await last.client.settled();
  }

  /** Waits until each connection has heard what the recording has heard by now. */
  async #catchUp(): Promise<void> {
    for (const side of this.#all) {
      if (side.until !== undefined) continue;
      const wanted = this.#expectedOf(side).length;
      const look = () =>
        this.#heard(side).length >= wanted && this.#isOnPace(side) ||
        side.client.ending !== undefined;
      const timely = await side.client.until(look, this.#patience());
      this.#compare(side, { isWhole: !timely || side.client.ending !== undefined });
    }
  }

  #isOnPace({ client, expected }: Side): boolean {
    if (this.#options.pacedByRules !== true) return true;
    const saidThen = expected.filter(({ command }) => isOfRules(command)).length;
    return client.received.filter(({ command }) => isOfRules(command)).length >=
      saidThen * goodPart;
  }

  async #finish(): Promise<void> {
    await this.#catchUp();
    for (const side of this.#all) {
      if (side.until !== undefined) continue;
      if (side.client.ending === undefined && side.isLoggedIn) await side.client.settled();
      this.#compare(side, { isWhole: true });
      const numbers = lastNumbers(side.expected);
      if (numbers === undefined || !side.isLoggedIn || side.client.ending !== undefined) continue;
      const now = () => lastNumbers(side.client.received.map(this.#heardOf));
      if (!await side.client.until(() => now() === numbers, this.#patience())) {
        throw new Error(`the last numbers that ${side.label} hears are ${now()}, not ${numbers}`);
      }
    }
  }

  /** Throws at the first packet that is not as recorded; `isWhole`: nothing more is to come. */
  #compare(side: Side, { isWhole }: { readonly isWhole: boolean }): void {
    const expected = this.#expectedOf(side);
    const heard = this.#heard(side);
    const differs = expected.findIndex(({ text }, at) => {
      return text !== heard[at]?.text && (isWhole || at < heard.length);
    });
    if (differs < 0 && (!isWhole || heard.length === expected.length)) return;
    const at = differs < 0 ? expected.length : differs;
    const line = expected[at]?.line ?? expected.at(-1)?.line;
    throw new Error([
      `${side.label}, line ${line}:`,
      `  expected ${short(expected[at])}`,
      `  got      ${short(heard[at])}`,
      `  before:  ${heard.slice(Math.max(0, at - 3), at).map(short).join("\n           ")}`,
      `  after:   ${heard.slice(at + 1, at + 4).map(short).join("\n           ")}`,
    ].join("\n"));
  }

  #expectedOf(side: Side): Compared[] {
    return comparable(side.expected, this.#maskOptions(side, this.#recordedNames, true));
  }

  #heard(side: Side): Compared[] {
    const heard = side.client.received.slice(0, side.until).map(this.#heardOf);
    return comparable(heard, this.#maskOptions(side, this.#names, false));
  }

  #maskOptions({ label }: Side, names: Names, mergeDoubled: boolean) {
    const heartbeats = this.#options.heartbeatsOf?.includes(label) === true;
    return { names, heartbeats, sameAddress: this.#options.sameAddress ?? "", mergeDoubled };
  }

  /** A packet as the recordings note it; heads longer than needed are marked. */
  readonly #heardOf = (packet: GamePacket): Heard => {
    const known = this.#heardBefore.get(packet);
    if (known !== undefined) return known;
    const { type, command } = packet;
    const diag = packet.isBareText
      ? diagnoseText(packet.data)
      : diagnose(packet.data, { marks: true });
    const heard = { type, command, diag };
    this.#heardBefore.set(packet, heard);
    return heard;
  };
  /** Packets do not change, and long games are looked at many times. */
  readonly #heardBefore = new WeakMap<GamePacket, Heard>();

  #patience(): { withinMs: number } {
    return { withinMs: (this.#options.patienceMs ?? defaultPatienceMs) + this.#stepMs };
  }

  #side(label: string): Side {
    const side = this.#sides.get(label);
    if (side === undefined) throw new Error(`${label} has no connection at this step`);
    return side;
  }
}

function short(one: Compared | undefined): string {
  return one === undefined ? "nothing" : one.text.slice(0, 300);
}
