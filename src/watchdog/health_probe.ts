import { showAddress } from "../base/address.ts";
import type { Clock } from "../ports/clock.ts";
import type { TcpPort } from "../ports/tcp.ts";
import type { UdpPort } from "../ports/udp.ts";
import { askTcp, askUdp } from "./ask_host.ts";
import type { PortState, StopAnswer } from "./supervisor_events.ts";

export interface ProbePorts {
  readonly tcp: TcpPort;
  readonly udp: UdpPort;
  readonly clock: Clock;
}

export interface HealthTarget {
  readonly host: string;
  /** undefined: TCP is not probed, because only games are served there. */
  readonly tcpPort: number | undefined;
  /** undefined: UDP is not probed. */
  readonly udpPort: number | undefined;
  readonly timeoutMs: number;
}

export interface Health {
  readonly ok: boolean;
  /** "ok", or one line with all that failed. */
  readonly reason: string;
}

/** Probes over a new connection, and a datagram where UDP is asked for, both within the timeout. */
export async function probeHealth(ports: ProbePorts, target: HealthTarget): Promise<Health> {
  const { host, tcpPort, udpPort, timeoutMs } = target;
  const failures = await Promise.all([
    tcpPort === undefined ? "" : probeTcp(ports, { host, port: tcpPort, timeoutMs }),
    udpPort === undefined ? "" : probeUdp(ports, { host, port: udpPort, timeoutMs }),
  ]);
  const reason = failures.filter((failure) => failure !== "").join("; ");
  return { ok: reason === "", reason: reason === "" ? "ok" : reason };
}

interface Address {
  readonly host: string;
  readonly port: number;
  readonly timeoutMs: number;
}

async function probeTcp(ports: ProbePorts, at: Address): Promise<string> {
  const where = `TCP ${showAddress(at.host, at.port)}`;
  const answer = await askTcp(ports, { ...at, lines: ["M1_CONN_PING"], replies: 1 });
  if (answer.failure !== undefined) return `${where}: ${answer.failure}`;
  return rightReply(where, answer.replies[0], "M1_CONN_PONG");
}

async function probeUdp(ports: ProbePorts, at: Address): Promise<string> {
  const where = `UDP ${showAddress(at.host, at.port)}`;
  const answer = await askUdp(ports, { ...at, text: "M1_UDP_PING" });
  if (answer.failure !== undefined) return `${where}: ${answer.failure}`;
  return rightReply(where, answer.replies[0], "M1_UDP_PONG");
}

function rightReply(where: string, found: string | undefined, expected: string): string {
  if (found === expected) return "";
  return `${where}: expected ${expected}, got ${JSON.stringify((found ?? "").slice(0, 60))}`;
}

/**
 * Who is at the address that the child is to listen on. `orphanPid` is a process that an earlier
 * watchdog left behind, if one is known.
 */
export async function checkPort(
  ports: ProbePorts,
  at: Address,
  orphanPid: number | undefined,
): Promise<PortState> {
  const where = `TCP port ${showAddress(at.host, at.port)}`;
  const answer = await askTcp(ports, { ...at, lines: ["M1_CONN_PING"], replies: 1 });
  if (!answer.connected) return { kind: "free" };
  if (orphanPid !== undefined) {
    const who = `process ${orphanPid}, a server that an earlier watchdog left behind`;
    return { kind: "held", detail: `${where} is still held by ${who}; end it: kill ${orphanPid}` };
  }
  const detail = answer.replies[0] === "M1_CONN_PONG"
    ? `${where} is held by another server, which answers probes: is it an orphan of a watchdog?`
    : `${where} is held by another program, which does not answer probes`;
  return { kind: "held", detail };
}

/**
 * Asks the child to stop, authenticated with its one-time token. Like every connection here this
 * one ends with the exchange.
 */
export async function askToStop(
  ports: ProbePorts,
  at: Address & { token: string },
): Promise<StopAnswer> {
  const lines = [`AUTH:${at.token}`, "__STOP__"];
  const answer = await askTcp(ports, { ...at, lines, replies: 2 });
  if (answer.replies.includes("__STOP_OK__")) return "acknowledged";
  return answer.closed && answer.replies.length === 0 ? "not_listening" : "not_taken";
}
