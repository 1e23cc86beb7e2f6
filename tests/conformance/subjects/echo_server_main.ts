/**
 * The HTTP port of the runtime that runs this, as a WebSocket server that sends every message back.
 * `echo_server_main.ts [compression]` prints `port <number>`, and ends when its input does.
 */
import process from "node:process";
import type { WebSocketLimits } from "../../../src/ports/http.ts";
import { runtimeUnderTest } from "../../tested_runtime.ts";
import { echoLimits } from "./echo_limits.ts";

const limits: WebSocketLimits = { ...echoLimits };

const { http } = await runtimeUnderTest();
const server = await http.listen<undefined>({
  host: "127.0.0.1",
  port: 0,
  bodyBytesMax: 1_024,
  fetch: () => new Response("a WebSocket, please\n", { status: 400 }),
  error: (error) => console.error(error),
  webSocket: {
    limits,
    handlers: {
      upgrade: () => ({ accept: true, data: undefined }),
      open: () => {},
      message: (connection, message) => {
        connection.send(message);
      },
      pong: () => {},
      drain: () => {},
      close: () => {},
    },
  },
});

process.stdin.on("end", () => process.exit(0));
process.stdin.resume();
console.log(`port ${server.port}`);
