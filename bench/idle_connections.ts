/** Memory of the server process for one idle TCP connection, against a bare listener. */
import { type Figure, median, numberFlag, report, residentBytes } from "./measure.ts";
import { holdLoad, type ServerProcess, startPeer, startServe } from "./processes.ts";

const connections = numberFlag("connections", 10_000);
const rounds = numberFlag("rounds", 2);

/** Code that runs for the first time takes memory that is no connection's. */
const warmUpConnections = 50;

/** Waits out the sniffing of silent peers, and collections of garbage. */
const settleMs = 3_000;

async function bytesPerConnection(server: ServerProcess): Promise<number> {
  const warmUp = await holdLoad("hold_connections.ts", {
    port: server.port,
    connections: warmUpConnections,
  });
  await warmUp.release();
  await Bun.sleep(settleMs);
  const before = residentBytes(server.pid);
  const load = await holdLoad("hold_connections.ts", { port: server.port, connections });
  await Bun.sleep(settleMs);
  const bytes = (residentBytes(server.pid) - before) / connections;
  await load.release();
  await server.stop();
  return bytes;
}

const ours: number[] = [];
const bare: number[] = [];
for (let round = 0; round < rounds; round++) {
  ours.push(await bytesPerConnection(await startServe(["--tcp-port-mode", "host"])));
  bare.push(await bytesPerConnection(await startPeer("bare_echo.ts")));
}
const figures: Figure[] = [
  { name: "freekill-gw", value: median(ours), unit: "bytes a connection", goal: { max: 2048 } },
  { name: "bare listener", value: median(bare), unit: "bytes a connection" },
];
report(`Idle connections, ${rounds} × ${connections}`, figures);
