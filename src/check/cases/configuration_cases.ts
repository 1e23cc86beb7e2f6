import type { AcceptanceCase, CaseGroup } from "../acceptance_case.ts";
import { expect, expectSame, show } from "../probe_failure.ts";
import { configName } from "../private_server.ts";
import type { Workspace } from "../workspace.ts";

/** Refusing takes a start of the program and no more; this is for machines that are very busy. */
const refusalMs = 15_000;

/** `serve` and `watchdog` end with it for a flag or the configuration. */
const configurationFaultCode = 2;

/** Each key with a value that must not be taken. */
const wrongValues: readonly (readonly [key: string, value: unknown])[] = [
  ["host", 5],
  ["tcp_port", 70_000],
  ["tcp_port", "many"],
  ["udp_port", -1],
  ["runtime_name", ["a", "list"]],
  ["db_path", 7],
  ["thread_count", 0],
  ["tick_interval_ms", 0],
  ["task_budget", 0],
  ["task_budget", 1.5],
  ["lua_script_path", 1],
  ["lua_command", {}],
  ["drift_mode", "sideways"],
  ["http_port", 65_536],
  ["tcp_port_mode", "both"],
  ["control_allow", ["not an address"]],
  ["control_token", "too short"],
];

const oneByOne: readonly AcceptanceCase[] = wrongValues.map(([key, value]) => ({
  name: `${key} = ${JSON.stringify(value)} is refused with exit code 2 and named`,
  run: async ({ workspace }) => {
    const stderr = await expectRefusal(workspace, JSON.stringify({ [key]: value }));
    expectNamed(stderr, key);
  },
}));

const others: readonly AcceptanceCase[] = [
  {
    name: "every fault of a configuration is told at once, one line each",
    run: async ({ workspace }) => {
      const wrong = new Map(wrongValues);
      const stderr = await expectRefusal(workspace, JSON.stringify(Object.fromEntries(wrong)));
      for (const key of wrong.keys()) expectNamed(stderr, key);
    },
  },
  {
    name: "udp_port equal to tcp_port is refused",
    run: async ({ workspace }) => {
      const stderr = await expectRefusal(
        workspace,
        JSON.stringify({ tcp_port: 9_527, udp_port: 9_527 }),
      );
      expectNamed(stderr, "udp_port");
    },
  },
  {
    name: "a configuration that is no JSON is refused and the file named",
    run: async ({ workspace }) => {
      expectNamed(await expectRefusal(workspace, '{ "tcp_port": '), configName);
    },
  },
  {
    name: "a configuration file that is named but missing is refused",
    run: async ({ workspace }) => {
      const stderr = await expectRefusal(workspace, undefined, ["--config", "nowhere.json"]);
      expectNamed(stderr, "nowhere.json");
    },
  },
  {
    name: "an unknown flag is refused with a suggestion",
    run: async ({ workspace }) => {
      const stderr = await expectRefusal(workspace, undefined, ["--tcp-prot", "1"]);
      expectNamed(stderr, "--tcp-prot");
      expectNamed(stderr, "--tcp-port");
    },
  },
  {
    name: "a wrong flag is refused although the file is right",
    run: async ({ workspace }) => {
      expectNamed(await expectRefusal(workspace, "{}", ["--thread-count", "0"]), "thread");
    },
  },
  {
    name: "a flag wins over the file, a byte order mark and comments are fine",
    run: async (context) => {
      const server = await context.startServer();
      await server.kill();
      const { files } = context.workspace.runtime;
      const path = `${server.directory}/${configName}`;
      const old = new TextDecoder().decode(await files.read(path));
      const text = `\ufeff// A comment.\n${old.replace('"acceptance"', '"file"')}`;
      await files.replace(path, new TextEncoder().encode(text));
      await server.startAgain();
      expectSame((await server.figures()).runtime_name, "file", "runtime_name of the file");
      await server.kill();
      await server.startAgain(["--runtime-name", "flag"]);
      expectSame((await server.figures()).runtime_name, "flag", "runtime_name of the flag");
      await server.kill();
    },
  },
];

/** Runs `serve` on a configuration that it must refuse; gives what it said. */
async function expectRefusal(
  workspace: Workspace,
  config: string | undefined,
  flags: readonly string[] = [],
): Promise<string> {
  const cwd = await workspace.makeDirectory();
  if (config !== undefined) {
    const bytes = new TextEncoder().encode(config);
    await workspace.runtime.files.replace(`${cwd}/${configName}`, bytes);
  }
  const run = await workspace.run(["serve", ...flags], { cwd, ms: refusalMs });
  expectSame(run.code, configurationFaultCode, `exit code; it said ${show(run.stderr)}`);
  expect(!/^\s+at /m.test(run.stderr), `a stack trace for a user's mistake: ${show(run.stderr)}`);
  return run.stderr;
}

function expectNamed(stderr: string, what: string): void {
  const named = stderr.split("\n").some((line) => line.includes(what));
  expect(named, `no line names ${what}: ${show(stderr)}`);
}

/** What `serve` must refuse to start with; in two groups, for two processors. */
export const configurationGroups: readonly CaseGroup[] = [
  { topic: "configuration", cases: oneByOne },
  { topic: "configuration as a whole", cases: others },
];
