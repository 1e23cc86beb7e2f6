import { nodeCrypto } from "../../src/adapters/node/crypto.ts";
import { UpstreamLink, type UpstreamLinkOptions } from "../../src/gateway/upstream_link.ts";
import { fakeClock } from "../fakes/clock.ts";
import { fakeLog } from "../fakes/log.ts";
import { FakeNetwork } from "../fakes/network.ts";
import { fakeRandom } from "../fakes/random.ts";
import { CheckedQueue, NotingOwner, passAcks } from "./tested_link.ts";
import { RawUpstream, type UpstreamManners } from "./raw_upstream.ts";

/** A link and its upstream on a network and a clock of the test. */
export async function linkScene(
  upstreamAck: "auto" | "required" | "none",
  { manners = {}, options = {}, network = {}, mayReach = true, isStarted = true }: {
    manners?: Partial<UpstreamManners>;
    options?: Partial<UpstreamLinkOptions>;
    network?: { windowBytes?: number; segmentBytes?: number };
    mayReach?: boolean;
    isStarted?: boolean;
  } = {},
) {
  const clock = fakeClock();
  const net = new FakeNetwork({ clock, ...network });
  const gateway = net.machine("10.0.0.1");
  const upstream = await RawUpstream.listen(net.machine("10.0.0.2").tcp, {
    host: "10.0.0.2",
    port: 9000,
    ...manners,
  });
  const queue = new CheckedQueue();
  const owner = new NotingOwner();
  const log = fakeLog();
  const link = new UpstreamLink({
    url: mayReach ? upstream.url : "ws://10.0.0.2:1/",
    queue,
    owner,
    tcp: gateway.tcp,
    clock,
    random: fakeRandom(),
    crypto: nodeCrypto(),
    logger: log.logger,
    upstreamAck,
    messageBytesMax: 10_000,
    ...options,
  });
  passAcks({ owner, queue }, link);
  const pass = async (ms = 0) => {
    for (let round = 0; round < 20; round++) {
      await net.idle();
      await clock.advanceAsync(round === 0 ? ms : 0);
    }
  };
  const add = async (count: number, what: { bytes?: number; hasId?: boolean } = {}) => {
    queue.add(count, what);
    link.wake();
    await pass();
  };
  if (isStarted) link.start();
  await pass();
  return { clock, net, gateway, upstream, queue, owner, log, link, pass, add };
}

/** The first slots of a queue. */
export const numbers = (count: number) => Array.from({ length: count }, (_, i) => i);
