import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { GamePart } from "../../src/app/game_part.ts";
import { RunningGame } from "../../src/app/operated_game.ts";
import type { BanOutcome, UsersOperation } from "../../src/game/accounts/users_operations.ts";
import type { Runtime } from "../../src/ports/runtime.ts";
import { fakeRandom } from "../fakes/random.ts";
import { notification, ServerStage } from "../game/server_stage.ts";

/** An operator's view of a stage; `outcome` is what the store says of changes of accounts. */
function operated(stage: ServerStage, outcome?: (operation: UsersOperation) => BanOutcome) {
  let stops = 0;
  const store = {
    pending: 3,
    users: (operation: UsersOperation) => {
      if (outcome !== undefined && operation.kind !== "look_up") {
        return Promise.resolve({ ok: true, value: outcome(operation) });
      }
      return stage.accounts.users(operation);
    },
  };
  const game = {
    server: stage.game,
    store,
    crypto: stage.crypto,
    bans: stage.bans,
    facts: { md5: "md5" },
    reload: () => Promise.resolve({ ok: true, lines: ["read again"] }),
  };
  const runtime = {
    clock: stage.clock,
    random: fakeRandom(),
    process: { usage: () => ({ residentBytes: 1_000, cpuMicros: 0 }) },
  };
  const running = new RunningGame({
    runtime: runtime as unknown as Runtime,
    game: game as unknown as GamePart,
    requestStop: () => void stops++,
  });
  return { running, stops: () => stops };
}

/** A game of two, a watched room with a password, and somebody in the lobby. */
async function busyStage() {
  const stage = await ServerStage.open();
  const owner = await stage.player("owner", "10.0.0.1");
  const guest = await stage.player("guest", "10.0.0.2");
  const idler = await stage.player("idler", "10.0.0.3");
  await owner.say("CreateRoom", ["game", 2, 15, { gameMode: "m", password: "" }]);
  await guest.say("EnterRoom", [1, ""]);
  await guest.say("Ready");
  await owner.say("StartGame");
  for (const client of [owner, guest, idler]) client.forget();
  return { stage, owner, guest, idler };
}

describe("RunningGame", () => {
  it("tells who is there and which rooms there are", async () => {
    const { stage } = await busyStage();
    const { running } = operated(stage);
    await stage.pass(5_000);
    const { players, playersInLobby, rooms, roomsPlaying, uptimeMs, storeQueue } = running.stat();
    assert.deepEqual(
      { players, playersInLobby, rooms, roomsPlaying, uptimeMs, storeQueue },
      { players: 3, playersInLobby: 1, rooms: 1, roomsPlaying: 1, uptimeMs: 5_000, storeQueue: 3 },
    );
    assert.deepEqual(running.stat().luaStates, [{ name: "rules-1", rooms: 1, isOutdated: false }]);
    assert.deepEqual(running.players().map(({ name, roomId }) => [name, roomId]), [
      ["owner", 1],
      ["guest", 1],
      ["idler", undefined],
    ]);
    assert.deepEqual(running.players()[2], {
      id: 3,
      name: "idler",
      state: "online",
      roomId: undefined,
      isObserver: false,
      address: "10.0.0.3",
      device: "device-of-idler",
    });
    assert.equal(running.rooms()[0]?.isPlaying, true);
    assert.deepEqual(running.room(1)?.players.map(({ name, state }) => [name, state]), [
      ["owner", "online"],
      ["guest", "online"],
    ]);
    assert.equal(running.room(2), undefined);
  });

  it("announce() reaches all or one room, and says how many", async () => {
    const { stage, owner, idler } = await busyStage();
    const { running } = operated(stage);
    assert.equal(running.announce("to all"), 3);
    assert.equal(running.announce("to the room", 1), 2);
    assert.equal(running.announce("to nobody", 9), undefined);
    await stage.settle();
    assert.deepEqual(owner.texts("ServerMessage"), ["to all", "to the room"]);
    assert.deepEqual(idler.texts("ServerMessage"), ["to all"]);
  });

  it("kick() closes the connection of who has one, killRoom() ends a room", async () => {
    const { stage, guest, idler } = await busyStage();
    const { running } = operated(stage);
    assert.deepEqual([running.kick(3), running.kick(99)], [true, false]);
    await stage.settle();
    assert.equal(idler.closed, "fin");
    assert.equal(stage.disconnects("kicked_by_operator"), 1);
    assert.deepEqual([running.killRoom(1), running.killRoom(9)], [true, false]);
    await stage.settle();
    assert.equal(stage.game.lobby.rooms.size, 0);
    assert.ok(guest.commands.includes("EnterLobby"), `${guest.commands}`);
  });

  it("checkLobby() finds nothing where all is well", async () => {
    const { stage } = await busyStage();
    assert.deepEqual(operated(stage).running.checkLobby(), { connected: 1, removed: [] });
  });

  it("changeAccount() mutes who is there at once, until the time that the store says", async () => {
    const { stage, idler } = await busyStage();
    const until = Math.floor(stage.clock.now() / 1_000) + 60;
    const { running } = operated(stage, ({ kind }) => ({
      player: { uid: 3 },
      changed: true,
      changes: kind === "mute"
        ? [{ kind: "muted", uid: 3, type: 1, expireAt: until }]
        : [{ kind: "unmuted", uid: 3 }],
    }));
    const says = async (msg: string) => {
      idler.forget();
      await idler.send(notification("Chat", { msg }), notification("Heartbeat", null));
      return idler.commands.includes("Chat");
    };
    const mute = { kind: "mute", name: "idler", type: 1, expireAt: until } as const;
    assert.deepEqual(await running.changeAccount(mute), {
      ok: true,
      value: { player: { uid: 3 }, changed: true },
    });
    assert.equal(await says("while muted"), false);
    assert.equal(stage.bans.muteOf(3, until - 1)?.expireAt, until);
    await stage.pass(59_000);
    assert.equal(await says("still muted"), false);
    await stage.pass(1_001);
    assert.equal(await says("after it"), true);
    await running.changeAccount(mute);
    await running.changeAccount({ kind: "unmute", name: "idler" });
    assert.equal(await says("unmuted"), true);
  });

  it("changeAccount() calls it a change when only the ban of a run-away's address is lifted", async () => {
    const { stage } = await busyStage();
    const ip = "10.0.0.9";
    const { running } = operated(stage, () => ({
      player: { uid: 9, ip },
      changed: false,
      changes: [{ kind: "temporary_ip_ban_lifted", ip }],
    }));
    const unban = async () => {
      const outcome = await running.changeAccount({ kind: "unban", name: "runner" });
      return outcome.ok && outcome.value.changed;
    };
    assert.equal(await unban(), false);
    stage.bans.banIpTemporarily(ip, stage.clock.now() + 60_000);
    assert.equal(await unban(), true);
    assert.equal(stage.bans.isIpTemporarilyBanned(ip, stage.clock.now()), false);
  });

  it("changeAccount() tells what the store could not do, and changes nothing", async () => {
    const { stage } = await busyStage();
    stage.accounts.trouble = "disk full";
    const { running } = operated(stage);
    const tried = await running.changeAccount({ kind: "ban_uuid", name: "idler" });
    assert.deepEqual(tried, { ok: false, reason: "disk full" });
  });

  it("resetPassword() makes a random one that is good for a login, and the old one no more", async () => {
    const { stage } = await busyStage();
    const find = stage.accounts.users.bind(stage.accounts);
    stage.accounts.users =
      ((operation: UsersOperation) =>
        operation.kind === "find_player"
          ? Promise.resolve({ ok: true, value: operation.name === "idler" ? { uid: 3 } : null })
          : find(operation)) as typeof stage.accounts.users;
    const { running } = operated(stage);
    const reset = await running.resetPassword("idler");
    assert.ok(reset.ok);
    assert.match(reset.password, /^[abcdefghjkmnpqrstuvwxyz23456789]{10}$/);
    const again = await running.resetPassword("idler");
    assert.ok(again.ok && again.password !== reset.password);
    for (const [password, is] of [[again.password, true], ["secret", false]] as const) {
      const client = await stage.connect();
      await client.send(client.setup({ name: "idler", password }));
      assert.equal(client.commands.includes("EnterLobby"), is, password);
    }
    const unknown = await running.resetPassword("nobody");
    assert.deepEqual(unknown, { ok: false, reason: 'There is no player "nobody"' });
    stage.crypto.trouble = "busy";
    assert.equal((await running.resetPassword("idler")).ok, false);
  });

  it("passes reload and stop on", async () => {
    const { running, stops } = operated(await ServerStage.open());
    assert.deepEqual(await running.reloadConfig(), { ok: true, lines: ["read again"] });
    running.quit();
    assert.equal(stops(), 1);
  });
});
