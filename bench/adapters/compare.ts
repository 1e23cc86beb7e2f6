// Measures what the adapters for TCP and UDP cost beside the other ways to serve on each runtime.
//   bun bench/adapters/compare.ts [seconds a run, 2] [part of a name]
// CPU and memory are the server process's own, read from Linux's /proc; the load comes from here.
import { readdirSync, readFileSync } from "node:fs";

const CANDIDATES: [runtime: "bun" | "deno", name: string][] = [
  ["bun", "tcp Bun.listen alone"],
  ["bun", "tcp adapter"],
  ["bun", "tcp node:net alone"],
  ["deno", "tcp node:net alone"],
  ["deno", "tcp adapter"],
  ["deno", "tcp Deno.listen alone, 512 bytes to read into"],
  ["bun", "udp Bun.udpSocket alone"],
  ["bun", "udp adapter"],
  ["bun", "udp adapter on ::"],
  ["bun", "udp Bun.udpSocket, sendMany once a turn"],
  ["bun", "udp node:dgram alone"],
  ["deno", "udp node:dgram alone"],
  ["deno", "udp adapter"],
  ["deno", "udp Deno.listenDatagram alone (unstable)"],
];

const TALKING_CONNECTIONS = 50;
const IDLE_CONNECTIONS = 10_000;
const CONNECTS_AT_ONCE = 250;
const MESSAGE = new Uint8Array(32).fill(65);

/** Asked by each UDP client at once: enough to keep the server busy, few enough to lose none. */
const DATAGRAMS_AHEAD = 16;
const UDP_CLIENTS = 8;

const seconds = Number(process.argv[2] ?? 2);
const part = process.argv[3] ?? "";

for (const [runtime, name] of CANDIDATES) {
  if (!`${runtime} ${name}`.includes(part)) continue;
  const { server, port } = await start(runtime, name);
  const figures = name.startsWith("tcp")
    ? [await talk(server.pid, port), await idle(server.pid, port)]
    : [await ask(server.pid, port)];
  console.log(`${runtime.padEnd(4)} ${name.padEnd(46)} ${figures.join(", ")}`);
  server.kill();
  await server.exited;
}
process.exit(0);

async function start(runtime: "bun" | "deno", name: string) {
  const file = (extension: string) => `${import.meta.dir}/${runtime}_servers.${extension}`;
  const deno = process.env.DENO ?? `${import.meta.dir}/../../.tools/bin/deno`;
  const command = runtime === "bun"
    ? [process.execPath, file("ts"), name]
    : [deno, "run", "-A", "--no-check", "--unstable-net", file("js"), name];
  const server = Bun.spawn(command, { stdout: "pipe" });
  const { value } = await server.stdout.getReader().read();
  const line = new TextDecoder().decode(value).trim();
  const port = Number(line);
  if (!(port > 0)) throw new Error(`Cannot start ${runtime} "${name}": ${line}`);
  return { server, port };
}

/** Echoes of one message a connection, as fast as they come back. */
async function talk(pid: number, port: number): Promise<string> {
  let echoes = 0;
  let stopped = false;
  const connect = () => {
    let received = 0;
    return Bun.connect({
      hostname: "127.0.0.1",
      port,
      socket: {
        data(socket, bytes) {
          received += bytes.length;
          if (received < MESSAGE.length) return;
          received -= MESSAGE.length;
          echoes += 1;
          if (!stopped) socket.write(MESSAGE);
        },
      },
    });
  };
  const sockets = await Promise.all(Array.from({ length: TALKING_CONNECTIONS }, connect));
  for (const socket of sockets) socket.write(MESSAGE);
  const rate = await rateOf(pid, () => echoes);
  stopped = true;
  for (const socket of sockets) socket.end();
  return rate;
}

/** What each of thousands of connections costs that says nothing, and whether all are accepted. */
async function idle(pid: number, port: number): Promise<string> {
  const connect = () => Bun.connect({ hostname: "127.0.0.1", port, socket: { data() {} } });
  // Some first, so that what grows once is not counted.
  await Promise.all(Array.from({ length: CONNECTS_AT_ONCE }, connect));
  await Bun.sleep(1_000);
  const memory = anonymousBytes(pid);
  const files = openFiles(pid);
  for (let count = 0; count < IDLE_CONNECTIONS; count += CONNECTS_AT_ONCE) {
    await Promise.all(Array.from({ length: CONNECTS_AT_ONCE }, connect));
  }
  await Bun.sleep(2_000);
  const each = (anonymousBytes(pid) - memory) / IDLE_CONNECTIONS;
  const accepted = openFiles(pid) - files;
  return `${each.toFixed(0)} bytes an idle connection (${accepted} accepted)`;
}

async function ask(pid: number, port: number): Promise<string> {
  let replies = 0;
  const connect = () =>
    Bun.udpSocket({
      hostname: "127.0.0.1",
      socket: {
        data(socket) {
          replies += 1;
          socket.send(MESSAGE, port, "127.0.0.1");
        },
      },
    });
  const sockets = await Promise.all(Array.from({ length: UDP_CLIENTS }, connect));
  for (const socket of sockets) {
    for (let count = 0; count < DATAGRAMS_AHEAD; count++) socket.send(MESSAGE, port, "127.0.0.1");
  }
  const rate = await rateOf(pid, () => replies);
  for (const socket of sockets) socket.close();
  return rate;
}

async function rateOf(pid: number, count: () => number): Promise<string> {
  await Bun.sleep(500);
  const before = { count: count(), cpu: cpuMicros(pid), at: performance.now() };
  await Bun.sleep(seconds * 1_000);
  const done = count() - before.count;
  const rate = done / (performance.now() - before.at) * 1_000;
  const cpu = (cpuMicros(pid) - before.cpu) / done;
  return `${rate.toFixed(0)}/s, ${cpu.toFixed(1)} µs of CPU each`;
}

function cpuMicros(pid: number): number {
  // proc_pid_stat(5): fields 14 and 15, user and system time in ticks of 10 ms.
  const fields = readFileSync(`/proc/${pid}/stat`, "utf8").split(") ")[1]?.split(" ") ?? [];
  return (Number(fields[11]) + Number(fields[12])) * 10_000;
}

function anonymousBytes(pid: number): number {
  const rollup = readFileSync(`/proc/${pid}/smaps_rollup`, "utf8");
  return Number(/Pss_Anon:\s+(\d+)/.exec(rollup)?.[1]) * 1024;
}

function openFiles(pid: number): number {
  return readdirSync(`/proc/${pid}/fd`).length;
}
