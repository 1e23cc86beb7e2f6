import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { readFile, writeFile } from "node:fs/promises";
import { describe, it } from "node:test";
import { PackagesClient } from "../../../src/game/packages/packages_client.ts";
import type { PackagesReply, PackagesRequest } from "../../../src/game/packages/packages_work.ts";
import type { WorkersPort } from "../../../src/ports/workers.ts";
import { encodeServerPacket } from "../../../src/wire/encode_server_message.ts";
import { fakeClock } from "../../fakes/clock.ts";
import { fakeLog } from "../../fakes/log.ts";
import { runtimeUnderTest } from "../../tested_runtime.ts";
import { fromHex } from "../../wire/hex.ts";
import { inDirectory } from "../accounts/temporary_directory.ts";
import { type TreeEntry, writePackagesDb, writeTree } from "./package_tree.ts";

const runtime = await runtimeUnderTest();
/** By which what a test has just written was written long ago. */
const laterClock = { ...runtime.clock, now: () => runtime.clock.now() + 3_600_000 };

const hash = "88a912f1e96faccae9ae65e58258273192da0587";
const url = "https://gitee.com/Qsgs-Fans/freekill-core";

/** A data directory and a client whose worker is a real thread. */
function withWorker(
  tree: Record<string, TreeEntry>,
  test: (
    parts: {
      client: PackagesClient;
      directory: string;
      log: ReturnType<typeof fakeLog>;
      workers: ReturnType<typeof watchedWorkers>;
    },
  ) => Promise<void>,
): Promise<void> {
  return inDirectory(async (directory) => {
    await writeTree(directory, tree);
    const log = fakeLog();
    const { logger } = log;
    const workers = watchedWorkers();
    const client = new PackagesClient({ workers, clock: laterClock, logger });
    try {
      await test({ client, directory, log, workers });
    } finally {
      client.close();
    }
  });
}

/** The real ones; `ended` resolves when the first was told to end. */
function watchedWorkers(): WorkersPort & { started: number; readonly ended: Promise<void> } {
  const { promise: ended, resolve } = Promise.withResolvers<void>();
  return {
    started: 0,
    ended,
    start(options) {
      this.started++;
      const worker = runtime.workers.start<never, never>(options as never);
      return {
        post: (message, transfer) => worker.post(message as never, transfer),
        terminate() {
          worker.terminate();
          resolve();
        },
      };
    },
  };
}

async function factsOf(client: PackagesClient, directory: string) {
  const scan = await client.scan({ directory });
  assert.ok(scan.ok, scan.ok ? "" : scan.reason);
  return scan.facts;
}

describe("PackagesClient with the real worker", () => {
  const tree = {
    "packages/freekill-core/a.lua": "1",
    "packages/mine/b.lua": "2",
    "packages/old.disabled/c.lua": "3",
  };
  // Put together by hand and with Python's hashlib.
  const both = "packages/freekill-core/a.lua=c4ca4238a0b923820dcc509a6f75849b;" +
    "packages/mine/b.lua=c81e728d9d4c2f636f067f89cc14862c;";
  const bothMd5 = "02b77060ebb09215467598148083d471";
  const coreMd5 = "4334767fc84f691932daf9825fcf6bb4";

  it("PackagesClient.scan() tells what clients must have, and writes flist.txt", () =>
    withWorker(tree, async ({ client, directory, log }) => {
      writePackagesDb(runtime.sqlite, directory, [
        ["freekill-core", url, hash, 1],
        ["off", "https://example.org/off", hash, 0],
      ]);
      assert.deepEqual(await factsOf(client, directory), {
        md5: bothMd5,
        updateList: [{ hash, name: "freekill-core", url }],
        disabled: ["off"],
        hasCore: true,
        listBytes: both.length,
        files: { lua: 2, qml: 0, js: 0 },
        filesRead: 2,
        troubles: [],
        troubleCount: 0,
      });
      assert.equal(await readFile(`${directory}/flist.txt`, "utf8"), both);
      assert.deepEqual(log.lines, []);
    }));

  it("PackagesClient.scan() gives what UpdatePackage is in the recording wrong_md5", () =>
    withWorker(tree, async ({ client, directory }) => {
      writePackagesDb(runtime.sqlite, directory, [["freekill-core", url, hash, 1]]);
      const { updateList: packages } = await factsOf(client, directory);
      const recorded =
        "84211904214d5570646174655061636b616765587381a36468617368782838386139313266316539366661636361653961653635653538323538323733313932646130353837646e616d656d667265656b696c6c2d636f72656375726c782968747470733a2f2f67697465652e636f6d2f517367732d46616e732f667265656b696c6c2d636f7265";
      const packet = encodeServerPacket({ command: "UpdatePackage", packages });
      assert.deepEqual(packet, fromHex(recorded));
    }));

  it("PackagesClient.scan() again reads what changed alone, also in a further worker", () =>
    withWorker(tree, async ({ client, directory, workers }) => {
      assert.equal((await factsOf(client, directory)).filesRead, 2);
      assert.equal((await factsOf(client, directory)).filesRead, 0);
      assert.equal(workers.started, 1);
      await workers.ended;
      assert.equal((await factsOf(client, directory)).filesRead, 0);
      assert.equal(workers.started, 2);
      await writeFile(`${directory}/packages/mine/b.lua`, "2, longer");
      const changed = await factsOf(client, directory);
      assert.equal(changed.filesRead, 1);
      assert.notEqual(changed.md5, bothMd5);
      const list = await readFile(`${directory}/flist.txt`, "utf8");
      assert.ok(list.startsWith(both.slice(0, 62)) && list !== both);
    }));

  it("PackagesClient.scan() of another directory uses nothing of the first", () =>
    withWorker(tree, async ({ client, directory }) => {
      await factsOf(client, directory);
      assert.equal((await factsOf(client, `${directory}/.`)).filesRead, 2);
    }));

  it("PackagesClient.setEnabled() leaves a package out of the md5 and takes it in again", () =>
    withWorker(tree, async ({ client, directory }) => {
      const off = await client.setEnabled({ name: "mine", enabled: false, directory });
      assert.deepEqual(off, { ok: true, changed: true });
      const without = await factsOf(client, directory);
      assert.deepEqual([without.md5, without.disabled], [coreMd5, ["mine"]]);
      assert.equal(await readFile(`${directory}/flist.txt`, "utf8"), both.slice(0, 62));
      const on = await client.setEnabled({ name: "mine", enabled: true, directory });
      assert.deepEqual(on, { ok: true, changed: true });
      const facts = await factsOf(client, directory);
      assert.deepEqual([facts.md5, facts.disabled], [bothMd5, []]);
      assert.deepEqual(facts.updateList, [], "nobody can install what has no address");
    }));

  it("PackagesClient.setEnabled() refuses the core and what is nowhere", () =>
    withWorker(tree, async ({ client, directory }) => {
      for (const name of ["freekill-core", "nowhere", "../packages", ""]) {
        const { ok } = await client.setEnabled({ name, enabled: false, directory });
        assert.equal(ok, false, name);
      }
      assert.equal(existsSync(`${directory}/packages/packages.db`), false);
    }));

  it("PackagesClient.list() gives those of the table, then those of packages/ alone", () =>
    withWorker({ ...tree, "packages/loose.lua": "" }, async ({ client, directory }) => {
      writePackagesDb(runtime.sqlite, directory, [
        ["gone", url, hash, 1],
        ["mine", "", "", 0],
      ]);
      const core = { name: "freekill-core", url: "", hash: "", enabled: true, isThere: true };
      assert.deepEqual(await client.list({ directory }), {
        ok: true,
        packages: [
          { name: "gone", url, hash, enabled: true, isThere: false },
          { name: "mine", url: "", hash: "", enabled: false, isThere: true },
          core,
        ],
      });
    }));

  it("PackagesClient.scan() puts nothing into a directory without packages", () =>
    withWorker({}, async ({ client, directory }) => {
      const { md5, hasCore, troubles } = await factsOf(client, directory);
      assert.equal(md5, "d41d8cd98f00b204e9800998ecf8427e");
      assert.deepEqual([hasCore, troubles], [false, []]);
      assert.deepEqual(await runtime.files.list(directory), []);
      assert.deepEqual(await client.list({ directory }), { ok: true, packages: [] });
    }));

  it("PackagesClient.scan() warns of a package that is enabled and missing, and of its list", () =>
    withWorker({ ...tree, "flist.txt/in_the_way": "" }, async ({ client, directory, log }) => {
      writePackagesDb(runtime.sqlite, directory, [["gone", url, hash, 1]]);
      const { md5, troubles } = await factsOf(client, directory);
      assert.equal(md5, bothMd5);
      assert.equal(troubles[0], 'packages.db has "gone" enabled, but packages/ lacks it');
      assert.match(troubles[1] ?? "", /^Cannot replace ".*flist\.txt": it is a directory/);
      assert.deepEqual(log.lines.map(({ level, fields }) => [level, fields]), [
        ["warn", { count: 2, troubles }],
      ]);
    }));

  it("PackagesClient answers a damaged packages.db with a reason, and goes on", () =>
    withWorker(tree, async ({ client, directory }) => {
      const path = `${directory}/packages/packages.db`;
      await writeFile(path, "no database ".repeat(100));
      const reason = `Cannot use database "${path}": ` +
        "it is damaged or not an SQLite database; it was left as it is";
      assert.deepEqual(await client.scan({ directory }), { ok: false, reason });
      assert.deepEqual(await client.list({ directory }), { ok: false, reason });
      const off = { name: "mine", enabled: false, directory };
      assert.deepEqual(await client.setEnabled(off), { ok: false, reason });
      await writeFile(path, "");
      assert.equal((await client.scan({ directory })).ok, true);
    }));
});

/** A worker that answers when the test says so. */
function heldWorkers() {
  const posted: PackagesRequest[] = [];
  const handlers: { message(reply: PackagesReply): void; error(error: Error): void }[] = [];
  const count = { started: 0, terminated: 0 };
  const workers: WorkersPort = {
    start(options) {
      count.started++;
      handlers.push(options.handlers as unknown as typeof handlers[number]);
      return {
        post: (request) => posted.push(request as PackagesRequest),
        terminate: () => count.terminated++,
      };
    },
  };
  return {
    workers,
    posted,
    count,
    /** What a worker answers, by default the last that was started. */
    answer: (worker = -1) => handlers.at(worker)?.message({ kind: "listed", packages: [] }),
    crash: () => handlers.at(-1)?.error(new Error("Worker packages failed: gone")),
  };
}

function held() {
  const workers = heldWorkers();
  const clock = fakeClock();
  const log = fakeLog();
  const client = new PackagesClient({ workers: workers.workers, clock, logger: log.logger });
  return { ...workers, clock, log, client };
}

const listed = { ok: true, packages: [] };

describe("PackagesClient jobs", () => {
  it("PackagesClient gives one job at a time to one worker, and ends it when idle", async () => {
    const { client, clock, count, posted, answer } = held();
    const jobs = [client.list(), client.list()];
    assert.equal(posted.length, 1);
    answer();
    assert.equal(posted.length, 2);
    answer();
    assert.deepEqual(await Promise.all(jobs), [listed, listed]);
    clock.advance(999);
    const third = client.list();
    clock.advance(10_000);
    answer();
    assert.deepEqual(await third, listed);
    assert.deepEqual(count, { started: 1, terminated: 0 });
    clock.advance(1_000);
    assert.deepEqual(count, { started: 1, terminated: 1 });
    assert.equal(clock.waiting, 0);
    void client.list();
    assert.equal(count.started, 2);
    client.close();
    assert.deepEqual([count.terminated, clock.waiting], [2, 0]);
  });

  it("PackagesClient answers the job of a worker that died, and does the next in another", async () => {
    const { client, count, log, answer, crash } = held();
    const jobs = [client.list(), client.list()];
    crash();
    assert.deepEqual(await jobs[0], { ok: false, reason: "Worker packages failed: gone" });
    assert.equal(count.started, 2);
    answer();
    assert.deepEqual(await jobs[1], listed);
    assert.deepEqual(log.lines.map(({ message }) => message), ["packages worker failed"]);
    client.close();
  });

  it("PackagesClient gives up a job that takes over 180 s", async () => {
    const { client, clock, count, posted, answer } = held();
    const job = client.scan();
    clock.advance(179_999);
    assert.equal(count.terminated, 0);
    clock.advance(1);
    assert.deepEqual(await job, { ok: false, reason: "the packages took over 180 s" });
    assert.equal(count.terminated, 1);
    const next = [client.list(), client.list()];
    answer(0);
    assert.equal(posted.length, 2, "what the old worker says late is no answer");
    answer();
    answer();
    assert.deepEqual(await Promise.all(next), [listed, listed]);
    client.close();
  });

  it("PackagesClient answers when no worker can be started", async () => {
    const workers: WorkersPort = {
      start() {
        throw new Error("no threads left");
      },
    };
    const client = new PackagesClient({ workers, clock: fakeClock(), ...fakeLog() });
    const jobs = [client.list(), client.list()];
    const failed = { ok: false, reason: "no threads left" };
    assert.deepEqual(await Promise.all(jobs), [failed, failed]);
    client.close();
  });

  it("PackagesClient refuses what waits behind 32 others", async () => {
    const { client, answer } = held();
    const jobs = Array.from({ length: 33 }, () => client.list());
    assert.deepEqual(await client.list(), {
      ok: false,
      reason: "32 jobs for the packages wait already",
    });
    for (let i = 0; i < 33; i++) answer();
    assert.ok((await Promise.all(jobs)).every(({ ok }) => ok));
    client.close();
  });

  it("PackagesClient.close() answers what waits, and refuses what comes", async () => {
    const { client, count } = held();
    const jobs = [client.list(), client.scan()];
    client.close();
    const closed = { ok: false, reason: "the packages worker is closed" };
    const late = client.setEnabled({ name: "x", enabled: true });
    assert.deepEqual(await Promise.all([...jobs, late]), [closed, closed, closed]);
    assert.deepEqual(count, { started: 1, terminated: 1 });
  });
});
