import type { DiscoveryAnswers } from "../../src/host/host_datagrams.ts";
import { HostServer } from "../../src/host/host_server.ts";
import type { OtherProtocol } from "../../src/host/other_protocol.ts";
import { type HostStore, noStoreCounters, type StoreOperation } from "../../src/host/store.ts";
import type { TcpCloseReason, TcpConnection } from "../../src/ports/tcp.ts";
import { fakeClock } from "../fakes/clock.ts";
import { fakeLog } from "../fakes/log.ts";
import { type FakeMachine, FakeNetwork } from "../fakes/network.ts";
import { hostFixture } from "./host_fixture.ts";

export const serverHost = "192.0.2.1";
const tickMs = 50;

/** A server on a machine of its own, seen by a client on the same and on other machines. */
export async function serverFixture(
  changes: Parameters<typeof hostFixture>[0] & {
    connectionsMax?: number;
    connectionsPerHostMax?: number;
    other?: OtherProtocol;
    discovery?: DiscoveryAnswers;
  } = {},
) {
  const clock = fakeClock();
  const network = new FakeNetwork({ clock });
  const home = network.machine(serverHost);
  const log = fakeLog();
  const host = hostFixture(changes);
  const stored: StoreOperation[] = [];
  const store: HostStore = {
    counters: noStoreCounters,
    trouble: undefined,
    routes: new Map(),
    perform(operation) {
      stored.push(operation);
      return Promise.resolve({ ok: true });
    },
  };
  let stops = 0;
  const server = new HostServer({
    tcp: home.tcp,
    udp: home.udp,
    clock,
    logger: log.logger,
    commands: host.commands,
    metrics: host.metrics,
    store,
    script: {
      hello: () => Promise.resolve({ kind: "ok", version: "v1" }),
      reload: () => Promise.resolve({ ok: true, changed: true }),
      close: () => {},
    },
    host: "::",
    tcpPort: 9_527,
    udpPort: 0,
    mode: changes.mode ?? "auto",
    other: changes.other,
    sniffMs: 20,
    sniffLoopbackMs: 150,
    discovery: changes.discovery,
    idleMsMax: changes.idleMsMax ?? 0,
    connectionsMax: changes.connectionsMax ?? 1_000,
    connectionsPerHostMax: changes.connectionsPerHostMax ?? 0,
    tickMs,
    stop: () => void stops++,
  });
  const ports = await server.start();
  const settle = async () => {
    // Replies that pass through promises of the server's own come some turns after the network's.
    for (let i = 0; i < 20; i++) {
      await network.idle();
      await Promise.resolve();
    }
  };
  const advance = async (ms: number) => {
    for (let passed = 0; passed < ms; passed += tickMs) {
      clock.advance(tickMs);
      await settle();
    }
  };
  return {
    ...host,
    server,
    ports,
    home,
    network,
    clock,
    log,
    stored,
    settle,
    advance,
    stops: () => stops,
  };
}

/** The client's side of a connection to the server. */
export interface Peer {
  readonly connection: TcpConnection<unknown>;
  text(): string;
  closed: TcpCloseReason | undefined;
}

export async function connect(from: FakeMachine, host = serverHost): Promise<Peer> {
  let received = "";
  const peer = { closed: undefined as TcpCloseReason | undefined, text: () => received };
  const connection = await from.tcp.connect<unknown>({
    host,
    port: 9_527,
    timeoutMs: 1_000,
    limits: { outboundBytesMax: 10_000_000, lingerMs: 1_000 },
    handlers: {
      open: () => {},
      data: (_, part) => void (received += new TextDecoder().decode(part)),
      end: (each) => each.end(),
      drain: () => {},
      close: (_, reason) => void (peer.closed = reason),
    },
  });
  return Object.assign(peer, { connection });
}
