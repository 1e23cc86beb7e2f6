import { type AcceptanceReport, runAcceptance, showAcceptance } from "../check/acceptance.ts";
import { checkEnvironment, showEnvironment } from "../check/environment.ts";
import { probeLive } from "../check/live_probe.ts";
import { runReleaseGate, showReleaseGate } from "../check/release_gate.ts";
import { Interrupted, withWorkspace } from "../check/workspace.ts";
import type { Settings } from "../config/settings.ts";
import { FileError } from "../ports/files.ts";
import type { Logger } from "../ports/log.ts";
import type { Runtime } from "../ports/runtime.ts";
import { lockFileName } from "./directory_lock.ts";
import type { Invocation, LoadedSettings } from "./invocation.ts";
import { openScriptBridge } from "./script_bridges.ts";
import { settingsOf } from "./settings_of.ts";

/**
 * The verb `check`: the machine and configuration, a running server (`--live`), or the program as a
 * whole (`--acceptance`, `--release-gate`). Returns the exit code: 0 all well, 1 something failed, 2
 * flag or configuration, 3 a failure of its own.
 */
export async function checkCommand(runtime: Runtime, invocation: Invocation): Promise<number> {
  const loaded = await settingsOf(runtime, invocation);
  if (loaded === undefined) return 2;
  const { flags } = invocation;
  if (typeof flags.output === "string") {
    const reason = await reportCannotGo(runtime, flags.output);
    if (reason !== undefined) {
      runtime.process.writeStderr(`Cannot write the report: ${reason}\n`);
      return 3;
    }
  }
  try {
    if (flags.live === true) return await checkLive(runtime, invocation, loaded.settings);
    if (flags.acceptance === true) return await checkAcceptance(runtime, invocation, loaded);
    if (flags.release_gate === true) return await checkRelease(runtime, invocation, loaded);
    return await checkMachine(runtime, invocation, loaded);
  } catch (error) {
    if (!(error instanceof Interrupted)) throw error;
    runtime.process.writeStderr(`${error.message}\n`);
    return 1;
  }
}

/** Why a report cannot be written to a path, known before minutes are spent on it. */
async function reportCannotGo(runtime: Runtime, path: string): Promise<string | undefined> {
  const slash = path.lastIndexOf("/");
  const directory = slash < 0 ? "." : path.slice(0, slash + 1);
  const [place, old] = [await runtime.files.info(directory), await runtime.files.info(path)];
  if (place?.kind !== "directory") return `"${path}" needs a directory that is there`;
  return old === undefined || old.kind === "file" ? undefined : `"${path}" is not a file`;
}

async function checkMachine(
  runtime: Runtime,
  invocation: Invocation,
  loaded: LoadedSettings,
): Promise<number> {
  const { settings } = loaded;
  const report = await checkEnvironment({
    runtime,
    settings,
    configPath: loaded.path,
    gameConfigPath: loaded.gamePath,
    notices: loaded.notices,
    tryScript: () => tryScript(runtime, settings),
    lockPath: lockFileName,
  });
  return await finish(runtime, invocation, { report, text: showEnvironment(report) });
}

async function tryScript(runtime: Runtime, settings: Settings) {
  const bridge = openScriptBridge({
    runtime,
    scriptPath: settings.lua_script_path,
    luaCommand: settings.lua_command,
    turnMs: settings.lua_turn_ms,
    memoryMb: settings.lua_memory_mb,
    // What it would log comes back as the outcome.
    logger: silentLogger,
  });
  try {
    return await bridge.hello();
  } finally {
    bridge.close();
  }
}

/** The last port has no neighbour. */
const portMax = 65_535;

const silentLogger: Logger = {
  debug: () => {},
  info: () => {},
  warn: () => {},
  error: () => {},
  child: () => silentLogger,
  setLevel: () => {},
  close: () => {},
};

async function checkLive(
  runtime: Runtime,
  invocation: Invocation,
  settings: Settings,
): Promise<number> {
  const { flags } = invocation;
  const { watchdog } = settings;
  const tcpPort = numberOf(flags.tcp_port);
  // A port that was named has its neighbour for UDP; else it is as the configuration says.
  const udpPort = numberOf(flags.udp_port) ??
    (tcpPort === undefined ? watchdog.health_udp_port : Math.min(tcpPort + 1, portMax));
  const report = await probeLive(runtime, {
    host: typeof flags.host === "string" ? flags.host : watchdog.health_host,
    tcpPort: tcpPort ?? watchdog.health_tcp_port,
    udpPort,
    requireUdp: flags.require_udp === true,
    timeoutMs: numberOf(flags.timeout_ms) ?? timeoutMsDefault,
    controlToken: settings.control_token === "" ? undefined : settings.control_token,
    errorCountMax: numberOf(flags.max_error_count),
    timerTickCountMin: numberOf(flags.min_timer_tick_count),
    ioPollCountMin: numberOf(flags.min_io_poll_count),
    wantFigures: flags.json === true || flags.output !== undefined,
  });
  const text = report.ok
    ? "HEALTH_OK\n"
    : `HEALTH_FAIL\n${report.reasons.map((reason) => `${reason}\n`).join("")}`;
  return await finish(runtime, invocation, { report, text, lines: 1 });
}

const timeoutMsDefault = 1_200;

async function checkAcceptance(
  runtime: Runtime,
  invocation: Invocation,
  loaded: LoadedSettings,
): Promise<number> {
  const report = await withWorkspace(runtime, (workspace) =>
    runAcceptance(workspace, {
      baseSettings: baseSettings(loaded.settings),
      progress: progressOf(runtime),
    }));
  return await finish(runtime, invocation, { report, text: showAcceptance(report) });
}

async function checkRelease(
  runtime: Runtime,
  invocation: Invocation,
  loaded: LoadedSettings,
): Promise<number> {
  const report = await withWorkspace(runtime, (workspace) =>
    runReleaseGate(workspace, {
      baseSettings: baseSettings(loaded.settings),
      progress: progressOf(runtime),
      soakSeconds: numberOf(invocation.flags.soak_seconds) ?? soakSecondsDefault,
    }));
  return await finish(runtime, invocation, { report, text: showReleaseGate(report) });
}

const soakSecondsDefault = 60;

/** What private servers take over from the configuration: how they behave, not where they live. */
function baseSettings(settings: Settings): Record<string, unknown> {
  return { drift_mode: settings.drift_mode, lua_command: settings.lua_command };
}

/** One line a case for somebody who watches. */
function progressOf({ process }: Runtime): (result: AcceptanceReport["cases"][number]) => void {
  if (!process.isTerminal.stderr) return () => {};
  return ({ ok, topic, name, ms }) =>
    process.writeStderr(`${ok ? "ok    " : "FAILED"} ${topic}: ${name} (${ms} ms)\n`);
}

/** Prints a report as text or JSON, writes it where `--output` says, gives the exit code. */
async function finish(
  runtime: Runtime,
  { flags }: Invocation,
  // What monitoring reads again and again is JSON on one line.
  { report, text, lines }: { report: { readonly ok: boolean }; text: string; lines?: 1 },
): Promise<number> {
  const json = `${JSON.stringify(report, null, lines === 1 ? 0 : 2)}\n`;
  runtime.process.writeStdout(flags.json === true ? json : text);
  if (typeof flags.output === "string") {
    try {
      await runtime.files.replace(flags.output, new TextEncoder().encode(json));
    } catch (error) {
      if (!(error instanceof FileError)) throw error;
      runtime.process.writeStderr(`Cannot write the report: ${error.message}\n`);
      return 3;
    }
  }
  return report.ok ? 0 : 1;
}

function numberOf(flag: unknown): number | undefined {
  return typeof flag === "number" ? flag : undefined;
}
