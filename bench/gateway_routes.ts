/**
 * What a lookup of a route costs with 10 and with 1,000,000 rules, and what the table takes: time of
 * the processor, so that others on the machine count less.
 */
import { RouteTable } from "../src/gateway/route_table.ts";
import { type Figure, median, numberFlag, report } from "./measure.ts";

const many = numberFlag("rules", 1_000_000);
const lookups = numberFlag("lookups", 300_000);
const rounds = numberFlag("rounds", 5);
const bytesPerMB = 1_048_576;

function rulesOf(count: number): { clientIdPrefix: string }[] {
  return Array.from({ length: count }, (_, index) => ({ clientIdPrefix: `client-${index}-` }));
}

function residentBytes(): number {
  (globalThis as { Bun?: { gc(isSynchronous: boolean): void } }).Bun?.gc(true);
  return process.memoryUsage.rss();
}

function busyMs(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1_000;
}

const figures: Figure[] = [];
for (const count of [10, many]) {
  const rules = rulesOf(count);
  // In an order that no cache can foresee.
  const ids = Array.from(
    { length: lookups },
    (_, index) => `client-${(index * 7_919 + 13) % count}-${index}`,
  );
  const before = residentBytes();
  const started = busyMs();
  const table = RouteTable.of(rules);
  const built = busyMs() - started;
  figures.push({ name: `${count} rules: built`, value: built, unit: "ms" });
  figures.push({
    name: `${count} rules: memory`,
    value: (residentBytes() - before) / bytesPerMB,
    unit: "MB",
  });
  const times = Array.from({ length: rounds }, () => {
    const begun = busyMs();
    for (const id of ids) {
      if (table.find(id) === undefined) throw new Error(`No rule for ${id}`);
    }
    return (busyMs() - begun) * 1_000 / lookups;
  });
  figures.push({ name: `${count} rules: a lookup`, value: median(times), unit: "µs" });
}
report("gateway_routes", figures);
