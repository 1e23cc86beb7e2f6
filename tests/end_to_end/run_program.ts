import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { cleanEnvironment } from "../program_environment.ts";

/** The repository. */
export const root = resolve(import.meta.dir, "../..");

/** The compiled binary that these tests drive. */
export const binary = resolve(process.env.FREEKILL_GW_BINARY ?? join(root, "freekill-gw"));

/** Far above what any of these programs takes: only a hang comes near. */
const timeoutMs = 60_000;

export interface Outcome {
  readonly exitCode: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs a program to its end. */
export async function runProgram(
  command: readonly string[],
  options: { cwd: string; env?: Record<string, string> },
): Promise<Outcome> {
  const child = Bun.spawn([...command], {
    cwd: options.cwd,
    env: { ...cleanEnvironment(), ...options.env },
    stdin: "ignore",
    stdout: "pipe",
    stderr: "pipe",
    timeout: timeoutMs,
    killSignal: "SIGKILL",
  });
  const [stdout, stderr] = await Promise.all([
    new Response(child.stdout).text(),
    new Response(child.stderr).text(),
  ]);
  await child.exited;
  return { exitCode: child.exitCode, stdout, stderr };
}

export interface RunningServer {
  readonly tcpPort: number;
  readonly pid: number;
  /** Sends one line over TCP and returns the reply's line. */
  ask(line: string): Promise<string>;
  /** Asks it to stop; resolves with its exit code. */
  stop(): Promise<number | null>;
  /** Resolves with its exit code when it has ended by itself. */
  exited(): Promise<number | null>;
}

/** Starts `serve` (`command` ends with that verb) on free ports; resolves when it is ready. HTTP is
 * off unless `flags` say otherwise. */
export async function startServer(
  command: readonly string[],
  options: { cwd: string; env?: Record<string, string>; flags?: readonly string[] },
): Promise<RunningServer> {
  const tcpPort = await freePort();
  const extra = options.flags ?? [];
  const noHttp = extra.includes("--http-port") ? [] : ["--http-port", "0"];
  const flags = ["--tcp-port", `${tcpPort}`, ...noHttp, ...extra];
  const child = Bun.spawn([...command, ...flags], {
    cwd: options.cwd,
    env: { ...cleanEnvironment(), ...options.env },
    stdin: "ignore",
    stdout: "pipe",
    stderr: "pipe",
  });
  const timer = setTimeout(() => child.kill("SIGKILL"), timeoutMs);
  const stderr = new Response(child.stderr).text();
  let stdout = "";
  const reader = child.stdout.getReader();
  const decoder = new TextDecoder();
  while (!/^runtime_host_server_ready .*\n/m.test(stdout)) {
    const { done, value } = await reader.read();
    if (done) throw new Error(`${command.join(" ")} ended before it was ready: ${await stderr}`);
    stdout += decoder.decode(value, { stream: true });
  }
  reader.releaseLock();
  return {
    tcpPort,
    pid: child.pid,
    ask: (line) => askServer(tcpPort, line),
    stop: async () => {
      await askServer(tcpPort, "__STOP__");
      await child.exited;
      clearTimeout(timer);
      return child.exitCode;
    },
    exited: async () => {
      await child.exited;
      clearTimeout(timer);
      return child.exitCode;
    },
  };
}

/** Runs `use` with an empty directory that is removed afterwards. */
export async function withDirectory(use: (path: string) => Promise<void>): Promise<void> {
  const path = mkdtempSync(join(tmpdir(), "freekill-gw-test-"));
  try {
    await use(path);
  } finally {
    rmSync(path, { recursive: true, force: true });
  }
}

export function askServer(port: number, line: string): Promise<string> {
  return new Promise((resolve, reject) => {
    let reply = "";
    const decoder = new TextDecoder();
    Bun.connect({
      hostname: "127.0.0.1",
      port,
      socket: {
        open(socket) {
          socket.write(`${line}\n`);
        },
        data(socket, bytes) {
          reply += decoder.decode(bytes, { stream: true });
          if (!reply.includes("\n")) return;
          resolve(reply.slice(0, reply.indexOf("\n")));
          socket.end();
        },
        close() {
          reject(new Error(`the server closed before it replied to ${line}`));
        },
      },
    }).catch(reject);
  });
}

/** A port that is free for TCP and UDP, and the next one for UDP. */
export async function freePort(): Promise<number> {
  for (;;) {
    const listener = Bun.listen({ hostname: "127.0.0.1", port: 0, socket: { data() {} } });
    const { port } = listener;
    listener.stop(true);
    if (await udpIsFree(port) && await udpIsFree(port + 1)) return port;
  }
}

async function udpIsFree(port: number): Promise<boolean> {
  try {
    (await Bun.udpSocket({ hostname: "127.0.0.1", port })).close();
    return true;
  } catch {
    // In use, or over 65535: another one is tried.
    return false;
  }
}
