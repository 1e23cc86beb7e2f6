import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { nodeCrypto } from "../../src/adapters/node/crypto.ts";
import { nodeRandom } from "../../src/adapters/node/random.ts";
import {
  isPassword,
  makeLegacyPassword,
  type NewPassword,
} from "../../src/game/accounts/passwords.ts";
import { CryptoWork } from "../../src/game/crypto_work.ts";
import type { GameStoreClient } from "../../src/game/game_store_client.ts";
import { LobbyStore, type StoreEvent } from "../../src/game/lobby_store.ts";
import type { StoreOperation } from "../../src/game/outbox.ts";
import { fakeClock } from "../fakes/clock.ts";
import { runtimeUnderTest } from "../tested_runtime.ts";
import { heldStore, registration, turns, valueOf, withRealStore } from "./game_store_fixture.ts";

const { clock } = await runtimeUnderTest();
const bytes = (text: string) => new TextEncoder().encode(text);
const parts = { crypto: nodeCrypto(), random: nodeRandom() };
const work = new CryptoWork(parts);
/** The real work, in the test's own thread. */
const crypto = {
  run: (job: Parameters<CryptoWork["perform"]>[0]) =>
    work.perform(job).then((value) => ({ ok: true, value }) as never),
};
const lookUp = { kind: "look_up", name: "a", uuid: "" } as const;

/** A lobby's store on real files, and its events as they come. */
function withLobbyStore(
  test: (stage: {
    store: GameStoreClient;
    lobby: LobbyStore;
    /** Performs these and waits for so many events. */
    events: (operations: readonly StoreOperation[], count: number) => Promise<StoreEvent[]>;
  }) => Promise<void>,
  keepLegacyHash = false,
): Promise<void> {
  return withRealStore(async ({ store }) => {
    let received: StoreEvent[] = [];
    let arrived = () => {};
    let isPerforming = false;
    const lobby = new LobbyStore({
      store,
      crypto,
      clock,
      keepLegacyHash: () => keepLegacyHash,
      event(event) {
        assert.equal(isPerforming, false, "an event came within perform()");
        received.push(event);
        arrived();
      },
    });
    const password = makeLegacyPassword(parts, bytes("old"));
    await valueOf(store.users({ ...registration("a"), password }));
    await test({
      store,
      lobby,
      async events(operations, count) {
        received = [];
        isPerforming = true;
        for (const operation of operations) lobby.perform(operation);
        isPerforming = false;
        while (received.length < count) await new Promise<void>((resolve) => arrived = resolve);
        await store.flush();
        await turns();
        return received;
      },
    });
  });
}

const passwordOf = async (store: GameStoreClient) =>
  await valueOf(store.users({ kind: "look_up_password", uid: 1 }));
const changing = (old: string, wanted: string) =>
  ({ kind: "change_password", connection: 5, playerId: 1, old, new: wanted }) as const;
const changed = (is: boolean) =>
  ({ kind: "password_changed", connection: 5, changed: is }) as const;

describe("LobbyStore", () => {
  it("LobbyStore writes avatars and what a game leaves, and then tells its end", () =>
    withLobbyStore(async ({ store, events }) => {
      const mode = "m";
      const role = "lord";
      assert.deepEqual(
        await events([
          { kind: "set_avatar", playerId: 1, avatar: "caocao" },
          { kind: "player_result", playerId: 1, mode, role, result: 1 },
          { kind: "player_result", playerId: -2, mode, role, result: 1 },
          { kind: "general_result", general: "caocao", mode, role, result: 1 },
          { kind: "add_run", playerId: 1, mode: "other" },
          { kind: "add_game_time", playerId: 1, seconds: 60 },
          { kind: "end_of_game", roomId: 3, session: 9 },
        ], 1),
        [{ kind: "stored", roomId: 3, session: 9 }],
      );
      const { account } = await valueOf(store.users(lookUp));
      assert.equal(account?.avatar, "caocao");
      assert.equal(account?.totalGameTime, 60);
      assert.deepEqual(account?.statistics, [
        { mode: "m", total: 1, win: 1, run: 0 },
        { mode: "other", total: 0, win: 0, run: 1 },
      ]);
    }));

  it("LobbyStore answers queries: no text for a save, JSON for a get, {} for all else", () =>
    withLobbyStore(async ({ store, events }) => {
      const room = { roomId: 3, playerId: 1, mode: "m" };
      const task = { roomId: -1000, playerId: 0, key: "k" };
      const saved = await events([
        { kind: "save_state", ...room, json: '{"密":1}' },
        { kind: "save_global_state", ...task, json: "[1]" },
      ], 2);
      assert.deepEqual(saved, [
        { kind: "query_done", roomId: 3 },
        { kind: "query_done", roomId: -1000 },
      ]);
      await valueOf(
        store.saves({ kind: "save_global", uid: 1, key: "text", data: bytes("no json") }),
      );
      const key = "x".repeat(1_000);
      const read = { kind: "read_global_save", connection: 8 } as const;
      const got = await events([
        { kind: "get_state", ...room },
        { kind: "get_state", ...room, mode: "none" },
        { kind: "get_global_state", ...task },
        { kind: "get_global_state", ...task, key },
        { ...read, playerId: 1, key: "text" },
        { ...read, playerId: 1, key: "none" },
      ], 6);
      const texts = got.map((event) =>
        event.kind === "query_done"
          ? `${event.roomId} ${event.text}`
          : event.kind === "global_save" && `${event.connection} ${event.json}`
      );
      assert.deepEqual(texts.sort(), [
        "-1000 [1]",
        "-1000 {}",
        '3 {"密":1}',
        "3 {}",
        "8 {}",
        "8 {}",
      ]);
    }));

  it("LobbyStore tells a save that was refused as done, and without text", () =>
    withLobbyStore(async ({ events }) => {
      const json = `"${"x".repeat(2_000_000)}"`;
      assert.deepEqual(
        await events([{ kind: "save_state", roomId: 3, playerId: 1, mode: "m", json }], 1),
        [{ kind: "query_done", roomId: 3 }],
      );
    }));

  for (const keepLegacyHash of [false, true]) {
    it(`LobbyStore changes a password for who knows it (legacy hash kept: ${keepLegacyHash})`, () =>
      withLobbyStore(async ({ store, events }) => {
        assert.deepEqual(await events([changing("guess", "new")], 1), [changed(false)]);
        assert.deepEqual(await events([changing("old", "新")], 1), [changed(true)]);
        const stored = await passwordOf(store);
        assert.ok(stored.scrypt);
        assert.equal(stored.legacy !== undefined, keepLegacyHash);
        assert.equal(await isPassword(parts.crypto, { password: bytes("新"), stored }), true);
        assert.deepEqual(await events([changing("old", "x")], 1), [changed(false)]);
      }, keepLegacyHash));
  }

  it("LobbyStore changes passwords one after the other, a few at a time", () =>
    withLobbyStore(async ({ store, events }) => {
      const chain = [["old", "b"], ["b", "c"], ["old", "d"], ["c", "e"], ["e", "f"]];
      const results = await events(chain.map(([from, to]) => changing(from!, to!)), 5);
      assert.deepEqual(results, [
        // The fifth is one too many, and told at once.
        changed(false),
        changed(true),
        changed(true),
        changed(false),
        changed(true),
      ]);
      const password = bytes("e");
      assert.equal(
        await isPassword(parts.crypto, { password, stored: await passwordOf(store) }),
        true,
      );
      assert.deepEqual(
        await events([changing("e", "g")], 1),
        [changed(true)],
        "there is room again",
      );
    }));

  /** Changes "old" to "new" while, at the first attempt, somebody else stores `meanwhile`. */
  const changeDuring = (meanwhile: string) =>
    withRealStore(async ({ store }) => {
      const password = makeLegacyPassword(parts, bytes("old"));
      await valueOf(store.users({ ...registration("a"), password }));
      const { promise, resolve } = Promise.withResolvers<StoreEvent>();
      let isFirst = true;
      const slowCrypto = {
        async run(job: Parameters<CryptoWork["perform"]>[0]) {
          if (isFirst) {
            isFirst = false;
            const made = await work.perform({ kind: "new_password", password: bytes(meanwhile) });
            const order = { kind: "set_password", uid: 1, keepLegacyHash: false } as const;
            await valueOf(store.users({ ...order, password: made as NewPassword }));
          }
          return { ok: true, value: await work.perform(job) } as never;
        },
      };
      new LobbyStore({
        store,
        crypto: slowCrypto,
        clock,
        keepLegacyHash: () => false,
        event: resolve,
      }).perform(changing("old", "new"));
      const isChanged = meanwhile === "old";
      assert.deepEqual(await promise, changed(isChanged));
      const given = {
        password: bytes(isChanged ? "new" : meanwhile),
        stored: await passwordOf(store),
      };
      assert.equal(await isPassword(parts.crypto, given), true);
    });

  it("LobbyStore does not overwrite a password that was set while it made its own", () =>
    changeDuring("operator's"));

  it("LobbyStore changes a password that was stored anew meanwhile, as after a login", () =>
    changeDuring("old"));

  it("LobbyStore refuses passwords that no login could bring", () =>
    withLobbyStore(async ({ events }) => {
      for (const wanted of ["", "a\u0000b", "x".repeat(214), "密".repeat(72)]) {
        assert.deepEqual(await events([changing("old", wanted)], 1), [changed(false)]);
      }
      assert.deepEqual(await events([changing("old", "x".repeat(213))], 1), [changed(true)]);
    }));

  it("LobbyStore does not let a locked file hold up games for more than 2 s", async () => {
    const { store, held } = await heldStore();
    const clock = fakeClock();
    const events: StoreEvent[] = [];
    const lobby = new LobbyStore({
      store,
      crypto,
      clock,
      keepLegacyHash: () => false,
      event: (event) => events.push(event),
    });
    lobby.perform({ kind: "add_game_time", playerId: 1, seconds: 1 });
    lobby.perform({ kind: "end_of_game", roomId: 3, session: 9 });
    lobby.perform({ kind: "save_state", roomId: 4, playerId: 1, mode: "m", json: "[7]" });
    lobby.perform({ kind: "get_state", roomId: 4, playerId: 1, mode: "m" });
    await turns();
    assert.deepEqual(events, [{ kind: "query_done", roomId: 4, text: "[7]" }]);
    clock.advance(1_999);
    assert.equal(events.length, 1);
    clock.advance(1);
    assert.deepEqual(events.slice(1), [
      { kind: "stored", roomId: 3, session: 9 },
      { kind: "query_done", roomId: 4 },
    ]);
    const done = { ok: true, value: null } as const;
    held.reply({ kind: "users_done", lane: "writes", results: [done] });
    held.reply({ kind: "saves_done", lane: "writes", results: [done] });
    await turns();
    assert.equal(events.length, 3, "each is told once");
    lobby.perform({ kind: "end_of_game", roomId: 5, session: 1 });
    await turns();
    assert.equal(events.length, 4);
    assert.equal(clock.waiting, 0);
  });

  it("LobbyStore ends a game also when nothing of it could be written", async () => {
    const { store, held } = await heldStore();
    const clock = fakeClock();
    const events: StoreEvent[] = [];
    const event = (one: StoreEvent) => void events.push(one);
    const lobby = new LobbyStore({ store, crypto, clock, keepLegacyHash: () => false, event });
    lobby.perform({ kind: "add_run", playerId: 1, mode: "m" });
    lobby.perform({ kind: "end_of_game", roomId: 3, session: 9 });
    await turns();
    assert.deepEqual(events, []);
    held.crash();
    await turns();
    assert.deepEqual(events, [{ kind: "stored", roomId: 3, session: 9 }]);
  });
});
