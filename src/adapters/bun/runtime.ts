import type { Runtime } from "../../ports/runtime.ts";
import type { WorkerEntry } from "../../ports/workers.ts";
import { systemClock } from "../node/clock.ts";
import { nodeProcess } from "../node/process.ts";
import { promptLine as newPromptLine } from "../node/prompt_line.ts";
import { nodeRandom } from "../node/random.ts";
import { webWorkers } from "../node/workers.ts";
import { bunNotify } from "./notify.ts";
import { bunWaitWritable } from "./poll.ts";

/**
 * The world as Bun gives it. `selfCommand` is what starts this program again, `workerUrls` where
 * the modules of its threads are; only the entry file can know both. What a short command does not
 * use is not even evaluated: `require` in the getters is Bun's, and its bundler follows it.
 */
export function bunRuntime(options: {
  selfCommand: readonly string[];
  workerUrls: Record<WorkerEntry, URL | string>;
}): Runtime {
  const waitWritable = bunWaitWritable();
  const promptLine = newPromptLine();
  return {
    name: "bun",
    version: Bun.version,
    clock: systemClock(),
    random: nodeRandom(),
    process: nodeProcess({ selfCommand: options.selfCommand, waitWritable, promptLine }),
    workers: webWorkers({ urls: options.workerUrls }),
    collectGarbage: () => Bun.gc(true),
    notifyServiceManager: bunNotify(),
    get tcp() {
      return kept(this, "tcp", (require("./tcp.ts") as typeof import("./tcp.ts")).bunTcp());
    },
    get udp() {
      return kept(this, "udp", (require("./udp.ts") as typeof import("./udp.ts")).bunUdp());
    },
    get http() {
      return kept(this, "http", (require("./http.ts") as typeof import("./http.ts")).bunHttp());
    },
    get webSocketClient() {
      const module = require("./websocket_client.ts") as typeof import("./websocket_client.ts");
      return kept(this, "webSocketClient", module.bunWebSocketClient());
    },
    get sqlite() {
      const module = require("./sqlite.ts") as typeof import("./sqlite.ts");
      return kept(this, "sqlite", module.bunSqlite());
    },
    get files() {
      const module = require("../node/files.ts") as typeof import("../node/files.ts");
      return kept(this, "files", module.nodeFiles());
    },
    get logFiles() {
      const module = require(
        "../node/message_log_files.ts",
      ) as typeof import("../node/message_log_files.ts");
      return kept(this, "logFiles", module.nodeLogFiles());
    },
    get crypto() {
      const module = require("../node/crypto.ts") as typeof import("../node/crypto.ts");
      return kept(this, "crypto", module.nodeCrypto());
    },
    get zlib() {
      const module = require("../node/zlib.ts") as typeof import("../node/zlib.ts");
      return kept(this, "zlib", module.nodeZlib());
    },
    get log() {
      const module = require("../node/log.ts") as typeof import("../node/log.ts");
      return kept(this, "log", module.pinoLog({ waitWritable, promptLine }));
    },
    get lineShell() {
      const module = require("../node/line_shell.ts") as typeof import("../node/line_shell.ts");
      return kept(this, "lineShell", module.nodeLineShell({ promptLine, waitWritable }));
    },
  };
}

/** Puts the made port in the getter's place, so that there is one of each. */
function kept<Name extends keyof Runtime>(
  runtime: Runtime,
  name: Name,
  port: Runtime[Name],
): Runtime[Name] {
  Object.defineProperty(runtime, name, { value: port, enumerable: true });
  return port;
}
