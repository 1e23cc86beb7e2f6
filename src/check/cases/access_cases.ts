import type { AcceptanceCase, CaseGroup } from "../acceptance_case.ts";
import { expect, expectSame } from "../probe_failure.ts";
import type { TcpClient } from "../tcp_client.ts";
import { plainCommands } from "./command_cases.ts";

/** Not a secret: the token of a private server that lives for seconds. */
const token = "acceptance-token-0123456789";

/** Wrong tokens until the connection is closed (host protocol, "Who may send what"). */
const authFailuresMax = 5;

/** Every verb that needs control rights. */
const controlCommands = [
  "M3_REGISTER_FUNC:x",
  "M3_LUA_HELLO",
  "M3_LUA_HELLO_ASYNC",
  "M3_HOT_RELOAD",
  "M4_SAVE_STATE:x",
  "M4_LOAD_STATE",
  "M4_DELETE_STATE",
  "M4_DB_HEALTH",
  "M4_ROUTE_THREAD:x",
  "M5_FLOW_ROOM",
  "__METRICS__",
  "__STOP__",
];

const tokenCases: readonly AcceptanceCase[] = [
  {
    name: "with a control_token, loopback needs it for all but M1 and M6",
    run: async ({ server }) => {
      await server.tcp(async (client) => {
        for (const [command, reply] of plainCommands) {
          expectSame(await client.ask(command), reply, command);
        }
        for (const command of controlCommands) {
          expectSame(await client.ask(command), "ERR_FORBIDDEN", command);
        }
      });
      await server.udp(async (client) => {
        for (const [command, reply] of plainCommands) {
          expectSame(await client.ask(command), reply, `${command} by udp`);
        }
        for (const command of controlCommands) {
          expectSame(await client.ask(command), "ERR_FORBIDDEN", `${command} by udp`);
        }
      });
    },
  },
  {
    name: "AUTH with the right token opens its own connection only, refusals are counted",
    run: async ({ server }) => {
      await server.tcp(async (client) => {
        expectSame(await authenticate(client, token), "AUTH_OK", "the right token");
        const before = countRejected(await client.ask("__METRICS__"));
        expectSame(await client.ask("M4_SAVE_STATE:x"), "M4_SAVE_OK:x", "a save after it");
        expectSame(await server.ask("M4_LOAD_STATE"), "ERR_FORBIDDEN", "another connection");
        const after = countRejected(await client.ask("__METRICS__"));
        expectSame(after - before, 1, "rise of rejected_command_count");
      });
    },
  },
  {
    name: "AUTH with a wrong token is answered ERR_FORBIDDEN, five of them close the connection",
    run: async ({ server }) => {
      await server.tcp(async (client) => {
        const wrong = [`${token}x`, token.slice(1), "", token.toUpperCase(), "x".repeat(1_000)];
        expectSame(wrong.length, authFailuresMax, "tries of this case");
        for (const given of wrong) {
          expectSame(await authenticate(client, given), "ERR_FORBIDDEN", "a wrong token");
        }
        expectSame((await client.readToEnd()).length, 0, "bytes before the close");
      });
    },
  },
  {
    name: "the token is not in the log",
    run: async ({ server }) => {
      expect(!server.log.includes(token), "the log holds the control token");
    },
  },
];

const namesCases: readonly AcceptanceCase[] = [
  {
    name: "the registry takes 1,000 names and no more",
    run: async ({ server }) => {
      await server.tcp(async (client) => {
        let taken = 0;
        for (let index = 0; index < 1_010; index++) {
          const reply = await client.ask(`M3_REGISTER_FUNC:n${index}`);
          if (reply === `M3_REGISTER_OK:n${index}`) taken++;
          else expectSame(reply, `M3_REGISTER_FAIL:n${index}`, "reply when full");
        }
        // `runtime_hello`, there from the start, may count or not.
        expect(taken === 999 || taken === 1_000, `${taken} names were taken, allowed 1,000`);
        expectSame(await client.ask("M3_REGISTER_FUNC:n0"), "M3_REGISTER_FAIL:n0", "a taken one");
      });
    },
  },
];

function authenticate(client: TcpClient, given: string): Promise<string> {
  client.send(`AUTH:${given}\n`);
  return client.readLine("AUTH:…");
}

function countRejected(metricsLine: string): number {
  return Number(/"rejected_command_count":(\d+)/.exec(metricsLine)?.[1]);
}

export const accessGroups: readonly CaseGroup[] = [
  { topic: "control token", server: { settings: { control_token: token } }, cases: tokenCases },
  { topic: "registry limit", server: {}, cases: namesCases },
];
