import type { AcceptanceCase, CaseGroup } from "../acceptance_case.ts";
import { findFreePorts } from "../free_ports.ts";
import { expect, expectSame, show } from "../probe_failure.ts";
import { expectExit } from "../private_server.ts";
import { lastLine } from "../program.ts";

/** A program that refuses to start says so at once; this is for machines that are very busy. */
const refusalMs = 15_000;

const cases: readonly AcceptanceCase[] = [
  {
    name: "an acknowledged M4_SAVE_STATE survives kill -9",
    run: async (context) => {
      const server = await context.startServer();
      for (let round = 1; round <= 3; round++) {
        await server.tcp(async (client) => {
          // The last of many: the acknowledgement itself must be the proof, not the time after it.
          client.send(
            Array.from({ length: 50 }, (_, index) => `M4_SAVE_STATE:${round}.${index}\n`)
              .join(""),
          );
          const lines = await client.readLines(50);
          expectSame(lines.at(-1), `M4_SAVE_OK:${round}.49`, "last reply");
        });
        await server.kill();
        await server.startAgain();
        expectSame(await server.ask("M4_LOAD_STATE"), `M4_LOAD_OK:${round}.49`, "after kill -9");
      }
      await server.kill();
    },
  },
  {
    name: "a route stays after a restart with another thread_count",
    run: async (context) => {
      const server = await context.startServer({ settings: { thread_count: 5 } });
      // crc32("123456789") = 0xcbf43926 leaves 2 by a thread count of 5, and would leave 8 by 9.
      const before = await server.ask("M4_ROUTE_THREAD:123456789");
      expectExit(await server.stop(), 0, server.log);
      await server.configure({ thread_count: 9 });
      await server.startAgain();
      expectSame(await server.ask("M4_ROUTE_THREAD:123456789"), before, "the route after that");
      expectExit(await server.stop(), 0, server.log);
    },
  },
  {
    name: "__STOP__ is answered and ends serve with exit code 0, by TCP and by UDP",
    run: async (context) => {
      const server = await context.startServer();
      await server.tcp(async (client) => {
        expectSame(await client.ask("__STOP__"), "__STOP_OK__", "over tcp");
        await client.readToEnd("close after __STOP__");
      });
      expectExit(await server.waitForExit(), 0, server.log);
      await server.startAgain();
      const byUdp = await server.udp((client) => client.ask("__STOP__"));
      expectSame(byUdp, "__STOP_OK__", "over udp");
      expectExit(await server.waitForExit(), 0, server.log);
    },
  },
  {
    name: "SIGTERM ends serve with exit code 0 while connections are open",
    run: async (context) => {
      const server = await context.startServer();
      await server.tcp(async (client) => {
        await client.ask("M1_CONN_PING");
        expectExit(await server.stop(), 0, server.log);
      });
    },
  },
  {
    name: "a second instance in the same data directory exits 3 and says why",
    run: async (context) => {
      const server = await context.startServer();
      await server.ask("M4_SAVE_STATE:first instance");
      const { tcpPort, udpPort } = await findFreePorts(context.workspace.runtime, server.host);
      const second = await context.workspace.run(
        ["serve", "--tcp-port", String(tcpPort), "--udp-port", String(udpPort)],
        { cwd: server.directory, ms: refusalMs },
      );
      expectSame(second.code, 3, `exit code of the second; it said ${show(second.stderr)}`);
      expect(
        /instance|lock|in use|another/i.test(lastLine(second.stderr)),
        `the second instance does not say why: ${show(lastLine(second.stderr))}`,
      );
      const state = await server.ask("M4_LOAD_STATE");
      expectSame(state, "M4_LOAD_OK:first instance", "state of the first one");
    },
  },
  {
    name: "a port that is taken ends serve with exit code 3 and names the port",
    run: async (context) => {
      const server = await context.startServer();
      const cwd = await context.workspace.makeDirectory();
      const second = await context.workspace.run(
        ["serve", "--tcp-port", String(server.ports.tcpPort), "--http-port", "0"],
        { cwd, ms: refusalMs },
      );
      expectSame(second.code, 3, `exit code; it said ${show(lastLine(second.stderr))}`);
      expect(
        second.stderr.includes(String(server.ports.tcpPort)),
        `the port is not named: ${show(lastLine(second.stderr))}`,
      );
    },
  },
  {
    name: "a database that is none ends serve with exit code 3 and is kept as it was",
    run: async (context) => {
      const server = await context.startServer();
      await server.kill();
      const { files } = context.workspace.runtime;
      const path = `${server.directory}/data/runtime.sqlite`;
      for (const suffix of ["", "-wal", "-shm"]) await files.remove(path + suffix);
      const garbage = new TextEncoder().encode("This is no database. ".repeat(500));
      await files.replace(path, garbage);
      const run = await context.workspace.run(["serve"], { cwd: server.directory, ms: refusalMs });
      expectSame(run.code, 3, `exit code; it said ${show(lastLine(run.stderr))}`);
      expect(run.stderr.includes("runtime.sqlite"), `no file named: ${show(lastLine(run.stderr))}`);
      const kept = await files.read(path);
      expect(kept.toHex() === garbage.toHex(), "the file was changed");
    },
  },
];

const dualStackCases: readonly AcceptanceCase[] = [
  {
    name: "host :: answers IPv4 and IPv6, and both have loopback's rights",
    run: async (context) => {
      const { runtime } = context.workspace;
      const ipv6 = await runtime.udp.bind({
        host: "::1",
        port: 0,
        handlers: { message: () => {}, error: () => {} },
      }).catch(() => undefined);
      // A machine without IPv6 cannot break this promise.
      if (ipv6 === undefined) return;
      ipv6.close();
      const server = await context.startServer({ settings: { host: "::" } });
      for (const host of ["127.0.0.1", "::1"]) {
        const overTcp = await server.tcp((client) => client.ask("M4_DB_HEALTH"), host);
        expectSame(overTcp, "M4_DB_HEALTHY", `tcp by ${host}`);
        const overUdp = await server.udp((client) => client.ask("M4_DB_HEALTH"), { host });
        expectSame(overUdp, "M4_DB_HEALTHY", `udp by ${host}`);
      }
      await server.kill();
    },
  },
];

/** Starting, stopping and starting again. */
export const durabilityGroups: readonly CaseGroup[] = [
  { topic: "durability", cases: cases.slice(0, 3) },
  { topic: "start and stop", cases: [...cases.slice(3), ...dualStackCases] },
];
