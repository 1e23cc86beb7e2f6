import assert from "node:assert/strict";
import { afterEach, describe, it } from "node:test";
import type { RulesNotice } from "../../../src/game/lua/rpc_rules.ts";
import type { RulesQueue } from "../../../src/game/lua/rules_queue.ts";
import { CborMap, decodeCbor } from "../../../src/wire/cbor.ts";
import { encodeCbor } from "../../../src/wire/cbor_encode.ts";
import { encodeUtf8 } from "../../../src/wire/utf8.ts";
import { type RulesParts, type RulesUnderTest, rulesUnderTest } from "./rpc_harness.ts";
import { tablePlayer } from "./rpc_table.ts";

/** Command and data of what players are told, and the kinds of everything else. */
export function summaryOf(notices: readonly RulesNotice[]): unknown[] {
  return notices.map((notice) => {
    if (notice.kind !== "do_notify") return notice.kind;
    const data = decodeCbor(notice.data);
    return [notice.connId, notice.command, data.ok ? data.value : "?"];
  });
}

const newRoom = (roomId = 1) => ({ kind: "new_room", roomId }) as const;
const resume = (reason: string, roomId = 1) => ({ kind: "resume", roomId, reason }) as const;

/** What each host does with the scripted rules, in whatever language they are written. */
export function rulesConformance(
  name: string,
  open: (parts: RulesParts) => RulesQueue,
  skip: string | false = false,
): void {
  describe(`rules in ${name}`, { skip }, () => {
    const opened: RulesUnderTest[] = [];
    afterEach(async () => {
      for (const one of opened.splice(0)) await one.close();
    });

    async function started(given: Parameters<typeof rulesUnderTest>[0] = {}) {
      const one = await rulesUnderTest({ open, ...given });
      opened.push(one);
      one.rules.start();
      return one;
    }

    async function playing(given: Parameters<typeof rulesUnderTest>[0] = {}) {
      const one = await started(given);
      await one.turn(newRoom());
      return one;
    }

    it("starts a game: Lua reads the room and tells its players, settings byte for byte", async () => {
      const one = await started();
      const notices = await one.turn(newRoom());
      assert.deepEqual(
        notices.map((notice) => notice.kind === "do_notify" && [notice.connId, notice.command]),
        [[1000, "StartGame"], [1001, "StartGame"], [1000, "Settings"], [1001, "Settings"]],
      );
      const data = notices.map((notice) => notice.kind === "do_notify" && notice.data);
      assert.deepEqual(data[0], Uint8Array.of(0xf6));
      assert.deepEqual(data[2], one.table.rooms.get(1)?.settings);
      assert.equal(one.rules.load, 1);
    });

    it("asks, waits, and reads the answer when it is there", async () => {
      const one = await playing();
      assert.deepEqual(summaryOf(await one.ordered("ask,9,15,AskForCard")), [
        "set_request_timer",
        "do_request",
        "set_thinking",
      ]);
      assert.deepEqual(summaryOf(await one.turn(resume("player_disconnect"))), []);
      one.table.replies.set(1000, Uint8Array.of(0x18, 0xff));
      assert.deepEqual(summaryOf(await one.turn(resume("reply"))), [
        "set_thinking",
        [1000, "Answered", [9, Uint8Array.of(0x18, 0xff)]],
        [1001, "Answered", [9, Uint8Array.of(0x18, 0xff)]],
        "destroy_request_timer",
      ]);
    });

    it("kicks whoever lets the third question in a row pass, and nobody who is not online", async () => {
      const one = await playing();
      for (let missed = 1; missed <= 3; missed++) {
        await one.ordered("ask,9,2,AskForCard");
        const kinds = summaryOf(await one.turn(resume("request_timer")));
        assert.equal(kinds.includes("emit_kick"), missed === 3, `after ${missed}`);
      }
      one.table.replies.set(1000, encodeUtf8("__cancel"));
      assert.deepEqual(
        summaryOf(await one.ordered("ask,9,2,AskForCard")).at(-1),
        "destroy_request_timer",
      );
      const state = { kind: "set_player_state", roomId: 1, playerId: 9, state: 6 } as const;
      assert.deepEqual(await one.turn(state), []);
    });

    it("delays, saves and loads, and is resumed with what was found", async () => {
      const one = await playing();
      assert.deepEqual(await one.ordered("delay,798"), [{ kind: "delay", roomId: 1, ms: 798 }]);
      assert.deepEqual(summaryOf(await one.turn(resume("delay_done")))[0], [
        1000,
        "Delayed",
        "delay_done",
      ]);
      assert.deepEqual(await one.ordered('save_global,k,{"a":1,"b":"名"}'), [
        { kind: "save_global_state", connId: 1000, key: "k", json: '{"a":1,"b":"名"}' },
      ]);
      await one.turn(resume("query_done"));
      assert.deepEqual(summaryOf(await one.ordered("load")), ["get_save_state"]);
      assert.deepEqual(summaryOf(await one.turn(resume('{"名":1}')))[0], [
        1000,
        "Loaded",
        '{"名":1}',
      ]);
      assert.deepEqual(summaryOf(await one.ordered('set_session,{"n":2}')).slice(0, 2), [
        "set_session_data",
        [1000, "Session", [1, '{"n":2}']],
      ]);
    });

    it("ends a game: results between the GameOver notice and game_over, in one turn", async () => {
      const one = await playing();
      assert.deepEqual(summaryOf(await one.ordered("end,win,lose")), [
        [1000, "GameOver", "win+lose"],
        [1001, "GameOver", "win+lose"],
        "player_result",
        "general_result",
        "player_result",
        "general_result",
        "game_over",
        "decrease_ref_count",
      ]);
      assert.equal(one.rules.load, 0);
      const turns = one.turns.length;
      assert.equal(one.rules.call(resume("query_done")), true);
      assert.equal(await one.rules.ping(), true);
      assert.equal(one.turns.length, turns, "a stray resume reaches nobody");
      await one.turn(newRoom());
      assert.equal(one.rules.load, 1);
    });

    it("has observers told and forgotten, and players come back", async () => {
      const one = await playing();
      const player = { ...tablePlayer(1004), id: 13 };
      one.table.seatObserver(1, player);
      await one.turn({ kind: "add_observer", roomId: 1, player });
      const observe = { kind: "request", roomId: 1, playerId: 13, command: "observe" } as const;
      const [notice] = await one.turn(observe);
      assert.ok(notice?.kind === "do_notify" && notice.connId === 1004);
      assert.equal((await one.ordered("notify,Note,hello")).length, 3);
      await one.turn({ kind: "remove_observer", roomId: 1, playerId: 13 });
      assert.equal((await one.ordered("notify,Note,hello")).length, 2);
      const back = { kind: "request", roomId: 1, playerId: 9, command: "reconnect" } as const;
      const [reconnect] = await one.turn(back);
      assert.ok(reconnect?.kind === "do_notify" && reconnect.command === "Reconnect");
      const data = decodeCbor(reconnect.data);
      assert.ok(data.ok && data.value instanceof CborMap);
    });

    it("runs a task to its end", async () => {
      const one = await started();
      const notices = await one.turn({ kind: "new_task", taskId: -1000 });
      assert.deepEqual(notices.map(({ kind }) => kind), ["do_notify", "task_delay"]);
      assert.equal(one.rules.load, 1);
      const rest = await one.turn(resume("delay_done", -1000));
      assert.deepEqual(rest.map(({ kind }) => kind), ["do_notify", "task_decrease_ref_count"]);
      assert.equal(one.rules.load, 0);
    });

    it("seats a robot, which Lua plays with at once", async () => {
      const one = await playing();
      const told = summaryOf(await one.ordered("add_npc"));
      assert.deepEqual(told.at(-1), [1002, "NpcAdded", -2]);
    });

    it("answers wrong calls with errors and lives on", async () => {
      const one = await playing();
      const called = async (what: string) =>
        (summaryOf(await one.ordered(`call,${what}`)).at(-1) as unknown[])[2];
      assert.match(String(await called("Room_delay,1,soon")), /^!-32602 parameter 2/);
      assert.equal(await called("Room_delay,77,5"), "!-32602 Room not found");
      assert.equal(await called("ServerPlayer_thinking,77"), "!-32602 Player not found");
      assert.equal(await called("Task_getPlayer,-7"), "!-32602 Task not found");
      assert.match(String(await called("Room_explode,1")), /^!-32601 /);
      assert.equal(await called("ServerPlayer_thinking,1000"), "false");
      assert.deepEqual(one.losses, []);
    });

    it("an error of the script costs nobody anything but that call", async () => {
      const one = await playing();
      assert.deepEqual(await one.ordered("raise"), []);
      assert.equal((await one.ordered("notify,Note,on")).length, 2);
    });

    it("a room that Lua does not begin is lost, alone", async () => {
      const one = await playing();
      const loss = one.loss();
      one.rules.call(newRoom(5));
      assert.deepEqual(await loss, {
        reason: "Internal error (-32603): Room not found",
        roomIds: [5],
        taskIds: [],
      });
      assert.equal(one.rules.load, 1);
    });

    it("tells the rules one thing at a time, in order, also from within turnDone", async () => {
      const order: string[] = [];
      const one = await playing({
        turnDone(turn, rules) {
          const { call } = turn;
          if (call?.kind !== "push_request") return;
          const text = new TextDecoder().decode(call.request);
          order.push(`${text} begins`);
          if (text === "notify,A") {
            const request = encodeUtf8("notify,C");
            rules.call({ kind: "push_request", roomId: 1, playerId: 9, request });
          }
          order.push(`${text} ends`);
        },
      });
      one.order("notify,A");
      one.order("notify,B");
      await one.until("the last", () => order.length === 6);
      assert.deepEqual(
        order,
        ["A", "B", "C"].flatMap((name) => [`notify,${name} begins`, `notify,${name} ends`]),
      );
    });

    it("forget() has the rules abandon a room, and lets go of it", async () => {
      const one = await playing();
      one.rules.forget(1);
      assert.equal(await one.rules.ping(), true);
      assert.equal(one.rules.load, 0);
      assert.deepEqual(summaryOf(one.turns.at(-1)?.notices ?? []), [
        "game_over",
        "decrease_ref_count",
      ]);
      const turns = one.turns.length;
      assert.equal(one.order("notify,Note,nobody is there"), true);
      assert.equal(await one.rules.ping(), true);
      assert.equal(one.turns.length, turns);
      await one.turn(newRoom());
      assert.equal((await one.ordered("notify,Note,on")).length, 2);
      assert.deepEqual(one.losses, []);
    });

    it("keeps rooms apart: 20 games in turn", async () => {
      const ids = Array.from({ length: 20 }, (_, at) => at + 1);
      const one = await started({ roomIds: ids });
      for (const id of ids) one.rules.call(newRoom(id));
      await Promise.all(ids.map((id) => one.ordered(`notify,Note,${id}`, id)));
      for (const id of ids) {
        const [notice] = await one.ordered(`notify,Note,room ${id}`, id);
        assert.ok(notice?.kind === "do_notify");
        assert.deepEqual(notice.data, encodeCbor(`room ${id}`));
      }
    });
  });
}
