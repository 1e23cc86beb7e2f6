import type { Runtime } from "../../ports/runtime.ts";
import type { WorkerEntry } from "../../ports/workers.ts";
import { systemClock } from "../node/clock.ts";
import { nodeFiles } from "../node/files.ts";
import { nodeLineShell } from "../node/line_shell.ts";
import { nodeCrypto } from "../node/crypto.ts";
import { pinoLog } from "../node/log.ts";
import { nodeLogFiles } from "../node/message_log_files.ts";
import { nodeProcess } from "../node/process.ts";
import { promptLine as newPromptLine } from "../node/prompt_line.ts";
import { nodeRandom } from "../node/random.ts";
import { webWorkers } from "../node/workers.ts";
import { nodeZlib } from "../node/zlib.ts";
import { denoHttp } from "./http.ts";
import { denoNotify } from "./notify.ts";
import { denoWaitWritable } from "./poll.ts";
import { denoSqlite } from "./sqlite.ts";
import { denoTcp } from "./tcp.ts";
import { denoUdp } from "./udp.ts";
import { denoWebSocketClient } from "./websocket_client.ts";

/**
 * The world as Deno gives it. `selfCommand` is what starts this program again, `workerUrls` where
 * the modules of its threads are; only the entry file can know both.
 */
export function denoRuntime(options: {
  selfCommand: readonly string[];
  workerUrls: Record<WorkerEntry, URL | string>;
}): Runtime {
  const waitWritable = denoWaitWritable();
  const promptLine = newPromptLine();
  return {
    name: "deno",
    version: Deno.version.deno,
    tcp: denoTcp(),
    udp: denoUdp(),
    http: denoHttp(),
    webSocketClient: denoWebSocketClient(),
    sqlite: denoSqlite(),
    workers: webWorkers({ urls: options.workerUrls }),
    files: nodeFiles(),
    logFiles: nodeLogFiles(),
    process: nodeProcess({ selfCommand: options.selfCommand, waitWritable, promptLine }),
    clock: systemClock(),
    random: nodeRandom(),
    log: pinoLog({ waitWritable, promptLine }),
    lineShell: nodeLineShell({ promptLine, waitWritable }),
    zlib: nodeZlib(),
    crypto: nodeCrypto(),
    // V8 collects when it likes: a program without a flag of its own cannot ask for it.
    collectGarbage: () => {},
    notifyServiceManager: denoNotify(),
  };
}
