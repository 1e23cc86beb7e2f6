/** Chat in a full lobby: what one message to everybody costs, and how late it comes. */
import { directoryWithAccounts, quantile, startGame } from "./game_accounts.ts";
import { type Figure, median, numberFlag, report } from "./measure.ts";
import { runLoad } from "./processes.ts";

const users = numberFlag("users", 200);
const perSecond = numberFlag("messages", 500);
const seconds = numberFlag("seconds", 8);
const rounds = numberFlag("rounds", 3);

interface Run {
  readonly sent: number;
  readonly delivered: number;
  readonly latencies: readonly number[];
  readonly cores: number;
}

const p50: number[] = [];
const p99: number[] = [];
const cores: number[] = [];
for (let round = 0; round < rounds; round++) {
  const directory = await directoryWithAccounts(users);
  const server = await startGame(directory);
  const { port, pid } = server;
  const run = await runLoad("game_chat.ts", { port, pid, users, perSecond, seconds }) as Run;
  cores.push(run.cores);
  if (run.delivered < run.sent * users) {
    throw new Error(`${run.sent * users - run.delivered} deliveries were lost`);
  }
  p50.push(quantile(run.latencies, 0.5));
  p99.push(quantile(run.latencies, 0.99));
  await server.stop();
  directory.remove();
}
const figures: Figure[] = [
  { name: "delivery, p50", value: median(p50), unit: "ms" },
  { name: "delivery, p99", value: median(p99), unit: "ms", goal: { max: 25 } },
  { name: "CPU of the server", value: median(cores), unit: "cores", goal: { max: 0.35 } },
];
report(`Lobby chat, ${users} players, ${perSecond} messages/s, ${rounds} × ${seconds} s`, figures);
