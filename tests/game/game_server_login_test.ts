import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { compress } from "../../src/wire/compression.ts";
import { encodePacket } from "../../src/wire/packet.ts";
import { packetBits, packetTypes } from "../../src/wire/packet_types.ts";
import { encodeCbor } from "../../src/wire/cbor_encode.ts";
import { nodeZlib } from "../../src/adapters/node/zlib.ts";
import { joined } from "../wire/hex.ts";
import { heard, notification, ServerStage } from "./server_stage.ts";

const welcome = ["Setup", "SetServerSettings", "AddTotalGameTime", "EnterLobby", "UpdatePlayerNum"];

describe("GameServer.adopt()", () => {
  it("greets with the key, and nothing else", async () => {
    const stage = await ServerStage.open();
    const client = await stage.connect();
    assert.deepEqual(client.told, ["NetworkDelayTest 'PEM\\n'"]);
    assert.equal(stage.game.pending.size, 1);
    assert.equal(client.closed, undefined);
  });

  it("refuses banned addresses and a full server with their texts, in full before the close", async () => {
    const stage = await ServerStage.open({
      bans: [{ kind: "ip_banned", ip: "10.0.0.1" }],
      config: { capacity: 1 },
    });
    stage.bans.banIpTemporarily("10.0.0.2", stage.clock.now() + 1_000);
    const banned = await stage.connect("10.0.0.1");
    const temporarily = await stage.connect("10.0.0.2");
    await stage.player("caocao", "10.0.0.3");
    const late = await stage.connect("10.0.0.4");
    assert.deepEqual([banned, temporarily, late].map(({ told }) => told), [
      ['ErrorDlg raw "you have been banned!"'],
      ['ErrorDlg raw "you have been temporarily banned!"'],
      ['ErrorDlg raw "server is full!"'],
    ]);
    for (const client of [banned, temporarily, late]) assert.equal(client.closed, "fin");
    assert.equal(stage.game.pending.size, 0);
    assert.equal(stage.refusals("ip_banned"), 1);
    assert.equal(stage.disconnects("refused_server_full"), 1);
    await stage.pass(1_000);
    const again = await stage.connect("10.0.0.2");
    assert.equal(again.told[0], 'ErrorDlg raw "server is full!"', "the ban is over");
  });

  it("lets nobody in who connected before his address was banned", async () => {
    const stage = await ServerStage.open();
    const early = [await stage.connect("10.0.0.1"), await stage.connect("10.0.0.2")];
    stage.bans.apply([{ kind: "ip_banned", ip: "10.0.0.1" }]);
    stage.bans.banIpTemporarily("10.0.0.2", stage.clock.now() + 60_000);
    for (const client of early) await client.send(client.setup());
    assert.deepEqual(early.map(({ told, closed }) => [told.at(-1), closed]), [
      ['ErrorDlg raw "you have been banned!"', "fin"],
      ['ErrorDlg raw "you have been temporarily banned!"', "fin"],
    ]);
    assert.equal(stage.game.lobby.online.size, 0);
  });

  it("holds 32 connections of one address without login, and 32 of one IPv6 /64", async () => {
    for (const hosts of [["10.0.0.1"], ["2001:db8::1", "2001:db8::2", "2001:db8:0:0:ffff::9"]]) {
      const stage = await ServerStage.open();
      const host = (i: number) => hosts[i % hosts.length];
      const clients = [];
      for (let i = 0; i < 32; i++) clients.push(await stage.connect(host(i)));
      const extra = await stage.connect(host(1));
      assert.deepEqual([extra.told, extra.closed], [[], "fin"], String(hosts[0]));
      assert.equal(stage.disconnects("too_many_pending"), 1);
      const other = await stage.connect(hosts.length > 1 ? "2001:db8:0:1::1" : "10.0.0.2");
      assert.deepEqual(other.commands, ["NetworkDelayTest"]);
      // Whoever logs in or leaves makes room.
      await clients[0]!.send(clients[0]!.setup());
      clients[1]!.socket.end();
      await stage.settle();
      for (const expected of [["NetworkDelayTest"], ["NetworkDelayTest"], []]) {
        assert.deepEqual((await stage.connect(host(2))).commands, expected);
      }
      assert.equal(stage.game.pending.size, 33);
    }
  });

  it("reads what came before it was adopted", async () => {
    const stage = await ServerStage.open({ adopts: "first_bytes" });
    const client = await stage.connect();
    assert.deepEqual(client.told, []);
    const refresh = notification("RefreshRoomList", null);
    await client.send(joined(client.setup(), refresh));
    assert.deepEqual(client.commands, ["NetworkDelayTest", ...welcome, "UpdateRoomList"]);
  });

  it("closes who does not log in within setupTimeoutSeconds, and nobody else", async () => {
    const stage = await ServerStage.open();
    const silent = await stage.connect();
    await stage.pass(179_999);
    const later = await stage.connect();
    const partial = await stage.connect();
    await partial.send(partial.setup().subarray(0, 50));
    assert.equal(silent.closed, undefined);
    await stage.pass(1);
    assert.equal(silent.closed, "fin");
    assert.equal(later.closed, undefined);
    await later.send(later.setup());
    await stage.pass(180_000);
    assert.deepEqual([later.closed, partial.closed, stage.disconnects("setup_timeout")], [
      undefined,
      "fin",
      2,
    ]);
  });
});

describe("GameServer and a late probe", () => {
  it("gives the connection back with all that it said, and counts it nowhere", async () => {
    const stage = await ServerStage.open();
    const client = await stage.connect();
    const line = new TextEncoder().encode("M1_CONN_PING\nM6_STABILITY\n");
    await client.send(line.subarray(0, 7));
    assert.deepEqual(stage.givenBack, []);
    await client.send(line.subarray(7));
    assert.deepEqual(stage.givenBack, [line]);
    assert.equal(stage.game.metrics.counters.given_back, 1);
    assert.deepEqual([stage.game.pending.size, stage.game.metrics.disconnects.total], [0, 0]);
    await stage.pass(180_000);
    assert.equal(client.closed, undefined, "it is the host's now");
  });

  it("closes one that speaks something else", async () => {
    const stage = await ServerStage.open();
    const client = await stage.connect();
    await client.send(new TextEncoder().encode("GET / HTTP/1.1\r\n\r\n"));
    assert.deepEqual([client.closed, stage.disconnects("packet_not_array")], ["fin", 1]);
  });
});

describe("GameServer and a login", () => {
  it("lets in, in this order, and takes the commands that came in the same segment", async () => {
    const stage = await ServerStage.open();
    stage.accounts.add("caocao", "secret", { totalGameTime: 60 });
    const client = await stage.connect();
    const chat = notification("Chat", { msg: "hello" });
    await client.send(joined(client.setup({ name: "caocao" }), chat, chat));
    assert.deepEqual(client.commands, ["NetworkDelayTest", ...welcome, "Chat", "Chat"]);
    assert.equal(client.told[3], "AddTotalGameTime [1, 60]");
    const { counters } = stage.game.metrics;
    assert.deepEqual([counters.logins, counters.registrations, counters.packets_in], [1, 0, 2]);
    assert.equal(stage.game.pending.size, 0);
    assert.deepEqual(stage.accounts.operations.map(({ kind }) => kind), [
      "look_up",
      "record_login",
      "set_password",
    ]);
  });

  it("a muted account logs in, and is silent until its time is over", async () => {
    const stage = await ServerStage.open();
    const { uid } = stage.accounts.add("caocao", "secret");
    const expireAt = Math.floor(stage.clock.now() / 1_000) + 60;
    stage.bans.apply([{ kind: "muted", uid, type: 1, expireAt }]);
    const client = await stage.player("caocao");
    await client.say("Chat", { msg: "too early" });
    assert.deepEqual(heard(client), []);
    await stage.pass(60_001);
    await client.say("Chat", { msg: "at last" });
    assert.deepEqual(heard(client), ["at last"]);
  });

  it("counts a new name as a registration", async () => {
    const stage = await ServerStage.open();
    await stage.player("caocao");
    assert.equal(stage.game.metrics.counters.registrations, 1);
  });

  it("answers what is no Setup with its text before the close, and reads nothing more", async () => {
    const stage = await ServerStage.open();
    const compressed = encodePacket({
      requestId: -2,
      type: packetTypes.clientNotification | packetBits.compressed,
      command: "Setup",
      data: compress(encodeCbor(["a", "b", "c", "d", "e"]), (plain) => nodeZlib().deflate(plain)),
    });
    for (const packet of [notification("Chat", { msg: "x" }), compressed]) {
      const client = await stage.connect();
      await client.send(joined(packet, client.setup()));
      assert.equal(client.told[1], 'ErrorDlg raw "INVALID SETUP STRING"');
      assert.equal(client.closed, "fin");
    }
    assert.deepEqual(stage.accounts.operations, []);
    assert.equal(stage.refusals("invalid_setup"), 2);
  });

  it("tells a refusal in full before the close: the packages to get, or the password", async () => {
    const stage = await ServerStage.open();
    stage.accounts.add("caocao", "secret");
    const outdated = await stage.connect();
    await outdated.send(outdated.setup({ md5: "x" }));
    assert.deepEqual(outdated.commands, ["NetworkDelayTest", "ErrorMsg", "UpdatePackage"]);
    assert.equal(outdated.packets[1]?.text, "MD5 check failed!");
    const guesser = await stage.connect();
    await guesser.send(guesser.setup({ name: "caocao", password: "other" }));
    assert.deepEqual(guesser.texts("ErrorDlg"), ["username or password error"]);
    assert.deepEqual([outdated.closed, guesser.closed], ["fin", "fin"]);
    assert.equal(stage.game.lobby.online.size, 0);
    assert.equal(stage.disconnects("refused_wrong_password"), 1);
  });

  it("reads nothing while the login is looked at", async () => {
    const stage = await ServerStage.open();
    const gate = Promise.withResolvers<void>();
    stage.accounts.gate = gate.promise;
    const client = await stage.connect();
    await client.send(client.setup());
    await client.send(notification("RefreshRoomList", null));
    await client.send(Uint8Array.of(0xff));
    assert.deepEqual([client.commands, client.closed], [["NetworkDelayTest"], undefined]);
    gate.resolve();
    await stage.settle();
    assert.deepEqual(client.commands.slice(1), [...welcome, "UpdateRoomList"]);
    assert.equal(stage.disconnects("packet_not_array"), 1);
  });

  it("lets nobody in who has gone meanwhile, or whose time was up", async () => {
    const stage = await ServerStage.open();
    const gate = Promise.withResolvers<void>();
    stage.accounts.gate = gate.promise;
    const gone = await stage.connect();
    await gone.send(gone.setup({ name: "gone" }));
    gone.socket.destroy();
    const late = await stage.connect();
    await late.send(late.setup({ name: "late" }));
    await stage.pass(180_000);
    assert.equal(stage.game.pending.size, 0);
    gate.resolve();
    await stage.settle();
    assert.equal(stage.game.lobby.online.size, 0);
    assert.equal(stage.game.metrics.counters.logins, 0);
    assert.deepEqual(stage.accounts.of("record_login"), []);
    assert.deepEqual(stage.escaped, []);
  });

  it("refuses the last of two who wait for the last place", async () => {
    const stage = await ServerStage.open({ config: { capacity: 1 } });
    const gate = Promise.withResolvers<void>();
    stage.accounts.gate = gate.promise;
    const clients = [await stage.connect(), await stage.connect()];
    for (const [i, client] of clients.entries()) await client.send(client.setup({ name: `p${i}` }));
    gate.resolve();
    await stage.settle();
    assert.deepEqual(clients.map((client) => client.texts("ErrorDlg")), [[], ["server is full!"]]);
    assert.equal(stage.game.lobby.online.size, 1);
  });

  it("a second login of an account tells the first connection why, then closes it", async () => {
    const stage = await ServerStage.open();
    const first = await stage.player("caocao");
    const second = await stage.player("caocao");
    assert.deepEqual(first.texts("ErrorDlg"), ["others logged in again with this name"]);
    assert.equal(first.closed, "fin");
    assert.equal(second.closed, undefined);
    assert.equal(stage.disconnects("other_login"), 1);
    assert.equal(stage.game.lobby.online.size, 1);
    await second.say("RefreshRoomList");
    assert.deepEqual(second.commands, ["UpdateRoomList"]);
  });

  it("a store in trouble refuses, and those who are in play on", async () => {
    const stage = await ServerStage.open();
    const player = await stage.player("caocao");
    stage.accounts.trouble = "disk full";
    const client = await stage.connect();
    await client.send(client.setup({ name: "liubei" }));
    assert.deepEqual(client.texts("ErrorDlg"), ["the server is busy, please try again"]);
    await player.say("Chat", { msg: "still here" });
    assert.ok(player.commands.includes("Chat"));
  });

  it("a crypto worker that throws costs that login, with a fault and a line in the log", async () => {
    const stage = await ServerStage.open();
    stage.crypto.run = () => {
      throw new Error("hostile");
    };
    const client = await stage.connect();
    await client.send(client.setup());
    assert.equal(client.closed, "fin");
    assert.equal(stage.disconnects("internal_error"), 1);
    assert.equal(stage.game.metrics.counters.faults, 1);
    assert.equal(stage.log.lines.filter(({ level }) => level === "error").length, 1);
  });
});
