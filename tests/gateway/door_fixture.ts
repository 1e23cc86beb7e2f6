import { setImmediate } from "node:timers";
import type { GatewayConfig } from "../../src/config/gateway_config.ts";
import { isJwtOn } from "../../src/config/jwt_keys.ts";
import { ClientLedger } from "../../src/gateway/client_ledger.ts";
import { Clients } from "../../src/gateway/clients.ts";
import { emptyGatewayCounters } from "../../src/gateway/gateway_counters.ts";
import { ClientIdentity } from "../../src/gateway/identity/client_identity.ts";
import { GatewayDoor } from "../../src/gateway/gateway_door.ts";
import type {
  Client,
  ClientSession,
  GatewayCore,
  GatewayCounters,
} from "../../src/gateway/gateway_types.ts";
import { MemoryAccount } from "../../src/gateway/memory_account.ts";
import type { FilesPort } from "../../src/ports/files.ts";
import {
  rawConnect,
  type RawConnection,
  rawWebSocket,
  upgradeText,
} from "../adapters/raw_websocket.ts";
import { defaultGateway } from "../config/default_gateway.ts";
import { type FakeClock, fakeClock } from "../fakes/clock.ts";
import { fakeFiles } from "../fakes/files.ts";
import { type FakeLog, fakeLog } from "../fakes/log.ts";
import { fakeRandom } from "../fakes/random.ts";
import { runtimeUnderTest } from "../tested_runtime.ts";

/** A configuration whose limits are in nobody's way. */
export const roomyGateway: GatewayConfig = {
  ...defaultGateway,
  enabled: true,
  maxMessageSize: 1 << 20,
  rateLimit: { enabled: true, requestsPerSecond: 10_000, burstSize: 10_000 },
  messagesPerSecond: 0,
  messageBurst: 0,
  waiting: {
    perClient: 100,
    perClientBytes: 1 << 20,
    total: 1_000,
    totalBytes: 1 << 24,
    ttlSeconds: 3_600,
  },
  history: { enabled: false, maxTotalMB: 0, maxPerClient: 0, maxMsgSizeKB: 0, cleanupHours: 0 },
  buffer: {
    ...defaultGateway.buffer,
    size: 1_000,
    persistFile: "",
    maxBytes: 1 << 20,
    fsync: "never",
    dedupWindowMs: 0,
  },
  metrics: { enabled: true, logIntervalMs: 0 },
  memory: { maxMemoryMB: 64, highWatermark: 0.8 },
};

/** A core that notes what it is told and does what the test says. */
export class RecordingCore implements GatewayCore {
  readonly clients = new Clients(1);
  /** `joined a`, `left a`, `drained a`, in order. */
  readonly events: string[] = [];
  readonly messages: (string | Uint8Array)[] = [];
  onText: (session: ClientSession, text: string) => void = () => {};
  onJoined: (session: ClientSession) => void = () => {};

  clientNamed(id: string): Client {
    return this.clients.named(id);
  }

  clientWithId(id: string): Client | undefined {
    return this.clients.get(id);
  }

  /** The open session of a client; fails when it has none. */
  session(id: string): ClientSession {
    const session = this.clients.get(id)?.session;
    if (session === undefined) throw new Error(`${id} is not connected`);
    return session;
  }

  joined(session: ClientSession): void {
    this.events.push(`joined ${session.client.id}`);
    this.onJoined(session);
  }

  left(session: ClientSession): void {
    this.events.push(`left ${session.client.id}`);
    this.clients.tidy(session.client);
  }

  text(session: ClientSession, text: string): void {
    this.messages.push(text);
    this.onText(session, text);
  }

  binary(_session: ClientSession, bytes: Uint8Array): void {
    this.messages.push(bytes.slice());
  }

  drained(session: ClientSession): void {
    this.events.push(`drained ${session.client.id}`);
  }
}

export interface OpenDoor {
  readonly door: GatewayDoor;
  readonly core: RecordingCore;
  readonly counters: GatewayCounters;
  readonly clock: FakeClock;
  /** Lets time pass without any timer, as when the process stands still. */
  stall(ms: number): void;
  readonly memory: MemoryAccount;
  readonly ledger: ClientLedger;
  readonly port: number;
  readonly errors: Error[];
  readonly log: FakeLog;
  /** Connects as a client; `query` without the `?`. */
  connect(query: string, headers?: Record<string, string>): Promise<RawConnection>;
  /** Asks for an upgrade that is refused. */
  refused(
    path: string,
    headers?: Record<string, string>,
  ): Promise<{ status: number; headers: Headers; body: string }>;
}

/** Runs `use` with a door on a real server, on a clock that only the test moves. */
export async function withDoor(
  options: {
    config?: Partial<GatewayConfig>;
    maxConnections?: number;
    files?: FilesPort;
    ledgerPath?: string;
  },
  use: (open: OpenDoor) => Promise<void>,
): Promise<void> {
  const runtime = await runtimeUnderTest();
  const config = { ...roomyGateway, ...options.config };
  const steady = fakeClock();
  let stalledMs = 0;
  const monotonic = () => steady.monotonic() + stalledMs;
  const clock: FakeClock = Object.assign(Object.create(steady), {
    monotonic,
    // The end of a turn is the real event loop's: sockets are real here.
    soon: (call: () => void) => void setImmediate(call),
  });
  const core = new RecordingCore();
  const counters = emptyGatewayCounters();
  const memory = new MemoryAccount(config.memory);
  const log = fakeLog();
  const { logger } = log;
  const ledger = new ClientLedger({
    path: options.ledgerPath ?? "",
    ttlSeconds: config.waiting.ttlSeconds,
    files: options.files ?? fakeFiles(),
    clock,
    random: fakeRandom(),
    logger,
    sha256: (bytes) => runtime.crypto.sha256(bytes),
  });
  await ledger.open();
  const files = options.files ?? fakeFiles();
  const identity = isJwtOn(config.jwt)
    ? await ClientIdentity.open(config.jwt, { files, clock })
    : undefined;
  if (identity?.ok === false) throw new Error(identity.reason);
  const door = new GatewayDoor({
    identity: identity?.identity,
    config,
    core,
    counters,
    clock,
    random: fakeRandom(),
    logger,
    maxConnections: options.maxConnections ?? 1_000,
    memory,
    ledger,
  });
  const errors: Error[] = [];
  const server = await runtime.http.listen({
    host: "127.0.0.1",
    port: 0,
    bodyBytesMax: 1_000,
    fetch: () => new Response("plain\n"),
    error: (error) => errors.push(error),
    webSocket: { limits: door.limits, handlers: door.handlers, traffic: counters },
  });
  const { port } = server;
  const peers: RawConnection[] = [];
  try {
    await use({
      door,
      core,
      counters,
      clock,
      stall: (ms) => void (stalledMs += ms),
      memory,
      ledger,
      port,
      errors,
      log,
      async connect(query, headers) {
        const peer = await rawWebSocket(port, { path: `/ws?${query}`, headers });
        peers.push(peer);
        return peer;
      },
      async refused(path, headers = {}) {
        const peer = await rawConnect(port);
        peers.push(peer);
        peer.write(upgradeText(path, headers));
        return await peer.readResponse();
      },
    });
  } finally {
    for (const peer of peers) peer.destroy();
    await server.close();
    await ledger.close();
  }
}
