import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { defaultGameConfig } from "../../src/config/game_config.ts";
import { joined } from "../wire/hex.ts";
import { heard, notification, ServerStage, type StageClient } from "./server_stage.ts";

const chat = (msg: string) => notification("Chat", { msg });

/** Two players in one room whose game is on; the first is the owner. */
async function inGame(stage: ServerStage): Promise<[StageClient, StageClient]> {
  const owner = await stage.player("owner", "10.0.1.1");
  const guest = await stage.player("guest", "10.0.1.2");
  await owner.say("CreateRoom", ["room", 2, 15, { gameMode: "mode", password: "" }]);
  await guest.say("EnterRoom", [1, ""]);
  await guest.say("Ready");
  await owner.say("StartGame");
  assert.equal(stage.game.metrics.counters.games_started, 1);
  owner.forget();
  guest.forget();
  return [owner, guest];
}

describe("GameServer and its players", () => {
  it("a peer's FIN ends its connection, and the others hear of it", async () => {
    const stage = await ServerStage.open();
    const leaver = await stage.player("leaver");
    const other = await stage.player("other");
    leaver.socket.end();
    await stage.settle();
    assert.deepEqual(other.texts("ServerMessage"), ["leaver logged out"]);
    assert.equal(leaver.closed, "local", "ours came first");
    assert.deepEqual([stage.game.lobby.online.size, stage.disconnects("peer_closed")], [1, 1]);
    assert.equal(stage.game.isConnected(1), false);
  });

  it("a reset ends it too, as connection_lost or peer_closed, once", async () => {
    const stage = await ServerStage.open();
    const leaver = await stage.player("leaver");
    leaver.socket.destroy();
    await stage.settle();
    assert.equal(stage.game.metrics.disconnects.total, 1);
    assert.equal(stage.game.lobby.online.size, 0);
  });

  it("what one segment leads to leaves in one write for each player", async () => {
    const stage = await ServerStage.open();
    const one = await stage.player("one");
    const two = await stage.player("two");
    const before = stage.game.deliveries.writes;
    await one.send(joined(chat("a"), chat("b"), chat("c")));
    assert.deepEqual([heard(one), heard(two)], [["a", "b", "c"], ["a", "b", "c"]]);
    assert.equal(stage.game.deliveries.writes - before, 2);
  });

  it("what cannot be a packet closes the connection, after what was said before it", async () => {
    const stage = await ServerStage.open();
    const bad = await stage.player("bad");
    const other = await stage.player("other");
    await bad.send(joined(chat("last words"), Uint8Array.of(0xff), chat("never")));
    assert.deepEqual(heard(other), ["last words"]);
    assert.equal(bad.closed, "fin");
    assert.equal(stage.disconnects("packet_not_array"), 1);
  });

  it("ill-formed data is ignored and counted, and the connection lives on", async () => {
    const stage = await ServerStage.open();
    const player = await stage.player("player");
    await player.send(notification("EnterRoom", "x"), notification("Nonsense", 1));
    await player.send(chat("alive"));
    assert.deepEqual(heard(player), ["alive"]);
    assert.deepEqual([...stage.game.metrics.ignored.entries], [
      ["payload_invalid", 1],
      ["command_unknown", 1],
    ]);
  });

  it("who sends too fast is read later, in order, in one write a turn; nothing is lost", async () => {
    const stage = await ServerStage.open({
      config: { packetsBurst: 10, packetsPerSecond: 40, chatBurst: 1_000, chatPerSecond: 1_000 },
    });
    const fast = await stage.player("fast");
    const words = Array.from({ length: 35 }, (_, i) => `${i}`);
    await fast.send(joined(...words.map(chat)));
    assert.deepEqual(heard(fast), words.slice(0, 10));
    const before = stage.game.deliveries.writes;
    await stage.pass(250);
    assert.deepEqual(heard(fast), words.slice(0, 20));
    assert.equal(stage.game.deliveries.writes - before, 1);
    await stage.pass(1_000);
    assert.deepEqual(heard(fast), words);
    await fast.send(chat("again"));
    assert.equal(heard(fast).at(-1), "again");
    assert.equal(fast.closed, undefined);
  });

  it("what was read already when somebody began to rest starts no more timers", async () => {
    const stage = await ServerStage.open({ config: { packetsBurst: 1 } });
    const fast = await stage.player("fast");
    await fast.send(joined(chat("a"), chat("b")));
    const { waiting } = stage.clock;
    const [peer] = stage.peers;
    for (let i = 0; i < 10; i++) peer?.data(chat("c"));
    assert.equal(stage.clock.waiting, waiting);
    await stage.pass(4_000);
    assert.equal(heard(fast).length, 12);
  });

  it("who goes on like that for overLimitSeconds is closed as a flood", async () => {
    const stage = await ServerStage.open({ config: { overLimitSeconds: 5 } });
    const flooder = await stage.player("flooder");
    const many = joined(...Array.from({ length: 300 }, () => chat("x")));
    for (let ms = 0; ms < 10_000 && flooder.closed === undefined; ms += 500) {
      await flooder.send(many);
      await stage.pass(500);
    }
    assert.notEqual(flooder.closed, undefined);
    assert.equal(stage.disconnects("flood"), 1);
    assert.ok(stage.clock.monotonic() >= 5_000 && stage.clock.monotonic() <= 6_500);
  });

  it("one who leaves while he is not read is forgotten, and his timer does nothing", async () => {
    const stage = await ServerStage.open({ config: { packetsBurst: 1 } });
    const fast = await stage.player("fast");
    await fast.send(joined(chat("a"), chat("b")));
    fast.socket.destroy();
    await stage.pass(1_000);
    assert.equal(stage.game.lobby.online.size, 0);
    assert.deepEqual(stage.escaped, []);
  });

  it("who does not read is closed as slow at outboundBytesMax, the others hear everything", async () => {
    const stage = await ServerStage.open({
      config: { outboundBytesMax: 100_000, chatBurst: 10_000, chatPerSecond: 10_000 },
    });
    const deaf = await stage.player("deaf");
    const speaker = await stage.player("speaker", "10.0.0.2");
    deaf.socket.pause();
    let said = 0;
    for (; said < 2_000 && stage.disconnects("slow") === 0; said += 20) {
      await speaker.send(joined(...Array.from({ length: 20 }, () => chat("x".repeat(300)))));
      await stage.pass(500);
      await speaker.say("Heartbeat");
    }
    assert.equal(stage.disconnects("slow"), 1);
    assert.ok(said * 300 < 300_000, `${said}`);
    assert.equal(heard(speaker).length, said);
    assert.equal(stage.game.lobby.online.size, 1);
  });

  it("who does not answer heartbeats is closed at the 7th, who does stays", async () => {
    const stage = await ServerStage.open();
    const dead = await stage.player("dead");
    const alive = await stage.player("alive");
    for (let beat = 1; beat <= 7; beat++) {
      assert.equal(dead.closed, undefined, `${beat}`);
      await stage.pass(30_000);
      await alive.say("Heartbeat");
    }
    assert.equal(dead.closed, "fin");
    assert.equal(stage.disconnects("heartbeat"), 1);
    assert.equal(alive.closed, undefined);
  });
});

describe("GameServer and a running game", () => {
  it("a return into it is a reconnect, and the rules are told", async () => {
    const stage = await ServerStage.open();
    const [, guest] = await inGame(stage);
    guest.socket.destroy();
    await stage.settle();
    assert.equal(stage.game.lobby.online.size, 2, "his seat waits");
    const again = await stage.connect("10.0.1.2");
    await again.send(again.setup({ name: "guest" }));
    assert.deepEqual(again.commands.slice(1, 4), ["NetStateChanged", "Setup", "SetServerSettings"]);
    assert.equal(stage.game.metrics.counters.reconnects, 1);
    assert.ok(
      stage.rules[0]?.calls.some((call) =>
        call.kind === "request" && /reconnect/.test(call.command)
      ),
    );
  });

  it("a lost state of the rules ends its rooms, and is counted", async () => {
    const stage = await ServerStage.open();
    const [owner] = await inGame(stage);
    stage.rules[0]?.hooks.stateLost({ reason: "died", roomIds: [1], taskIds: [] });
    await stage.settle();
    const { lua_states_lost, rooms_lost } = stage.game.metrics.counters;
    assert.deepEqual([lua_states_lost, rooms_lost], [1, 1]);
    assert.ok(owner.commands.includes("EnterLobby"), `${owner.commands}`);
    assert.equal(stage.game.lobby.rooms.size, 0);
    assert.ok(stage.log.lines.some(({ message }) => message === "rooms ended with their rules"));
  });

  it("replacePackages() sends away who does not play, lets games end, and gives new rooms new rules", async () => {
    const stage = await ServerStage.open();
    const [owner, guest] = await inGame(stage);
    const idler = await stage.player("idler", "10.0.1.3");
    const waiting = await stage.connect("10.0.1.4");
    const updateList = [{ name: "new", hash: "h", url: "u" }];
    stage.game.replacePackages({ md5: "new-md5", updateList });
    await stage.settle();
    assert.equal(idler.closed, "fin");
    assert.deepEqual([owner.closed, guest.closed], [undefined, undefined]);
    assert.deepEqual(stage.game.rules.states.map(({ isOutdated }) => isOutdated), [false, true]);
    await waiting.send(waiting.setup({ name: "late" }));
    assert.deepEqual(waiting.texts("ErrorMsg"), ["MD5 check failed!"]);
    assert.match(waiting.told.at(-1) ?? "", /UpdatePackage .*new/);
    const updated = await stage.connect("10.0.1.5");
    await updated.send(updated.setup({ name: "late", md5: "new-md5" }));
    assert.ok(updated.commands.includes("EnterLobby"));
    stage.rules[0]?.release(1);
    assert.equal(stage.rules[0]?.isClosed, true);
    assert.equal(stage.rules[1]?.isClosed, false);
  });
});

describe("GameServer.configure()", () => {
  it("changes greeting, limits and capacity for those who come, and chat for all", async () => {
    const stage = await ServerStage.open();
    const early = await stage.player("early");
    const waiting = await stage.connect();
    stage.game.configure({
      ...defaultGameConfig,
      motd: "Changed",
      banWords: ["ugly"],
      setupTimeoutSeconds: 10,
      capacity: 2,
    });
    await early.send(chat("ugly"), chat("fine"));
    assert.deepEqual(heard(early), ["fine"]);
    const late = await stage.connect();
    await late.send(late.setup({ name: "late" }));
    assert.match(late.told.find((line) => line.startsWith("SetServerSettings")) ?? "", /Changed/);
    assert.deepEqual((await stage.connect()).texts("ErrorDlg"), ["server is full!"]);
    await stage.pass(10_000);
    assert.equal(waiting.closed, "fin", "the time of those who wait already is shorter too");
    assert.equal(stage.game.config.motd, "Changed");
  });

  it("bounds packets anew for those who come", async () => {
    const stage = await ServerStage.open();
    const early = await stage.player("early");
    stage.game.configure({ ...defaultGameConfig, maxPacketBytes: 4_096 });
    const late = await stage.player("late");
    const large = chat("x".repeat(5_000));
    await early.send(large);
    await late.send(large);
    assert.deepEqual([early.closed, late.closed], [undefined, "fin"]);
    assert.equal(stage.disconnects("packet_too_large"), 1);
  });

  it("keeps what it counted of logins, unless these limits change", async () => {
    const stage = await ServerStage.open({ config: { loginsPerMinutePerIp: 1 } });
    await stage.player("first");
    const outcome = async () => {
      const client = await stage.connect();
      await client.send(client.setup({ name: "second" }));
      return client.texts("ErrorDlg");
    };
    const tooMany = ["too many login attempts, please try again in a minute"];
    stage.game.configure({ ...stage.game.config, motd: "x" });
    assert.deepEqual(await outcome(), tooMany);
    stage.game.configure({ ...stage.game.config, loginsPerMinutePerIp: 2 });
    assert.deepEqual(await outcome(), []);
  });
});

describe("GameServer.stop()", () => {
  it("closes everybody after what waits for them, ends the rules and leaves no timer", async () => {
    const stage = await ServerStage.open();
    const [owner, guest] = await inGame(stage);
    const waiting = await stage.connect("10.0.1.3");
    const gate = Promise.withResolvers<void>();
    stage.accounts.gate = gate.promise;
    const midway = await stage.connect("10.0.1.4");
    await midway.send(midway.setup({ name: "midway" }));
    stage.game.handle({ kind: "announce", text: "bye" });
    await stage.game.stop();
    await stage.settle();
    assert.equal(stage.clock.waiting, 0);
    assert.deepEqual([owner, guest, waiting, midway].map(({ closed }) => closed), [
      "fin",
      "fin",
      "fin",
      "fin",
    ]);
    assert.deepEqual(owner.texts("ServerMessage").slice(0, 1), ["bye"]);
    assert.equal(stage.disconnects("stopping"), 4);
    assert.equal(stage.rules[0]?.isClosed, true);
    gate.resolve();
    await stage.pass(10_000);
    assert.equal(stage.clock.waiting, 0);
    const late = await stage.connect("10.0.1.5");
    assert.deepEqual([late.told, late.closed], [[], "fin"]);
    assert.deepEqual(stage.escaped, []);
  });
});
