import type { AcceptanceCase, CaseGroup } from "../acceptance_case.ts";
import type { FigureName, HostFigures } from "../host_figures.ts";
import { eventually, expect, expectSame } from "../probe_failure.ts";
import type { PrivateServer } from "../private_server.ts";
import { pingBytes } from "../protobuf_vectors.ts";

/** How long a figure that follows an event may lag behind. */
const figureMs = 5_000;

const cases: readonly AcceptanceCase[] = [
  {
    name: "__METRICS__ is one line of JSON with every field, over TCP and UDP",
    run: async ({ server }) => {
      const figures = await server.figures();
      expectSame(figures.runtime_name, "acceptance", "runtime_name");
      expectSame(figures.tcp_port, server.ports.tcpPort, "tcp_port");
      expectSame(figures.udp_port, server.ports.udpPort, "udp_port");
      const byUdp = await server.udp((client) => client.ask("__METRICS__"));
      expect(byUdp.startsWith("{") && byUdp.endsWith("}"), "by udp it is no JSON object");
    },
  },
  {
    name: "each command raises its counter by one",
    run: async ({ server }) => {
      for (const [command, name] of countersOfCommands) {
        const before = await server.figures();
        await server.ask(command);
        const after = await server.figures();
        expectSame(after[name] - before[name], 1, `rise of ${name} by ${command}`);
      }
    },
  },
  {
    name: "connections, packets and bytes over TCP are counted exactly",
    run: async ({ server }) => {
      await server.tcp(async (client) => {
        const ask = async () => JSON.parse(await client.ask("__METRICS__")) as HostFigures;
        const line = "M4_SAVE_STATE:12345";
        await ask();
        const before = await ask();
        await client.ask(line);
        const after = await ask();
        expectSame(after.tcp_rx_packet_count - before.tcp_rx_packet_count, 2, "packets in");
        expectSame(after.tcp_tx_packet_count - before.tcp_tx_packet_count, 2, "packets out");
        const bytesIn = `${line}\n__METRICS__\n`.length;
        expectSame(after.tcp_rx_bytes - before.tcp_rx_bytes, bytesIn, "bytes in");
        expect(
          after.tcp_tx_bytes - before.tcp_tx_bytes > "M4_SAVE_OK:12345\n".length,
          "tcp_tx_bytes does not count the replies",
        );
      });
    },
  },
  {
    name: "datagrams and their bytes are counted exactly",
    run: async ({ server }) => {
      await server.udp(async (client) => {
        const before = await server.figures();
        await client.ask("M1_UDP_PING");
        client.send(pingBytes({ payload: "p", seq: 1, keep: true }));
        await client.read("a Ping");
        const after = await server.figures();
        expectSame(after.udp_rx_datagram_count - before.udp_rx_datagram_count, 2, "datagrams in");
        expectSame(after.udp_tx_datagram_count - before.udp_tx_datagram_count, 2, "datagrams out");
        expectSame(
          after.udp_rx_bytes - before.udp_rx_bytes,
          "M1_UDP_PING\n".length + 7,
          "bytes in",
        );
        expectSame(
          after.udp_tx_bytes - before.udp_tx_bytes,
          "M1_UDP_PONG\n".length + 7,
          "bytes out",
        );
      });
    },
  },
  {
    name: "active connections rise and fall, the high-water mark stays",
    run: async ({ server, workspace }) => {
      const { clock } = workspace.runtime;
      const before = await server.figures();
      const clients = await Promise.all(Array.from({ length: 10 }, () => server.connect()));
      await Promise.all(clients.map((client) => client.ask("M1_CONN_PING")));
      const during = await server.figures();
      expectSame(during.active_connections, 11, "active_connections with ten more and this one");
      expect(during.max_active_connections >= 11, "max_active_connections is below that");
      for (const name of ["tcp_accept_count", "accepted_connections"] as const) {
        expectSame(during[name] - before[name], 11, `rise of ${name}`);
      }
      for (const client of clients) client.close();
      await eventually(clock, { ms: figureMs, what: "active_connections down to 1" }, async () => {
        const figures = await server.figures();
        expect(figures.max_active_connections >= 11, "max_active_connections fell");
        return figures.active_connections === 1 ? true : undefined;
      });
    },
  },
  {
    name: "ticks, polls and uptime go on rising without any request",
    run: async ({ server, workspace }) => {
      const { clock } = workspace.runtime;
      const before = await server.figures();
      const what = "rise of timer_tick_count, io_poll_count and uptime_ms";
      await eventually(clock, { ms: figureMs, what }, async () => {
        const after = await server.figures();
        const risen = (["timer_tick_count", "io_poll_count", "uptime_ms"] as const)
          .every((name) => after[name] > before[name] + 1);
        return risen ? true : undefined;
      });
    },
  },
  {
    name: "transactions balance when nothing is in flight, and nothing is left in flight",
    run: async ({ server, workspace }) => {
      for (let round = 0; round < 5; round++) await server.ask(`M4_SAVE_STATE:${round}`);
      const what = "begin = commit + rollback, nothing in flight";
      await eventually(workspace.runtime.clock, { ms: figureMs, what }, async () => {
        const figures = await server.figures();
        const ended = figures.db_commit_count + figures.db_rollback_count;
        const balanced = figures.db_transaction_begin_count === ended &&
          figures.async_schedule_count === figures.async_complete_count &&
          figures.inflight_async_tasks === 0;
        return balanced ? true : undefined;
      });
      expect((await server.figures()).db_commit_count > 0, "db_commit_count is 0 after saves");
    },
  },
  {
    name: "states and routes that are kept are counted",
    run: async ({ server }) => {
      await server.ask("M4_DELETE_STATE");
      const before = await server.figures();
      await server.ask("M4_SAVE_STATE:kept");
      await server.ask("M4_ROUTE_THREAD:counted once");
      await server.ask("M4_ROUTE_THREAD:counted once");
      const after = await server.figures();
      for (const name of ["persisted_state_count", "thread_route_count"] as const) {
        expectSame(after[name] - before[name], 1, `rise of ${name}`);
      }
    },
  },
  {
    name: "no counter ever falls and no error was counted",
    run: async ({ server }) => {
      const before = await server.figures();
      await useEverything(server);
      const after = await server.figures();
      const fallen = risingFigures.filter((name) => after[name] < before[name]);
      expectSame(fallen.join(" "), "", "counters that fell");
      expectSame(after.error_count, 0, "error_count");
    },
  },
];

const countersOfCommands: readonly (readonly [command: string, counter: FigureName])[] = [
  ["M6_STABILITY", "stability_ping_count"],
  ["M5_FLOW_ROOM", "scenario_flow_count"],
  ["M4_SAVE_STATE:x", "save_state_count"],
  ["M4_LOAD_STATE", "load_state_count"],
  ["M4_ROUTE_THREAD:x", "route_lookup_count"],
  ["M3_LUA_HELLO", "lua_hello_count"],
  ["M3_LUA_HELLO_ASYNC", "lua_hello_count"],
  ["M3_LUA_HELLO_ASYNC", "ffi_async_call_count"],
  ["M3_LUA_HELLO_ASYNC", "ffi_callback_dispatch_count"],
  ["M3_HOT_RELOAD", "lua_hot_reload_count"],
  ["NOPE", "rejected_command_count"],
  ["M3_REGISTER_FUNC:", "rejected_command_count"],
  ["M3_REGISTER_FUNC:counted", "ffi_registered_function_count"],
];

const risingFigures = [
  "accepted_connections",
  "max_active_connections",
  "tcp_rx_bytes",
  "tcp_tx_bytes",
  "rejected_command_count",
  "lua_hello_count",
  "save_state_count",
  "load_state_count",
  "route_lookup_count",
  "codec_frame_parse_count",
  "codec_frame_build_count",
  "db_transaction_begin_count",
  "io_poll_count",
  "timer_tick_count",
  "async_schedule_count",
  "async_complete_count",
  "uptime_ms",
] as const;

async function useEverything(server: PrivateServer): Promise<void> {
  await server.tcp(async (client) => {
    for (const [command] of countersOfCommands) await client.ask(command);
  });
}

export const metricsGroup: CaseGroup = { topic: "metrics", server: {}, cases };
