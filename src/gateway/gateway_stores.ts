import { ClientLedger } from "./client_ledger.ts";
import { Clients } from "./clients.ts";
import type { GatewayServerOptions } from "./gateway_options.ts";
import { MessageHistory } from "./history/message_history.ts";
import { openMessageLog, type RecoveredLog } from "./log/message_log.ts";
import type { MessageLog } from "./log/message_log_types.ts";
import { LogEvents } from "./log_events.ts";

/** What a gateway keeps on disk, and the clients that it is about. */
export interface GatewayStores {
  readonly clients: Clients;
  readonly ledger: ClientLedger;
  readonly log: MessageLog;
  /** What the last run left in the log. */
  readonly recovered: RecoveredLog;
  /** Passes on what the log has to say, once there is a core to hear it. */
  readonly logEvents: LogEvents;
  readonly history: MessageHistory;
}

export type StoresOpening =
  | { readonly ok: true; readonly stores: GatewayStores }
  /** One line: what was tried, what was found. */
  | { readonly ok: false; readonly reason: string };

/** Reads what the last run left; what was damaged of it is in the log. */
export async function openStores(
  { ports, config, logger }: GatewayServerOptions,
): Promise<StoresOpening> {
  const { persistFile } = config.buffer;
  const clients = new Clients(new DataView(ports.random.bytes(4).buffer).getInt32(0));
  const ledger = new ClientLedger({
    ...ports,
    path: persistFile === "" ? "" : `${persistFile}.clients`,
    ttlSeconds: config.waiting.ttlSeconds,
    logger,
    sha256: (bytes) => ports.crypto.sha256(bytes),
  });
  const logEvents = new LogEvents(clients);
  const opened = await openMessageLog({
    ...ports,
    config: config.buffer,
    files: ports.logFiles,
    logger,
    owner: logEvents,
  });
  if (!opened.ok) return opened;
  const { log, recovered } = opened;
  const { report } = recovered;
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
  return { ok: true, stores: { clients, ledger, log, recovered, logEvents, history } };
}
