/**
 * A child for watchdog tests, run as `fake_server.ts serve --config F`: F is JSON as in `FakeLife`.
 * Prints the ready line of `serve` and answers probes, unless its life says otherwise.
 */
import { appendFileSync, readFileSync } from "node:fs";
import { createServer, type Socket } from "node:net";
import process from "node:process";

export interface FakeLife {
  /** 0: any. */
  readonly port: number;
  readonly does:
    | "serves"
    /** Accepts and closes at once. */
    | "closes"
    /** Ends with `code` before it listens. */
    | "ends"
    /** Acknowledges `__STOP__`, does not stop, and ignores SIGTERM. */
    | "stays"
    /** Writes `bytes` to stderr without a pause, then serves. */
    | "floods"
    /** Writes its control token to both outputs, then serves. */
    | "leaks";
  readonly code?: number;
  readonly bytes?: number;
  /** Lines about what happened to it are appended here. */
  readonly journal: string;
}

const life: FakeLife = JSON.parse(readFileSync(process.argv.at(-1) ?? "", "utf8"));
const token = process.env["FREEKILL_GW_CHILD_TOKEN"] ?? "";
const note = (line: string) => appendFileSync(life.journal, `${line}\n`);
process.on("SIGHUP", () => note("SIGHUP"));
process.on("SIGTERM", () => {
  note("SIGTERM");
  if (life.does !== "stays") process.exit(0);
});
// The pipe ends with the test that started this program, however that ended.
process.stdin.resume().on("end", () => process.exit(1));
note(`env ${process.env["NOTIFY_SOCKET"]}|${process.env["WATCHDOG_USEC"]}`);

if (life.does === "ends") {
  process.stderr.write("tcp_port must be 0–65535, got 99999\n", () => process.exit(life.code));
} else {
  if (life.does === "leaks") {
    process.stdout.write(`my token is ${token}\n`);
    process.stderr.write(`my token is ${token}\n`);
  }
  if (life.does === "floods") {
    const line = `${"flood ".repeat(1_000)}\n`;
    for (let sent = 0; sent < (life.bytes ?? 0); sent += line.length) process.stderr.write(line);
  }
  listen();
}

function listen(): void {
  const server = createServer((socket) => {
    if (life.does === "closes") return void socket.destroy();
    let rest = "";
    socket.on("error", () => {});
    socket.on("data", (bytes) => {
      const lines = (rest + bytes.toString()).split("\n");
      rest = lines.pop() ?? "";
      for (const line of lines) answer(socket, line);
    });
  });
  server.listen(life.port, "127.0.0.1", () => {
    const address = server.address();
    const port = typeof address === "object" ? address?.port ?? 0 : 0;
    console.log(
      `runtime_host_server_ready host=127.0.0.1 tcp_port=${port} udp_port=${port + 1} runtime=fake`,
    );
  });
}

function answer(socket: Socket, line: string): void {
  if (line === "M1_CONN_PING") socket.write("M1_CONN_PONG\n");
  else if (line.startsWith("AUTH:")) {
    const isRight = token.length >= 32 && line === `AUTH:${token}`;
    note(isRight ? "AUTH right" : "AUTH wrong");
    socket.write(isRight ? "AUTH_OK\n" : "ERR_FORBIDDEN\n");
  } else if (line === "__STOP__") {
    note("__STOP__");
    socket.end("__STOP_OK__\n");
    if (life.does !== "stays") setTimeout(() => process.exit(0), 10);
  } else socket.write("ERR_UNKNOWN_TCP\n");
}
