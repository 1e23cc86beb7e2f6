/**
 * Load: WebSocket clients of a gateway, led by commands: `open`, `saturate`, `steady`, `receive`,
 * `received`, `close`. Frames are its own over `Bun.connect`, so that it leaves the cores to those
 * who are measured.
 */
import { cpuSecondsSince, type ThreadTimes, threadTimes } from "../measure.ts";
import {
  type ClientEvents,
  closeClients,
  type LoadClient,
  openClients,
  writeTo,
} from "./gateway_clients.ts";
import { type Latencies, LatencyHistogram, paced, sharedClock } from "./gateway_clock.ts";
import { takeCommands } from "./gateway_control.ts";
import { dueOf, messageIdLength, newTag, NumberedFrames } from "./gateway_frames.ts";

/** What makes a message complete for its sender. */
export type Awaited = "echo" | "ack" | "both";

/** What a run cost: CPU by the names that `watch` gave to process ids, and of this process. */
export interface RunResult {
  readonly messages: number;
  readonly seconds: number;
  /** Never answered. */
  readonly lost: number;
  /** Bytes of one message as its client sent it. */
  readonly messageBytes: number;
  readonly cpuSeconds: Readonly<Record<string, number>>;
}

export interface SteadyResult extends RunResult {
  readonly echo: Latencies;
  readonly ack: Latencies;
  /** How late messages were sent, which is this load's own fault and part of the latencies. */
  readonly late: Latencies;
}

export interface SaturateOptions {
  readonly seconds?: number;
  readonly messages?: number;
  readonly window: number;
  readonly awaited: Awaited;
  readonly watch: Record<string, number>;
}

export interface SteadyOptions {
  readonly perSecond: number;
  readonly seconds: number;
  /** `none`: nobody answers. */
  readonly awaited: Awaited | "none";
  readonly watch: Record<string, number>;
}

/** How long answers may take when nothing more is sent. */
const answersMsMax = 20_000;

const windowMax = 256;

class GatewayLoad implements ClientEvents {
  private clients: LoadClient[] = [];
  private readonly clock = sharedClock();
  private frames = new NumberedFrames(newTag(), 1);
  private awaited: Awaited = "echo";
  private isSaturating = false;
  private isTimed = false;
  private budget = 0;
  private sent = 0;
  private completed = 0;
  private idOffsetOfEcho = 0;
  private idOffsetOfAck = 0;
  private readonly echoTimes = new LatencyHistogram();
  private readonly ackTimes = new LatencyHistogram();

  async open(at: { port: number; first: number; count: number; query: string }): Promise<void> {
    this.clients.push(...await openClients(at, this));
  }

  close(): void {
    closeClients(this.clients);
    this.clients = [];
  }

  /** Each client has `window` messages under way, for `seconds` or until `messages` were sent. */
  async saturate(options: SaturateOptions): Promise<RunResult> {
    this.begin(options.awaited);
    this.frames = new NumberedFrames(newTag(), windowMax);
    this.budget = options.messages ?? Infinity;
    const meter = new CpuMeter(options.watch);
    this.isSaturating = true;
    for (const client of this.clients) this.sendNext(client, options.window);
    if (options.seconds !== undefined) await Bun.sleep(options.seconds * 1000);
    else while (this.sent < this.budget) await Bun.sleep(10);
    this.isSaturating = false;
    await this.untilAnswered();
    return this.result(meter);
  }

  /** `perSecond` messages by all clients in turn, sent whether or not answers come. */
  async steady(options: SteadyOptions): Promise<SteadyResult> {
    this.begin(options.awaited === "none" ? "echo" : options.awaited);
    this.receive();
    const frames = this.frames = new NumberedFrames(newTag(), 1);
    const late = new LatencyHistogram();
    const meter = new CpuMeter(options.watch);
    let next = 0;
    await paced(this.clock, options, (dueMs) => {
      const client = this.clients[next];
      next = (next + 1) % this.clients.length;
      if (client === undefined) throw new Error("steady needs open clients");
      writeTo(client, frames.take(1, dueMs));
      this.sent++;
      late.add(this.clock() - dueMs);
    });
    if (options.awaited === "none") this.completed = this.sent;
    await this.untilAnswered();
    return { ...this.result(meter), ...this.received(), late: late.summary() };
  }

  /** From now on messages of the upstream are timed, if they were `due` by their ids. */
  receive(): void {
    this.echoTimes.clear();
    this.ackTimes.clear();
    this.idOffsetOfEcho = 0;
    this.idOffsetOfAck = 0;
    this.isTimed = true;
  }

  received(): { echo: Latencies; ack: Latencies } {
    this.isTimed = false;
    return { echo: this.echoTimes.summary(), ack: this.ackTimes.summary() };
  }

  echo(_client: LoadClient, bytes: Uint8Array, from: number, to: number): void {
    if (!this.isTimed) return;
    if (!isId(bytes, from + this.idOffsetOfEcho)) {
      this.idOffsetOfEcho = findId(bytes, from, to) - from;
    }
    this.echoTimes.add(this.clock() - dueOf(bytes, from + this.idOffsetOfEcho));
  }

  ack(_client: LoadClient, bytes: Uint8Array, from: number, to: number): void {
    if (!this.isTimed) return;
    if (!isId(bytes, from + this.idOffsetOfAck)) {
      this.idOffsetOfAck = findId(bytes, from, to) - from;
    }
    this.ackTimes.add(this.clock() - dueOf(bytes, from + this.idOffsetOfAck));
  }

  readDone(client: LoadClient): void {
    const done = this.awaited === "echo"
      ? client.echoes
      : this.awaited === "ack"
      ? client.acks
      : Math.min(client.echoes, client.acks);
    const news = done - client.done;
    client.done = done;
    this.completed += news;
    if (news > 0 && this.isSaturating) this.sendNext(client, news);
  }

  private sendNext(client: LoadClient, count: number): void {
    const allowed = Math.min(count, this.budget - this.sent);
    if (allowed <= 0) return;
    this.sent += allowed;
    writeTo(client, this.frames.take(allowed));
  }

  private begin(awaited: Awaited): void {
    this.awaited = awaited;
    this.sent = 0;
    this.completed = 0;
    for (const client of this.clients) client.echoes = client.acks = client.done = 0;
  }

  private async untilAnswered(): Promise<void> {
    const giveUpAt = performance.now() + answersMsMax;
    while (this.completed < this.sent && performance.now() < giveUpAt) await Bun.sleep(5);
  }

  private result(meter: CpuMeter): RunResult {
    return {
      messages: this.completed,
      lost: this.sent - this.completed,
      messageBytes: this.frames.payloadLength,
      ...meter.read(),
    };
  }
}

/** CPU time of other processes and of this one from its making on. */
class CpuMeter {
  private readonly start = performance.now();
  private readonly before: ReadonlyMap<string, { pid: number; times: ThreadTimes }>;

  constructor(watch: Readonly<Record<string, number>>) {
    this.before = new Map(
      Object.entries({ ...watch, load: process.pid })
        .map(([name, pid]) => [name, { pid, times: threadTimes(pid) }]),
    );
  }

  read(): { seconds: number; cpuSeconds: Record<string, number> } {
    const used = [...this.before].map(([name, { pid, times }]) => [
      name,
      cpuSecondsSince(times, pid),
    ]);
    return {
      seconds: (performance.now() - this.start) / 1000,
      cpuSeconds: Object.fromEntries(used),
    };
  }
}

const dash = 0x2d;

/** Whether an id of ours begins here; its dashes are enough, where it was before. */
function isId(bytes: Uint8Array, at: number): boolean {
  return bytes[at + 6] === dash && bytes[at + messageIdLength - 17] === dash;
}

function findId(bytes: Uint8Array, from: number, to: number): number {
  const text = new TextDecoder("latin1").decode(bytes.subarray(from, to));
  const { messageId } = JSON.parse(text) as { messageId?: string };
  if (messageId?.length !== messageIdLength) throw new Error(`no message of this load: ${text}`);
  return from + text.indexOf(messageId);
}

const load = new GatewayLoad();
takeCommands({
  open: (options: Parameters<GatewayLoad["open"]>[0]) => load.open(options),
  saturate: (options: SaturateOptions) => load.saturate(options),
  steady: (options: SteadyOptions) => load.steady(options),
  receive: () => load.receive(),
  received: () => load.received(),
  close: () => load.close(),
});
