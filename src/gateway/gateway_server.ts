import type { GatewayConfig } from "../config/gateway_config.ts";
import { isJwtOn } from "../config/jwt_keys.ts";
import { FrameBatch } from "../wire/websocket_frame.ts";
import type { ClientIdentity } from "./identity/client_identity.ts";
import { ClientLedger } from "./client_ledger.ts";
import { Clients } from "./clients.ts";
import { dedupPerClient, dedupTotal, DedupWindow } from "./dedup_window.ts";
import { Downstream } from "./downstream.ts";
import { emptyGatewayCounters } from "./gateway_counters.ts";
import { GatewayDoor } from "./gateway_door.ts";
import { gatewayFigures } from "./gateway_figures.ts";
import { GatewayOperations } from "./gateway_operations.ts";
import type { GatewayServerOptions } from "./gateway_options.ts";
import type { GatewayCounters } from "./gateway_types.ts";
import { GatewayUpkeep } from "./gateway_upkeep.ts";
import type { LinkOwner } from "./link_types.ts";
import { MessageHistory } from "./history/message_history.ts";
import { openMessageLog, type RecoveredLog } from "./log/message_log.ts";
import type { MessageLog } from "./log/message_log_types.ts";
import { LogEvents } from "./log_events.ts";
import { makeLink } from "./make_link.ts";
import { Mailbox } from "./mailbox.ts";
import { MemoryAccount } from "./memory_account.ts";
import { MessageGateway } from "./message_gateway.ts";
import { restoreMessages } from "./restore_messages.ts";
import { StampClock } from "./stamp_clock.ts";
import { type TargetOwner, UpstreamTarget } from "./upstream_target.ts";
import { Upstreams } from "./upstreams.ts";

/** How often the end looks whether the upstreams have everything. */
const lookAgainMs = 5;

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
  /** Reads its keys again when it is told to; absent where no tokens are in use. */
  readonly identity: ClientIdentity | undefined;
  readonly #clients: Clients;
  readonly #ledger: ClientLedger;
  readonly #memory: MemoryAccount;
  readonly #mailbox: Mailbox;
  readonly #upkeep: GatewayUpkeep;
  readonly #startedAt: number;
  #config: GatewayConfig;

  /** Reads what the last run left, and begins to connect to the upstreams that it is for. */
  static async open(options: GatewayServerOptions): Promise<GatewayOpening> {
    const { ports, config, logger } = options;
    const identity = await openIdentity(options);
    if (identity?.ok === false) return identity;
    const { persistFile } = config.buffer;
    const clients = new Clients(new DataView(ports.random.bytes(4).buffer).getInt32(0));
    const ledger = new ClientLedger({
      ...ports,
      path: persistFile === "" ? "" : `${persistFile}.clients`,
      ttlSeconds: config.waiting.ttlSeconds,
      logger,
      sha256: (bytes) => ports.crypto.sha256(bytes),
    });
    const owner = new LogEvents(clients);
    const opened = await openMessageLog({
      ...ports,
      config: config.buffer,
      files: ports.logFiles,
      logger,
      owner,
    });
    if (!opened.ok) return opened;
    const { report } = opened.recovered;
    if (report.torn + report.corrupt + report.orphaned + report.renamed.length > 0) {
      logger.warn({ ...report }, "the message log was damaged: what is whole was kept");
    } else if (report.messages > 0) {
      logger.info({ messages: report.messages }, "messages of the last run are sent now");
    }
    await ledger.open();
    const history = await MessageHistory.open({
      ...ports,
      config: config.history,
      persistFile,
      fsync: config.buffer.fsync,
      maxMemoryMB: config.memory.maxMemoryMB,
      files: ports.logFiles,
      logger,
    });
    const gateway = new GatewayServer(options, {
      history,
      clients,
      ledger,
      ...opened,
      identity: identity?.identity,
    });
    owner.core = gateway.core;
    return { ok: true, gateway };
  }

  private constructor(
    options: GatewayServerOptions,
    parts: {
      history: MessageHistory;
      clients: Clients;
      ledger: ClientLedger;
      log: MessageLog;
      recovered: RecoveredLog;
      identity: ClientIdentity | undefined;
    },
  ) {
    const { ports, config } = options;
    const { clock } = ports;
    const { history, clients, ledger, log, recovered, identity } = parts;
    this.history = history;
    this.identity = identity;
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
        target.connect(makeLink(options, { target, owner: events, batch }));
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
      heldBytesMax: config.outboundBytesMax,
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
      bufferCapacity: config.buffer.size,
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
   * what becomes of messages that wait. Resolves when messages that wait are on their new ways.
   * When it cannot, nothing has changed.
   */
  async configure(
    config: GatewayConfig,
    { maxConnections }: { maxConnections: number },
  ): Promise<GatewayChange> {
    const keysRefused = isJwtOn(config.jwt) ? await this.identity?.reload(config.jwt) : undefined;
    if (keysRefused !== undefined) return { ok: false, reason: keysRefused };
    const hasOtherRules = !await this.upstreams.hasRules(config.routes);
    if (hasOtherRules) {
      const reason = await this.upstreams.replaceRules(config.routes);
      if (reason !== undefined) return { ok: false, reason };
    }
    this.#config = config;
    this.door.configure(config, { maxConnections });
    this.core.configure(config);
    this.#memory.configure(config.memory);
    this.#mailbox.configure(config.waiting);
    this.#ledger.configure(config.waiting);
    this.history.reconfigure(config.history);
    this.#upkeep.summarise(summaryMs(config));
    return { ok: true, hasOtherRules };
  }

  /** From now on nobody comes in, and no message is taken. */
  startDraining(): void {
    this.door.startDraining();
    this.core.startDraining();
  }

  /**
   * Stops in order: what was read is stored and acknowledged, upstreams get what waits for them,
   * clients are sent away within `drainMs`. What is not delivered then stays in the log.
   */
  async stop(drainMs: number): Promise<void> {
    this.startDraining();
    await this.log.flush();
    await Promise.all([this.door.closeAll(drainMs), this.#sendWhatWaits(drainMs)]);
    await Promise.all(this.upstreams.all().map((target) => target.link?.stop()));
    this.#upkeep.stop();
    await Promise.all([this.log.close(), this.#ledger.close(), this.history.close()]);
  }

  /** Waits until upstreams that can be reached have all that is for them. */
  async #sendWhatWaits(msMax: number): Promise<void> {
    const { clock } = this.#options.ports;
    const giveUpAt = clock.monotonic() + msMax;
    const isDone = () => !this.upstreams.all().some(({ isOpen, pending }) => isOpen && pending > 0);
    while (clock.monotonic() < giveUpAt && !isDone()) {
      await new Promise<void>((resolve) => clock.after(lookAgainMs, resolve));
    }
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
async function openIdentity({ config, ports }: GatewayServerOptions) {
  if (!isJwtOn(config.jwt)) return undefined;
  const { ClientIdentity } = await import("./identity/client_identity.ts");
  return await ClientIdentity.open(config.jwt, ports);
}

/** How often a summary goes into the log; 0: never. */
function summaryMs({ metrics }: GatewayConfig): number {
  return metrics.enabled ? metrics.logIntervalMs : 0;
}
