import assert from "node:assert/strict";
import { realpath } from "node:fs/promises";
import process from "node:process";
import { afterEach, describe, it } from "node:test";
import { runtimeUnderTest } from "../../tested_runtime.ts";
import { type RulesUnderTest, rulesUnderTest, scriptedRules } from "./rpc_harness.ts";

const newRoom = (roomId = 1) => ({ kind: "new_room", roomId }) as const;
const resume = (reason: string, roomId = 1) => ({ kind: "resume", roomId, reason }) as const;

describe("RulesChild with scripted rules", () => {
  const open: RulesUnderTest[] = [];
  afterEach(async () => {
    for (const one of open.splice(0)) await one.close();
  });

  async function started(given: Parameters<typeof rulesUnderTest>[0] = {}) {
    const one = await rulesUnderTest(given);
    open.push(one);
    one.rules.start();
    return one;
  }

  async function playing(given: Parameters<typeof rulesUnderTest>[0] = {}) {
    const one = await started(given);
    await one.turn(newRoom());
    return one;
  }

  it("answers what Lua calls while it loads, in the core's folder and without our secrets", async () => {
    process.env.RULES_TEST_SECRET = "secret";
    const one = await started({ command: scriptedRules("chatty") });
    await one.until("its loading", () => one.turns.length > 0);
    delete process.env.RULES_TEST_SECRET;
    const texts = one.turns[0]?.notices.map((notice) => notice.kind === "log" && notice.text);
    assert.equal(one.turns[0]?.call, undefined);
    assert.equal(texts?.[0], 'loading\tcbor\t["off","not this"]');
    assert.equal(texts?.[1], await realpath(one.directory));
    assert.match(String(texts?.[2]), /FK_RPC_MODE.*PATH/);
    assert.doesNotMatch(String(texts?.[2]), /SECRET/);
  });

  it("refuses what clients push in when too much waits, but not what rooms need", async () => {
    const one = await rulesUnderTest();
    open.push(one);
    one.rules.call(newRoom());
    for (let at = 1; at < 10_000; at++) assert.equal(one.order("notify,Note"), true);
    assert.equal(one.order("notify,Note"), false);
    assert.equal(one.rules.call(resume("reply")), true);
    assert.equal(one.rules.waitingCalls, 10_001);
  });

  it("refuses what clients push in when it is too large together", async () => {
    const one = await playing();
    const mebibyte = `notify,${"x".repeat(1_048_576 - 7)}`;
    const taken: boolean[] = [];
    // The first is on its way at once.
    for (let at = 0; at < 18; at++) taken.push(one.order(mebibyte));
    assert.deepEqual([taken.indexOf(false), taken.lastIndexOf(true)], [17, 16]);
    await one.rules.close();
  });

  it("close() ends the process politely, and answers pings that wait", async () => {
    const one = await playing();
    const runtime = await runtimeUnderTest();
    const { pid } = one.rules;
    assert.ok(pid !== undefined && runtime.process.kill(pid, 0));
    one.order("notify,Note");
    const alive = one.rules.ping();
    await one.rules.close();
    assert.equal(await alive, false);
    assert.equal(runtime.process.kill(pid, 0), false);
    assert.deepEqual(one.losses, []);
    assert.equal(one.order("notify,Note"), false);
  });
});
