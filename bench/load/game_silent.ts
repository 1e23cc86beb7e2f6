/** Load: opens `connections` that read the greeting and say nothing; prints `ready` and holds them. */
import { LoadPlayer, sourceAddress } from "./game_player.ts";
import { loadOptions } from "./load_options.ts";

const { port, connections } = loadOptions<{ port: number; connections: number }>();

/** At the same time under way; a listener's backlog is 512 in Bun. */
const atOnce = 100;
/** Nothing may hold on for ever when the benchmark itself dies. */
const lifeMs = 120_000;

const players: LoadPlayer[] = [];
for (let opened = 0; opened < connections; opened += atOnce) {
  const count = Math.min(atOnce, connections - opened);
  const more = Array.from(
    { length: count },
    (_, i) => LoadPlayer.connect(port, sourceAddress(opened + i)),
  );
  players.push(...await Promise.all(more));
}
await Bun.sleep(500);
const lost = players.filter(({ isClosed }) => isClosed).length;
if (lost > 0) throw new Error(`the server closed ${lost} of ${connections} silent connections`);
console.log("ready");
setTimeout(() => process.exit(0), lifeMs);
