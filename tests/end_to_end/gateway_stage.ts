import assert from "node:assert/strict";
import type { ProgramKind } from "../client/game_program.ts";
import { GatewayProgram, type GatewaySections } from "../gateway_tools/gateway_program.ts";
import { type UpstreamOptions, UpstreamServer } from "../gateway_tools/upstream_server.ts";

export interface StageOptions {
  readonly kind?: ProgramKind;
  readonly upstream?: UpstreamOptions;
  /** Keys of the section `gateway`. */
  readonly gateway?: GatewaySections;
  /** Keys of the section `buffer`. */
  readonly buffer?: GatewaySections;
  /** In place of one rule that routes everybody to the upstream. */
  readonly routes?: (upstream: UpstreamServer) => readonly GatewaySections[];
  /** Other keys of the root. */
  readonly root?: GatewaySections;
}

/** A gateway and one upstream. */
export interface GatewayStage {
  readonly gateway: GatewayProgram;
  readonly upstream: UpstreamServer;
}

/** Runs `use` with a gateway in an empty directory and its upstream. The gateway must keep to
 * RFC 6455 towards it, and report no error of its own. */
export async function withGateway(
  options: StageOptions,
  use: (stage: GatewayStage) => Promise<void>,
): Promise<void> {
  const upstream = await UpstreamServer.listen(options.upstream);
  try {
    const config = {
      gateway: options.gateway ?? {},
      routes: options.routes?.(upstream) ?? [{ clientIdPrefix: "", upstream: upstream.url }],
      buffer: options.buffer ?? {},
      ...options.root,
    };
    await GatewayProgram.with({ kind: options.kind ?? "binary", config }, async (gateway) => {
      await use({ gateway, upstream });
      assert.deepEqual(upstream.faults, []);
      const errors = gateway.log.split("\n").filter((line) => line.includes('"level":"error"'));
      assert.deepEqual(errors, [], "the program found no fault of its own");
    });
  } finally {
    await upstream.goAway();
  }
}

/** For tests that send faster than a client may by default. */
export const unlimited: GatewaySections = { messagesPerSecond: 0 };

/** Takes the upstream away, and waits until the gateway knows. */
export async function takeAway({ gateway, upstream }: GatewayStage): Promise<void> {
  await upstream.goAway();
  await gateway.figureBecomes("openclawConnections", (open) => open === 0);
}

/** How often a member of that name, spelled in any way, stands in a flat JSON text. */
export function countKey(text: string, name: string): number {
  const keys = [...text.matchAll(/"((?:[^"\\]|\\.)*)"\s*:/g)];
  return keys.filter(([, key]) => JSON.parse(`"${key}"`).toLowerCase() === name.toLowerCase())
    .length;
}

/** A message of a client, with an id. */
export function message(messageId: string, data = ""): Record<string, unknown> {
  return { type: 0, messageId, data };
}
