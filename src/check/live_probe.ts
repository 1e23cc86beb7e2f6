import type { Clock } from "../ports/clock.ts";
import type { TcpPort } from "../ports/tcp.ts";
import type { UdpPort } from "../ports/udp.ts";
import { type HostFigures, parseFigures } from "./host_figures.ts";
import { expect, expectSame, ProbeFailure, show, within } from "./probe_failure.ts";
import { TcpClient } from "./tcp_client.ts";
import { UdpClient } from "./udp_client.ts";

export interface LiveProbeOptions {
  readonly host: string;
  readonly tcpPort: number;
  readonly udpPort: number;
  /** Whether UDP must answer; without it UDP is not asked. */
  readonly requireUdp: boolean;
  /** How long each probe (TCP, metrics, UDP) may take as a whole. */
  readonly timeoutMs: number;
  /** Sent as `AUTH:<token>` before anything that needs control rights. */
  readonly controlToken: string | undefined;
  /** Limits on the server's figures; with any of them `__METRICS__` is asked. */
  readonly errorCountMax?: number | undefined;
  readonly timerTickCountMin?: number | undefined;
  readonly ioPollCountMin?: number | undefined;
  /** Asks for the figures even without a limit on them, and takes no harm when they are refused. */
  readonly wantFigures?: boolean;
}

export interface LiveReport {
  readonly ok: boolean;
  /** Why not, one line each; empty when all is well. */
  readonly reasons: readonly string[];
  readonly host: string;
  readonly tcp_port: number;
  readonly udp_port: number;
  /** From connecting to the reply; null when it failed. */
  readonly tcp_ms: number | null;
  /** null when it failed or was not asked. */
  readonly udp_ms: number | null;
  readonly figures: HostFigures | null;
}

/** Asks a running server whether it is well. Never rejects for the server's faults. */
export async function probeLive(
  ports: { tcp: TcpPort; udp: UdpPort; clock: Clock },
  options: LiveProbeOptions,
): Promise<LiveReport> {
  const limited = options.errorCountMax !== undefined ||
    options.timerTickCountMin !== undefined || options.ioPollCountMin !== undefined;
  const reasons: string[] = [];
  const attempt = async <T>(probe: Promise<T>): Promise<T | null> => {
    try {
      return await probe;
    } catch (error) {
      if (!(error instanceof ProbeFailure)) throw error;
      reasons.push(error.message);
      return null;
    }
  };
  const [tcpMs, udpMs] = await Promise.all([
    attempt(probeTcp(ports, options)),
    options.requireUdp ? attempt(probeUdp(ports, options)) : null,
  ]);
  let figures: HostFigures | null = null;
  // A server that does not answer a ping would only be reported twice.
  if (tcpMs !== null && limited) {
    figures = await attempt(readFigures(ports, options));
    if (figures !== null) reasons.push(...figureFaults(figures, options));
  } else if (tcpMs !== null && options.wantFigures === true) {
    figures = await readFigures(ports, options).catch((error) => {
      // Nobody set a limit on them, so a refusal is no fault of the server.
      if (error instanceof ProbeFailure) return null;
      throw error;
    });
  }
  return {
    ok: reasons.length === 0,
    reasons,
    host: options.host,
    tcp_port: options.tcpPort,
    udp_port: options.udpPort,
    tcp_ms: tcpMs,
    udp_ms: udpMs,
    figures,
  };
}

/** What the figures have against the limits, one line each. */
export function figureFaults(
  figures: HostFigures,
  limits: Pick<LiveProbeOptions, "errorCountMax" | "timerTickCountMin" | "ioPollCountMin">,
): string[] {
  const faults: string[] = [];
  if (limits.errorCountMax !== undefined && figures.error_count > limits.errorCountMax) {
    faults.push(`error_count is ${figures.error_count}, allowed ≤ ${limits.errorCountMax}`);
  }
  if (
    limits.timerTickCountMin !== undefined && figures.timer_tick_count < limits.timerTickCountMin
  ) {
    faults.push(
      `timer_tick_count is ${figures.timer_tick_count}, allowed ≥ ${limits.timerTickCountMin}`,
    );
  }
  if (limits.ioPollCountMin !== undefined && figures.io_poll_count < limits.ioPollCountMin) {
    faults.push(`io_poll_count is ${figures.io_poll_count}, allowed ≥ ${limits.ioPollCountMin}`);
  }
  return faults;
}

function probeTcp(
  ports: { tcp: TcpPort; clock: Clock },
  options: LiveProbeOptions,
): Promise<number> {
  return timed(ports, options, "tcp probe", async (client) => {
    expectSame(await client.ask("M1_CONN_PING"), "M1_CONN_PONG", "reply to M1_CONN_PING over tcp");
  });
}

async function probeUdp(
  ports: { udp: UdpPort; clock: Clock },
  options: LiveProbeOptions,
): Promise<number> {
  const start = ports.clock.monotonic();
  const { host, udpPort: port, timeoutMs } = options;
  const client = await UdpClient.open(ports, { host, port, timeoutMs });
  try {
    expectSame(await client.ask("M1_UDP_PING"), "M1_UDP_PONG", "reply to M1_UDP_PING over udp");
    return elapsed(ports.clock, start);
  } finally {
    client.close();
  }
}

async function readFigures(
  ports: { tcp: TcpPort; clock: Clock },
  options: LiveProbeOptions,
): Promise<HostFigures> {
  let line = "";
  await timed(ports, options, "metrics probe", async (client) => {
    if (options.controlToken !== undefined) {
      // Not by `ask`, whose failure would quote the token.
      client.send(`AUTH:${options.controlToken}\n`);
      const reply = await client.readLine("AUTH:…");
      expect(reply === "AUTH_OK", `The control token was refused with ${show(reply)}`);
    }
    line = await client.ask("__METRICS__");
    expect(
      line !== "ERR_FORBIDDEN",
      "__METRICS__ answered ERR_FORBIDDEN: this host has no control rights; set control_token in " +
        "the configuration or FREEKILL_GW_CONTROL_TOKEN, or ask from loopback",
    );
  });
  return parseFigures(line);
}

/** Runs `talk` on a connection of its own, `timeoutMs` for all of it; gives how long it took. */
async function timed(
  ports: { tcp: TcpPort; clock: Clock },
  options: LiveProbeOptions,
  what: string,
  talk: (client: TcpClient) => Promise<void>,
): Promise<number> {
  const start = ports.clock.monotonic();
  const { host, tcpPort: port, timeoutMs } = options;
  const client = await TcpClient.open(ports, { host, port, timeoutMs });
  try {
    // Connecting has used up a part of the probe's time.
    const ms = Math.max(1, Math.round(timeoutMs - elapsed(ports.clock, start)));
    await within(ports.clock, talk(client), { ms, what });
    return elapsed(ports.clock, start);
  } finally {
    client.close();
  }
}

function elapsed(clock: Clock, start: number): number {
  return Math.round((clock.monotonic() - start) * 1_000) / 1_000;
}
