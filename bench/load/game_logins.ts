/**
 * Load: `users` existing accounts log in, `atOnce` at a time, each on a connection of its own from
 * the connect to `EnterLobby`. They leave at once, or with `stay` when all are in. Prints
 * `{seconds, latencies}` (ms, sorted).
 */
import { LoadPlayer, sourceAddress } from "./game_player.ts";
import { loadOptions } from "./load_options.ts";

const { port, users, atOnce, stay } = loadOptions<{
  port: number;
  users: number;
  atOnce: number;
  stay: number;
}>();

const latencies: number[] = [];
const players: LoadPlayer[] = [];
let next = 0;

async function logInOneAfterTheOther(): Promise<void> {
  while (next < users) {
    const n = next++;
    const begun = performance.now();
    const player = await LoadPlayer.join({
      port,
      localAddress: sourceAddress(n),
      name: `user${n}`,
      password: `password${n}`,
    });
    latencies.push(performance.now() - begun);
    if (stay === 1) players.push(player);
    else player.close();
  }
}

const begun = performance.now();
await Promise.all(Array.from({ length: atOnce }, logInOneAfterTheOther));
const seconds = (performance.now() - begun) / 1000;
for (const player of players) {
  if (player.isClosed) throw new Error("the server closed a player who stays in the lobby");
  player.close();
}
console.log(JSON.stringify({ seconds, latencies: latencies.sort((a, b) => a - b) }));
process.exit(0);
