import assert from "node:assert/strict";
import { it } from "node:test";
import fc from "fast-check";
import { fakeRandom } from "../../fakes/random.ts";
import { bodyOf, type HistoryRun, historyStage } from "./history_stage.ts";

const runs = 40;
const steps = 120;
const clients = ["a", "b", "c"];
const maxPerClient = 12;
const segmentBytes = 1_024;
const long = { timeout: 300_000 };

type Event =
  | { readonly kind: "add"; readonly client: string; readonly id: string }
  | { readonly kind: "forget"; readonly client: string };

/** What is there after these events. */
function stateOf(events: readonly Event[]): Record<string, string[]> {
  const state = Object.fromEntries(clients.map((client): [string, string[]] => [client, []]));
  for (const event of events) {
    const list = state[event.client]!;
    if (event.kind === "forget") list.length = 0;
    else list.push(bodyOf(event.id));
    if (list.length > maxPerClient) list.shift();
  }
  return state;
}

async function found(run: HistoryRun): Promise<Record<string, string[]>> {
  const state: Record<string, string[]> = {};
  for (const client of clients) state[client] = await run.texts(client);
  return state;
}

/** Lives of a history with all kinds of ends. After each, what is there is what was there at some
 * moment since all was last safe. */
async function live(seed: number): Promise<void> {
  const random = fakeRandom(seed);
  const below = (n: number) => Math.floor(random.fraction() * n);
  const stage = historyStage();
  const limits = { segmentBytes, blockBytes: 512, cachedBytes: 1_024 + below(8_192) };
  const open = () => stage.open({ maxPerClient }, { limits });
  let run = await open();
  let events: Event[] = [];
  let safe = 0;
  for (let step = 0; step < steps; step++) {
    const choice = below(100);
    if (choice < 70) {
      for (let count = below(8); count >= 0; count--) {
        // One that is seldom heard holds up the files of the others.
        const client = below(30) === 0 ? "c" : clients[below(2)]!;
        const id = `${step}.${count}`;
        run.add(client, id);
        events.push({ kind: "add", client, id });
      }
    } else if (choice < 72) {
      const client = clients[below(clients.length)]!;
      run.history.forget(client);
      events.push({ kind: "forget", client });
    } else if (choice < 85) {
      await run.pass(below(1_500));
      run.history.tick();
    } else if (choice < 90) {
      const verbs = ["append", "open", "remove", "syncDirectory", "cut", "read"];
      stage.disk.tornShare = () => random.fraction();
      stage.disk.fails = ({ verb }) =>
        verbs.includes(verb) && random.fraction() < 0.3 ? "EIO" : undefined;
      await run.pass(below(3_000));
      stage.disk.fails = undefined;
    } else if (choice < 94) {
      await run.settle();
      safe = events.length;
      assert.deepEqual(await found(run), stateOf(events), "while it runs");
    } else {
      if (choice < 96) {
        await run.settle();
        await run.close();
        safe = events.length;
      } else if (choice < 98) stage.disk.kill();
      else stage.disk.losePower(() => random.fraction());
      run = await open();
      const state = await found(run);
      let through = events.length;
      const isThen = () =>
        JSON.stringify(stateOf(events.slice(0, through))) === JSON.stringify(state);
      while (through > safe && !isThen()) through--;
      assert.deepEqual(state, stateOf(events.slice(0, through)), `step ${step}`);
      events = events.slice(0, through);
      await run.settle();
      safe = events.length;
    }
  }
  await run.settle();
  assert.deepEqual(await found(run), stateOf(events));
  // Four to ten times as much was written. Files that are half dead may be there, and those that a
  // fault held up.
  const needed = maxPerClient * clients.length * 140;
  assert.ok(stage.disk.bytesKept < 3 * needed + 10 * segmentBytes, `${stage.disk.bytesKept} bytes`);
}

it(
  "MessageHistory after any life and end has what it had at one moment since all was safe",
  long,
  async () => {
    await fc.assert(fc.asyncProperty(fc.integer({ min: 0, max: 2 ** 31 - 1 }), live), {
      numRuns: runs,
    });
  },
);
