import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { describe, it } from "node:test";
import { ClientLedger } from "../../src/gateway/client_ledger.ts";
import {
  type ClientRecord,
  clientRecordsHead,
  ClientRecordWriter,
  readClientRecords,
} from "../../src/gateway/client_records.ts";
import { fakeClock } from "../fakes/clock.ts";
import { fakeFiles } from "../fakes/files.ts";
import { fakeLog } from "../fakes/log.ts";
import { fakeRandom } from "../fakes/random.ts";

const path = "data/buffer.log.clients";
const day = 86_400_000;

/** A world with one disk, in which ledgers come and go. */
function world() {
  const clock = fakeClock();
  const files = fakeFiles();
  const log = fakeLog();
  const random = fakeRandom();
  const open = async (options: { path?: string; clientsMax?: number } = {}) => {
    const ledger = new ClientLedger({
      path,
      ttlSeconds: 3_600,
      files,
      clock,
      random,
      logger: log.logger,
      sha256: (bytes) => createHash("sha256").update(bytes).digest(),
      ...options,
    });
    await ledger.open();
    return ledger;
  };
  const lines = () => log.lines.map(({ message }) => message);
  return { clock, files, open, lines };
}

const given = (token: string | undefined): string => {
  assert.ok(token !== undefined);
  return token;
};

describe("ClientLedger", () => {
  it("knows who was seen within the TTL, and who holds the token of an id", async () => {
    const { open, clock } = world();
    const ledger = await open({ path: "" });
    ledger.arrived("a");
    ledger.departed("a");
    const token = given(ledger.newToken("b"));
    assert.match(token, /^[A-Za-z0-9_-]{43}$/);
    clock.advance(1_000_000);
    assert.deepEqual([ledger.lastSeen("a"), ledger.lastSeen("b"), ledger.lastSeen("c")], [
      1_000,
      1_000,
      undefined,
    ]);
    assert.equal(ledger.check("a", ""), "free");
    assert.deepEqual(["", "x", `${token}x`].map((t) => ledger.check("b", t)), [
      "stranger",
      "stranger",
      "stranger",
    ]);
    assert.equal(ledger.check("b", token), "owner");
    clock.jumpWallClock(-day);
    clock.advance(2_601_000);
    assert.deepEqual([ledger.lastSeen("a"), ledger.lastSeen("b")], [undefined, undefined]);
    assert.equal(ledger.check("b", "x"), "stranger");
    clock.advance(31 * day - 2_147_483_647 + 2_147_483_647);
    assert.equal(ledger.check("b", "x"), "free");
  });

  it("keeps both over a restart, with the hash of the token alone", async () => {
    const { open, clock, files } = world();
    const before = await open();
    const token = given(before.newToken("a"));
    before.departed("a");
    before.arrived("b");
    before.departed("b");
    await before.close();
    clock.advance(600_000);
    assert.ok(!files.text(path)?.includes(token));
    const after = await open();
    assert.deepEqual([after.lastSeen("a"), after.lastSeen("b"), after.size], [600, 600, 2]);
    assert.deepEqual([after.check("a", token), after.check("a", "x")], ["owner", "stranger"]);
    await after.close();
  });

  it("has what it took in on disk about a second later", async () => {
    const { open, clock, files } = world();
    const ledger = await open();
    const token = given(ledger.newToken("a"));
    await clock.advanceAsync(1_000);
    const later = given(ledger.newToken("b"));
    await clock.advanceAsync(1_000);
    files.crash();
    const after = await open();
    assert.deepEqual([after.check("a", token), after.check("b", later)], ["owner", "owner"]);
  });

  it("notes an id that comes and stays once a minute at most", async () => {
    const { open, clock, files } = world();
    const ledger = await open();
    ledger.departed("a");
    await clock.advanceAsync(1_000);
    const size = files.text(path)?.length;
    ledger.arrived("a");
    await clock.advanceAsync(2_000);
    assert.equal(files.text(path)?.length, size);
    ledger.arrived("a", { again: true });
    await clock.advanceAsync(2_000);
    assert.notEqual(files.text(path)?.length, size);
  });

  it("writes the file anew when most of it is outdated, with those who are connected", async () => {
    const { open, clock, files } = world();
    const ledger = await open();
    ledger.connected = () => ["here"];
    const token = given(ledger.newToken("a"));
    for (let i = 0; i < 3_000; i++) {
      ledger.departed("b");
      await clock.advanceAsync(1_000);
    }
    assert.ok((files.text(path)?.length ?? 0) < 1_100 * 20);
    await ledger.close();
    const after = await open();
    assert.deepEqual([after.check("a", token), after.lastSeen("b")], ["owner", 1]);
    assert.ok(after.lastSeen("here") !== undefined);
  });

  it("reports a disk that fails once, tries again, and loses nothing", async () => {
    for (const failures of [1, 2, 5]) {
      const { open, clock, files, lines } = world();
      const ledger = await open();
      ledger.departed("first");
      await clock.advanceAsync(1_000);
      const token = given(ledger.newToken("a"));
      for (let i = 0; i < failures; i++) {
        files.failNext("ENOSPC");
        // A new token is written at once.
        await clock.advanceAsync(i === 0 ? 1 : 1_000 * 2 ** (i - 1));
        assert.match(ledger.trouble ?? "", /ENOSPC/);
      }
      await clock.advanceAsync(60_000);
      assert.equal(ledger.trouble, undefined);
      assert.deepEqual(lines(), [
        "cannot write down which clients were here",
        "clients are written down again",
      ]);
      files.crash();
      const after = await open();
      assert.equal(after.check("a", token), "owner");
      assert.ok(after.lastSeen("first") !== undefined);
    }
  });

  it("cuts a torn tail at any byte: what is whole is kept", async () => {
    const { open, files } = world();
    const ledger = await open();
    const token = given(ledger.newToken("a"));
    await ledger.flush();
    ledger.departed("bü");
    await ledger.close();
    const whole = await files.read(path);
    for (let length = 0; length <= whole.length; length++) {
      await files.replace(path, whole.slice(0, length));
      const after = await open();
      const hasToken = after.check("a", "x") === "stranger";
      assert.equal(after.lastSeen("bü") !== undefined, length === whole.length);
      if (hasToken) assert.equal(after.check("a", token), "owner");
      else assert.ok(length < whole.length - 10);
      after.departed("c");
      await after.close();
      const again = await open();
      assert.ok(again.lastSeen("c") !== undefined);
      assert.equal(again.check("a", token), hasToken ? "owner" : "free");
    }
  });

  it("stands a flipped bit anywhere: other records are kept", async () => {
    const { open, files } = world();
    const ledger = await open();
    for (const id of ["a", "b", "c"]) ledger.departed(id);
    await ledger.close();
    const whole = await files.read(path);
    for (let at = clientRecordsHead.length; at < whole.length; at++) {
      const damaged = whole.slice();
      damaged[at]! ^= 1 << (at % 8);
      await files.replace(path, damaged);
      const after = await open();
      const kept = ["a", "b", "c"].filter((id) => after.lastSeen(id) !== undefined);
      assert.equal(kept.length, 2, `byte ${at}`);
    }
  });

  it("puts a file of another format aside", async () => {
    const { open, files, lines } = world();
    await files.makeDirectory("data");
    await files.replace(path, new TextEncoder().encode(`{"something":"else, and long enough"}`));
    const ledger = await open();
    ledger.departed("a");
    await ledger.close();
    assert.match(files.text(`${path}.old`) ?? "", /something/);
    assert.deepEqual(lines(), ["this is no file of clients: it was put aside"]);
  });

  it("does not start over a file that cannot be read", async () => {
    const { open, files } = world();
    await (await open()).close();
    await files.makeDirectory(path);
    await assert.rejects(open(), { name: "FileError", code: "EISDIR" });
  });

  it("is bounded: forgets who was seen first, but takes no token from who has one", async () => {
    const { open, clock } = world();
    const ledger = await open({ path: "", clientsMax: 100 });
    const token = given(ledger.newToken("owner"));
    for (let i = 0; i < 1_000; i++) ledger.departed(`id ${i}`);
    assert.deepEqual([ledger.size, ledger.lastSeen("id 899"), ledger.lastSeen("id 900")], [
      101,
      undefined,
      0,
    ]);
    for (let i = 0; i < 1_000; i++) {
      assert.equal(ledger.newToken(`taker ${i}`) !== undefined, i < 99);
    }
    assert.equal(ledger.check("owner", token), "owner");
    clock.advance(3_601_000);
    assert.ok(ledger.newToken("late") !== undefined);
  });

  it("takes times from the future for now", async () => {
    const { open, clock } = world();
    const before = await open();
    before.departed("a");
    await before.close();
    clock.jumpWallClock(-day);
    const after = await open();
    assert.equal(after.lastSeen("a"), 0);
  });
});

describe("readClientRecords()", () => {
  it("gives back what was written", () => {
    const records: ClientRecord[] = [
      { id: "a", seenSeconds: 0, tokenHash: undefined },
      { id: "é".repeat(128), seenSeconds: 2 ** 33 + 5, tokenHash: new Uint8Array(32).fill(7) },
    ];
    const writer = new ClientRecordWriter();
    writer.head();
    for (const record of records) writer.add(record);
    const read: ClientRecord[] = [];
    const found = readClientRecords(writer.take(), (record) => read.push(record));
    assert.deepEqual([read, found], [records, { records: 2, badBytes: 0 }]);
    assert.equal(writer.length, 0);
  });
});
