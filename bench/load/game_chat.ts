/**
 * Load: `users` players in the lobby send `perSecond` chat messages together for `seconds`; each
 * reaches all of them. Prints `{sent, delivered, latencies, cores}`: a sample in ms, sorted, and what
 * the server (`pid`) used meanwhile.
 */
import { encodeCbor } from "../../src/wire/cbor_encode.ts";
import { encodeClientNotification } from "../../src/wire/packet.ts";
import { cpuSeconds, untilQuiet } from "../measure.ts";
import { LoadPlayer, sourceAddress } from "./game_player.ts";
import { loadOptions } from "./load_options.ts";

const { port, pid, users, perSecond, seconds } = loadOptions<{
  port: number;
  pid: number;
  users: number;
  perSecond: number;
  seconds: number;
}>();

/** Every so many-th delivery is timed: reading each message's time would be the load's own cost. */
const sampleEvery = 50;
/** The marker in front of the sending time in a message's text. */
const marker = new TextEncoder().encode("at=");

const players: LoadPlayer[] = [];
for (let n = 0; n < users; n++) {
  players.push(
    await LoadPlayer.join({
      port,
      localAddress: sourceAddress(n),
      name: `user${n}`,
      password: `password${n}`,
    }),
  );
}
let delivered = 0;
const latencies: number[] = [];
for (const player of players) {
  player.onPacket = ({ command, data }) => {
    if (command !== "Chat") return;
    delivered++;
    if (delivered % sampleEvery === 0) latencies.push(performance.now() - sentAt(data));
  };
}
// Passwords are upgraded first: that is the logins' cost.
await untilQuiet(pid);

let sent = 0;
const cpu = cpuSeconds(pid);
const begun = performance.now();
while (performance.now() - begun < seconds * 1000) {
  const due = Math.floor((performance.now() - begun) / 1000 * perSecond);
  for (; sent < due; sent++) {
    const msg = `at=${performance.now().toFixed(3)};`;
    const data = encodeCbor(new Map<string, string | number>([["type", 1], ["msg", msg]]));
    players[sent % users]?.send(encodeClientNotification("Chat", data));
  }
  await Bun.sleep(1);
}
const cores = (cpuSeconds(pid) - cpu) / seconds;
const giveUpAt = performance.now() + 5_000;
while (delivered < sent * users && performance.now() < giveUpAt) await Bun.sleep(10);
console.log(JSON.stringify({ sent, delivered, cores, latencies: latencies.sort((a, b) => a - b) }));
process.exit(0);

function sentAt(data: Uint8Array): number {
  let at = -1;
  for (let i = 0; i + 2 < data.length && at < 0; i++) {
    if (data[i] === marker[0] && data[i + 1] === marker[1] && data[i + 2] === marker[2]) at = i + 3;
  }
  const end = data.indexOf(0x3b, at);
  return Number(String.fromCharCode(...data.subarray(at, end)));
}
