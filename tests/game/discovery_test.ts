import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { Discovery, freeRequestsPerSecond } from "../../src/game/discovery.ts";
import { describeTraces, traceLines } from "../wire/golden_traces.ts";
import { fromHex, toHex } from "../wire/hex.ts";

const facts = { iconUrl: "default", description: "Golden Server", capacity: 100, online: 0 };
const host = "198.51.100.7";
const utf8 = (text: string) => new TextEncoder().encode(text);
const detail = utf8("fkGetDetail,");

function discovery() {
  const machine = new Discovery(() => facts);
  const ask = (request: string | Uint8Array, from = host, now = 0) => {
    const bytes = typeof request === "string" ? utf8(request) : request;
    const answer = machine.answer(bytes, from, now);
    return answer === undefined ? undefined : new TextDecoder().decode(answer);
  };
  return { machine, ask };
}

describe("Discovery", () => {
  it("Discovery.answer() tells what there is to tell at that moment", () => {
    const now = { ...facts };
    const machine = new Discovery(() => now);
    const ask = (text: string) => new TextDecoder().decode(machine.answer(utf8(text), host, 0));
    assert.equal(ask("fkDetectServer"), "me");
    assert.equal(ask("fkGetDetail,a"), '["0.5.19+","default","Golden Server",100,0,"a"]');
    Object.assign(now, { online: 42, capacity: 5, description: '"字"', iconUrl: "" });
    assert.equal(ask("fkGetDetail,a"), '["0.5.19+","","\\"字\\"",5,42,"a"]');
  });

  it("Discovery.isDiscovery() knows what it answers, and that alone is answered", () => {
    const { machine, ask } = discovery();
    for (const text of ["fkDetectServer", "fkGetDetail,", "fkGetDetail,x"]) {
      assert.equal(machine.isDiscovery(utf8(text)), true, text);
    }
    const others = ["", "f", "fkDetectServer\n", "fkGetDetail", "nonsense", "M1_UDP_PING"];
    for (const text of others) {
      assert.equal(machine.isDiscovery(utf8(text)), false, text);
      assert.equal(ask(text), undefined, text);
    }
    const long = new Uint8Array(2_049).fill(0x61);
    long.set(detail);
    assert.equal(machine.isDiscovery(long.subarray(0, 2_048)), true);
    assert.equal(machine.isDiscovery(long), false);
    assert.equal(ask(long), undefined);
  });

  it("Discovery.answer() gives one who asks too often at most three times the bytes", () => {
    const { machine, ask } = discovery();
    for (let i = 0; i < freeRequestsPerSecond; i++) {
      assert.notEqual(ask("fkGetDetail,", host, i), undefined, `request ${i}`);
    }
    assert.equal(ask("fkGetDetail,", host, 999), undefined);
    assert.equal(ask("fkDetectServer", host, 999), "me", "that is less than was asked");
    const wordy = utf8("fkGetDetail,".padEnd(40, "x"));
    const answer = machine.answer(wordy, host, 999);
    assert.ok(answer !== undefined && answer.length <= 3 * wordy.length);
    assert.notEqual(ask("fkGetDetail,", "198.51.100.8", 999), undefined, "others are free");
    assert.equal(
      ask("fkGetDetail,", host, 1_900),
      '["0.5.19+","default","Golden Server",100,0,""]',
    );
  });

  it("Discovery.answer() counts any second, not those of a clock", () => {
    const { ask } = discovery();
    for (let i = 0; i < freeRequestsPerSecond; i++) ask("fkDetectServer", host, 900);
    assert.equal(ask("fkGetDetail,", host, 1_100), undefined);
    assert.equal(ask("fkGetDetail,", host, 1_899), undefined);
    assert.notEqual(ask("fkGetDetail,", host, 2_100), undefined);
  });

  it("Discovery.answer() counts IPv6 senders of one network as one", () => {
    const { ask } = discovery();
    for (let i = 0; i < freeRequestsPerSecond; i++) ask("fkDetectServer", `2001:db8::${i}`);
    assert.equal(ask("fkGetDetail,", "2001:db8::ffff"), undefined);
    assert.notEqual(ask("fkGetDetail,", "2001:db8:0:1::1"), undefined);
  });

  it("Discovery.answer() stays safe when more senders than it counts ask at once", () => {
    const { ask } = discovery();
    const victim = "192.0.2.1";
    for (let i = 0; i < freeRequestsPerSecond; i++) ask("fkGetDetail,", victim);
    let answered = 0;
    for (let i = 0; i < 20_000; i++) {
      if (ask("fkGetDetail,", `10.1.${i >> 8}.${i & 255}`, 1) !== undefined) answered++;
    }
    assert.ok(answered < 5_000, `${answered} senders are counted`);
    assert.equal(ask("fkGetDetail,", victim, 2), undefined, "nobody pushes it out");
    assert.equal(ask("fkDetectServer", "10.2.0.0", 2), "me", "what cannot amplify goes on");
    assert.notEqual(
      ask("fkGetDetail,", "10.2.0.0", 1_002),
      undefined,
      "a second later all is well",
    );
  });

  it("Discovery.answer() forgets who has gone, whoever else goes on asking", () => {
    const { ask } = discovery();
    for (const now of [0, 400, 800, 1_200, 1_600]) {
      ask("fkGetDetail,", host, now);
      if (now !== 0) continue;
      for (let i = 0; i < 5_000; i++) ask("fkDetectServer", `10.1.${i >> 8}.${i & 255}`);
    }
    assert.notEqual(ask("fkGetDetail,", "10.2.0.0", 1_700), undefined);
  });

  it("Discovery.answer() never amplifies for one who asks too often, whatever the bytes", () => {
    const { machine } = discovery();
    for (let i = 0; i < freeRequestsPerSecond; i++) machine.answer(detail, host, 0);
    fc.assert(fc.property(fc.uint8Array({ maxLength: 3_000 }), (rest) => {
      const request = Uint8Array.of(...detail, ...rest);
      const answer = machine.answer(request, host, 0);
      assert.ok(answer === undefined || answer.length <= 3 * request.length);
    }));
  });
});

describeTraces("Discovery against the recording `udp`", () => {
  it("Discovery.answer() gives the recorded bytes, and silence where there was silence", () => {
    const { machine } = discovery();
    const lines = traceLines("udp").filter(({ hex }) => hex !== undefined);
    const asked = lines.filter(({ dir }) => dir === "c2s");
    assert.equal(asked.length, 6);
    for (const line of asked) {
      const next = lines[lines.indexOf(line) + 1];
      const expected = next?.dir === "s2c" ? next.hex : undefined;
      const answer = machine.answer(fromHex(line.hex ?? ""), host, 0);
      assert.equal(answer && toHex(answer), expected, line.hex ?? "");
    }
  });
});
