import { waitUntil } from "../base/wait_until.ts";
import type { GatewayConfig } from "../config/gateway_config.ts";
import { isJwtOn } from "../config/jwt_keys.ts";
import { FrameBatch } from "../wire/websocket_frame.ts";
import type { ClientIdentity } from "./identity/client_identity.ts";
import type { ClientLedger } from "./client_ledger.ts";
import type { Clients } from "./clients.ts";
import { dedupPerClient, dedupTotal, DedupWindow } from "./dedup_window.ts";
import { Downstream } from "./downstream.ts";
import { emptyGatewayCounters } from "./gateway_counters.ts";
import { GatewayDoor } from "./gateway_door.ts";
import { gatewayFigures } from "./gateway_figures.ts";
import { GatewayOperations } from "./gateway_operations.ts";
import type { GatewayPorts, GatewayServerOptions } from "./gateway_options.ts";
import { type GatewayStores, openStores } from "./gateway_stores.ts";
import type { GatewayCounters } from "./gateway_types.ts";
import { GatewayUpkeep } from "./gateway_upkeep.ts";
import type { LinkOwner } from "./link_types.ts";
import type { MessageHistory } from "./history/message_history.ts";
import type { MessageLog } from "./log/message_log_types.ts";
import { makeLink } from "./make_link.ts";
import { Mailbox } from "./mailbox.ts";
import { MemoryAccount } from "./memory_account.ts";
import { MessageGateway } from "./message_gateway.ts";
import { restoreMessages } from "./restore_messages.ts";
import { StampClock } from "./stamp_clock.ts";
import { type TargetOwner, UpstreamTarget } from "./upstream_target.ts";
import { Upstreams } from "./upstreams.ts";
import { UpstreamWays } from "./upstream_ways.ts";

/** What the connections to upstreams get for their end when the time to drain is over: one that
 * answers needs a few milliseconds, one that hangs holds nothing up. */
const partingMsMax = 200;

export type GatewayOpening =
  | { readonly ok: true; readonly gateway: GatewayServer }
  /** One line: what was tried, what was found. */
  | { readonly ok: false; readonly reason: string };

/** What became of another configuration. */
export type GatewayChange =
  | { readonly ok: true; readonly hasOtherRules: boolean }
  /** One line. */
  | { readonly ok: false; readonly reason: string };

/** The message gateway, put together: log, upstreams, connections and figures. */
export class GatewayServer {
  readonly door: GatewayDoor;
  readonly core: MessageGateway;
  readonly log: MessageLog;
  readonly history: MessageHistory;
  readonly upstreams: Upstreams;
  /** For operators. */
  readonly operations: GatewayOperations;
  readonly counters: GatewayCounters = emptyGatewayCounters();
  readonly #options: GatewayServerOptions;
  readonly #clients: Clients;
  readonly #ledger: ClientLedger;
  readonly #memory: MemoryAccount;
  readonly #mailbox: Mailbox;
  readonly #upkeep: GatewayUpkeep;
  readonly #startedAt: number;
  #config: GatewayConfig;

  /** Reads what the last run left, and begins to connect to the upstreams that it is for. */
  static async open(options: GatewayServerOptions): Promise<GatewayOpening> {
    const identity = await openIdentity(options.config, options.ports);
    if (identity?.ok === false) return identity;
    const opened = await openStores(options);
    if (!opened.ok) return opened;
    const gateway = new GatewayServer(options, opened.stores, identity?.identity);
    opened.stores.logEvents.core = gateway.core;
    return { ok: true, gateway };
  }

  private constructor(
    options: GatewayServerOptions,
    { history, clients, ledger, log, recovered }: GatewayStores,
    identity: ClientIdentity | undefined,
  ) {
    const { ports, config } = options;
    const { clock } = ports;
    this.history = history;
    const { counters } = this;
    this.log = log;
    this.#options = options;
    this.#config = config;
    this.#clients = clients;
    this.#ledger = ledger;
    this.#startedAt = clock.monotonic();
    const memory = this.#memory = new MemoryAccount(config.memory);
    const mailbox = this.#mailbox = new Mailbox(log, config.waiting);
    const stamp = new StampClock(clock);
    const known = this.#newDedupWindow();
    // Made before the core that it reports to.
    const owner: TargetOwner = {
      sent: (slot) => this.core.sent(slot),
      delivered: (slot) => this.core.delivered(slot),
      mayRetry: (slot) => this.core.mayRetry(slot),
    };
    const chunking = {
      messageBytesMax: config.upstreamMaxMessageSize,
      sha256: () => ports.crypto.newSha256(),
    };
    const batch = new FrameBatch((count) => ports.random.bytes(count));
    const ways = new UpstreamWays();
    const upstreams = this.upstreams = new Upstreams(config.routes, {
      log,
      clients,
      clock,
      make: (what, moves) => {
        const target = new UpstreamTarget(what, { log, clients, owner, moves, chunking });
        if (what.url === "") return target;
        const events: LinkOwner = {
          text: (text) => downstream.text(target, text),
          binary: (bytes) => downstream.binary(target, bytes),
          changed: (state) => {
            if (state !== "open") downstream.lost(target);
            this.upstreams?.reachChanged();
          },
        };
        target.connect(makeLink(options, { target, owner: events, batch, memory, ways }));
        return target;
      },
    });
    const wasSeen = (id: string) => ledger.lastSeen(id) !== undefined;
    const downstream: Downstream = new Downstream({
      history,
      clock,
      crypto: ports.crypto,
      memory,
      maxMessageSize: config.maxMessageSize,
      heldBytesMax: () => this.#config.outboundBytesMax,
      log,
      clients,
      upstreams,
      mailbox,
      counters,
      stamp,
      wasSeen,
    });
    const core = this.core = new MessageGateway({
      history,
      config,
      clock,
      crypto: ports.crypto,
      counters,
      memory,
      clients,
      log,
      known,
      upstreams,
      downstream,
      stamp,
    });
    this.door = new GatewayDoor({
      ...ports,
      config,
      core,
      counters,
      logger: options.logger,
      maxConnections: options.maxConnections,
      memory,
      ledger,
      identity,
    });
    this.operations = new GatewayOperations({
      core,
      door: this.door,
      downstream,
      history: this.history,
      log,
      upstreams,
      clock,
    });
    restoreMessages(recovered, { log, clients, upstreams, mailbox, known, clock });
    this.#upkeep = new GatewayUpkeep({
      core,
      log,
      history,
      mailbox,
      memory,
      upstreams,
      clock,
      logger: options.logger,
      replays: downstream.replays,
      figures: () => this.figures(),
      collectGarbage: () => ports.collectGarbage?.(),
    });
    this.#upkeep.summarise(summaryMs(config));
  }

  /** Why it cannot promise anything now, in a few words; undefined while all is well. */
  get trouble(): string | undefined {
    return this.log.trouble ?? this.#ledger.trouble;
  }

  /** The figures under the names of the JSON metrics. */
  figures(): Record<string, number> {
    const { ports } = this.#options;
    const config = this.#config;
    const { clock } = ports;
    const { addresses } = this.door.admission;
    const now = clock.monotonic();
    return gatewayFigures({
      counters: this.counters,
      log: this.log,
      upstreams: this.upstreams,
      mailbox: this.#mailbox,
      history: this.history,
      ackLatency: this.core.acknowledgements.latency,
      forwardLatency: this.core.forwardLatency,
      // This one stays what it was at the start.
      bufferCapacity: this.#options.config.buffer.size,
      connections: this.door.size,
      memoryBytes: this.#memory.totalBytes,
      memoryBytesMax: this.#memory.limitBytes,
      limitedAddresses: addresses.size,
      averageTokens: addresses.averageTokens(now),
      requestsPerSecond: config.rateLimit.requestsPerSecond,
      process: ports.process.usage(),
      eventLoopLagP99Ms: this.#upkeep.lateness.percentile(0.99),
      uptimeMs: now - this.#startedAt,
      nowMs: clock.now(),
    });
  }

  /**
   * Takes over what can change while it runs, and keeps all connections: routes, limits, times and
   * what becomes of messages that wait, who needs a token. Resolves when messages that wait are on
   * their new ways. When it cannot, nothing has changed.
   */
  async configure(
    config: GatewayConfig,
    { maxConnections }: { maxConnections: number },
  ): Promise<GatewayChange> {
    const opened = await openIdentity(config, this.#options.ports);
    if (opened?.ok === false) return opened;
    const hasOtherRules = !await this.upstreams.hasRules(config.routes);
    if (hasOtherRules) {
      const reason = await this.upstreams.replaceRules(config.routes);
      if (reason !== undefined) return { ok: false, reason };
    }
    this.#config = config;
    this.door.configure(config, { maxConnections, identity: opened?.identity });
    this.core.configure(config);
    this.#memory.configure(config.memory);
    this.#mailbox.configure(config.waiting);
    this.#ledger.configure(config.waiting);
    this.history.reconfigure(config.history, config.memory);
    const { enabled } = this.#options.config.metrics;
    this.#upkeep.summarise(summaryMs({ ...config, metrics: { ...config.metrics, enabled } }));
    return { ok: true, hasOtherRules };
  }

  /** From now on nobody comes in, and no message is taken. */
  startDraining(): void {
    this.door.startDraining();
    this.core.startDraining();
  }

  /**
   * Stops in order: what was read is stored and acknowledged, upstreams get what waits for them,
   * clients are sent away within `drainMs`. What is not delivered then stays in the log, and nothing
   * waits for an upstream any longer.
   */
  async stop(drainMs: number): Promise<void> {
    const { clock } = this.#options.ports;
    const endsAt = clock.monotonic() + drainMs;
    const leftMs = () => Math.max(0, endsAt - clock.monotonic());
    this.startDraining();
    await this.log.flush();
    await Promise.all([this.door.closeAll(leftMs()), this.#sendWhatWaits(leftMs())]);
    await this.upstreams.leaveAll(Math.max(partingMsMax, leftMs()));
    this.#upkeep.stop();
    await Promise.all([this.log.close(), this.#ledger.close(), this.history.close()]);
  }

  /** Waits until upstreams that can be reached have all that is for them. */
  async #sendWhatWaits(msMax: number): Promise<void> {
    const { clock } = this.#options.ports;
    const isDone = () => !this.upstreams.all().some(({ isOpen, pending }) => isOpen && pending > 0);
    await waitUntil(clock, isDone, msMax);
  }

  #newDedupWindow(): DedupWindow {
    const limits = {
      windowMs: this.#options.config.buffer.dedupWindowMs,
      perClient: dedupPerClient,
      total: dedupTotal,
    };
    return new DedupWindow(limits, (index) => {
      const client = this.#clients.at(index);
      client.knownIds--;
      this.#clients.tidy(client);
    });
  }
}

/** What is for tokens is loaded where they are in use. */
async function openIdentity(config: GatewayConfig, ports: GatewayPorts) {
  if (!isJwtOn(config.jwt)) return undefined;
  const { ClientIdentity } = await import("./identity/client_identity.ts");
  return await ClientIdentity.open(config.jwt, ports);
}

/** How often a summary goes into the log; 0: never. */
function summaryMs({ metrics }: GatewayConfig): number {
  return metrics.enabled ? metrics.logIntervalMs : 0;
}
