import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { MessageHistory } from "../../../src/gateway/history/message_history.ts";
import { fakeClock } from "../../fakes/clock.ts";
import { fakeLog } from "../../fakes/log.ts";
import { fakeDisk } from "../../fakes/log_files.ts";
import { fakeRandom } from "../../fakes/random.ts";
import { roomyHistory } from "./history_stage.ts";

interface Reads {
  readonly sizes: number[];
  underWay: number;
  mostUnderWay: number;
}

/** A history on disk alone: of each round a small message of `a`, then `between` bytes of others. */
async function writtenHistory(rounds: number, between: number) {
  const disk = fakeDisk();
  const clock = fakeClock();
  const reads: Reads = { sizes: [], underWay: 0, mostUnderWay: 0 };
  const files = disk.start();
  const openRead = async (path: string) => {
    const file = await files.openRead(path);
    return {
      async read(into: Uint8Array, at: number) {
        reads.sizes.push(into.length);
        reads.mostUnderWay = Math.max(reads.mostUnderWay, ++reads.underWay);
        await new Promise<void>((resolve) => setTimeout(resolve, 0));
        reads.underWay--;
        return await file.read(into, at);
      },
      close() {
        assert.equal(reads.underWay, 0, "closed while it was read");
        return file.close();
      },
    };
  };
  const open = () =>
    MessageHistory.open({
      config: roomyHistory,
      persistFile: "d/b.log",
      fsync: "never",
      maxMemoryMB: 256,
      files: { ...files, openRead },
      clock,
      random: fakeRandom(),
      logger: fakeLog().logger,
      limits: { segmentBytes: 1 << 24, blockBytes: 4_096 },
    });
  const first = await open();
  for (let round = 0; round < rounds; round++) {
    const add = (clientId: string, text: string) =>
      first.add({
        clientId,
        isUp: true,
        messageId: `${round}`,
        stampMs: clock.now(),
        stampNs: 2,
        text,
      });
    add("a", `"n":${round}`);
    if (between > 0) add("b", "x".repeat(between));
    await clock.advanceAsync(100);
  }
  await first.close();
  const history = await open();
  reads.sizes.length = 0;
  reads.mostUnderWay = 0;
  return { history, reads };
}

const all = { limit: 500, after: "", before: "" };
const texts = (rounds: number) => Array.from({ length: rounds }, (_, round) => `"n":${round}`);

describe("HistoryReader", () => {
  it("reads what is far apart in one file several at a time, but not all at once", async () => {
    const { history, reads } = await writtenHistory(60, 20_000);
    const found = await history.read("a", all);
    assert.deepEqual(found.map(({ text }) => text), texts(60));
    assert.equal(reads.sizes.length, 60);
    assert.equal(reads.mostUnderWay, 16);
    await history.close();
  });

  it("reads what is near each other in one go", async () => {
    const { history, reads } = await writtenHistory(60, 1_000);
    const found = await history.read("a", all);
    assert.deepEqual(found.map(({ text }) => text), texts(60));
    assert.equal(reads.sizes.length, 1);
    assert.ok(reads.sizes[0]! > 60_000, `${reads.sizes[0]} bytes`);
    await history.close();
  });
});
