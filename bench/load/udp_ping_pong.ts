/**
 * Load: keeps `inFlight` datagrams under way for `seconds`. Prints `{replies, perSecond, lost}`.
 */
import { loadOptions } from "./load_options.ts";

const { port, inFlight, seconds, line } = loadOptions<{
  port: number;
  inFlight: number;
  seconds: number;
  line: string;
}>();
const request = new TextEncoder().encode(`${line}\n`);

/** Datagrams for one system call. */
const batchSize = 16;
const batch: Uint8Array[] = Array.from({ length: batchSize }, () => request);

/** Silence after which all that is under way counts as lost and the window is filled again. */
const silenceMs = 20;

/** How long the last replies may take. */
const lastRepliesMs = 100;

let replies = 0;
let lost = 0;
let waiting = 0;
let free = 0;
let stopped = false;

const socket = await Bun.udpSocket({
  connect: { hostname: "127.0.0.1", port },
  socket: {
    data() {
      replies++;
      waiting--;
      if (++free >= batchSize && !stopped) sendBatches();
    },
    error(error) {
      throw new Error("the server's UDP port is closed", { cause: error });
    },
  },
});

function sendBatches(): void {
  while (free >= batchSize) {
    const sent = socket.sendMany(batch);
    free -= sent;
    waiting += sent;
    if (sent < batchSize) return;
  }
}

let before = -1;
const refill = setInterval(() => {
  if (replies === before) {
    lost += Math.max(waiting, 0);
    waiting = 0;
    free = inFlight;
    sendBatches();
  }
  before = replies;
}, silenceMs);
free = inFlight;
const start = performance.now();
sendBatches();
await Bun.sleep(seconds * 1000);
const elapsed = (performance.now() - start) / 1000;
stopped = true;
clearInterval(refill);
const perSecond = replies / elapsed;
await Bun.sleep(lastRepliesMs); // else the server is told that nobody listens any more
console.log(JSON.stringify({ replies, perSecond, lost }));
socket.close();
process.exit(0);
