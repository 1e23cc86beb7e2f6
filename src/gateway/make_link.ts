import type { FrameBatch } from "../wire/websocket_frame.ts";
import { EchoLink } from "./echo_link.ts";
import type { GatewayServerOptions } from "./gateway_options.ts";
import type { Link, LinkOwner } from "./link_types.ts";
import { type MemoryAccount, transferRoom } from "./memory_account.ts";
import { UpstreamLink } from "./upstream_link.ts";
import type { UpstreamTarget } from "./upstream_target.ts";
import type { UpstreamWays } from "./upstream_ways.ts";

/** An upstream may send back the largest message with its head, and some more of its own. */
const answerBytesMore = 65_536;

/** The link that the URL of an upstream asks for; links share one batch. */
export function makeLink(
  { ports, config, logger }: GatewayServerOptions,
  { target, owner, batch, memory, ways }: {
    target: UpstreamTarget;
    owner: LinkOwner;
    batch: FrameBatch;
    memory: MemoryAccount;
    ways: UpstreamWays;
  },
): Link {
  const { url } = target;
  if (url.startsWith("echo:")) return new EchoLink({ queue: target, owner, clock: ports.clock });
  return new UpstreamLink({
    ...ports,
    url,
    queue: target,
    owner,
    logger,
    upstreamAck: config.buffer.upstreamAck,
    way: ways.of(url),
    messageBytesMax: Math.max(config.maxMessageSize, config.upstreamMaxMessageSize) +
      answerBytesMore,
    batch,
    room: transferRoom(memory),
  });
}
