import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { joined } from "../wire/hex.ts";
import { heard, notification, ServerStage } from "./server_stage.ts";

const chat = (msg: string) => notification("Chat", { msg });

describe("GameServer and faults of its own", () => {
  it("a store that throws costs one effect: the others are carried out, and time goes on", async () => {
    const stage = await ServerStage.open({
      perform: (operation, perform) => {
        if (operation.kind === "set_avatar") throw new Error("hostile store");
        perform();
      },
    });
    const victim = await stage.player("victim");
    const other = await stage.player("other");
    await victim.say("UpdateAvatar", "zhangfei");
    assert.deepEqual(victim.texts("UpdateAvatar"), ["zhangfei"], "sent after the store's effect");
    await other.send(chat("alive"));
    assert.deepEqual(heard(victim), ["alive"]);
    assert.equal(stage.game.metrics.counters.faults, 1);
    const faults = stage.log.lines.filter(({ level }) => level === "error");
    assert.deepEqual(faults.map(({ fields }) => fields["event"]), ["command"]);
    await stage.pass(30_000);
    assert.ok(victim.commands.includes("Heartbeat"));
    assert.deepEqual(stage.escaped, []);
  });

  it("a lobby that throws costs the event, and is woken all the same", async () => {
    const stage = await ServerStage.open();
    const player = await stage.player("player");
    const { rooms } = stage.game.lobby;
    const entries = rooms.entries.bind(rooms);
    rooms.entries = () => {
      throw new Error("broken list");
    };
    const beat = stage.game.lobby.heartbeats.beat.bind(stage.game.lobby.heartbeats);
    await player.send(notification("RefreshRoomList", null), chat("alive"));
    assert.deepEqual(heard(player), ["alive"]);
    assert.equal(stage.game.metrics.counters.faults, 1);
    rooms.entries = entries;
    stage.game.lobby.heartbeats.beat = () => {
      stage.game.lobby.heartbeats.beat = beat;
      throw new Error("broken heart");
    };
    await stage.pass(31_000);
    assert.equal(stage.game.metrics.counters.faults, 2);
    assert.ok(player.commands.includes("Heartbeat"), "asked for again after the fault");
  });

  it("a login that the lobby throws at is closed, not left hanging", async () => {
    const stage = await ServerStage.open();
    stage.game.lobby.introduce = () => {
      throw new Error("broken welcome");
    };
    stage.game.lobby.online.add = () => {};
    const client = await stage.connect();
    await client.send(client.setup());
    assert.equal(client.closed, "fin");
    assert.equal(stage.disconnects("internal_error"), 1);
    assert.equal(stage.game.metrics.counters.logins, 0);
    assert.equal(stage.game.isConnected(1), false);
  });

  it("a session that throws costs its connection, even when nobody up there catches it", async () => {
    const stage = await ServerStage.open({ config: { packetsBurst: 1 } });
    const player = await stage.player("player");
    const other = await stage.player("other");
    await player.send(joined(chat("a"), chat("b")));
    const handle = stage.game.handle.bind(stage.game);
    stage.game.handle = (event) => {
      if (event.kind === "command") throw new Error("broken handler");
      handle(event);
    };
    // It happens in a timer, where an adapter could catch nothing.
    await stage.pass(1_000);
    assert.equal(player.closed, "fin");
    assert.equal(stage.disconnects("internal_error"), 1);
    stage.game.handle = handle;
    await other.send(chat("alive"));
    assert.ok(heard(other).includes("alive"));
    assert.deepEqual(stage.escaped, []);
  });

  it("its log is bounded, however often a peer finds a fault", async () => {
    const stage = await ServerStage.open({
      perform: () => {
        throw new Error("hostile store");
      },
    });
    const player = await stage.player("player");
    const save = notification("ReadGlobalSaveState", "key");
    await player.send(joined(...Array.from({ length: 200 }, () => save)));
    assert.equal(stage.game.metrics.counters.faults, 200);
    assert.equal(stage.log.lines.filter(({ level }) => level === "error").length, 20);
    assert.equal(player.closed, undefined);
  });

  it("what the rules write fills no disk, and does not hide what they write of another level", async () => {
    const stage = await ServerStage.open();
    const write = (level: "info" | "warn", count: number) => {
      const line = { kind: "log", level, text: "a line of the rules" } as const;
      const notices = Array.from({ length: count }, () => line);
      stage.rules[0]?.hooks.turnDone({ call: undefined, notices });
    };
    const shown = () => {
      const lines = stage.log.lines.filter(({ message }) => message === "a line of the rules");
      return ["info", "warn"].map((level) => lines.filter((line) => line.level === level).length);
    };
    write("info", 5_000);
    write("warn", 1);
    assert.deepEqual(shown(), [1_000, 1]);
    await stage.pass(1_000);
    write("info", 5_000);
    assert.deepEqual(shown(), [1_020, 1]);
    assert.ok(stage.log.lines.some(({ fields }) => fields["not_shown"] === 4_000));
  });
});
