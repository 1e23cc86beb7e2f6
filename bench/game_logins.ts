/** Logins through the whole server: alone, 32 at a time, and a lobby that fills. */
import { directoryWithAccounts, quantile, startGame } from "./game_accounts.ts";
import { type Figure, median, numberFlag, report, untilQuiet } from "./measure.ts";
import { runLoad, type ServerProcess } from "./processes.ts";

const users = numberFlag("users", 1_000);
const atOnce = numberFlag("at-once", 32);
const rounds = numberFlag("rounds", 3);

/** scrypt takes some 30 ms of a core each. */
const dearUsers = 100;

interface Run {
  readonly seconds: number;
  readonly latencies: readonly number[];
}

async function logins(
  server: ServerProcess,
  load: { users: number; atOnce: number; stay: 0 | 1 },
): Promise<Run> {
  return await runLoad("game_logins.ts", { port: server.port, ...load }) as Run;
}

/** Each run has a fresh directory: a legacy password is upgraded at its login. */
async function freshRun(load: { users: number; atOnce: number; stay: 0 | 1 }): Promise<Run> {
  const directory = await directoryWithAccounts(load.users);
  const server = await startGame(directory);
  const run = await logins(server, load);
  await server.stop();
  directory.remove();
  return run;
}

async function dearRun(): Promise<Run> {
  const directory = await directoryWithAccounts(dearUsers);
  const server = await startGame(directory);
  await logins(server, { users: dearUsers, atOnce: 8, stay: 0 });
  // The passwords are upgraded then.
  await untilQuiet(server.pid);
  const run = await logins(server, { users: dearUsers, atOnce: 8, stay: 0 });
  await server.stop();
  directory.remove();
  return run;
}

const alone: number[] = [];
const many: Run[] = [];
const filling: Run[] = [];
for (let round = 0; round < rounds; round++) {
  alone.push(quantile((await freshRun({ users: 50, atOnce: 1, stay: 0 })).latencies, 0.5));
  many.push(await freshRun({ users, atOnce, stay: 0 }));
  filling.push(await freshRun({ users, atOnce, stay: 1 }));
}
const dear = await dearRun();
const perSecond = (run: Run) => run.latencies.length / run.seconds;
const figures: Figure[] = [
  { name: "one login alone, p50", value: median(alone), unit: "ms", goal: { max: 6 } },
  {
    name: `${atOnce} at a time`,
    value: median(many.map(perSecond)),
    unit: "logins/s",
    goal: { min: 500 },
  },
  {
    name: `${atOnce} at a time, p50`,
    value: median(many.map((run) => quantile(run.latencies, 0.5))),
    unit: "ms",
    goal: { max: 65 },
  },
  {
    name: `${users} who stay in the lobby`,
    value: median(filling.map(perSecond)),
    unit: "logins/s",
    goal: { min: 400 },
  },
  { name: "with memory-hard passwords, 8 at a time", value: perSecond(dear), unit: "logins/s" },
];
report(`Game logins, ${rounds} × ${users} accounts`, figures);
