import type { AcceptanceCase, CaseGroup } from "../acceptance_case.ts";
import { figureNames } from "../host_figures.ts";
import { expect, expectSame, show } from "../probe_failure.ts";

/** `M5_FLOW_ROOM`: apart, because a drift mode must be noticed by it. */
export const flowCases: readonly AcceptanceCase[] = [
  {
    name: "M5_FLOW_ROOM runs a whole room life and answers M5_FLOW_OK",
    run: async ({ server }) => {
      await server.tcp(async (client) => {
        for (let round = 1; round <= 3; round++) {
          expectSame(await client.ask("M5_FLOW_ROOM"), "M5_FLOW_OK", `round ${round}`);
        }
      });
      expectSame(await server.udp((client) => client.ask("M5_FLOW_ROOM")), "M5_FLOW_OK", "by udp");
    },
  },
];

/** `M4_ROUTE_THREAD`: apart, because a drift mode must be noticed by it. */
export const routeCases: readonly AcceptanceCase[] = [
  {
    name: "M4_ROUTE_THREAD answers crc32(key) mod thread_count + 1",
    run: async ({ server }) => {
      await server.tcp(async (client) => {
        for (const [key, crc] of crcOfKeys) {
          const wanted = `M4_ROUTE_OK:thread-${crc % routeThreads + 1}`;
          expectSame(await client.ask(`M4_ROUTE_THREAD:${key}`), wanted, `route of ${show(key)}`);
          expectSame(await client.ask(`M4_ROUTE_THREAD:${key}`), wanted, `${show(key)} again`);
        }
      });
      expectSame(
        await server.udp((client) => client.ask("M4_ROUTE_THREAD:123456789")),
        `M4_ROUTE_OK:thread-${0xcbf43926 % routeThreads + 1}`,
        "by udp",
      );
    },
  },
];

const otherCommandCases: readonly AcceptanceCase[] = [
  {
    name: "the ready line names host, ports and runtime",
    run: async ({ server }) => {
      expectSame(server.ready.host, server.host, "host");
      expectSame(server.ready.tcpPort, server.ports.tcpPort, "tcp_port");
      expectSame(server.ready.udpPort, server.ports.udpPort, "udp_port");
      expectSame(server.ready.runtimeName, "acceptance", "runtime");
    },
  },
  {
    name: "M1_CONN_PING and M1_UDP_PING are answered over TCP and UDP",
    run: async ({ server }) => {
      for (const [command, reply] of plainCommands) {
        expectSame(await server.ask(command), reply, `${command} over tcp`);
        expectSame(await server.udp((client) => client.ask(command)), reply, `${command} over udp`);
      }
    },
  },
  {
    name: "M3_REGISTER_FUNC takes a name once, refuses an empty or taken one",
    run: async ({ server }) => {
      await server.tcp(async (client) => {
        const before = (await server.figures()).ffi_registered_function_count;
        for (
          const [command, reply] of [
            ["M3_REGISTER_FUNC:alpha", "M3_REGISTER_OK:alpha"],
            ["M3_REGISTER_FUNC:alpha", "M3_REGISTER_FAIL:alpha"],
            ["M3_REGISTER_FUNC:", "M3_REGISTER_FAIL:"],
            ["M3_REGISTER_FUNC:runtime_hello", "M3_REGISTER_FAIL:runtime_hello"],
            ["M3_REGISTER_FUNC:名字:with colon", "M3_REGISTER_OK:名字:with colon"],
          ] as const
        ) {
          expectSame(await client.ask(command), reply, command);
        }
        const byUdp = await server.udp((udp) => udp.ask("M3_REGISTER_FUNC:alpha"));
        expectSame(byUdp, "M3_REGISTER_FAIL:alpha", "the same name by udp");
        const after = (await server.figures()).ffi_registered_function_count;
        expectSame(after - before, 2, "rise of ffi_registered_function_count");
      });
    },
  },
  {
    name: "M4 state is unset, saved, loaded, replaced and deleted, byte for byte",
    run: async ({ server }) => {
      await server.tcp(async (client) => {
        expectSame(await client.ask("M4_DELETE_STATE"), "M4_DELETE_OK", "delete");
        expectSame(await client.ask("M4_LOAD_STATE"), "M4_LOAD_OK:unset", "load of nothing");
        for (const value of stateValues) {
          expectSame(await client.ask(`M4_SAVE_STATE:${value}`), `M4_SAVE_OK:${value}`, "save");
          expectSame(await client.ask("M4_LOAD_STATE"), `M4_LOAD_OK:${value}`, "load");
        }
      });
      await server.udp(async (client) => {
        expectSame(await client.ask("M4_SAVE_STATE:by udp"), "M4_SAVE_OK:by udp", "udp save");
        expectSame(await server.ask("M4_LOAD_STATE"), "M4_LOAD_OK:by udp", "load over tcp");
        expectSame(await client.ask("M4_DELETE_STATE"), "M4_DELETE_OK", "udp delete");
        expectSame(await client.ask("M4_LOAD_STATE"), "M4_LOAD_OK:unset", "udp load");
      });
    },
  },
  {
    name: "M4_DB_HEALTH answers M4_DB_HEALTHY while nothing was rolled back",
    run: async ({ server }) => {
      expectSame(await server.ask("M4_DB_HEALTH"), "M4_DB_HEALTHY", "over tcp");
      const byUdp = await server.udp((client) => client.ask("M4_DB_HEALTH"));
      expectSame(byUdp, "M4_DB_HEALTHY", "over udp");
      expectSame((await server.figures()).db_alert_active, 0, "db_alert_active");
    },
  },
  {
    name: "M4_ROUTE_THREAD takes keys of 256 bytes and refuses longer ones",
    run: async ({ server }) => {
      const longest = await server.ask(`M4_ROUTE_THREAD:${"é".repeat(128)}`);
      expect(longest.startsWith("M4_ROUTE_OK:thread-"), `256 bytes: got ${show(longest)}`);
      const longer = await server.ask(`M4_ROUTE_THREAD:${"é".repeat(128)}x`);
      expectSame(longer, "ERR_ROUTE_LIMIT", "257 bytes");
    },
  },
  {
    name: "/metrics and /health are answered over HTTP",
    run: async ({ server }) => {
      const text = await server.httpGet("/metrics", "Accept: text/plain\r\n");
      expect(isOk(text), `/metrics as text answered ${show(text)}`);
      const counter = /^freekill_gw_host_tcp_accept_\w+(\{[^}]*\})? \d+/m;
      expect(counter.test(text), `/metrics as text has no freekill_gw_host_tcp_accept_…`);
      const json = await server.httpGet("/metrics", "Accept: application/json\r\n");
      expect(isOk(json), `/metrics as JSON answered ${show(json)}`);
      const missing = figureNames.filter((name) => !json.includes(`"${name}":`));
      expectSame(missing.join(" "), "", "figures that /metrics as JSON lacks");
      const health = await server.httpGet("/health");
      expect(isOk(health), `/health answered ${show(health)}`);
    },
  },
];

/** `thread_count` of the group's server; 5 so that no bit trick can stand in for the modulus. */
export const routeThreads = 5;

/** The plain commands: every row of the table that always answers the same. */
export const plainCommands = [
  ["M1_CONN_PING", "M1_CONN_PONG"],
  ["M1_UDP_PING", "M1_UDP_PONG"],
  ["M6_STABILITY", "M6_OK"],
] as const;

/** CRC-32 (ISO 3309) worked out by zlib, so that the check does not lean on the server's own code. */
export const crcOfKeys = [
  ["room-1", 3_203_663_878],
  ["a", 3_904_355_907],
  ["alpha", 3_504_355_690],
  ["lobby:1", 1_968_362_073],
  ["房间", 3_781_655_748],
  ["table 7", 3_083_080_521],
  ["123456789", 0xcbf43926],
] as const;

const stateValues = [
  "first",
  "second",
  "",
  "  spaces around  ",
  "M4_SAVE_STATE:x:y",
  "'; DROP TABLE state; --",
  "三国杀 \u{1f600} \t \\n %s",
  "x".repeat(2_033),
];

function isOk(answer: string): boolean {
  return /^HTTP\/1\.[01] 200 /.test(answer);
}

/** All rows of the command table but the Lua ones. */
export const commandGroup: CaseGroup = {
  topic: "commands",
  server: { http: true, settings: { thread_count: routeThreads } },
  cases: [...otherCommandCases, ...routeCases, ...flowCases],
};
