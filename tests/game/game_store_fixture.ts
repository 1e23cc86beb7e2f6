import assert from "node:assert/strict";
import { join } from "node:path";
import { GameStoreClient } from "../../src/game/game_store_client.ts";
import type { GameStoreLimits } from "../../src/game/game_store_limits.ts";
import type { GameStoreReply, GameStoreRequest } from "../../src/game/game_store_work.ts";
import type { WorkersPort } from "../../src/ports/workers.ts";
import { type FakeClock, fakeClock } from "../fakes/clock.ts";
import { type FakeLog, fakeLog } from "../fakes/log.ts";
import { runtimeUnderTest } from "../tested_runtime.ts";
import { inDirectory } from "./accounts/temporary_directory.ts";

const runtime = await runtimeUnderTest();

/** A worker whose replies come when the test says so. */
export function heldWorker() {
  const posted: GameStoreRequest[] = [];
  let handlers: { message(reply: GameStoreReply): void; error(error: Error): void } | undefined;
  let started = 0;
  let ended = 0;
  const workers: WorkersPort = {
    start(options) {
      started++;
      handlers = options.handlers as unknown as typeof handlers;
      return {
        post: (request) => void posted.push(request as GameStoreRequest),
        terminate: () => void ended++,
      };
    },
  };
  return {
    workers,
    posted,
    started: () => started,
    ended: () => ended,
    reply: (reply: GameStoreReply) => handlers!.message(reply),
    crash: () => handlers!.error(new Error("Worker game_store failed: gone")),
  };
}

export type HeldWorker = ReturnType<typeof heldWorker>;

/** Lets promises settle. */
export async function turns(): Promise<void> {
  for (let i = 0; i < 20; i++) await Promise.resolve();
}

/** A client whose files are open, by a held worker and a fake clock. */
export async function heldStore(limits: Partial<GameStoreLimits> = {}): Promise<{
  store: GameStoreClient;
  held: HeldWorker;
  clock: FakeClock;
  log: FakeLog;
}> {
  const held = heldWorker();
  const clock = fakeClock();
  const log = fakeLog();
  const { workers } = held;
  const store = new GameStoreClient({ workers, clock, logger: log.logger, limits });
  const opening = store.open("d", 0);
  held.reply({ kind: "opened", bans: [] });
  assert.equal((await opening).ok, true);
  held.posted.length = 0;
  return { store, held, clock, log };
}

/** A client with the real worker, on new files in a directory of its own. */
export function withRealStore(
  test: (parts: {
    store: GameStoreClient;
    log: FakeLog;
    /** A connection of another program. */
    other: (file: "users.db" | "game.db") => ReturnType<typeof runtime.sqlite.open>;
  }) => Promise<void>,
  options: {
    limits?: Partial<GameStoreLimits>;
    prepare?: (directory: string) => void;
  } = {},
): Promise<void> {
  return inDirectory(async (directory) => {
    options.prepare?.(directory);
    const log = fakeLog();
    const { workers, clock } = runtime;
    const limits = { retryPauseMs: { first: 5, max: 20 }, busyTimeoutMs: 1, ...options.limits };
    const store = new GameStoreClient({ workers, clock, logger: log.logger, limits });
    const others: ReturnType<typeof runtime.sqlite.open>[] = [];
    try {
      const opened = await store.open(directory, 1_000);
      assert.ok(opened.ok, JSON.stringify(opened));
      await test({
        store,
        log,
        other(file) {
          const path = join(directory, file);
          const database = runtime.sqlite.open({ path, busyTimeoutMs: 1_000 });
          others.push(database);
          return database;
        },
      });
    } finally {
      for (const database of others) database.close();
      await store.close();
    }
  });
}

/** The value of an operation that is to succeed. */
export async function valueOf<Value>(
  result: Promise<{ ok: true; value: Value } | { ok: false; reason: string }>,
): Promise<Value> {
  const found = await result;
  assert.ok(found.ok, JSON.stringify(found));
  return found.value;
}

/** An operation that registers a name. */
export function registration(name: string) {
  return {
    kind: "register",
    name,
    password: { hash: "h".repeat(64), salt: "0a1b2c3d" },
    ip: "10.1.1.1",
    uuid: "device",
    at: 1_000,
    deviceAccountsMax: 5_000,
  } as const;
}
