/**
 * What a reload of many routing rules does to messages that go meanwhile: each rule leads to another
 * upstream after it, under an even load with clients of its own.
 */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { enter, leave, medianOf, refuseLosses, steady } from "./gateway_contest.ts";
import { startGateway, startUpstream } from "./gateway_processes.ts";
import { numberFlag, report } from "./measure.ts";

const clients = numberFlag("clients", 200);
const perSecond = numberFlag("rate", 2_000);
const seconds = numberFlag("seconds", 4);
const rounds = numberFlag("rounds", 3);
const rules = numberFlag("rules", 100_000);
/** Reloads in one round. */
const reloads = 3;

function rulesTo(upstream: string) {
  return [
    ...Array.from({ length: rules - 1 }, (_, number) => ({
      clientIdPrefix: `other-${number}-`,
      upstream,
    })),
    { clientIdPrefix: "", upstream },
  ];
}

const directory = mkdtempSync(join(tmpdir(), "freekill-gw-bench-"));
process.on("exit", () => rmSync(directory, { recursive: true, force: true }));
const other = await startUpstream({ answer: "echo" });
const urls: string[] = [other.url];
const one = await enter("reload", { clients, awaited: "echo" }, (url) => {
  urls.push(url);
  // These upstreams never acknowledge; said, for else a new link takes five seconds to find out, and
  // what it has of a client holds the client's next messages until then.
  const buffer = { upstreamAck: "none" };
  return startGateway({ routes: rulesTo(url), persistFile: "", directory, buffer });
});
const path = join(directory, "freekill-gw.json");
const text = await Bun.file(path).text();
const [away = "", home = ""] = urls;
const texts = [text.replaceAll(home, away), text];

const quiet = [];
const busy = [];
await steady(one, { perSecond, seconds: 1 });
for (let round = 0; round < rounds; round++) {
  quiet.push(await steady(one, { perSecond, seconds }));
  const run = steady(one, { perSecond, seconds });
  for (let reload = 0; reload < reloads; reload++) {
    await Bun.sleep(seconds * 1_000 / (reloads + 1));
    writeFileSync(path, texts[(round * reloads + reload) % 2] as string);
    process.kill(one.server.pid, "SIGHUP");
  }
  busy.push(await run);
}
await leave([one]);
await other.stop();
refuseLosses("without a reload", quiet);
refuseLosses("with reloads", busy);

report(`Reload of ${rules.toLocaleString("en-US")} rules, ${perSecond} messages a second`, [
  {
    name: "slowest round trip without",
    value: medianOf(quiet, (run) => run.echo.maxMs),
    unit: "ms",
  },
  {
    name: "slowest round trip with reloads",
    value: medianOf(busy, (run) => run.echo.maxMs),
    unit: "ms",
    goal: { max: 20 },
  },
  { name: "p99 without", value: medianOf(quiet, (run) => run.echo.p99Ms), unit: "ms" },
  { name: "p99 with reloads", value: medianOf(busy, (run) => run.echo.p99Ms), unit: "ms" },
  { name: "messages late at the load", value: medianOf(busy, (run) => run.late.maxMs), unit: "ms" },
]);
