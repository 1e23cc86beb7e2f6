import type { AcceptanceCase, CaseGroup } from "../acceptance_case.ts";
import { expect, expectSame, pause, show } from "../probe_failure.ts";
import { pingBytes, pongBytes } from "../protobuf_vectors.ts";
import type { PrivateServer } from "../private_server.ts";
import { plainCommands } from "./command_cases.ts";

/** Bytes of a command line or datagram with its `\n` (host protocol, "Framing"). */
const commandBytesMax = 2_048;

/** Commands in one write of the pipelining case: under the default `task_budget` of 256. */
const pipelinedCommands = 200;

/** Longer than the server waits for a local peer's first byte (`sniff_loopback_ms`, 150). */
const lateSpeakerMs = 300;

const tcpCases: readonly AcceptanceCase[] = [
  {
    name: "a carriage return before the line end is dropped, empty lines are ignored",
    run: async ({ server }) => {
      await server.tcp(async (client) => {
        client.send("M1_CONN_PING\r\n\n\r\n\nM6_STABILITY\n\nM1_UDP_PING\r\n");
        const lines = await client.readLines(3);
        expectSame(lines.join(" "), "M1_CONN_PONG M6_OK M1_UDP_PONG", "replies");
      });
    },
  },
  {
    name: "a line may come byte by byte",
    run: async ({ server, workspace }) => {
      await server.tcp(async (client) => {
        for (const byte of new TextEncoder().encode("M4_SAVE_STATE:字\n")) {
          client.send(Uint8Array.of(byte));
          await pause(workspace.runtime.clock, 1);
        }
        expectSame(await client.readLine("M4_SAVE_STATE:字"), "M4_SAVE_OK:字", "reply");
      });
    },
  },
  {
    name: "pipelined commands are answered in order, whatever takes longer",
    run: async ({ server }) => {
      await server.tcp(async (client) => {
        const pairs = Array.from({ length: pipelinedCommands }, (_, index) => mixedPair(index));
        client.send(pairs.map(([command]) => `${command}\n`).join(""));
        for (const [index, [command, reply]] of pairs.entries()) {
          const line = await client.readLine(command);
          expect(line.startsWith(reply), `reply ${index} to ${command} is ${show(line)}`);
        }
      });
    },
  },
  {
    name: "a half-closing peer still gets the replies to what it sent",
    run: async ({ server }) => {
      await server.tcp(async (client) => {
        client.send("M4_SAVE_STATE:bye\nM4_LOAD_STATE\nM6_STABILITY\n");
        client.halfClose();
        const text = new TextDecoder().decode(await client.readToEnd());
        expectSame(text, "M4_SAVE_OK:bye\nM4_LOAD_OK:bye\nM6_OK\n", "bytes until the close");
      });
    },
  },
  {
    name: "a line of 2,048 bytes is taken, one byte more is refused and counted",
    run: async ({ server }) => {
      await server.tcp(async (client) => {
        const fitting = "x".repeat(commandBytesMax - "M4_SAVE_STATE:\n".length);
        expectSame(
          await client.ask(`M4_SAVE_STATE:${fitting}`),
          `M4_SAVE_OK:${fitting}`,
          "2,048 bytes",
        );
        const before = await server.figures();
        for (const length of [commandBytesMax, commandBytesMax + 1, 100_000]) {
          client.send(`${"A".repeat(length)}\nM1_CONN_PING\n`);
          expectSame(
            (await client.readLines(2)).join(" "),
            "ERR_CODEC_COMMAND_TOO_LARGE M1_CONN_PONG",
            `a line of ${length + 1} bytes and a ping`,
          );
        }
        const after = await server.figures();
        for (const name of ["codec_error_count", "rejected_command_count"] as const) {
          expectSame(after[name] - before[name], 3, `rise of ${name}`);
        }
        expectSame(await client.ask("M4_LOAD_STATE"), `M4_LOAD_OK:${fitting}`, "state after that");
      });
    },
  },
  {
    name: "a megabyte without a line end is one refusal and harms nobody",
    run: async ({ server }) => {
      await server.tcp(async (client) => {
        client.send("M1_CONN_PING\n");
        expectSame(await client.readLine(), "M1_CONN_PONG", "first reply");
        client.send(new Uint8Array(1 << 20).fill(0x5f));
        expectSame(await server.ask("M1_CONN_PING"), "M1_CONN_PONG", "somebody else's ping");
        client.send("\nM6_STABILITY\n");
        expectSame(
          (await client.readLines(2)).join(" "),
          "ERR_CODEC_COMMAND_TOO_LARGE M6_OK",
          "replies",
        );
      });
    },
  },
  {
    name: "unknown commands are answered ERR_UNKNOWN_TCP and counted",
    run: async ({ server }) => {
      await server.tcp(async (client) => {
        expectSame(await client.ask("M1_CONN_PING"), "M1_CONN_PONG", "first reply");
        const before = await server.figures();
        for (const command of unknownCommands) {
          expectSame(await client.ask(command), "ERR_UNKNOWN_TCP", show(command));
        }
        client.send(Uint8Array.of(0x4d, 0xff, 0xfe, 0x0a));
        expectSame(await client.readLine("bytes that are no UTF-8"), "ERR_UNKNOWN_TCP", "no UTF-8");
        const rise = (await server.figures()).rejected_command_count -
          before.rejected_command_count;
        expectSame(rise, unknownCommands.length + 1, "rise of rejected_command_count");
      });
    },
  },
  {
    name: "an HTTP request line closes the connection without a byte and runs nothing",
    run: async ({ server }) => {
      for (const method of ["GET", "POST", "OPTIONS"]) {
        await server.tcp(async (client) => {
          client.send(`${method} / HTTP/1.1\r\nHost: localhost\r\n\r\n__STOP__\n`);
          expectSame((await client.readToEnd()).length, 0, `bytes sent to ${method}`);
        });
      }
      expectSame(await server.ask("M1_CONN_PING"), "M1_CONN_PONG", "a ping after that");
    },
  },
  {
    name: "a peer that speaks late is still answered",
    run: async ({ server, workspace }) => {
      await server.tcp(async (client) => {
        await pause(workspace.runtime.clock, lateSpeakerMs);
        client.send("M1_CONN_PING\n");
        // A game greeting may stand before the reply once there is a game.
        await client.readThrough("M1_CONN_PONG\n");
      });
    },
  },
  {
    name: "connections that break off, reset or say nothing harm nobody",
    run: async ({ server }) => {
      const silent = await Promise.all(Array.from({ length: 100 }, () => server.connect()));
      for (const [index, client] of silent.entries()) {
        if (index % 2 === 0) client.send("M4_LOAD_STATE\nM4_SAVE_ST");
        client.close();
      }
      expectSame(await server.ask("M4_SAVE_STATE:alive"), "M4_SAVE_OK:alive", "after that");
    },
  },
];

const udpCases: readonly AcceptanceCase[] = [
  {
    name: "a datagram of 2,048 bytes is taken, one byte more is refused and counted",
    run: async ({ server }) => {
      await server.udp(async (client) => {
        const fitting = "u".repeat(commandBytesMax - "M4_SAVE_STATE:\n".length);
        expectSame(
          await client.ask(`M4_SAVE_STATE:${fitting}`),
          `M4_SAVE_OK:${fitting}`,
          "2,048 bytes",
        );
        const before = await server.figures();
        expectSame(
          await client.ask("A".repeat(commandBytesMax)),
          "ERR_CODEC_COMMAND_TOO_LARGE",
          "2,049 bytes",
        );
        const after = await server.figures();
        for (const name of ["codec_error_count", "rejected_command_count"] as const) {
          expectSame(after[name] - before[name], 1, `rise of ${name}`);
        }
      });
    },
  },
  {
    name: "unknown datagrams are answered ERR_UNKNOWN_UDP and counted",
    run: async ({ server }) => {
      await server.udp(async (client) => {
        const before = await server.figures();
        for (const command of unknownCommands) {
          expectSame(await client.ask(command), "ERR_UNKNOWN_UDP", show(command));
        }
        const rise = (await server.figures()).rejected_command_count -
          before.rejected_command_count;
        expectSame(rise, unknownCommands.length, "rise of rejected_command_count");
      });
    },
  },
  {
    name: "datagrams that are replies themselves are not answered",
    run: async ({ server }) => {
      await server.udp(async (client) => {
        for (const reply of ["ERR_UNKNOWN_UDP", "ERR_ANYTHING", "M1_UDP_PONG", "M6_OK"]) {
          client.send(`${reply}\n`);
          // Datagrams are answered in turn: whatever comes before this was an answer to that one.
          expectSame(await client.ask("M1_CONN_PING"), "M1_CONN_PONG", `after ${reply}`);
        }
      });
    },
  },
  {
    name: "the datagram port of tcp_port's number answers commands, but no unknown text",
    run: async ({ server }) => {
      await server.udp(async (client) => {
        client.send("WHO_IS_THERE\n");
        for (const [command, reply] of plainCommands) {
          expectSame(await client.ask(command), reply, command);
        }
        client.send(pingBytes({ payload: "both", seq: 2 }));
        const wanted = pongBytes({ payload: "BOTH", seq: 2 }).toHex();
        expectSame((await client.read("a Ping")).toHex(), wanted, "Pong");
      }, { port: server.ports.tcpPort });
    },
  },
];

const budgetCases: readonly AcceptanceCase[] = [
  {
    name: "more than task_budget commands in flight: ERR_BACKPRESSURE, in order and counted",
    run: async ({ server }) => {
      const count = 100;
      const before = await server.figures();
      const dropped = await server.tcp((client) => floodWithSaves(client, count));
      expect(dropped > 0, `none of ${count} pipelined saves met ERR_BACKPRESSURE`);
      expect(dropped < count, `all of ${count} pipelined saves met ERR_BACKPRESSURE`);
      const after = await server.figures();
      for (const name of ["backpressure_drop_count", "rejected_command_count"] as const) {
        expectSame(after[name] - before[name], dropped, `rise of ${name}`);
      }
      expectSame(after.save_state_count - before.save_state_count, count - dropped, "saves");
      expectSame(await server.ask("M4_SAVE_STATE:after"), "M4_SAVE_OK:after", "a save after that");
    },
  },
];

/** Sends saves in one write; gives how many were dropped. */
async function floodWithSaves(
  client: Awaited<ReturnType<PrivateServer["connect"]>>,
  count: number,
): Promise<number> {
  const commands = Array.from({ length: count }, (_, index) => `M4_SAVE_STATE:${index}`);
  client.send(commands.map((command) => `${command}\n`).join(""));
  let dropped = 0;
  for (const [index, line] of (await client.readLines(count)).entries()) {
    if (line === "ERR_BACKPRESSURE") dropped++;
    else expectSame(line, `M4_SAVE_OK:${index}`, `reply ${index}`);
  }
  return dropped;
}

const unknownCommands = [
  "NOPE",
  "m1_conn_ping",
  "M1_CONN_PING ",
  " M1_CONN_PING",
  "M1_CONN_PINGX",
  "M4_SAVE_STATE",
  "_",
  "M1_CONN_PING\u0000",
  "你好",
];

function mixedPair(index: number): readonly [command: string, replyStart: string] {
  const kinds = [
    [`M4_SAVE_STATE:${index}`, `M4_SAVE_OK:${index}`],
    ["M1_CONN_PING", "M1_CONN_PONG"],
    ["M3_LUA_HELLO_ASYNC", "M3_LUA_ASYNC_ACK:v0"],
    ["NOPE", "ERR_UNKNOWN_TCP"],
    [`M4_ROUTE_THREAD:key ${index}`, "M4_ROUTE_OK:thread-"],
    ["M5_FLOW_ROOM", "M5_FLOW_"],
    ["M6_STABILITY", "M6_OK"],
    ["M3_LUA_HELLO", "M3_LUA_ACK:v0"],
  ] as const;
  return kinds[index % kinds.length] ?? kinds[0];
}

export const framingGroup: CaseGroup = {
  topic: "framing",
  server: {},
  cases: [...tcpCases, ...udpCases],
};

export const budgetGroup: CaseGroup = {
  topic: "backpressure",
  server: { settings: { task_budget: 2 } },
  cases: budgetCases,
};
