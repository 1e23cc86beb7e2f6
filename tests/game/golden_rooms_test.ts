import assert from "node:assert/strict";
import { it } from "node:test";
import { comparable, type Deviation, type Replay, replay } from "./trace_replay.ts";
import { describeTraces } from "../wire/golden_traces.ts";
import type { ServerMessage } from "../../src/wire/server_messages.ts";

function assertSame({ expected, actual, ids }: Replay, mask = (message: unknown) => message): void {
  assert.ok(ids.size > 0);
  for (const conn of ids.keys()) {
    const messages = expected.get(conn) ?? [];
    assert.deepEqual(
      comparable(actual.get(conn) ?? []).map(mask),
      comparable(messages).map(mask),
      `what ${conn} is told`,
    );
  }
}

function kicks(connection: string, playerId: number): Deviation["instead"] {
  return (ids) => [{
    kind: "command",
    connection: ids.get(connection) as number,
    command: { command: "KickPlayer", playerId },
  }];
}

describeTraces("Lobby on recordings of the original server", () => {
  const asRecorded = [
    "login_with_others_online",
    "room_list",
    "game_over_replay",
    "game_timeout",
    "game_trust",
    "game_run_away",
  ];
  for (const trace of asRecorded) {
    it(`tells each client of ${trace} what it was told then, in that order`, () => {
      assertSame(replay(trace));
    });
  }

  it("tells each client of waiting_room the same, but that a guest kicks nobody", () => {
    const guestKicks: Deviation = {
      at: ({ dir, conn, decoded }) => {
        return dir === "c2s" && conn === "B" && decoded?.command === "KickPlayer";
      },
      // Ignored; the owner does it, so that both go on alike.
      instead: (ids) => [...kicks("B", -3)(ids), ...kicks("A", -3)(ids)],
    };
    assertSame(replay("waiting_room", { deviations: [guestKicks] }));
  });

  it("tells each client of guest_rights the same until a guest kicks the owner", () => {
    assertSame(replay("guest_rights", { until: 791 }));
  });

  it("tells the client of create_room the same until its wishes are outside the limits", () => {
    assertSame(replay("create_room", { until: 760 }));
  });

  it("tells each client of lobby_chat the same, but cuts between characters", () => {
    const said = replay("lobby_chat");
    const isCut = (message: ServerMessage) => {
      return message.command === "Chat" &&
        (message.msg === "(not text)" || /^a{299}$/.test(message.msg));
    };
    for (const side of [said.expected, said.actual]) {
      for (const [conn, messages] of side) {
        assert.equal(messages.filter(isCut).length, 1, conn);
        side.set(conn, messages.filter((message) => !isCut(message)));
      }
    }
    assertSame(said);
  });

  it("tells the client of update_avatar the same until it sends bytes, which we accept", () => {
    assertSame(replay("update_avatar", { until: 683 }));
  });

  it("tells the client of server_settings that AddRobot is off, and ignores it", () => {
    const settings = {
      motd: "Привет *md*",
      hiddenPacks: ["pk1", "pk2"],
      disabledFeatures: ["AddRobot"],
    };
    assertSame(replay("server_settings", { settings }));
  });

  for (const trace of ["duplicate_login", "duplicate_login_in_waiting_room"]) {
    it(`tells each client of ${trace} the same, but counts the account once`, () => {
      const said = replay(trace);
      assertSame(said, (message) => {
        const isCount = (message as ServerMessage).command === "UpdatePlayerNum";
        return isCount ? { command: "UpdatePlayerNum" } : message;
      });
      const closed = said.effects.filter(({ kind }) => kind === "close");
      assert.equal(closed.length, 1);
    });
  }

  it("closes whoever ran away in game_run_away and bans the address", () => {
    const { effects } = replay("game_run_away");
    const ends = effects.filter(({ kind }) => kind === "ban_ip" || kind === "close");
    assert.deepEqual(ends.map(({ kind }) => kind), ["ban_ip", "close"]);
  });

  it("sends heartbeats as in the recording and closes at the seventh tick", () => {
    // The recorded server ticked by a clock of its own, a little before ours.
    const said = replay("heartbeat", { settings: { heartbeatMs: 29_900 } });
    const beats = (messages: readonly ServerMessage[] = []) => {
      return messages.filter(({ command }) => command === "Heartbeat").length;
    };
    assert.equal(beats(said.actual.get("B")), 6);
    assert.equal(beats(said.expected.get("B")), 6);
    const closes = said.effects.filter((effect) => {
      return effect.kind === "close" && effect.reason.code === "heartbeat";
    });
    assert.equal(closes.length, 1);
  });
});
