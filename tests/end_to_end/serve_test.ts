import { Database } from "bun:sqlite";
import assert from "node:assert/strict";
import { createSocket } from "node:dgram";
import { statSync } from "node:fs";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { networkInterfaces } from "node:os";
import { join } from "node:path";
import { describe, it } from "node:test";
import { askOnce, HostClient } from "./host_client.ts";
import { binary, runProgram, startServer, withDirectory } from "./run_program.ts";

const serve = [binary, "serve"];
const hasIpv6 = Object.values(networkInterfaces()).flat().some((each) => each?.address === "::1");

/** Runs `use` with a server in an empty directory, which must be alive and well afterwards. */
async function withServer(
  flags: readonly string[],
  use: (server: Awaited<ReturnType<typeof startServer>>, cwd: string) => Promise<void>,
): Promise<void> {
  await withDirectory(async (cwd) => {
    const server = await startServer(serve, { cwd, flags });
    try {
      await use(server, cwd);
      assert.equal(await askOnce(server.tcpPort, "M1_CONN_PING"), "M1_CONN_PONG");
      assert.equal(await server.stop(), 0);
    } finally {
      try {
        process.kill(server.pid, "SIGKILL");
      } catch {
        // It has ended, as it should.
      }
    }
  });
}

/** A start that must fail: exit code 3 and one line. */
async function refusedStart(cwd: string, flags: readonly string[]): Promise<string> {
  const outcome = await runProgram([...serve, "--http-port", "0", ...flags], { cwd });
  assert.equal(outcome.exitCode, 3, outcome.stderr);
  assert.equal(outcome.stdout, "");
  const lines = outcome.stderr.trimEnd().split("\n").filter((line) => !line.startsWith("{"));
  assert.equal(lines.length, 1, outcome.stderr);
  return lines[0] ?? "";
}

describe("serve: what it listens to and says", () => {
  it("serve prints just the ready line on stdout and JSON lines on stderr", () =>
    withDirectory(async (cwd) => {
      const child = Bun.spawn([...serve, "--tcp-port", "0", "--http-port", "0"], {
        cwd,
        stdin: "ignore",
        stdout: "pipe",
        stderr: "pipe",
      });
      const reader = child.stdout.getReader();
      const { value } = await reader.read();
      const ready = new TextDecoder().decode(value);
      assert.match(
        ready,
        /^runtime_host_server_ready host=127\.0\.0\.1 tcp_port=\d+ udp_port=\d+ runtime=freekill-gw\n$/,
      );
      child.kill("SIGTERM");
      assert.equal(await child.exited, 0);
      assert.equal((await reader.read()).done, true);
      const lines = (await new Response(child.stderr).text()).trimEnd().split("\n");
      const own = lines.map((line) => JSON.parse(line)).filter(({ part }) => part === undefined);
      const messages = own.map(({ message }) => message);
      assert.deepEqual(messages, ["ready", "signal received", "stopping", "stopped"]);
    }));

  it("serve answers by UDP on both ports and by HTTP on its own", () =>
    withDirectory(async (cwd) => {
      const httpPort = await freeTcpPort();
      const server = await startServer(serve, { cwd, flags: ["--http-port", `${httpPort}`] });
      for (const port of [server.tcpPort, server.tcpPort + 1]) {
        assert.equal(await askUdp(port, "M1_UDP_PING"), "M1_UDP_PONG\n");
      }
      const get = (path: string, accept = "*/*") =>
        fetch(`http://127.0.0.1:${httpPort}${path}`, { headers: { accept } });
      assert.deepEqual(await (await get("/health")).json(), { status: "ok" });
      assert.equal((await get("/health/live")).status, 200);
      assert.equal((await get("/health/ready")).status, 200);
      const json = await (await get("/metrics")).json();
      assert.equal(json.tcp_port, server.tcpPort);
      assert.equal(json.runtime_name, "freekill-gw");
      for (const [path, accept] of [["/metrics", "text/plain"], ["/metrics/prometheus", "*/*"]]) {
        const text = await (await get(path ?? "", accept)).text();
        assert.match(text, /^freekill_gw_host_udp_rx_datagrams?_total 2$/m);
        assert.match(text, /^# TYPE freekill_gw_host_active_connections gauge$/m);
      }
      assert.equal((await get("/no/such/page")).status, 404);
      assert.equal(await server.stop(), 0);
    }));

  it(
    "serve on :: takes IPv4 and IPv6, and shows and allows IPv4 as IPv4",
    { skip: hasIpv6 ? false : "this machine has no IPv6" },
    () =>
      withServer(["--host", "::"], async ({ tcpPort }) => {
        for (const host of ["127.0.0.1", "::1"]) {
          const client = await HostClient.open(tcpPort, host);
          assert.equal(await client.ask("M4_DB_HEALTH"), "M4_DB_HEALTHY", host);
          client.close();
        }
        assert.equal(await askUdp(tcpPort + 1, "M1_UDP_PING"), "M1_UDP_PONG\n");
      }),
  );

  it("serve goes on after SIGHUP and names what needs a restart", () =>
    withServer([], async ({ pid, tcpPort }) => {
      process.kill(pid, "SIGHUP");
      assert.equal(await askOnce(tcpPort, "M6_STABILITY"), "M6_OK");
    }));
});

describe("serve: starts that are refused", () => {
  it("serve refuses a directory that another one runs in, until that is killed", () =>
    withDirectory(async (cwd) => {
      const first = await startServer(serve, { cwd });
      const line = await refusedStart(cwd, ["--tcp-port", "0"]);
      assert.match(line, new RegExp(`another freekill-gw \\(process ${first.pid}\\) is running`));
      process.kill(first.pid, "SIGKILL");
      await gone(first.pid);
      const second = await startServer(serve, { cwd });
      assert.equal(await second.stop(), 0);
    }));

  it("serve names a port that is in use, for TCP, UDP and HTTP", () =>
    withDirectory(async (cwd) => {
      const tcp = createServer().listen(0, "127.0.0.1");
      await new Promise((resolve) => tcp.once("listening", resolve));
      const { port } = tcp.address() as { port: number };
      assert.match(
        await refusedStart(cwd, ["--tcp-port", `${port}`]),
        /tcp 127\.0\.0\.1:\d+.*in use/,
      );
      const http = ["--tcp-port", "0", "--http-port", `${port}`];
      const outcome = await runProgram([...serve, ...http], { cwd });
      assert.equal(outcome.exitCode, 3);
      assert.match(outcome.stderr, /http 127\.0\.0\.1:\d+.*in use/);
      const udp = createSocket("udp4");
      await new Promise<void>((resolve) => udp.bind(0, "127.0.0.1", resolve));
      const taken = ["--tcp-port", "0", "--udp-port", `${udp.address().port}`];
      assert.match(await refusedStart(cwd, taken), /udp 127\.0\.0\.1:\d+.*in use/);
      udp.close();
      tcp.close();
    }));

  it("serve refuses a database that is none, and leaves it as it is", () =>
    withDirectory(async (cwd) => {
      await mkdir(join(cwd, "data"));
      const junk = "no database ".repeat(1_000);
      await writeFile(join(cwd, "data/runtime.sqlite"), junk);
      const line = await refusedStart(cwd, ["--tcp-port", "0"]);
      assert.match(line, /Cannot use database "data\/runtime\.sqlite": it is damaged/);
      assert.equal(await readFile(join(cwd, "data/runtime.sqlite"), "utf8"), junk);
    }));

  it("serve refuses a database that another program holds", () =>
    withDirectory(async (cwd) => {
      await mkdir(join(cwd, "data"));
      const other = new Database(join(cwd, "data/runtime.sqlite"));
      other.exec("PRAGMA locking_mode = EXCLUSIVE; CREATE TABLE mine (x); BEGIN EXCLUSIVE");
      assert.match(await refusedStart(cwd, ["--tcp-port", "0"]), /locked/);
      other.close();
    }));

  it("serve refuses directories that cannot be", () =>
    withDirectory(async (cwd) => {
      await writeFile(join(cwd, "file"), "");
      const line = await refusedStart(cwd, ["--tcp-port", "0", "--db-path", "file/a.sqlite"]);
      assert.match(line, /file/);
    }));

  it("serve ends with 2 and a line for each fault when its configuration is wrong", () =>
    withDirectory(async (cwd) => {
      const flags = ["--tcp-port", "65536", "--thread-count", "0", "--drift-mode", "odd"];
      const outcome = await runProgram([...serve, ...flags], { cwd });
      assert.equal(outcome.exitCode, 2);
      assert.equal(outcome.stderr.trimEnd().split("\n").length, 3, outcome.stderr);
    }));
});

describe("serve: hostile peers", () => {
  it("serve survives 10 MB without a line end and random bytes, and answers after", () =>
    withServer([], async ({ tcpPort }) => {
      const client = await HostClient.open(tcpPort);
      client.send("x".repeat(10_000_000)).send("\nM6_STABILITY\n");
      assert.deepEqual(await client.lines(2), ["ERR_CODEC_COMMAND_TOO_LARGE", "M6_OK"]);
      client.close();
      const seed = 20_261_121;
      let state = seed;
      for (let i = 0; i < 50; i++) {
        const noise = Uint8Array.from({ length: 5_000 }, () => {
          state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0;
          return state >>> 16;
        });
        const peer = await HostClient.open(tcpPort);
        peer.send(noise).end();
        await peer.closed();
        await sendUdp(tcpPort + 1, noise.subarray(0, 1_400));
      }
    }));

  it("serve closes on an HTTP request and executes nothing of it", () =>
    withServer([], async ({ tcpPort }) => {
      const client = await HostClient.open(tcpPort);
      client.send("POST / HTTP/1.1\r\nContent-Length: 9\r\n\r\n__STOP__\n");
      assert.equal((await client.closed()).length, 0);
    }));

  it("serve keeps a peer that never reads from costing memory, and serves the others", () =>
    withServer([], async ({ tcpPort, pid }) => {
      const before = await residentBytes(pid);
      const requests = "M6_STABILITY\n".repeat(50_000);
      const peers = await Promise.all(
        Array.from({ length: 20 }, () => deafPeer(tcpPort, requests)),
      );
      for (let i = 0; i < 20; i++) {
        assert.equal(await askOnce(tcpPort, "M1_CONN_PING"), "M1_CONN_PONG");
      }
      const grown = await residentBytes(pid) - before;
      assert.ok(grown < 64_000_000, `grew by ${grown} bytes`);
      for (const peer of peers) peer.terminate();
    }));

  it("serve takes 10,000 connections that send nothing, and stops with them open", () =>
    withDirectory(async (cwd) => {
      // The game would greet them, and lets few wait from one address.
      const server = await startServer(serve, { cwd, flags: ["--tcp-port-mode", "host"] });
      const sockets: { terminate(): void }[] = [];
      let closed = 0;
      for (let i = 0; i < 10_000; i += 500) {
        sockets.push(
          ...await Promise.all(Array.from({ length: 500 }, () =>
            Bun.connect({
              hostname: "127.0.0.1",
              port: server.tcpPort,
              socket: { data() {}, close: () => void closed++ },
            }))),
        );
      }
      const figures = JSON.parse(await server.ask("__METRICS__"));
      assert.ok(figures.active_connections >= 10_000, `${figures.active_connections} are open`);
      assert.equal(closed, 0);
      assert.equal(await server.stop(), 0);
      for (const socket of sockets) socket.terminate();
    }));

  it("serve answers a Ping that half-closes, is silent, or comes byte by byte", () =>
    withServer([], async ({ tcpPort }) => {
      const pong = "0a03464f4f10071801";
      const half = await HostClient.open(tcpPort);
      half.send(Buffer.from("0a03666f6f1007", "hex")).end();
      assert.equal((await half.closed()).toString("hex"), pong);
      const silent = await HostClient.open(tcpPort);
      silent.send(Buffer.from("0a03666f6f1007", "hex"));
      assert.equal((await silent.closed()).toString("hex"), pong);
      const slow = await HostClient.open(tcpPort);
      for (const byte of Buffer.from("0a03666f6f10071801", "hex")) slow.send(Uint8Array.of(byte));
      assert.equal((await slow.closed()).toString("hex"), pong);
      const broken = await HostClient.open(tcpPort);
      broken.send(Buffer.from("0a03666f", "hex")).end();
      assert.equal((await broken.closed()).length, 0);
    }));

  it("serve asks for the token when there is one, and never logs it", () =>
    withDirectory(async (cwd) => {
      const token = "0123456789abcdef-secret";
      const log = join(cwd, "serve.log");
      await writeFile(
        join(cwd, "freekill-gw.json"),
        JSON.stringify({ control_token: token, log: { file: log, level: "debug" } }),
      );
      const server = await startServer(serve, { cwd });
      const client = await HostClient.open(server.tcpPort);
      assert.equal(await client.ask("M4_LOAD_STATE"), "ERR_FORBIDDEN");
      assert.equal(await client.ask("AUTH:nonsense"), "ERR_FORBIDDEN");
      assert.equal(await client.ask(`AUTH:${token}`), "AUTH_OK");
      assert.equal(await client.ask("M4_LOAD_STATE"), "M4_LOAD_OK:unset");
      assert.equal(await askUdp(server.tcpPort + 1, "M4_LOAD_STATE"), "ERR_FORBIDDEN\n");
      process.kill(server.pid, "SIGTERM");
      await gone(server.pid);
      assert.equal((await readFile(log, "utf8")).includes("secret"), false);
    }));
});

describe("serve: what is kept", () => {
  it("serve makes accounts and keys that nobody else can read", () =>
    withDirectory(async (cwd) => {
      const server = await startServer(serve, { cwd });
      for (const name of ["users.db", "game.db", "rsa", "admin.token", "admin.log"]) {
        assert.equal(statSync(join(cwd, "server", name)).mode & 0o777, 0o600, name);
      }
      assert.equal(statSync(join(cwd, "server")).mode & 0o777, 0o700);
      await server.stop();
    }));

  it("serve keeps every acknowledged state over kill -9", () =>
    withDirectory(async (cwd) => {
      for (let i = 0; i < 5; i++) {
        const server = await startServer(serve, { cwd });
        const client = await HostClient.open(server.tcpPort);
        const before = await client.ask("M4_LOAD_STATE");
        assert.equal(before, i === 0 ? "M4_LOAD_OK:unset" : `M4_LOAD_OK:state ${i - 1}`);
        assert.equal(await client.ask(`M4_SAVE_STATE:state ${i}`), `M4_SAVE_OK:state ${i}`);
        process.kill(server.pid, "SIGKILL");
        await gone(server.pid);
        client.close();
      }
    }));

  // Each refused save waits for the lock first.
  it("serve is not ready while its database is locked, serves on, and recovers", {
    timeout: 60_000,
  }, () =>
    withDirectory(async (cwd) => {
      const httpPort = await freeTcpPort();
      const server = await startServer(serve, { cwd, flags: ["--http-port", `${httpPort}`] });
      const other = new Database(join(cwd, "data/runtime.sqlite"));
      other.exec("BEGIN IMMEDIATE");
      const client = await HostClient.open(server.tcpPort);
      for (let i = 0; i < 3; i++) {
        assert.equal(await client.ask("M4_SAVE_STATE:x"), "ERR_STORE_UNAVAILABLE");
      }
      assert.equal(await client.ask("M1_CONN_PING"), "M1_CONN_PONG");
      assert.equal(await client.ask("M4_DB_HEALTH"), "M4_DB_ALERT");
      const ready = await fetch(`http://127.0.0.1:${httpPort}/health/ready`);
      assert.equal(ready.status, 503);
      assert.match((await ready.json()).reason, /locked/);
      other.exec("ROLLBACK");
      other.close();
      assert.equal(await client.ask("M4_SAVE_STATE:y"), "M4_SAVE_OK:y");
      assert.equal((await fetch(`http://127.0.0.1:${httpPort}/health/ready`)).status, 200);
      client.close();
      assert.equal(await server.stop(), 0);
    }));
});

async function freeTcpPort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await new Promise((resolve) => server.once("listening", resolve));
  const { port } = server.address() as { port: number };
  await new Promise((resolve) => server.close(resolve));
  return port;
}

function askUdp(port: number, text: string): Promise<string> {
  const socket = createSocket("udp4");
  return new Promise<string>((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error("no datagram came")), 10_000);
    socket.on("message", (bytes) => {
      clearTimeout(timer);
      resolve(bytes.toString());
    });
    socket.send(text, port, "127.0.0.1");
  }).finally(() => socket.close());
}

function sendUdp(port: number, bytes: Uint8Array): Promise<void> {
  const socket = createSocket("udp4");
  return new Promise((resolve) =>
    socket.send(bytes, port, "127.0.0.1", () => {
      socket.close();
      resolve();
    })
  );
}

/** Connects, sends what the system takes, and never reads. */
async function deafPeer(port: number, requests: string): Promise<{ terminate(): void }> {
  const socket = await Bun.connect({
    hostname: "127.0.0.1",
    port,
    socket: { data() {}, error() {} },
  });
  socket.pause();
  socket.write(requests);
  return socket;
}

async function residentBytes(pid: number): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, "utf8");
  return Number(/^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1]) * 1_024;
}

/** Resolves when a process has ended. */
async function gone(pid: number): Promise<void> {
  for (let i = 0; i < 1_000; i++) {
    try {
      process.kill(pid, 0);
    } catch {
      // No such process: it has ended.
      return;
    }
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  throw new Error(`process ${pid} is still there`);
}
