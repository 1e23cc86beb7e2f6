import { isLoopback, showAddress } from "../base/address.ts";
import { isJwtOn } from "../config/jwt_keys.ts";
import type { Settings } from "../config/settings.ts";
import { childTokenVariable } from "../config/settings_keys.ts";
import { FileError } from "../ports/files.ts";
import type { Logger } from "../ports/log.ts";
import type { Runtime } from "../ports/runtime.ts";
import { marksOf } from "./config_watch.ts";
import { demoLines, withDemo } from "./demo.ts";
import { greeting } from "./greeting.ts";
import type { Invocation } from "./invocation.ts";
import { configPaths } from "./read_settings.ts";
import { Reloader } from "./reloader.ts";
import { type RunningServer, startServer } from "./server.ts";
import { loadInputOf, settingsOf } from "./settings_of.ts";

/** Runs the server until it is told to stop; the exit code: 0 stopped, 2 configuration, 3 run time. */
export async function serve(runtime: Runtime, invocation: Invocation): Promise<number> {
  const { process } = runtime;
  const input = loadInputOf(runtime, invocation);
  const marks = await marksOf(configPaths(input), runtime.files);
  const loaded = await settingsOf(runtime, invocation);
  if (loaded === undefined) return 2;
  const isDemo = invocation.flags.demo === true;
  const complete = (settings: Settings) => isDemo ? withDemo(settings) : settings;
  const settings = complete(loaded.settings);
  const logger = openLog(runtime, settings);
  if (logger === undefined) return 3;
  for (const notice of loaded.notices) logger.warn({}, notice);

  let requestStop = () => {};
  const stopRequested = new Promise<void>((resolve) => requestStop = resolve);
  // Before anybody can know that the server is there, so that no signal finds it unprepared.
  stopOnSignals(runtime, logger, requestStop);
  const reloader = new Reloader({
    runtime,
    input,
    marks,
    settings,
    path: loaded.path,
    logger,
    complete,
  });
  process.onSignal("SIGHUP", () => void reloader.reload());
  await reloader.watch();
  const started = await startServer({
    runtime,
    settings,
    logger,
    isDemo,
    requestStop,
    reload: () => reloader.reload(),
    readGame: () => reloader.readGame(),
  });
  if (!started.ok) {
    reloader.stop();
    process.writeStderr(`${started.reason}\n`);
    logger.close();
    return 3;
  }
  const { server } = started;
  reloader.serves(server);
  announce(runtime, settings, server, logger);
  if (isDemo && server.httpPort !== undefined) {
    process.writeStdout(demoLines(settings, server.httpPort));
  }
  await server.openShell();
  await stopRequested;
  if (isServiceOfItsOwn(runtime)) runtime.notifyServiceManager("STOPPING=1");
  reloader.stop();
  logger.info({}, "stopping");
  await server.stop();
  logger.info({}, "stopped");
  logger.close();
  return 0;
}

function openLog(runtime: Runtime, settings: Settings): Logger | undefined {
  const { level, file, bytes_max, files_max, format } = settings.log;
  const isTerminal = runtime.process.isTerminal.stderr;
  try {
    return runtime.log.open({
      level,
      format: format === "auto" ? (isTerminal ? "pretty" : "json") : format,
      stderr: true,
      ...(file === "" ? {} : { file: { path: file, bytesMax: bytes_max, filesMax: files_max } }),
    });
  } catch (error) {
    if (!(error instanceof FileError)) throw error;
    runtime.process.writeStderr(`Cannot write log "${file}": ${error.message}\n`);
    return undefined;
  }
}

function announce(
  runtime: Runtime,
  settings: Settings,
  server: RunningServer,
  logger: Logger,
): void {
  const { process } = runtime;
  const { tcpPort, udpPort, httpPort, game } = server;
  if (process.isTerminal.stdout) {
    process.writeStdout(greeting({ settings, server, directory: process.cwd }));
  }
  process.writeStdout(
    `runtime_host_server_ready host=${settings.host} tcp_port=${tcpPort} udp_port=${udpPort} runtime=${settings.runtime_name}\n`,
  );
  const http = httpPort === undefined ? undefined : showAddress(settings.http_host, httpPort);
  // The greeting has said it all to a person.
  const level = process.isTerminal.stdout && process.isTerminal.stderr ? "debug" : "info";
  logger[level]({
    tcp: showAddress(settings.host, tcpPort),
    udp_ports: [tcpPort, udpPort],
    http,
    gateway: server.gateway === undefined ? "off" : "on",
    directory: process.cwd,
    game: game === undefined ? "off" : `packages ${game.facts.md5}`,
    runtime: `${runtime.name} ${runtime.version}`,
  }, "ready");
  if (settings.drift_mode !== "none") {
    logger.warn({ drift_mode: settings.drift_mode }, "answers wrong on purpose");
  }
  const clearToken = settings.control_token !== "" && !isLoopback(settings.host);
  if (clearToken) {
    logger.warn({}, "control_token travels in clear text: use it over loopback or a tunnel only");
  }
  const { gateway } = settings;
  const isProofAsked = gateway.requireIdentity || (isJwtOn(gateway.jwt) && gateway.jwt.required);
  if (gateway.enabled && !isProofAsked && !isLoopback(settings.http_host)) {
    logger.warn(
      {},
      "clients that do not connect with v=2 can be posed as by whoever knows their id",
    );
  }
  if (isServiceOfItsOwn(runtime)) runtime.notifyServiceManager("READY=1");
}

/** Under a watchdog, that one speaks to the service manager. */
function isServiceOfItsOwn(runtime: Runtime): boolean {
  return runtime.process.env[childTokenVariable] === undefined;
}

/** The first signal stops in order, the second at once. */
function stopOnSignals(runtime: Runtime, logger: Logger, requestStop: () => void): void {
  const { process } = runtime;
  let isStopping = false;
  const receive = (signal: string) => () => {
    if (isStopping) {
      logger.warn({ signal }, "stopping at once");
      logger.close();
      process.exit(0);
    }
    isStopping = true;
    logger.info({ signal }, "signal received");
    requestStop();
  };
  process.onSignal("SIGINT", receive("SIGINT"));
  process.onSignal("SIGTERM", receive("SIGTERM"));
}
