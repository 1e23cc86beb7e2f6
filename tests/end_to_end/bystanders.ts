import assert from "node:assert/strict";
import type { GameClient } from "../client/game_client.ts";
import type { GamePacket } from "../client/game_packet.ts";
import type { Stage } from "./game_stage.ts";

/** Between two lines; a connection may send 60 packets a second. */
const paceMs = 30;

/** A line takes some ms; a busy machine may hold it up for longer, but only a stall comes near. */
const slowestMsMax = 4_000;

/** Lines that make a talk. */
const linesMin = 6;

/** Limits under which two can talk without end. */
export const talkative = { chatPerSecond: 1_000, chatBurst: 1_000 };

/** Two in the lobby who talk by turns while others misbehave: who speaks has heard the line before. */
export class Bystanders {
  readonly #pair: readonly [GameClient, GameClient];
  #said = 0;
  #slowestMs = 0;
  #saidAt = 0;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #isOver = false;

  private constructor(pair: readonly [GameClient, GameClient]) {
    this.#pair = pair;
    const [first, second] = pair;
    first.onPacket = (packet) => this.#heard(packet, 0);
    second.onPacket = (packet) => this.#heard(packet, 1);
    this.#say();
  }

  /** They log in from an address of their own and begin. */
  static async meet(stage: Stage): Promise<Bystanders> {
    const localAddress = `127.77.${stage.unique % 250}.1`;
    const first = await stage.player("bystander", { localAddress });
    const second = await stage.player("bystander", { localAddress });
    return Bystanders.of(first, second);
  }

  /** Two who are in the lobby already begin. */
  static of(first: GameClient, second: GameClient): Bystanders {
    return new Bystanders([first, second]);
  }

  /** Ends their talk: every line was heard by both, once and in order, and none was held up. */
  async part(slowestMs = slowestMsMax): Promise<void> {
    const [first, second] = this.#pair;
    const goesOn = await first.until(() => this.#said >= linesMin);
    assert.ok(goesOn, `the talk ended at line ${this.#said}`);
    this.#isOver = true;
    clearTimeout(this.#timer);
    await Promise.all([first.settled(), second.settled()]);
    const wanted = Array.from({ length: this.#said }, (_, n) => `line ${n + 1}`);
    for (const [at, client] of this.#pair.entries()) {
      assert.equal(client.ending, undefined, "a bystander is still connected");
      const ids = new Set(this.#pair.map(({ id }) => id));
      const heard = client.received.map(lineOf).filter((line) => line && ids.has(line.sender));
      assert.deepEqual(heard.map((line) => line?.msg), wanted, `what bystander ${at + 1} heard`);
    }
    assert.ok(
      this.#slowestMs <= slowestMs,
      `the slowest of ${this.#said} lines took ${Math.round(this.#slowestMs)} ms`,
    );
  }

  #say(): void {
    if (this.#isOver) return;
    this.#saidAt = performance.now();
    this.#pair[this.#said % 2]?.chat(`line ${++this.#said}`);
  }

  #heard(packet: GamePacket, by: number): void {
    const line = lineOf(packet);
    // The other one than the speaker answers.
    if (line?.msg !== `line ${this.#said}` || by !== this.#said % 2) return;
    this.#slowestMs = Math.max(this.#slowestMs, performance.now() - this.#saidAt);
    this.#timer = setTimeout(() => this.#say(), paceMs);
  }
}

function lineOf(packet: GamePacket): { msg: string; sender: number } | undefined {
  return packet.command === "Chat" ? packet.value as { msg: string; sender: number } : undefined;
}
