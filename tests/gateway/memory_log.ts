import { Clients } from "../../src/gateway/clients.ts";
import type { BufferConfig } from "../../src/config/gateway_config.ts";
import { openMessageLog } from "../../src/gateway/log/message_log.ts";
import type { MessageLog, NewMessage, Slot } from "../../src/gateway/log/message_log_types.ts";
import { defaultGateway } from "../config/default_gateway.ts";
import { fakeLog } from "../fakes/log.ts";
import { runtimeUnderTest } from "../tested_runtime.ts";

/** A buffer's configuration that keeps everything in memory. */
const memoryBuffer: BufferConfig = {
  ...defaultGateway.buffer,
  size: 1_000,
  persistFile: "",
  maxBytes: 1 << 20,
};

/** The real log without files, and clients for it. */
export async function memoryLog(
  config: Partial<BufferConfig> = {},
): Promise<{ log: MessageLog; clients: Clients; add: (message?: Partial<NewMessage>) => Slot }> {
  const { clock, random, logFiles } = await runtimeUnderTest();
  const clients = new Clients(1);
  const opened = await openMessageLog({
    config: { ...memoryBuffer, ...config },
    files: logFiles,
    clock,
    random,
    logger: fakeLog().open({ level: "debug", format: "json", stderr: false }),
    owner: {
      clientNamed: (id) => clients.named(id),
      messageIdIn: () => "",
      committed: () => {},
      notStored: () => {},
      troubleChanged: () => {},
    },
  });
  if (!opened.ok) throw new Error(opened.reason);
  const { log } = opened;
  const add = (message: Partial<NewMessage> = {}) =>
    log.append({
      client: clients.named("c"),
      direction: "up",
      messageId: "",
      ackAsked: false,
      priority: 0,
      stampMs: 1,
      stampNs: 0,
      body: "x",
      ...message,
    });
  return { log, clients, add };
}
