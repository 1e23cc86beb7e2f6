import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { RpcDispatcher } from "../../../src/game/lua/rpc_dispatcher.ts";
import { rulesMethods } from "../../../src/game/lua/rpc_methods.ts";
import { turnLimits } from "../../../src/game/lua/rpc_turn_view.ts";
import { CborMap, type CborValue, textOf } from "../../../src/wire/cbor.ts";
import { decodeRpc } from "../../../src/game/lua/rpc_message.ts";
import { type Example, examples } from "./rpc_examples.ts";
import { noRecording, recordedRpc } from "./rpc_recording.ts";
import { rulesTable } from "./rpc_table.ts";

const bytes = (text: string) => new TextEncoder().encode(text);

function answerOf(
  dispatcher: RpcDispatcher,
  method: string,
  params: readonly CborValue[] | undefined,
) {
  const answer = dispatcher.answer({ kind: "call", id: 7, method, params });
  assert.ok(answer !== undefined && answer.id === 7);
  return answer;
}

/** Code and data of an error, or the result. */
function outcomeOf(
  dispatcher: RpcDispatcher,
  method: string,
  params: readonly CborValue[] | undefined,
): unknown {
  const answer = answerOf(dispatcher, method, params);
  if (answer.kind === "result") return answer.result;
  return `${answer.code} ${answer.message}: ${textOf(answer.data as Uint8Array)}`;
}

describe("RpcDispatcher.answer()", () => {
  it("has an example here for every method there is", () => {
    assert.deepEqual(Object.keys(examples()).sort(), [...rulesMethods.keys()].sort());
  });

  for (const [method, { params, result, notice }] of Object.entries(examples())) {
    it(`${method}: answers as the contract says and notes what it wants`, () => {
      const dispatcher = new RpcDispatcher(rulesTable());
      assert.deepEqual(answerOf(dispatcher, method, params), { kind: "result", id: 7, result });
      assert.deepEqual(dispatcher.take(), notice === undefined ? [] : [notice]);
      assert.deepEqual(dispatcher.take(), []);
    });

    it(`${method}: refuses every parameter of another type, one too few and one too many`, () => {
      const dispatcher = new RpcDispatcher(rulesTable());
      const others: CborValue[] = [
        null,
        1.5,
        2 ** 60,
        7,
        bytes("7"),
        true,
        [1],
        new CborMap([]),
      ];
      for (const at of params.keys()) {
        for (const other of others) {
          if (sameKind(other, params[at])) continue;
          const wrong = params.with(at, other);
          const outcome = outcomeOf(dispatcher, method, wrong);
          assert.match(String(outcome), /^-32602 Invalid params: parameter \d must be /);
        }
      }
      if (method !== "print") {
        for (const wrong of [params.slice(1), [...params, 1], [...params, 1, 2, 3, 4, 5]]) {
          assert.match(String(outcomeOf(dispatcher, method, wrong)), /^-32602 Invalid params: /);
        }
      }
      assert.match(String(outcomeOf(dispatcher, method, undefined)), /^-32602 .*no list$/);
      const notices = dispatcher.take();
      assert.ok(notices.length > 0);
      for (const notice of notices) {
        assert.ok(notice.kind === "log" && notice.level === "warn");
        assert.match(notice.text, new RegExp(`^Lua called "${method}" and was refused`));
      }
    });

    const what = /^(Room|Task|ServerPlayer|Server)/.exec(method)?.[1];
    if (what === undefined) continue;
    it(`${method}: says who is not there, and wants nothing done`, () => {
      const dispatcher = new RpcDispatcher(rulesTable());
      const name = what === "ServerPlayer" ? "Player" : what === "Server" ? "Task" : what;
      for (const unknown of [77, -3, 0]) {
        assert.equal(
          outcomeOf(dispatcher, method, params.with(0, unknown)),
          `-32602 Invalid params: ${name} not found`,
        );
      }
      assert.ok(dispatcher.take().every(({ kind }) => kind === "log"));
    });
  }

  it("answers a method that nobody knows with −32601", () => {
    const dispatcher = new RpcDispatcher(rulesTable());
    for (const method of ["Room_explode", "toString", "__proto__", "hello", ""]) {
      assert.match(String(outcomeOf(dispatcher, method, [])), /^-32601 Method not found: /);
    }
    assert.equal(dispatcher.take().length, 5);
  });

  it("carries out notifications, and answers none of them", () => {
    const dispatcher = new RpcDispatcher(rulesTable());
    const params = [bytes("hm")];
    assert.equal(dispatcher.answer({ kind: "notification", method: "qInfo", params }), undefined);
    assert.equal(dispatcher.answer({ kind: "notification", method: "nope", params }), undefined);
    assert.equal(dispatcher.take().length, 2);
  });

  it("takes strings as text or bytes, and whole floats as integers", () => {
    const dispatcher = new RpcDispatcher(rulesTable());
    assert.equal(outcomeOf(dispatcher, "ServerPlayer_doNotify", [1000, "Cmd", "x"]), 0);
    assert.deepEqual(dispatcher.take(), [
      { kind: "do_notify", connId: 1000, command: "Cmd", data: bytes("x") },
    ]);
  });

  it("ServerPlayer_doNotify without data sends null", () => {
    const dispatcher = new RpcDispatcher(rulesTable());
    const empty = new Uint8Array(0);
    assert.equal(outcomeOf(dispatcher, "ServerPlayer_doNotify", [1000, bytes("Cmd"), empty]), 0);
    assert.deepEqual(dispatcher.take(), [
      { kind: "do_notify", connId: 1000, command: "Cmd", data: Uint8Array.of(0xf6) },
    ]);
  });

  for (const method of ["Room_delay", "Room_setRequestTimer", "Task_delay"]) {
    it(`${method} of 0 ms or less is an error and is over at once`, () => {
      const dispatcher = new RpcDispatcher(rulesTable());
      const id = method === "Task_delay" ? -1000 : 1;
      for (const ms of [0, -5]) {
        assert.match(String(outcomeOf(dispatcher, method, [id, ms])), /^-32602 .* over 0 ms/);
        const [notice] = dispatcher.take();
        assert.ok(notice !== undefined && "ms" in notice && notice.ms === 0);
      }
    });
  }

  it("refuses a result that is neither win, lose nor draw", () => {
    const dispatcher = new RpcDispatcher(rulesTable());
    for (const result of [0, 4, -1]) {
      const params = [1, 9, bytes("m"), bytes("r"), result];
      assert.match(String(outcomeOf(dispatcher, "Room_updatePlayerWinRate", params)), /^-32602/);
    }
  });

  it("Room_addNpc says that the room takes none", () => {
    const table = rulesTable();
    table.npc = undefined;
    const dispatcher = new RpcDispatcher(table);
    assert.match(String(outcomeOf(dispatcher, "Room_addNpc", [1])), /^-32602 .*no robot/);
  });

  it("a request of this turn has no answer yet, though the one before it had", () => {
    const table = rulesTable();
    table.replies.set(1000, bytes("old"));
    const dispatcher = new RpcDispatcher(table);
    const wait = () => outcomeOf(dispatcher, "ServerPlayer_waitForReply", [1000, 0]);
    assert.deepEqual(wait(), bytes("old"));
    const { params } = examples().ServerPlayer_doRequest as Example;
    outcomeOf(dispatcher, "ServerPlayer_doRequest", params);
    assert.deepEqual(wait(), bytes("__notready"));
    table.replies.set(1000, bytes("__cancel"));
    assert.deepEqual(wait(), bytes("__cancel"));
    dispatcher.take();
    table.replies.set(1000, bytes("new"));
    assert.deepEqual(wait(), bytes("new"));
  });

  it("thinking and session data are read back within the turn that sets them", () => {
    const table = rulesTable();
    const dispatcher = new RpcDispatcher(table);
    outcomeOf(dispatcher, "ServerPlayer_setThinking", [1000, true]);
    outcomeOf(dispatcher, "Room_setSessionData", [1, bytes('{"a":"名"}')]);
    assert.equal(outcomeOf(dispatcher, "ServerPlayer_thinking", [1000]), true);
    assert.equal(outcomeOf(dispatcher, "ServerPlayer_thinking", [1001]), false);
    assert.deepEqual(outcomeOf(dispatcher, "Room_getSessionData", [1]), bytes('{"a":"名"}'));
    assert.equal(dispatcher.take().length, 2);
    assert.equal(outcomeOf(dispatcher, "ServerPlayer_thinking", [1000]), false);
    assert.deepEqual(outcomeOf(dispatcher, "Room_getSessionData", [1]), bytes("{}"));
  });

  it("calls a turn a flood that wants too much done, and keeps no more of it", () => {
    const dispatcher = new RpcDispatcher(rulesTable());
    const params = [1000, bytes("Cmd"), new Uint8Array(1_000_000)];
    let calls = 0;
    while (dispatcher.flood === undefined && calls < 100) {
      outcomeOf(dispatcher, "ServerPlayer_doNotify", params);
      calls++;
    }
    assert.match(dispatcher.flood ?? "", /more than 33554432 bytes in one turn/);
    for (let i = 0; i < 10; i++) outcomeOf(dispatcher, "ServerPlayer_doNotify", params);
    assert.ok(dispatcher.take().length <= calls);
    assert.equal(dispatcher.flood, undefined);
    for (let i = 0; i < turnLimits.noticesMax; i++) outcomeOf(dispatcher, "qInfo", [bytes("x")]);
    assert.match(dispatcher.flood ?? "", /more than 50000 notices/);
  });

  it("cuts what a script logs in one line", () => {
    const dispatcher = new RpcDispatcher(rulesTable());
    outcomeOf(dispatcher, "print", [new Uint8Array(100_000).fill(0x41)]);
    const [notice] = dispatcher.take();
    assert.ok(notice?.kind === "log" && notice.text.length < 5_000);
  });

  it("understands every call of the trace lua_rpc", { skip: noRecording }, () => {
    const table = rulesTable([1, 2, 3, 4, 5, 6, 7, 8, 9]);
    for (let connId = 990; connId < 1_100; connId++) table.thinkers.set(connId, false);
    for (const connId of table.thinkers.keys()) table.replies.set(connId, bytes("__notready"));
    const dispatcher = new RpcDispatcher(table);
    let calls = 0;
    for (const { direction, bytes, diag } of recordedRpc()) {
      const message = decodeRpc(bytes);
      if (direction !== "lua2srv" || message.kind !== "call") continue;
      const answer = dispatcher.answer(message);
      assert.equal(answer?.kind, "result", diag);
      calls++;
    }
    assert.ok(calls > 800);
  });
});

function sameKind(one: CborValue, other: CborValue | undefined): boolean {
  if (typeof one === "number") {
    return typeof other === "number" && Number.isInteger(one) && one < 100;
  }
  if (one instanceof Uint8Array) return other instanceof Uint8Array;
  return typeof one === typeof other && !Array.isArray(one) && one !== null &&
    !(one instanceof CborMap);
}
