/** Load: opens `connections` that send nothing, prints `ready`, and holds them until it is killed. */
import { loadOptions } from "./load_options.ts";

const { port, connections } = loadOptions<{
  port: number;
  connections: number;
}>();

/** At the same time under way; a listener's backlog is 512 in Bun. */
const atOnce = 200;

/** Nothing may hold on for ever when the benchmark itself dies. */
const lifeMs = 120_000;

let opened = 0;
let closed = 0;
while (opened < connections) {
  const count = Math.min(atOnce, connections - opened);
  await Promise.all(
    Array.from({ length: count }, () =>
      Bun.connect({
        hostname: "127.0.0.1",
        port,
        socket: {
          data() {},
          close() {
            closed++;
          },
        },
      })),
  );
  opened += count;
}
if (closed > 0) throw new Error(`the server closed ${closed} of ${connections} idle connections`);
console.log("ready");
setTimeout(() => process.exit(0), lifeMs);
