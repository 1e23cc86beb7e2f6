/** Puts the gateway's part of the settings together, and takes it apart again for showing. */
import { reachableAddress } from "../base/address.ts";
import { type Fault, type Place, showFound, wrongValue } from "./faults.ts";
import type { GatewayConfig, RouteRule } from "./gateway_config.ts";
import { gatewayKeys } from "./gateway_keys.ts";
import { gatewaySections, ignoredGatewayKeys } from "./gateway_sections.ts";
import { withoutPassword } from "./gateway_routes.ts";
import { jwtConflicts } from "./jwt_keys.ts";
import { defaultValue } from "./key_spec.ts";
import { isObject } from "./read_document.ts";

/** A file with one of them wants the gateway. `metrics` and `memory` alone say nothing. */
const tellingSections = ["gateway", "routes", "buffer"] as const;

/** What becomes the gateway's configuration: checked values by path, and rules. */
export interface GatewayInput {
  readonly values: ReadonlyMap<string, unknown>;
  readonly rules: readonly RouteRule[];
  readonly enabled: boolean;
}

export function gatewayConfigOf({ values, rules, enabled }: GatewayInput): GatewayConfig {
  const sections = new Map<string, Record<string, unknown>>();
  for (const [section, keys] of gatewaySections) {
    const entries = Object.entries(keys).map(([key, spec]) => [
      key,
      values.get(`${section}.${key}`) ?? defaultValue(spec),
    ]);
    sections.set(section, Object.fromEntries(entries));
  }
  const { listen: _listen, connectionTimeout, heartbeatInterval, ...gateway } = sections.get(
    "gateway",
  )!;
  const { dedupWindow, ...buffer } = sections.get("buffer")!;
  const { logInterval, ...metrics } = sections.get("metrics")!;
  const security = sections.get("gateway.security")!;
  const origins = security.allowedOrigins as readonly string[];
  // The schema has checked each value against the specification of its key.
  return {
    enabled,
    ...gateway,
    connectionTimeoutMs: connectionTimeout,
    heartbeatIntervalMs: heartbeatInterval,
    rateLimit: sections.get("gateway.rateLimit"),
    api: sections.get("gateway.api"),
    security: { ...security, allowedOrigins: origins.includes("*") ? [] : origins },
    jwt: sections.get("gateway.jwt"),
    waiting: sections.get("gateway.waiting"),
    history: sections.get("gateway.history"),
    routes: rules,
    buffer: { ...buffer, dedupWindowMs: dedupWindow },
    metrics: { ...metrics, logIntervalMs: logInterval },
    memory: sections.get("memory"),
  } as unknown as GatewayConfig;
}

/** Whether a document asks for the gateway. */
export function asksForGateway(document: Readonly<Record<string, unknown>>): boolean {
  return tellingSections.some((name) => document[name] !== undefined);
}

/** One line about the keys that mean nothing here; none when there are none. */
export function ignoredKeysNotice(document: unknown): string | undefined {
  const found = [...ignoredGatewayKeys.keys()].filter((path) => isAt(document, path.split(".")));
  if (found.length === 0) return undefined;
  return `Without effect here, and ignored: ${found.join(", ")}.`;
}

function isAt(value: unknown, [first, ...rest]: readonly string[]): boolean {
  if (first === undefined) return value !== undefined;
  return isObject(value) && Object.hasOwn(value, first) && isAt(value[first], rest);
}

/** What the gateway's keys say together that none says alone. */
export function gatewayConflicts(
  { connectionTimeoutMs, heartbeatIntervalMs, jwt }: GatewayConfig,
  placeOf: (path: string) => Place,
): Fault[] {
  const faults = jwtConflicts(jwt, placeOf);
  if (heartbeatIntervalMs < connectionTimeoutMs) return faults;
  return [
    ...faults,
    wrongValue({
      ...placeOf("gateway.heartbeatInterval"),
      found: `${heartbeatIntervalMs}ms`,
      allowed: `below connectionTimeout (${connectionTimeoutMs}ms)`,
    }),
  ];
}

/** `listen` of the original gateway, as `http_host` and `http_port`. */
export interface ListenAddress {
  /** "" for all addresses. */
  readonly host: string;
  readonly port: number;
}

/** Undefined for what is none: the schema says so. */
export function parseListen(text: unknown): ListenAddress | undefined {
  if (typeof text !== "string" || text === "") return undefined;
  if (!gatewayKeys.listen.pattern.test(text)) return undefined;
  const colon = text.lastIndexOf(":");
  const host = text.slice(0, colon);
  return {
    host: host.startsWith("[") ? host.slice(1, -1) : host,
    port: Number(text.slice(colon + 1)),
  };
}

/** Whether two names of an address to listen on mean the same. */
function isSameHost(a: string, b: string): boolean {
  const isWild = (host: string) => host === "" || reachableAddress(host) !== host;
  return a === b || (isWild(a) && isWild(b));
}

/** A fault of `listen` beside another `http_host` or `http_port` in the same file. */
export function listenConflict(
  text: unknown,
  beside: { readonly source: string; readonly host: unknown; readonly port: unknown },
): Fault | undefined {
  const listen = parseListen(text);
  if (listen === undefined) return undefined;
  const { host, port } = beside;
  const isHostOther = typeof host === "string" && host !== "" && !isSameHost(host, listen.host);
  const isPortOther = typeof port === "number" && port !== listen.port;
  if (!isHostOther && !isPortOther) return undefined;
  const other = isHostOther ? `http_host (${showFound(host)})` : `http_port (${port})`;
  return wrongValue({
    source: beside.source,
    path: "gateway.listen",
    found: showFound(text),
    allowed: `the same as ${other}, or absent`,
  });
}

/** The gateway's sections as they would stand in a file, without secrets; none when it is off. */
export function gatewayDocument(config: GatewayConfig): Record<string, unknown> {
  if (!config.enabled) return {};
  const {
    enabled: _enabled,
    connectionTimeoutMs,
    heartbeatIntervalMs,
    routes,
    buffer: { dedupWindowMs, ...buffer },
    metrics: { logIntervalMs, ...metrics },
    memory,
    ...gateway
  } = config;
  return {
    gateway: {
      ...gateway,
      connectionTimeout: `${connectionTimeoutMs}ms`,
      heartbeatInterval: `${heartbeatIntervalMs}ms`,
    },
    routes: routes.map(ruleDocument),
    buffer: { ...buffer, dedupWindow: `${dedupWindowMs}ms` },
    metrics: { ...metrics, logInterval: `${logIntervalMs}ms` },
    memory,
  };
}

function ruleDocument({ clientIdPrefix, upstreams, strategy }: RouteRule): Record<string, unknown> {
  const [only = "", ...others] = upstreams;
  const target = others.length === 0
    ? { upstream: withoutPassword(only) }
    : { upstreams: upstreams.map(withoutPassword) };
  return { clientIdPrefix, ...target, ...(strategy === "hash" ? {} : { strategy }) };
}
