import type { FrameBatch } from "../wire/websocket_frame.ts";
import { EchoLink } from "./echo_link.ts";
import type { GatewayServerOptions } from "./gateway_options.ts";
import type { Link, LinkOwner } from "./link_types.ts";
import { UpstreamLink } from "./upstream_link.ts";
import type { UpstreamTarget } from "./upstream_target.ts";

/** An upstream may send back the largest message with its head, and some more of its own. */
const answerBytesMore = 65_536;

/** The link that the URL of an upstream asks for; links share one batch. */
export function makeLink(
  { ports, config, logger }: GatewayServerOptions,
  { target, owner, batch }: { target: UpstreamTarget; owner: LinkOwner; batch: FrameBatch },
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
    messageBytesMax: Math.max(config.maxMessageSize, config.upstreamMaxMessageSize) +
      answerBytesMore,
    batch,
  });
}
