import type { Clock } from "../ports/clock.ts";
import type { Runtime } from "../ports/runtime.ts";
import { FileError } from "../ports/files.ts";
import type { PrivateServer } from "./private_server.ts";
import { expect, expectSame, pause, ProbeFailure, reasonOf, show } from "./probe_failure.ts";
import { pingBytes, pongBytes } from "./protobuf_vectors.ts";
import { type SoakReport, SoakStatistics } from "./soak_statistics.ts";

/** How many run of each kind of traffic at one time: enough to overlap in every way, few enough that
 * the commands in flight (about 60) stay under the default `task_budget` of 256. */
const crews = { tcp: 8, pipeline: 2, udp: 4, protobuf: 2, churn: 2 };

/** Commands in one write of a pipeline. */
const pipelineLength = 20;

/** Between two new connections of one worker: closed ones keep their port for a minute, and a
 * machine has 28,000. */
const churnPauseMs = 20;

/** After a failure, so that a dead server is not asked a million times. */
const failurePauseMs = 50;

/** Commands with the start of their reply, in turn. */
const commands: readonly (readonly [command: string, replyStart: string])[] = [
  ["M1_CONN_PING", "M1_CONN_PONG"],
  ["M4_SAVE_STATE:soak", "M4_SAVE_OK:soak"],
  ["M5_FLOW_ROOM", "M5_FLOW_OK"],
  ["M4_LOAD_STATE", "M4_LOAD_OK:soak"],
  ["M4_ROUTE_THREAD:soak", "M4_ROUTE_OK:thread-"],
  ["M3_LUA_HELLO_ASYNC", "M3_LUA_ASYNC_ACK:"],
  ["M6_STABILITY", "M6_OK"],
  ["M3_LUA_HELLO", "M3_LUA_ACK:"],
  ["__METRICS__", "{"],
];

/** Puts mixed load on a server for `seconds`; never rejects for what the server does wrong. */
export async function runSoak(
  server: PrivateServer,
  options: { seconds: number },
): Promise<SoakReport> {
  const { runtime } = server.workspace;
  const { clock } = runtime;
  const statistics = new SoakStatistics();
  await server.ask("M4_SAVE_STATE:soak");
  const memoryFirst = await residentBytes(runtime, server.pid);
  const start = clock.monotonic();
  const load = new Load(server, statistics, start + options.seconds * 1_000);
  await load.run();
  const seconds = (clock.monotonic() - start) / 1_000;
  const memoryLast = await residentBytes(runtime, server.pid);
  const faults = await faultsAfter(server);
  return statistics.report({ seconds, memoryFirst, memoryLast, faults });
}

class Load {
  readonly #server: PrivateServer;
  readonly #statistics: SoakStatistics;
  readonly #clock: Clock;
  readonly #end: number;

  constructor(server: PrivateServer, statistics: SoakStatistics, end: number) {
    this.#server = server;
    this.#statistics = statistics;
    this.#clock = server.workspace.runtime.clock;
    this.#end = end;
  }

  async run(): Promise<void> {
    const workers = [
      ...many(crews.tcp, (index) => this.#repeat("tcp commands", () => this.#commands(index))),
      ...many(crews.pipeline, () => this.#repeat("tcp pipelines", () => this.#pipelines())),
      ...many(crews.udp, (index) => this.#repeat("udp", () => this.#datagrams(index))),
      ...many(crews.protobuf, (index) => this.#repeat("tcp protobuf", () => this.#pings(index))),
      ...many(crews.churn, (index) => this.#repeat("tcp churn", () => this.#churn(index))),
    ];
    await Promise.all(workers);
  }

  get #isOver(): boolean {
    return this.#clock.monotonic() >= this.#end;
  }

  /** Runs `work` until the end; it opens its own connection, so a failure starts it anew. */
  async #repeat(traffic: string, work: () => Promise<void>): Promise<void> {
    while (!this.#isOver) {
      try {
        await work();
      } catch (error) {
        if (!(error instanceof ProbeFailure)) throw error;
        this.#statistics.failure(traffic, reasonOf(error));
        await pause(this.#clock, failurePauseMs);
      }
    }
  }

  /** Times one request. */
  async #time(traffic: string, request: () => Promise<void>): Promise<void> {
    const start = this.#clock.monotonic();
    await request();
    this.#statistics.reply(traffic, this.#clock.monotonic() - start);
  }

  #commands(offset: number): Promise<void> {
    return this.#server.tcp(async (client) => {
      for (let turn = offset; !this.#isOver; turn++) {
        const [command, start] = pick(turn);
        await this.#time("tcp commands", async () => {
          expectStart(await client.ask(command), start, command);
        });
      }
    });
  }

  #pipelines(): Promise<void> {
    const batch = Array.from({ length: pipelineLength }, (_, turn) => pick(turn));
    const text = batch.map(([command]) => `${command}\n`).join("");
    return this.#server.tcp(async (client) => {
      while (!this.#isOver) {
        const start = this.#clock.monotonic();
        client.send(text);
        for (const [command, replyStart] of batch) {
          expectStart(await client.readLine(command), replyStart, command);
          this.#statistics.reply("tcp pipelines", this.#clock.monotonic() - start);
        }
      }
    });
  }

  #datagrams(offset: number): Promise<void> {
    return this.#server.udp(async (client) => {
      for (let turn = offset; !this.#isOver; turn++) {
        await this.#time("udp", async () => {
          if (turn % 4 === 0) {
            client.send(pingBytes({ payload: `udp ${offset}`, seq: turn + 1 }));
            expectPong(await client.read("a Ping"), { payload: `udp ${offset}`, seq: turn + 1 });
          } else {
            const [command, start] = pick(turn);
            expectStart(await client.ask(command), start, command);
          }
        });
      }
    });
  }

  async #pings(offset: number): Promise<void> {
    for (let seq = offset + 1; !this.#isOver; seq++) {
      await this.#time("tcp protobuf", () =>
        this.#server.tcp(async (client) => {
          client.send(pingBytes({ payload: "soak", seq, keep: true }));
          expectPong(await client.readToEnd("Pong"), { payload: "soak", seq });
        }));
      await pause(this.#clock, churnPauseMs);
    }
  }

  async #churn(offset: number): Promise<void> {
    for (let turn = offset; !this.#isOver; turn++) {
      await this.#time("tcp churn", () =>
        this.#server.tcp(async (client) => {
          expectSame(await client.ask("M1_CONN_PING"), "M1_CONN_PONG", "ping");
          // Some leave in the middle of a line.
          if (turn % 3 === 0) client.send("M4_SAVE_ST");
        }));
      await pause(this.#clock, churnPauseMs);
    }
  }
}

/** What is wrong with the server once the load has ended. */
async function faultsAfter(server: PrivateServer): Promise<string[]> {
  try {
    expectSame(await server.ask("M1_CONN_PING"), "M1_CONN_PONG", "a ping after the load");
    const figures = await server.figures();
    expectSame(figures.inflight_async_tasks, 0, "inflight_async_tasks after the load");
    expectSame(figures.db_rollback_count, 0, "db_rollback_count after the load");
    expectSame(figures.error_count, 0, "error_count after the load");
    return [];
  } catch (error) {
    if (!(error instanceof ProbeFailure)) throw error;
    return [error.message];
  }
}

/** Memory of a process as Linux counts it; undefined elsewhere, or when it is gone. */
async function residentBytes(runtime: Runtime, pid: number): Promise<number | undefined> {
  try {
    const bytes = await runtime.files.read(`/proc/${pid}/status`, { bytesMax: 1 << 16 });
    const kib = /^VmRSS:\s*(\d+) kB$/m.exec(new TextDecoder().decode(bytes))?.[1];
    return kib === undefined ? undefined : Number(kib) * 1_024;
  } catch (error) {
    if (error instanceof FileError) return undefined;
    throw error;
  }
}

function pick(turn: number): readonly [command: string, replyStart: string] {
  const found = commands[turn % commands.length];
  if (found === undefined) throw new RangeError(`turn must be 0 or more, got ${turn}`);
  return found;
}

function many(count: number, start: (index: number) => Promise<void>): Promise<void>[] {
  return Array.from({ length: count }, (_, index) => start(index));
}

function expectStart(line: string, start: string, command: string): void {
  expect(line.startsWith(start), `reply to ${command} is ${show(line)}, expected ${start}…`);
}

function expectPong(found: Uint8Array, ping: { payload: string; seq: number }): void {
  const wanted = pongBytes({ payload: ping.payload.toUpperCase(), seq: ping.seq });
  expect(found.toHex() === wanted.toHex(), `Pong to ${show(ping.payload)} is wrong`);
}
