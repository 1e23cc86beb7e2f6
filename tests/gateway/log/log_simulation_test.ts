/**
 * A log on a disk that fails, loses power and forgets, against a model of what was promised. More
 * seeds by FREEKILL_GW_LOG_SEEDS, another first one by FREEKILL_GW_TEST_SEED.
 */
import assert from "node:assert/strict";
import process from "node:process";
import { it } from "node:test";
import type { Slot } from "../../../src/gateway/log/message_log_types.ts";
import { fakeClock } from "../../fakes/clock.ts";
import { fakeDisk } from "../../fakes/log_files.ts";
import { fakeRandom } from "../../fakes/random.ts";
import { hashMessageId } from "../../../src/gateway/dedup_window.ts";
import { bodyOf, type LogRun, logStage, stem } from "./log_stage.ts";

const seeds = Number(process.env["FREEKILL_GW_LOG_SEEDS"] ?? 200);
const firstSeed = Number(process.env["FREEKILL_GW_TEST_SEED"] ?? 1);
const minute = 60_000;

interface Sent {
  readonly number: number;
  readonly client: string;
  readonly body: string;
  readonly ackAsked: boolean;
  readonly sentAtMs: number;
  sequence: number;
  /** Undefined once it left. */
  slot: Slot | undefined;
  isCommitted: boolean;
  /** It was said that it could not be stored: it is not acknowledged. */
  isRefused: boolean;
  isDoubtful: boolean;
  /** It was given up: its dead letter is safe, or it comes back. */
  isBuried: boolean;
  /** Its leaving was noted on disk for sure. */
  isGone: boolean;
  returns: number;
}

class LogSimulation {
  readonly #random;
  readonly #disk = fakeDisk();
  readonly #sent = new Map<string, Sent>();
  readonly #seed: number;
  readonly #fsync: "always" | "interval";
  readonly #jumps: boolean;
  #wallMs = 1_700_000_000_000;
  #elapsedMs = 0;
  #wasInTrouble = false;
  #stage = logStage();
  #run!: LogRun;

  constructor(seed: number) {
    this.#seed = seed;
    this.#random = fakeRandom(seed);
    this.#fsync = this.#chance(0.2) ? "interval" : "always";
    this.#jumps = this.#chance(0.25);
    this.#disk.tornShare = () => this.#random.fraction();
  }

  async run(): Promise<void> {
    await this.#start();
    const steps = 20 + this.#below(60);
    for (let step = 0; step < steps; step++) await this.#step();
    this.#disk.fails = undefined;
    for (let time = 0; time < 20; time++) await this.#pass(200);
    assert.equal(this.#run.log.trouble, undefined, "it recovers by itself");
    await this.#run.log.flush();
    this.#noteCommitted();
    for (const sent of this.#sent.values()) {
      if (sent.slot === undefined || sent.isDoubtful) continue;
      assert.ok(sent.isCommitted, `m${sent.number} is stored in the end`);
    }
    await this.#restart(true);
    await this.#run.log.close();
  }

  async #step(): Promise<void> {
    const dice = this.#random.fraction();
    if (dice < 0.45) this.#append();
    else if (dice < 0.65) this.#release();
    else if (dice < 0.8) await this.#pass(this.#below(8));
    else if (dice < 0.84) await this.#pass(900 + this.#below(300));
    else if (dice < 0.88) await this.#flush();
    else if (dice < 0.93) this.#breakDisk();
    else if (dice < 0.95 && this.#jumps) this.#jump();
    else if (dice >= 0.95) await this.#restart(false);
    for (let turns = this.#below(6); turns > 0; turns--) await Promise.resolve();
    this.#noteCommitted();
  }

  #append(): void {
    const many = this.#chance(0.2) ? 60 : 8;
    for (let count = 1 + this.#below(many); count > 0; count--) {
      const number = this.#sent.size + 1;
      const client = `client-${this.#below(5)}`;
      const text = "x".repeat(this.#below(this.#chance(0.05) ? 3_000 : 200));
      const ackAsked = this.#chance(0.7) && this.#run.log.trouble === undefined;
      const slot = this.#run.append(client, `m${number}`, { ackAsked, text });
      if (slot < 0) return;
      this.#sent.set(`m${number}`, {
        number,
        client,
        body: bodyOf(`m${number}`, text),
        ackAsked,
        sentAtMs: this.#elapsed(),
        sequence: this.#run.log.sequence(slot),
        slot,
        isCommitted: false,
        isRefused: false,
        isDoubtful: false,
        isBuried: false,
        isGone: false,
        returns: 0,
      });
    }
  }

  #release(): void {
    const share = this.#random.fraction();
    for (const sent of this.#sent.values()) {
      if (sent.slot === undefined || this.#random.fraction() > share) continue;
      assert.equal(this.#run.log.bodyText(sent.slot), sent.body);
      sent.isBuried = this.#chance(0.05);
      if (sent.isBuried) this.#run.log.bury(sent.slot, "expired");
      else this.#run.log.release(sent.slot);
      sent.slot = undefined;
    }
  }

  async #flush(): Promise<void> {
    const left = [...this.#sent.values()].filter(({ slot }) => slot === undefined);
    await this.#run.log.flush();
    // A failure resolves it too, and a dead letter that waits holds back the end of its message.
    if (this.#run.log.trouble !== undefined || this.#disk.fails !== undefined) return;
    if (this.#hasLetters) return;
    for (const sent of left) sent.isGone = true;
  }

  get #hasLetters(): boolean {
    return this.#stage.logger.lines.some(({ message }) => message.includes("dead letters"));
  }

  #breakDisk(): void {
    const code = ["EIO", "ENOSPC", "EROFS"][this.#below(3)]!;
    const until = this.#disk.calls + 1 + this.#below(12);
    const from = this.#disk.calls + this.#below(6);
    this.#disk.fails = ({ number }) => {
      if (number > until) this.#disk.fails = undefined;
      return number > from && number <= until ? code : undefined;
    };
  }

  #jump(): void {
    const day = 24 * 60 * minute * (this.#chance(0.5) ? 1 : -1);
    this.#wallMs += day;
    this.#stage.clock.jumpWallClock(day);
  }

  async #restart(isClean: boolean): Promise<void> {
    this.#noteCommitted();
    this.#wasInTrouble = this.#run.log.trouble !== undefined || this.#disk.fails !== undefined;
    this.#disk.fails = undefined;
    if (isClean) await this.#run.log.close();
    for (let turns = this.#below(30); turns > 0; turns--) await Promise.resolve();
    this.#noteCommitted();
    if (this.#chance(0.5)) this.#disk.losePower(() => this.#random.fraction());
    else this.#disk.kill();
    this.#wallMs = this.#stage.clock.now();
    this.#elapsedMs = this.#elapsed();
    await this.#start();
    this.#check();
  }

  async #start(): Promise<void> {
    const clock = fakeClock(this.#wallMs);
    this.#stage = logStage(this.#disk, clock, this.#seed + this.#disk.calls);
    this.#run = await this.#stage.open(
      { fsync: this.#fsync, maxBytes: 1_000_000, size: 2_000 },
      { segmentBytes: 4_096, deadBytesMin: 8_192, deadBytesMax: 16_384, segmentsMax: 24 },
    );
  }

  #check(): void {
    const { log, messages, ids } = this.#run;
    assert.equal(log.depth, messages.length);
    const found = new Set<string>();
    const lastOf = new Map<string, number>();
    for (const { slot, client, messageId, ackAsked } of messages) {
      const sent = this.#sent.get(messageId) ?? assert.fail(`${messageId} was never sent`);
      assert.ok(!found.has(messageId), `${messageId} came twice`);
      found.add(messageId);
      assert.deepEqual([client.id, ackAsked], [sent.client, sent.ackAsked]);
      assert.equal(log.bodyText(slot), sent.body);
      assert.ok(sent.number > (lastOf.get(sent.client) ?? 0), `${messageId} is out of order`);
      lastOf.set(sent.client, sent.number);
      if (sent.slot === undefined) {
        assert.ok(!sent.isGone, `${messageId} returned after its end was on disk`);
        assert.ok(++sent.returns < 20, `${messageId} returns without end`);
      }
      sent.slot = slot;
      sent.isBuried = false;
      sent.sequence = log.sequence(slot);
      // It was read from the disk; but after a failed sync perhaps from the system's memory alone,
      // which no program can tell apart.
      if (this.#wasInTrouble && !sent.isCommitted) sent.isDoubtful = true;
      if (sent.isDoubtful) sent.sequence = Infinity;
      else sent.isCommitted = true;
    }
    const letters = this.#letters();
    for (const [messageId, sent] of this.#sent) {
      if (found.has(messageId)) continue;
      // Its sequence number may be another's from now on.
      sent.sequence = Infinity;
      if (sent.isBuried && sent.isCommitted) {
        assert.ok(letters.has(messageId), `${messageId} was given up, and no letter tells of it`);
      }
      if (sent.slot === undefined) continue;
      assert.ok(!sent.isCommitted, `${messageId} was committed and is gone`);
      sent.slot = undefined;
      sent.isGone = true;
    }
    if (this.#jumps) return;
    const known = new Set(
      ids.map(({ client, low, high, bodyBytes }) => `${client.id} ${low} ${high} ${bodyBytes}`),
    );
    for (const [messageId, sent] of this.#sent) {
      const isNeeded = sent.ackAsked && sent.isCommitted && !sent.isRefused &&
        this.#elapsedMs - sent.sentAtMs < 9 * minute;
      if (!isNeeded) continue;
      const key = `${sent.client} ${hashKey(messageId)} ${sent.body.length}`;
      assert.ok(known.has(key), `${messageId} is not known any more`);
    }
  }

  /** Ids of the messages whose dead letters are on the disk. */
  #letters(): Set<string> {
    const name = `${stem}.dead`;
    if (!this.#disk.names().includes(name)) return new Set();
    const lines = new TextDecoder().decode(this.#disk.bytes(name)).split("\n");
    return new Set(lines.map((line) => /"messageId":"(m\d+)"/.exec(line)?.[1] ?? ""));
  }

  #noteCommitted(): void {
    const refused = this.#run.refused.splice(0);
    for (const sent of this.#sent.values()) {
      const isRefused = refused.some(([from, through]) =>
        sent.sequence >= from && sent.sequence <= through
      );
      if (isRefused && !sent.isCommitted) sent.isRefused = true;
      if (!sent.isGone && sent.sequence <= this.#run.committed) sent.isCommitted = true;
    }
  }

  #elapsed(): number {
    return this.#elapsedMs + this.#stage.clock.monotonic();
  }

  async #pass(ms: number): Promise<void> {
    await this.#stage.clock.advanceAsync(ms);
    this.#noteCommitted();
  }

  #chance(share: number): boolean {
    return this.#random.fraction() < share;
  }

  #below(count: number): number {
    return Math.floor(this.#random.fraction() * count);
  }
}

it(`MessageLog keeps its promises on a disk that fails and loses power (${seeds} seeds)`, {
  timeout: 60_000 + seeds * 200,
}, async () => {
  for (let seed = firstSeed; seed < firstSeed + seeds; seed++) {
    try {
      await new LogSimulation(seed).run();
    } catch (error) {
      throw new Error(`FREEKILL_GW_TEST_SEED=${seed} FREEKILL_GW_LOG_SEEDS=1 replays it`, {
        cause: error,
      });
    }
  }
});

function hashKey(messageId: string): string {
  const { low, high } = hashMessageId(messageId);
  return `${low} ${high}`;
}
