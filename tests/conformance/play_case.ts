import {
  type CaseResult,
  type ConformanceCase,
  type DeflatedStep,
  type FrameStep,
  type Message,
  opcode,
  type Script,
  type Step,
} from "./case_types.ts";
import { judgeCase, type Judgement } from "./judge_case.ts";
import { close, cut, frame, ping } from "./steps.ts";
import { HandshakeRefused } from "./subjects/client_handshake.ts";
import { continueStep, encodeStep, equalBytes, joinBytes, type Side } from "./wire_frames.ts";
import type { WirePeer } from "./wire_peer.ts";

/** Who is tested. */
export interface Subject {
  readonly name: string;
  /** What the runner is to it. */
  readonly side: Side;
  /** Why the groups of compression cannot run; undefined: they can. */
  readonly lacksCompression: string | undefined;
  /** A new connection; `offer` is a `Sec-WebSocket-Extensions`. */
  open(offer: string | undefined): Promise<WirePeer>;
  /** Resolves when everything that was sent before must have been read. */
  settle(): Promise<void>;
  /** The script in what it understands. */
  adapt(script: Script): Script;
  /** What one of its messages stands for. */
  read(message: Message): Message;
}

const latePing = new TextEncoder().encode("is it late?");

/** Plays one case. Whatever throws on the way is a failure of the case. */
export async function playCase(one: ConformanceCase, subject: Subject): Promise<CaseResult> {
  const startedAt = performance.now();
  const judgement = await play(one, subject).catch((error: unknown): Judgement => {
    if (error instanceof HandshakeRefused && one.compression?.answer === "declined") {
      // It need not go on without the extension (RFC 6455 §9.1).
      return { verdict: "non_strict", note: `refused the whole handshake (${error.status})` };
    }
    return { verdict: "failed", note: error instanceof Error ? error.message : String(error) };
  });
  return { ...judgement, ms: performance.now() - startedAt };
}

async function play(one: ConformanceCase, subject: Subject): Promise<Judgement> {
  const tested = subject.side === "client" ? "server" : "client";
  if (one.only !== undefined && one.only !== tested) return { verdict: "not_for_it", note: "" };
  const { compression } = one;
  if (compression !== undefined && subject.lacksCompression !== undefined) {
    return { verdict: "unimplemented", note: subject.lacksCompression };
  }
  const peer = await subject.open(compression?.header);
  try {
    if (compression?.answer === "declined" && peer.agreed !== undefined) {
      return { verdict: "failed", note: "accepted an offer that it must decline" };
    }
    if (compression?.answer === "accepted") {
      if (peer.agreed === undefined) {
        return { verdict: "unimplemented", note: "declined this offer, as it may" };
      }
      const { parameters } = peer.agreed;
      const lacking = compression.parameters?.find((name) => !parameters.has(name));
      if (lacking !== undefined) return { verdict: "failed", note: `does not agree to ${lacking}` };
    }
    return await new Play(peer, subject, subject.adapt(one.make())).run();
  } finally {
    peer.destroy();
  }
}

class Play {
  readonly #peer: WirePeer;
  readonly #subject: Subject;
  readonly #script: Script;
  #isLate = false;
  #closedByUs = false;
  /** Payload of the last frame that has gone out. */
  #sentOfFrame = 0;
  #waiting: Uint8Array[] = [];

  constructor(peer: WirePeer, subject: Subject, script: Script) {
    this.#peer = peer;
    this.#subject = subject;
    this.#script = script;
  }

  async run(): Promise<Judgement> {
    for (const step of this.#script.steps) {
      if (this.#peer.isOver) break;
      await this.#take(step);
    }
    await this.#flush();
    await this.#end();
    const { messages, pongs, closed, hasEnded, fault } = this.#peer;
    return judgeCase(this.#script.expect, {
      messages: messages.map((message) => this.#subject.read(message)),
      pongs,
      closed,
      hasEnded,
      fault,
      isLate: this.#isLate,
      closedByUs: this.#closedByUs,
    });
  }

  async #take(step: Step): Promise<void> {
    const peer = this.#peer;
    switch (step.step) {
      case "frame":
        return await this.#sendFrame(step);
      case "bytes":
        return await this.#send(continueStep(step.payload, this.#sentOfFrame, peer.side));
      case "deflated":
        for (const part of this.#deflate(step)) await this.#sendFrame(part);
        return;
      case "await_pong":
        await this.#flush();
        await peer.until(() => this.#hasPong(step.payload) || peer.isOver);
        return;
      case "await_messages":
        await this.#flush();
        await peer.until(() => peer.messages.length >= step.count || peer.isOver);
        return;
      case "is_late":
        return await this.#lookIfLate();
      case "is_late_within_frame":
        await this.#flush();
        await this.#subject.settle();
        this.#isLate = !peer.isOver;
        return;
    }
  }

  async #sendFrame(step: FrameStep): Promise<void> {
    this.#sentOfFrame = step.payload.length;
    await this.#send(encodeStep(step, this.#peer.side));
  }

  #deflate(step: DeflatedStep): FrameStep[] {
    const bytes = this.#peer.deflate?.compress(step) ?? step.payload;
    const pieces = cut(bytes, step.fragmentBytes ?? Math.max(1, bytes.length));
    return pieces.map((piece, index) =>
      frame(index === 0 ? opcode[step.kind] : opcode.continuation, piece, {
        fin: index === pieces.length - 1,
        reserved: index === 0 && this.#peer.deflate !== undefined ? 4 : 0,
      })
    );
  }

  /** A peer that still answers pings has not seen that the message is wrong. */
  async #lookIfLate(): Promise<void> {
    const peer = this.#peer;
    await this.#flush();
    await this.#send(encodeStep(ping(latePing), peer.side));
    await peer.until(() => this.#hasPong(latePing) || peer.isOver);
    this.#isLate = this.#hasPong(latePing);
    const at = peer.pongs.findIndex((payload) => equalBytes(payload, latePing));
    if (at >= 0) peer.pongs.splice(at, 1);
  }

  async #send(bytes: Uint8Array): Promise<void> {
    const { chopBytes, isOneWrite } = this.#script;
    if (isOneWrite === true) {
      this.#waiting.push(bytes);
    } else if (chopBytes === undefined) {
      await this.#peer.write(bytes);
    } else {
      for (const piece of cut(bytes, chopBytes)) {
        if (this.#peer.hasEnded) return;
        await this.#peer.writeApart(piece);
      }
    }
  }

  async #flush(): Promise<void> {
    const waiting = this.#waiting;
    this.#waiting = [];
    if (waiting.length > 0) await this.#peer.write(joinBytes(waiting));
  }

  /** Both close frames, then the end of the stream, which is the server's to begin (§7.1.1). */
  async #end(): Promise<void> {
    const peer = this.#peer;
    const { expect } = this.#script;
    const { ending } = expect;
    if (ending.by === "us") {
      await peer.until(() => peer.isOver || this.#hasAll(expect.messages.length));
      await this.#close();
    } else if (ending.by === "peer") {
      const accepted = expect.lenient?.accepts?.length ?? Infinity;
      await peer.until(() => peer.isOver || peer.messages.length >= accepted);
      if (peer.closed !== undefined) await this.#answer(peer.closed.code);
      else await this.#close();
    }
    await peer.until(() => peer.closed !== undefined);
    if (peer.side === "server") peer.end();
    await peer.until(() => peer.hasEnded);
  }

  async #close(): Promise<void> {
    if (this.#peer.isOver) return;
    this.#closedByUs = true;
    await this.#peer.write(encodeStep(close(1000), this.#peer.side));
  }

  async #answer(code: number): Promise<void> {
    const answer = code === 1005 ? close() : close(code);
    await this.#peer.write(encodeStep(answer, this.#peer.side));
  }

  #hasAll(messages: number): boolean {
    const last = this.#script.expect.pongs.at(-1);
    return this.#peer.messages.length >= messages && (last === undefined || this.#hasPong(last));
  }

  #hasPong(payload: Uint8Array): boolean {
    return this.#peer.pongs.some((pong) => equalBytes(pong, payload));
  }
}
