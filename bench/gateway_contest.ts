import type { Awaited, RunResult, SteadyResult } from "./load/gateway_load.ts";
import type { UpstreamAnswer } from "./load/gateway_upstream.ts";
import {
  type ClientsProcess,
  type GatewayProcess,
  startClients,
  startUpstream,
  type UpstreamProcess,
} from "./gateway_processes.ts";
import { median } from "./measure.ts";

/** A server with an upstream and clients of its own, which all wait while another one's turn is. */
export interface Contestant {
  readonly name: string;
  readonly server: GatewayProcess;
  readonly upstream: UpstreamProcess;
  readonly clients: ClientsProcess;
  readonly awaited: Awaited;
  readonly watch: Record<string, number>;
}

/** Starts all that a contestant needs; unless only echoes are awaited, clients ask for
 * acknowledgements. */
export async function enter(
  name: string,
  options: { clients: number; awaited: Awaited; answer?: UpstreamAnswer },
  start: (upstreamUrl: string) => Promise<GatewayProcess>,
): Promise<Contestant> {
  const { awaited, answer = "echo" } = options;
  const upstream = await startUpstream({ answer });
  const server = await start(upstream.url);
  const clients = await startClients();
  const query = awaited === "echo" ? "" : "&ack=1";
  await clients.open({ port: server.port, first: 0, count: options.clients, query });
  const watch = { server: server.pid, upstream: upstream.pid };
  return { name, server, upstream, clients, awaited, watch };
}

export async function leave(contestants: readonly Contestant[]): Promise<void> {
  for (const { clients, server, upstream } of contestants) {
    await clients.stop();
    await server.stop();
    await upstream.stop();
  }
}

export function saturate(
  contestant: Contestant,
  options: { seconds: number; window: number },
): Promise<RunResult> {
  const { clients, awaited, watch } = contestant;
  return clients.saturate({ ...options, awaited, watch });
}

export function steady(
  contestant: Contestant,
  options: { seconds: number; perSecond: number },
): Promise<SteadyResult> {
  const { clients, awaited, watch } = contestant;
  return clients.steady({ ...options, awaited, watch });
}

/** Until so many have gone through, compilers share the CPU with the messages: the first 40,000
 * took 1.3 to 1.6 times what all later ones did, at 4,000/s as at 10,000/s. */
export const warmUpMessages = 80_000;

export interface Turns<T> {
  /** Of the run that compiles the hot code: the first after the start. */
  readonly first: T;
  readonly rounds: T[];
}

/** All results of each contestant, taken in turns, after a run of each that compiles the hot code. */
export async function inTurns<T>(
  contestants: readonly Contestant[],
  rounds: number,
  measure: (contestant: Contestant, isWarmUp: boolean) => Promise<T>,
): Promise<Map<Contestant, Turns<T>>> {
  const results = new Map<Contestant, Turns<T>>();
  for (const contestant of contestants) {
    results.set(contestant, { first: await measure(contestant, true), rounds: [] });
  }
  for (let round = 0; round < rounds; round++) {
    for (const [contestant, turns] of results) {
      turns.rounds.push(await measure(contestant, false));
    }
  }
  return results;
}

/** CPU of the server for one message, in microseconds. */
export function cpuUs(result: RunResult, who = "server"): number {
  return (result.cpuSeconds[who] ?? NaN) * 1e6 / result.messages;
}

export function medianOf<T>(results: readonly T[], value: (result: T) => number): number {
  return median(results.map((one) => value(one)));
}

/** The median of what each round of one was to the same round of the other. */
export function medianRatio<T>(
  ours: readonly T[],
  theirs: readonly T[],
  value: (result: T) => number,
): number {
  return median(ours.map((one, round) => {
    const other = theirs[round];
    return other === undefined ? NaN : value(one) / value(other);
  }));
}

/** Messages that were never answered make every other figure worthless. */
export function refuseLosses(name: string, results: readonly RunResult[]): void {
  for (const { lost, messages } of results) {
    if (lost > 0) throw new Error(`${name}: ${lost} of ${messages + lost} messages got no answer`);
  }
}
