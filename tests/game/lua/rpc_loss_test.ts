import assert from "node:assert/strict";
import { join } from "node:path";
import { afterEach, describe, it } from "node:test";
import type { ChildProcess } from "../../../src/ports/process.ts";
import { encodeUtf8 } from "../../../src/wire/utf8.ts";
import { fakeClock } from "../../fakes/clock.ts";
import { runtimeUnderTest } from "../../tested_runtime.ts";
import { type RulesUnderTest, rulesUnderTest, scriptedRules } from "./rpc_harness.ts";

const newRoom = (roomId: number) => ({ kind: "new_room", roomId }) as const;

describe("RulesChild when its process goes wrong", () => {
  const open: RulesUnderTest[] = [];
  afterEach(async () => {
    for (const one of open.splice(0)) await one.close();
  });

  async function started(given: Parameters<typeof rulesUnderTest>[0] = {}) {
    const one = await rulesUnderTest({ roomIds: [1, 2, 3], ...given });
    open.push(one);
    one.rules.start();
    return one;
  }

  async function playing(given: Parameters<typeof rulesUnderTest>[0] = {}) {
    const one = await started(given);
    await one.turn(newRoom(1));
    await one.turn(newRoom(2));
    return one;
  }

  async function turnOfTheLoop(): Promise<void> {
    const { clock } = await runtimeUnderTest();
    await new Promise<void>((resolve) => void clock.after(1, resolve));
  }

  /** The loss that an order brings, after which room 3 is played in a fresh process. */
  async function lossBy(order: string): Promise<string> {
    const one = await playing();
    const runtime = await runtimeUnderTest();
    const { pid } = one.rules;
    const lost = one.loss();
    one.order(order);
    const { reason, roomIds, taskIds } = await lost;
    assert.deepEqual([roomIds, taskIds], [[1, 2], []]);
    assert.equal((await one.turn(newRoom(3))).length, 4);
    assert.equal(one.rules.starts, 2);
    assert.ok(pid !== undefined && one.rules.pid !== pid);
    while (runtime.process.kill(pid, 0)) await turnOfTheLoop();
    assert.equal(one.losses.length, 1);
    return reason;
  }

  it("names the exit code of one that ends by itself", async () => {
    assert.equal(await lossBy("crash"), "the rules' process ended with code 7");
  });

  it("names what one said on its error output, and logs it", async () => {
    assert.equal(
      await lossBy("complain,lua5.4: module 'socket' not found"),
      "the rules' process ended with code 7: lua5.4: module 'socket' not found",
    );
  });

  it("kills one that writes text among its messages", async () => {
    // The answer to the turn may have come along.
    assert.match(
      await lossBy("garbage"),
      /^it wrote something that is no message: "hello from io.write\\n/,
    );
  });

  it("kills one that announces gigabytes", async () => {
    assert.equal(await lossBy("huge"), "it wrote a message that is larger than 8388608 bytes");
  });

  it("kills one that answers what was not asked", async () => {
    assert.equal(
      await lossBy("answer_wrongly"),
      "it answered call 9999 when the answer to call 3 was waited for",
    );
  });

  it("kills one that floods within a turn", async () => {
    assert.equal(await lossBy("flood"), "more than 33554432 bytes in one turn");
  });

  it("kills one that calls between turns", async () => {
    assert.equal(await lossBy("between"), 'it called "qInfo" between turns');
  });

  it("kills one that loops, at the deadline; calls that wait go to the next process", async () => {
    const clock = fakeClock();
    const one = await playing({ clock, turnMs: 5_000 });
    const { thinking } = one.table;
    let loops = false;
    one.table.thinking = (connId) => {
      loops = true;
      return thinking(connId);
    };
    const lost = one.loss();
    one.order("loop");
    while (!loops) await turnOfTheLoop();
    const waiting = newRoom(3);
    one.rules.call(waiting);
    one.order("notify,Note", 2);
    clock.advance(5_049);
    assert.deepEqual(one.losses, []);
    clock.advance(1);
    assert.deepEqual(await lost, {
      reason: "HandleRequest took longer than 5000 ms",
      roomIds: [1, 2],
      taskIds: [],
    });
    assert.equal(one.rules.load, 1);
    clock.advance(0);
    await one.until("room 3", () => one.turns.at(-1)?.call === waiting);
    assert.equal(one.turns.at(-1)?.notices.length, 4);
  });

  it("ends the room with the most calls when too many wait, not from within call()", async () => {
    const one = await playing();
    one.order("loop");
    for (let at = 0; at <= 20_000; at++) {
      assert.equal(one.rules.call({ kind: "resume", roomId: 2, reason: "reply" }), true);
    }
    assert.deepEqual(one.losses, []);
    assert.deepEqual(await one.loss(), {
      reason: "more than 20000 calls wait for the rules",
      roomIds: [2],
      taskIds: [],
    });
    assert.equal(one.rules.waitingCalls, 0);
    assert.equal(one.rules.load, 1, "the other room goes on");
  });

  it("kills one that never says hello, and its rooms are lost", async () => {
    const clock = fakeClock();
    const command = scriptedRules("never_hello", "chatty");
    const one = await started({ clock, command });
    one.rules.call(newRoom(1));
    const alive = one.rules.ping();
    clock.advance(60_050);
    assert.equal(one.losses[0]?.reason, `"${command}" did not say hello in 60000 ms`);
    assert.deepEqual(one.losses[0]?.roomIds, [1]);
    assert.equal(await alive, false);
  });

  it("pauses between starts that fail, and refuses rooms meanwhile", async () => {
    const clock = fakeClock();
    const one = await started({ clock, command: scriptedRules("die") });
    for (let failures = 1; failures <= 3; failures++) {
      await one.until("a failed start", () => one.losses.length === failures);
      assert.equal(one.losses.at(-1)?.reason, "the rules' process ended with code 7");
      if (failures < 3) clock.advance(0);
    }
    clock.advance(499);
    assert.equal(one.rules.starts, 3);
    one.rules.call(newRoom(1));
    assert.equal(one.losses.length, 3, "not from within call()");
    assert.equal(await one.rules.ping(), false);
    clock.advance(0);
    assert.deepEqual(one.losses.at(-1)?.roomIds, [1]);
    assert.equal(one.rules.load, 0);
    clock.advance(1);
    assert.equal(one.rules.starts, 4);
  });

  const failures: readonly (readonly [what: string, command: string, reason: RegExp])[] = [
    ["that is not there", "no-such-lua -W", /^Cannot start "no-such-lua -W": there is no such/],
    ["that may not be run", "/dev/null", /^Cannot start "\/dev\/null": it may not be run/],
    ["that writes at once", "echo", /^it wrote something that is no message: "lua\/server\/rpc/],
    ["that ends at once", "true", /^the rules' process ended with code 0$/],
  ];
  for (const [what, command, reason] of failures) {
    it(`says so of a program ${what}`, async () => {
      const one = await started({ command, clock: fakeClock() });
      one.rules.call(newRoom(1));
      await one.until("the loss", () => one.losses.length > 0);
      assert.match(one.losses[0]?.reason ?? "", reason);
      assert.deepEqual(one.losses[0]?.roomIds, [1]);
    });
  }

  it("says so of a core that is not installed", async () => {
    const directory = join("no", "such", "core");
    const one = await started({ directory, clock: fakeClock() });
    await one.until("the loss", () => one.losses.length > 0);
    assert.match(one.losses[0]?.reason ?? "", /ENOENT, to run ".*" in "no\/such\/core"$/);
  });

  it("close() while it starts or loops ends it at once", async () => {
    const starting = await started({ command: scriptedRules("never_hello") });
    await starting.until("its start", () => starting.rules.starts === 1);
    await starting.rules.close();
    const looping = await playing();
    looping.order("loop");
    await looping.rules.close();
    const runtime = await runtimeUnderTest();
    const { pid } = looping.rules;
    assert.ok(pid !== undefined && !runtime.process.kill(pid, 0));
    assert.deepEqual([...starting.losses, ...looping.losses], []);
  });

  it("its process ends when its input does, as it would with the server", async () => {
    const runtime = await runtimeUnderTest();
    const [program = "", ...args] = scriptedRules().split(" ");
    let said = (_bytes: Uint8Array) => {};
    const hello = new Promise<Uint8Array>((resolve) => said = resolve);
    const child: ChildProcess = await runtime.process.spawn(program, {
      args,
      stdin: "pipe",
      stdout: (bytes) => said(bytes),
    });
    assert.notEqual((await hello).indexOf(encodeUtf8("hello")[0] as number), -1);
    child.closeStdin();
    assert.deepEqual(await child.exited, { code: 0, signal: null });
  });
});
