import { Counter, Gauge, Registry } from "prom-client";
import type { GameFigures } from "./game_figures.ts";
import { gatewayCounterNames } from "../gateway/gateway_figures.ts";
import type { GatewayServer } from "../gateway/gateway_server.ts";
import { hostGauges, hostMetricNames, type HostMetrics } from "../host/host_metrics.ts";

/** What the process itself is measured by. */
export interface ProcessFigures {
  readonly residentBytes: number;
  readonly cpuSeconds: number;
  readonly eventLoopLagSeconds: number;
}

/** The same figures as the JSON form, in Prometheus text form 0.0.4. */
export class PrometheusText {
  readonly #registry = new Registry();
  /** Of this scrape: they are read once for all metrics. */
  #figures: GameFigures | undefined;
  readonly #readGame: (() => GameFigures) | undefined;
  readonly #gateway: GatewayServer | undefined;
  #gatewayFigures: Record<string, number> = {};

  constructor(
    read: {
      host(): HostMetrics;
      process(): ProcessFigures;
      runtimeName: string;
      /** undefined when no game is served. */
      game: (() => GameFigures) | undefined;
      /** undefined when no messages are passed on. */
      gateway: GatewayServer | undefined;
    },
  ) {
    this.#gateway = read.gateway;
    if (read.gateway !== undefined) {
      this.#gatewayFigures = read.gateway.figures();
      registerGateway(this.#registry, () => this.#gatewayFigures);
      registerEnds(this.#registry, read.gateway);
    }
    this.#readGame = read.game;
    const game = this.#figures = read.game?.();
    if (game !== undefined) registerGame(this.#registry, () => this.#figures ?? game);
    const registers = [this.#registry];
    for (const name of hostMetricNames) {
      const help = name.replaceAll("_", " ");
      if (hostGauges.has(name)) {
        new Gauge({
          name: `freekill_gw_host_${name}`,
          help,
          registers,
          collect() {
            this.set(read.host()[name]);
          },
        });
      } else {
        new Counter({
          name: `freekill_gw_host_${counterName(name)}`,
          help,
          registers,
          collect() {
            this.reset();
            this.inc(read.host()[name]);
          },
        });
      }
    }
    new Gauge({
      name: "freekill_gw_info",
      help: "the name this server runs under",
      labelNames: ["runtime_name"],
      registers,
    }).set({ runtime_name: read.runtimeName }, 1);
    new Gauge({
      name: "process_resident_memory_bytes",
      help: "resident memory",
      registers,
      collect() {
        this.set(read.process().residentBytes);
      },
    });
    new Counter({
      name: "process_cpu_seconds_total",
      help: "user and system processor time",
      registers,
      collect() {
        this.reset();
        this.inc(read.process().cpuSeconds);
      },
    });
    new Gauge({
      name: "freekill_gw_event_loop_lag_seconds",
      help: "how late the latest ticks came at most",
      registers,
      collect() {
        this.set(read.process().eventLoopLagSeconds);
      },
    });
  }

  get contentType(): string {
    return this.#registry.contentType;
  }

  async text(): Promise<string> {
    this.#figures = this.#readGame?.();
    const gateway = this.#gateway;
    if (gateway === undefined) return await this.#registry.metrics();
    this.#gatewayFigures = gateway.figures();
    const { acknowledgements, forwardLatency } = gateway.core;
    return await this.#registry.metrics() +
      acknowledgements.latency.buckets.text(
        "freekill_gw_gateway_ack_seconds",
        "from the arrival of a message to its acknowledgement",
      ) +
      forwardLatency.buckets.text(
        "freekill_gw_gateway_forward_seconds",
        "from the arrival of a message to its leaving for the upstream, one in 16",
      );
  }
}

/** Counters end in `_total` by the convention of Prometheus. */
function counterName(name: string): string {
  return `${name.replace(/_count$/, "")}_total`;
}

/** `connectionsTotal` as `freekill_gw_gateway_connections_total`. */
function registerGateway(registry: Registry, read: () => Record<string, number>): void {
  const registers = [registry];
  for (const name of Object.keys(read())) {
    const words = name.replace(/([a-z0-9])([A-Z])/g, "$1_$2").toLowerCase();
    const help = words.replaceAll("_", " ");
    if (gatewayCounterNames.has(name)) {
      new Counter({
        name: `freekill_gw_gateway_${words.replace(/_total$/, "")}_total`,
        help,
        registers,
        collect() {
          this.reset();
          this.inc(read()[name] ?? 0);
        },
      });
    } else {
      new Gauge({
        name: `freekill_gw_gateway_${words}`,
        help,
        registers,
        collect() {
          this.set(read()[name] ?? 0);
        },
      });
    }
  }
}

/** Connections of clients by how they ended: a label for each end there is, from the start on. */
function registerEnds(registry: Registry, { door }: GatewayServer): void {
  new Counter({
    name: "freekill_gw_gateway_connections_closed_total",
    help: "connections closed, by reason",
    labelNames: ["reason"],
    registers: [registry],
    collect() {
      this.reset();
      for (const [reason, count] of door.ends.counts) this.inc({ reason }, count);
    },
  });
}

function registerGame(registry: Registry, read: () => GameFigures): void {
  const registers = [registry];
  const { gauges, counters, byReason } = read();
  for (const name of Object.keys(gauges)) {
    new Gauge({
      name: `freekill_gw_game_${name}`,
      help: name.replaceAll("_", " "),
      registers,
      collect() {
        this.set(read().gauges[name] ?? 0);
      },
    });
  }
  for (const name of Object.keys(counters)) {
    new Counter({
      name: `freekill_gw_game_${name}_total`,
      help: name.replaceAll("_", " "),
      registers,
      collect() {
        this.reset();
        this.inc(read().counters[name] ?? 0);
      },
    });
  }
  for (const name of Object.keys(byReason)) {
    new Counter({
      name: `freekill_gw_game_${name}_total`,
      help: `${name.replaceAll("_", " ")}, by reason`,
      labelNames: ["reason"],
      registers,
      collect() {
        this.reset();
        for (const [reason, count] of read().byReason[name]?.entries ?? []) {
          this.inc({ reason }, count);
        }
      },
    });
  }
}
