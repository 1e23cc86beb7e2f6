import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";

/** How long a process may take to say that it is ready. */
const readyTimeoutMs = 10_000;

/** How long a load may take beyond the time it was given. */
const loadTimeoutMs = 60_000;

export const binary = resolve(process.env.FREEKILL_GW_BINARY ?? "freekill-gw");

/** A server under test: ours, or the bare one it is compared with. */
export interface ServerProcess {
  readonly pid: number;
  readonly port: number;
  /** From spawn to the line that says it is ready. */
  readonly readyMs: number;
  /** Sends SIGTERM; resolves with the milliseconds until it had ended. */
  stop(): Promise<number>;
  /** Sends SIGKILL; resolves when it has ended. */
  kill(): Promise<void>;
}

/**
 * Starts `freekill-gw serve`: in an empty directory, or in one that is there and is kept. Without an
 * `httpPort` it has no HTTP.
 */
export async function startServe(
  flags: readonly string[] = [],
  options: {
    directory?: string;
    env?: Record<string, string>;
    httpPort?: number;
    readyTimeoutMs?: number;
  } = {},
): Promise<ServerProcess> {
  const port = await freePort();
  const directory = options.directory ?? mkdtempSync(join(tmpdir(), "freekill-gw-bench-"));
  const httpPort = `${options.httpPort ?? 0}`;
  const command = [binary, "serve", "--tcp-port", `${port}`, "--http-port", httpPort, ...flags];
  const started = await startProcess(
    command,
    { ...options, directory },
    "runtime_host_server_ready ",
  );
  return {
    ...started,
    port,
    stop: async () => {
      const ms = await started.stop();
      if (options.directory === undefined) rmSync(directory, { recursive: true });
      return ms;
    },
  };
}

/** Starts a file of bench/peers/ under the same Bun; it prints `ready <port>`. */
export async function startPeer(
  file: string,
  args: readonly string[] = [],
): Promise<ServerProcess> {
  const path = join(import.meta.dir, "peers", file);
  const { line, ...started } = await startProcess(
    [process.execPath, path, ...args],
    { directory: tmpdir() },
    "ready ",
  );
  return { ...started, port: Number(line.split(" ")[1]) };
}

/** Runs a file of bench/load/ in a process of its own to its end; it prints one JSON object. */
export async function runLoad(
  file: string,
  args: Record<string, string | number>,
): Promise<unknown> {
  const load = spawnLoad(file, args);
  const timer = setTimeout(() => load.kill("SIGKILL"), loadTimeoutMs);
  const text = await new Response(load.stdout).text();
  clearTimeout(timer);
  if (await load.exited !== 0) throw new Error(`${file} ended with exit code ${load.exitCode}`);
  return JSON.parse(text);
}

/** Starts a load that says `ready` and holds what it has opened until `release`. */
export async function holdLoad(
  file: string,
  args: Record<string, string | number>,
): Promise<{ release(): Promise<void> }> {
  const load = spawnLoad(file, args);
  await firstLine(load.stdout, "ready", `${file}`);
  return {
    release: async () => {
      load.kill("SIGKILL");
      await load.exited;
    },
  };
}

function spawnLoad(file: string, args: Record<string, string | number>) {
  const path = join(import.meta.dir, "load", file);
  return Bun.spawn([process.execPath, path, JSON.stringify(args)], {
    stdin: "ignore",
    stdout: "pipe",
    stderr: "inherit",
  });
}

/** Starts a command, and resolves with the first line that begins with `readyMark`. */
export async function startProcess(
  command: string[],
  world: {
    directory: string;
    env?: Record<string, string> | undefined;
    /** 10 s if it is not said. */
    readyTimeoutMs?: number | undefined;
    /** Thrown away if it is not said. */
    stderr?: "inherit";
  },
  readyMark: string,
) {
  const begin = performance.now();
  const child = Bun.spawn(command, {
    cwd: world.directory,
    env: { ...process.env, ...world.env },
    stdin: "ignore",
    stdout: "pipe",
    stderr: world.stderr ?? "ignore",
  });
  // A benchmark that fails must not leave servers behind.
  const end = () => child.kill("SIGKILL");
  process.on("exit", end);
  void child.exited.then(() => process.off("exit", end));
  const timer = setTimeout(() => child.kill("SIGKILL"), world.readyTimeoutMs ?? readyTimeoutMs);
  const line = await firstLine(child.stdout, readyMark, command.join(" "));
  clearTimeout(timer);
  const readyMs = performance.now() - begin;
  const stop = async () => {
    const signalled = performance.now();
    child.kill("SIGTERM");
    await child.exited;
    return performance.now() - signalled;
  };
  const kill = async () => {
    child.kill("SIGKILL");
    await child.exited;
  };
  return { pid: child.pid, readyMs, line, stop, kill };
}

/** Reads up to the first line that begins with `mark`; the rest is read and thrown away. */
async function firstLine(
  stream: ReadableStream<Uint8Array>,
  mark: string,
  what: string,
): Promise<string> {
  const reader = stream.getReader();
  const decoder = new TextDecoder();
  let text = "";
  for (;;) {
    const { done, value } = await reader.read();
    if (done) throw new Error(`${what} ended, or was ended, before it printed '${mark}'`);
    text += decoder.decode(value, { stream: true });
    const lines = text.split("\n");
    const found = lines.slice(0, -1).find((line) => line.startsWith(mark));
    if (found === undefined) continue;
    reader.releaseLock();
    void stream.pipeTo(new WritableStream());
    return found;
  }
}

/** A port that is free for TCP and UDP together with the next one for UDP. */
export async function freePort(): Promise<number> {
  for (;;) {
    const listener = Bun.listen({ hostname: "127.0.0.1", port: 0, socket: { data() {} } });
    const port = listener.port;
    listener.stop(true);
    if (await udpIsFree(port) && await udpIsFree(port + 1)) return port;
  }
}

async function udpIsFree(port: number): Promise<boolean> {
  try {
    const socket = await Bun.udpSocket({ hostname: "127.0.0.1", port });
    socket.close();
    return true;
  } catch {
    // In use, or over 65535: another one is tried.
    return false;
  }
}
