import assert from "node:assert/strict";
import process from "node:process";
import { describe, it } from "node:test";
import { type GameConfig, setupPacketBytesMax } from "../../src/config/game_config.ts";
import { encodeCbor } from "../../src/wire/cbor_encode.ts";
import { encodeClientNotification } from "../../src/wire/packet.ts";
import { framesOf, traceNames } from "../wire/golden_traces.ts";
import { fromHex, joined } from "../wire/hex.ts";
import { BadPackets, compressed, goodCommands, nested } from "./bad_packets.ts";
import { heard, notification, ServerStage, type StageClient } from "./server_stage.ts";

/** The nightly suite asks for a million. */
const count = Number(process.env["FREEKILL_GW_BAD_INPUT_COUNT"] ?? 50_000);
const seed = Number(process.env["FREEKILL_GW_BAD_INPUT_SEED"] ?? Date.now() % 1_000_000);
/** A limit for hangs: ten times what two slow cores take. */
const timeout = Math.max(60_000, count * 3);

/** Limits of rates that let everything through, so that all of it is looked at. */
const unhurried: Partial<GameConfig> = {
  packetsPerSecond: 1_000_000,
  packetsBurst: 1_000_000,
  bytesPerSecond: 2 ** 30,
  bytesBurst: 2 ** 30,
  chatPerSecond: 1_000_000,
  chatBurst: 1_000_000,
  loginsPerMinutePerIp: 1_000_000,
  loginFailuresPerMinutePerName: 1_000_000,
  capacity: 1_000,
};
const attackersMax = 8;
/** Packets between two looks at how things stand. */
const batch = 64;

function sources(): Uint8Array[] {
  const recorded = traceNames().flatMap((trace) =>
    framesOf(trace).filter(({ dir, bytes }) => dir === "c2s" && bytes.length < 4_096)
      .map(({ bytes }) => bytes)
  );
  const ours = goodCommands.map(([command, data]) => notification(command, data));
  return [...ours, ...recorded];
}

describe("GameServer and bad input", () => {
  it(`plays on through ${count} bad packets (seed ${seed})`, { timeout }, async () => {
    const stage = await ServerStage.open({ config: unhurried });
    const { game } = stage;
    const bystander = await stage.player("bystander", "10.1.0.1");
    const host = await stage.player("host", "10.1.0.2");
    await host.say("CreateRoom", ["open house", 64, 15, { gameMode: "m", password: "" }]);
    const bad = new BadPackets(seed, [
      ...sources(),
      ...["new", "name'"].map((name) => bystander.setup({ name })),
    ]);
    const attackers: (StageClient | undefined)[] = [];
    let lookedAt = 0;
    let connections = 0;
    for (let sent = 0; sent < count;) {
      for (let i = 0; i < batch && sent < count; i++) {
        const slot = bad.below(attackersMax);
        let attacker = attackers[slot];
        if (attacker === undefined || attacker.closed !== undefined || bad.below(200) === 0) {
          attacker?.socket.destroy();
          const ip = `10.2.${connections >> 8 & 255}.${connections & 255}`;
          connections++;
          const asPlayer = bad.below(5) > 0;
          attacker = asPlayer
            ? await stage.player(`attacker${connections}`, ip)
            : await stage.connect(ip);
          attackers[slot] = attacker;
        }
        const packet = bad.next();
        const cut = bad.below(packet.length + 1);
        attacker.socket.write(packet.subarray(0, cut));
        attacker.socket.write(packet.subarray(cut));
        sent++;
      }
      await stage.pass(20);
      for (const attacker of attackers) attacker?.forget();
      const said = `${seed}/${sent}`;
      bystander.forget();
      host.forget();
      await bystander.send(notification("Chat", { msg: said }), notification("Heartbeat", null));
      const roomChat = notification("Chat", { type: 2, msg: said });
      await host.send(roomChat, notification("Heartbeat", null));
      assert.ok(heard(bystander).includes(said), `lobby chat after ${said}`);
      assert.ok(heard(host).includes(said), `room chat after ${said}`);
      const { faults } = game.metrics.counters;
      assert.deepEqual([stage.escaped, faults], [[], 0], `${said}: ${errorsOf(stage)}`);
      for (const peer of stage.peers) {
        const limit = peer.stage === "playing"
          ? game.config.maxPacketBytes
          : setupPacketBytesMax(game.config);
        // And what one segment may hold that is not looked at yet.
        assert.ok(peer.session.heldBytes <= limit + 16_384, `${said}: ${peer.session.heldBytes}`);
      }
      lookedAt++;
    }
    assert.ok(lookedAt >= count / batch);
    const { metrics } = game;
    const seen = new Set([
      ...[...metrics.disconnects.entries].map(([reason]) => reason),
      ...[...metrics.ignored.entries].map(([reason]) => reason),
    ]);
    if (count < 10_000) return;
    for (
      const outcome of [
        "packet_not_array",
        "packet_item_count",
        "packet_integer_expected",
        "packet_bytes_expected",
        "packet_too_large",
        "packet_reserved_encoding",
        "refused_invalid_setup",
        "command_unknown",
        "payload_invalid",
        "compression_broken",
      ]
    ) assert.ok(seen.has(outcome), `${outcome} never came; seen: ${[...seen].join(" ")}`);
    assert.ok(metrics.counters.packets_in > count / 10, `${metrics.counters.packets_in}`);
    assert.ok(metrics.counters.games_started >= 0);
    assert.ok(stage.log.lines.length < 20_000 + count);
  });

  it("refuses a length of 1 GiB at its header, before and after the login", async () => {
    const stage = await ServerStage.open();
    const stranger = await stage.connect();
    await stranger.send(fromHex("842119041245536574757" + "05a40000000"));
    const player = await stage.player("player");
    await player.send(fromHex("84211904124443686174" + "5a40000000"));
    for (const client of [stranger, player]) assert.equal(client.closed, "fin");
    assert.equal(stage.disconnects("packet_too_large"), 2);
    assert.ok([...stage.peers].every(({ session }) => session.heldBytes === 0));
  });

  it("ignores data that nests 10,000 deep, and closes a packet that does", async () => {
    const stage = await ServerStage.open({ config: unhurried });
    const player = await stage.player("player");
    const deep = nested(10_000);
    const settings = joined(fromHex("a1" + "6161"), deep);
    const inRoom = joined(fromHex("8461720a0f"), settings);
    for (const [command] of goodCommands) {
      await player.send(encodeClientNotification(command, deep));
      await player.send(encodeClientNotification(command, inRoom));
      await player.send(compressed(command, deep));
      assert.equal(player.closed, undefined, command);
    }
    assert.ok(!player.commands.includes("EnterRoom"));
    await player.send(deep);
    assert.equal(player.closed, "fin");
    assert.equal(stage.game.metrics.counters.faults, 0);
    const stranger = await stage.connect();
    await stranger.send(encodeClientNotification("Setup", deep));
    assert.deepEqual(stranger.texts("ErrorDlg"), ["INVALID SETUP STRING"]);
  });

  it("makes who sends zip bombs wait, and in the end closes him; others hear nothing of it", async () => {
    const stage = await ServerStage.open();
    const player = await stage.player("player");
    const bomber = await stage.player("bomber", "10.0.0.2");
    const bomb = compressed("Chat", new Uint8Array(2 ** 20));
    for (let ms = 0; ms < 20_000 && bomber.closed === undefined; ms += 250) {
      for (let i = 0; i < 8; i++) bomber.socket.write(bomb);
      await stage.pass(250);
      await player.say("Chat", { msg: `${ms}` });
    }
    assert.notEqual(bomber.closed, undefined);
    assert.equal(stage.disconnects("flood"), 1);
    assert.ok(heard(player).length > 30);
    const inflated = [...stage.game.metrics.ignored.entries].map(([, times]) => times);
    const { bytesBurst, bytesPerSecond, overLimitSeconds } = stage.game.config;
    const allowed = (bytesBurst + (overLimitSeconds + 1) * bytesPerSecond) / 2 ** 20 + 1;
    assert.ok(inflated[0]! <= allowed, `${inflated[0]} bombs of 1 MiB, ${allowed} are allowed`);
  });

  it("refuses a compressed packet that announces more than a packet may hold", async () => {
    const stage = await ServerStage.open();
    const player = await stage.player("player");
    await player.send(compressed("Chat", new Uint8Array(2 ** 20 + 1)));
    await player.send(fromHex("84211914124443686174" + "46ffffffff789c"));
    await player.send(notification("Chat", { msg: "alive" }));
    assert.deepEqual(heard(player), ["alive"]);
    assert.deepEqual([...stage.game.metrics.ignored.entries], [["compression_too_large", 2]]);
  });

  it("passes SQL on as a value only, and keeps it out of names, devices and avatars", async () => {
    const sql = "x'); DROP TABLE userinfo; --";
    const stage = await ServerStage.open({ config: unhurried });
    for (const setup of [{ name: sql }, { name: "a", device: sql }, { name: "a", version: sql }]) {
      const client = await stage.connect();
      await client.send(client.setup(setup));
      assert.equal(client.closed, "fin");
    }
    assert.equal(stage.accounts.operations.length, 0);
    const owner = await stage.player("owner", "10.0.0.1");
    const guest = await stage.player("guest", "10.0.0.2");
    stage.accounts.operations.length = 0;
    stage.crypto.jobs.length = 0;
    await owner.say("UpdateAvatar", sql);
    await owner.say("ReadGlobalSaveState", sql);
    await owner.say("UpdatePassword", ["secret", sql]);
    const bytes = (text: string) => new TextEncoder().encode(text);
    assert.deepEqual(stage.accounts.of("set_avatar"), []);
    assert.deepEqual(stage.accounts.of("load_global"), [{ kind: "load_global", uid: 1, key: sql }]);
    const [change] = stage.crypto.jobs;
    assert.ok(change?.kind === "change");
    assert.deepEqual([change.given, change.wanted], [bytes("secret"), bytes(sql)]);
    assert.equal(stage.accounts.of("set_password")[0]?.password.legacy.hash, sql);
    // A room's mode is what the original lets into its SQL.
    await owner.say("CreateRoom", [sql, 2, 15, { gameMode: sql, password: sql }]);
    await guest.say("EnterRoom", [1, sql]);
    await guest.say("Ready");
    await owner.say("StartGame");
    assert.equal(stage.game.metrics.counters.games_started, 1);
    await guest.say("Chat", { type: 2, msg: sql });
    assert.ok(heard(owner).includes(sql));
    stage.rules[0]?.hooks.turnDone({
      call: undefined,
      notices: [
        {
          kind: "player_result",
          playerId: 1,
          mode: sql,
          role: sql,
          result: 1,
          roomId: 1,
        },
        { kind: "general_result", general: sql, mode: sql, role: sql, result: 2, roomId: 1 },
      ],
    });
    await guest.say("QuitRoom");
    stage.rules[0]?.hooks.turnDone({
      call: undefined,
      notices: [{ kind: "game_over", roomId: 1 }],
    });
    await stage.pass(10);
    const results = stage.accounts.operations.filter((operation) =>
      operation.kind.startsWith("record_")
    );
    assert.deepEqual(results, [
      { kind: "record_result", uid: 1, mode: sql, role: sql, result: 1 },
      { kind: "record_general_result", general: sql, mode: sql, role: sql, result: 2 },
      { kind: "record_run", uid: 2, mode: sql },
    ]);
    assert.equal(stage.game.metrics.counters.faults, 0);
  });

  it("takes rooms at the limits of name, capacity, timeout, mode and settings, none beyond", async () => {
    const stage = await ServerStage.open({ config: unhurried });
    const player = await stage.player("player");
    const empty = { gameMode: "", password: "" };
    // The map with one key more, to have exactly so many bytes.
    const sized = (size: number) => ({ p: new Uint8Array(size - 6) });
    assert.equal(encodeCbor(sized(65_536)).length, 65_536);
    const cases: [isFine: boolean, room: Parameters<typeof encodeCbor>[0]][] = [
      [true, ["名".repeat(42) + "ab", 2, 15, empty]],
      [false, ["名".repeat(43), 2, 15, empty]],
      [false, ["", 2, 15, empty]],
      [true, ["a", 1, 15, empty]],
      [true, ["a", 64, 15, empty]],
      [false, ["a", 0, 15, empty]],
      [false, ["a", 65, 15, empty]],
      [false, ["a", -1, 15, empty]],
      [true, ["a", 2, 1, empty]],
      [true, ["a", 2, 600, empty]],
      [false, ["a", 2, 0, empty]],
      [false, ["a", 2, 601, empty]],
      [false, ["a", 2, 2 ** 53, empty]],
      [true, ["a", 2, 15, { gameMode: "m".repeat(128) }]],
      [false, ["a", 2, 15, { gameMode: "m".repeat(129) }]],
      [true, ["a", 2, 15, sized(65_536)]],
      [false, ["a", 2, 15, sized(65_537)]],
    ];
    for (const [i, [isFine, room]] of cases.entries()) {
      player.forget();
      await player.say("CreateRoom", room);
      const expected = isFine ? "EnterRoom" : "ErrorMsg";
      assert.ok(player.commands.includes(expected), `${i}: ${player.commands}`);
      if (isFine) await player.say("QuitRoom");
      else assert.deepEqual(player.texts("ErrorMsg"), ["unk error"]);
    }
    assert.equal(stage.game.lobby.rooms.size, 0);
  });

  it("takes new names and devices at their limits, none beyond", async () => {
    const stage = await ServerStage.open({ config: unhurried });
    const outcome = async (setup: Parameters<StageClient["setup"]>[0]) => {
      const client = await stage.connect();
      await client.send(client.setup({ device: "device", ...setup }));
      return client.texts("ErrorDlg")[0] ?? client.commands.at(-1);
    };
    assert.equal(await outcome({ name: "𠀀".repeat(64) }), "UpdatePlayerNum");
    assert.equal(await outcome({ name: "名".repeat(65) }), "invalid user name");
    assert.equal(await outcome({ name: "a".repeat(60_000) }), "invalid user name");
    assert.equal(await outcome({ name: "d", device: "d".repeat(128) }), "UpdatePlayerNum");
    assert.equal(await outcome({ name: "e", device: "d".repeat(129) }), "you have been banned!");
    assert.equal(await outcome({ name: "f", cipher: new Uint8Array(0) }), "unknown password error");
  });

  it("cuts chat at 300 bytes, keeps avatars at 64 characters, and loads no key that is too long", async () => {
    const stage = await ServerStage.open({ config: unhurried });
    const player = await stage.player("player");
    await player.say("Chat", { msg: "名".repeat(1_000) });
    assert.deepEqual(heard(player), ["名".repeat(100)]);
    await player.say("UpdateAvatar", "a".repeat(64));
    await player.say("UpdateAvatar", "a".repeat(65));
    assert.deepEqual(stage.accounts.of("set_avatar").map(({ avatar }) => avatar.length), [64]);
  });
});

function errorsOf(stage: ServerStage): string {
  return stage.log.lines.filter(({ level }) => level === "error")
    .map(({ fields }) => JSON.stringify(fields)).slice(0, 2).join("\n");
}
