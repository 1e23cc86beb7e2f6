import type { Settings } from "../config/settings.ts";
import type { Runtime } from "../ports/runtime.ts";
import { checkDatabase, checkDirectories, checkPackages } from "./environment_files.ts";
import { checkLuaCommand, checkScript, type ScriptTrial } from "./environment_lua.ts";
import { checkPorts } from "./environment_ports.ts";

/** One thing that a server needs, and how it stands. */
export interface Finding {
  readonly name: string;
  /** `note`: fine, but good to know. Only `failed` makes the check fail. */
  readonly status: "ok" | "note" | "warning" | "failed";
  /** What was found. */
  readonly found: string;
  /** What to do about it; "" when there is nothing to do. */
  readonly advice: string;
}

/** The JSON report of an environment check. */
export interface EnvironmentReport {
  readonly ok: boolean;
  readonly findings: readonly Finding[];
}

/** What the check needs that only the application can give. */
export interface EnvironmentParts {
  readonly runtime: Runtime;
  readonly settings: Settings;
  /** The configuration file that was read, if any. */
  readonly configPath: string | undefined;
  /** The original server's configuration file, if there is one. */
  readonly gameConfigPath?: string | undefined;
  /** What was ignored in it or in the environment. */
  readonly notices: readonly string[];
  /** Loads the Lua script as `serve` would, without a server around it. */
  readonly tryScript: ScriptTrial;
  /** The file that a running server holds locked, relative to the working directory. */
  readonly lockPath: string;
}

/** Fewer open files than this are few connections: each takes one. */
const fileDescriptorsWanted = 4_096;

/** Looks at all that `serve` will need; starts and changes nothing. */
export async function checkEnvironment(parts: EnvironmentParts): Promise<EnvironmentReport> {
  const groups = await Promise.all([
    checkConfiguration(parts),
    checkPorts(parts.runtime, parts.settings),
    checkDirectories(parts),
    checkDatabase(parts.runtime, parts.settings.db_path),
    checkPackages(parts.runtime),
    checkScript(parts),
    checkLuaCommand(parts.runtime, parts.settings.lua_command),
    checkFileDescriptors(parts.runtime.process.fileDescriptorLimit()),
  ]);
  const findings = groups.flat();
  return { ok: findings.every((finding) => finding.status !== "failed"), findings };
}

/** One line for each finding, then the verdict. */
export function showEnvironment(report: EnvironmentReport): string {
  const width = Math.max(...report.findings.map((finding) => finding.name.length));
  const lines = report.findings.map(({ status, name, found, advice }) => {
    const end = advice === "" ? "" : ` — ${advice}`;
    return `${status.padEnd(8)} ${name.padEnd(width)}  ${found}${end}`;
  });
  const failed = report.findings.filter((finding) => finding.status === "failed").length;
  const verdict = failed === 0 ? "CHECK_OK" : `CHECK_FAIL: ${failed} of ${lines.length} failed`;
  return `${[...lines, verdict].join("\n")}\n`;
}

/** Whether enough files and sockets may be open at one time. */
export function checkFileDescriptors(limit: number | undefined): Finding[] {
  const name = "open files";
  if (limit === undefined) {
    return [{ name, status: "note", found: "this system tells no limit", advice: "" }];
  }
  if (limit >= fileDescriptorsWanted) {
    return [{ name, status: "ok", found: `at most ${limit}`, advice: "" }];
  }
  return [{
    name,
    status: "warning",
    found: `at most ${limit}, so fewer connections`,
    advice: `raise it to ${fileDescriptorsWanted} or more: ulimit -n, or LimitNOFILE= of the unit`,
  }];
}

function checkConfiguration(
  { configPath, gameConfigPath, notices }: EnvironmentParts,
): Finding[] {
  const name = "configuration";
  const files = [configPath, gameConfigPath].filter((path) => path !== undefined);
  const found = files.length === 0
    ? "no file, defaults are used"
    : `${files.map((path) => `"${path}"`).join(" and ")} ${
      files.length === 1 ? "is" : "are"
    } valid`;
  return [
    { name, status: "ok", found, advice: "" },
    ...notices.map((notice) => ({ name, status: "warning", found: notice, advice: "" } as const)),
  ];
}
