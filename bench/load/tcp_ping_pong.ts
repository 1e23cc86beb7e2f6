/**
 * Load: `connections` that each send a line, wait for its reply and send the next, for `seconds`.
 * Prints `{messages, perSecond, p50Us, p99Us}`.
 */
import { loadOptions } from "./load_options.ts";

const { port, connections, seconds, line } = loadOptions<{
  port: number;
  connections: number;
  seconds: number;
  line: string;
}>();
const request = new TextEncoder().encode(`${line}\n`);
const newline = 10;
/** One in this many round trips is timed: timing each would cost more than sending it. */
const sampleEvery = 16;

let messages = 0;
let stopped = false;
const samples: number[] = [];

interface Client {
  sentAt: number;
}

const sockets = await Promise.all(
  Array.from({ length: connections }, () =>
    Bun.connect<Client>({
      hostname: "127.0.0.1",
      port,
      data: { sentAt: 0 },
      socket: {
        data(socket, bytes) {
          // Replies are one line each and are never split on loopback at this size.
          if (bytes[bytes.length - 1] !== newline) throw new Error("a reply came in parts");
          messages++;
          if (socket.data.sentAt > 0) samples.push(performance.now() - socket.data.sentAt);
          if (stopped) return;
          socket.data.sentAt = messages % sampleEvery === 0 ? performance.now() : 0;
          socket.write(request);
        },
        close() {
          if (!stopped) throw new Error("the server closed a connection under load");
        },
      },
    })),
);
const start = performance.now();
for (const socket of sockets) socket.write(request);
await Bun.sleep(seconds * 1000);
stopped = true;
const elapsed = (performance.now() - start) / 1000;
samples.sort((a, b) => a - b);
const quantile = (share: number) => (samples[Math.floor(samples.length * share)] ?? 0) * 1000;
console.log(JSON.stringify({
  messages,
  perSecond: messages / elapsed,
  p50Us: quantile(0.5),
  p99Us: quantile(0.99),
}));
process.exit(0);
