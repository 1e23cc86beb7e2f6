import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { hashMessageId } from "../../../src/gateway/dedup_window.ts";
import { noSlot } from "../../../src/gateway/log/message_log_types.ts";
import { crc32 } from "../../../src/base/crc32.ts";
import { bodyOf, logStage, waiting } from "./log_stage.ts";

describe("MessageLog", () => {
  it("append() keeps all of a message, in memory and over a restart", async () => {
    const stage = logStage();
    const first = await stage.open();
    const text = "é€\u{1f600} and more";
    const slot = first.append("anna", "m1", { ackAsked: true, text, priority: 7 });
    first.append("bert", "", { direction: "down" });
    const stampMs = stage.clock.now();
    await stage.clock.advanceAsync(1);
    assert.equal(first.committed, 2);
    await first.log.close();
    assert.equal(slot, 0);

    const second = await stage.open();
    const { log, messages } = second;
    assert.equal(messages.length, 2);
    const [one, other] = messages;
    assert.deepEqual(
      [one!.client.id, one!.direction, one!.messageId, one!.ackAsked],
      ["anna", "up", "m1", true],
    );
    assert.deepEqual(
      [other!.client.id, other!.direction, other!.messageId, other!.ackAsked],
      ["bert", "down", "", false],
    );
    const found = one!.slot;
    const body = bodyOf("m1", text);
    const utf8 = new TextEncoder().encode(body);
    assert.equal(log.bodyText(found), body);
    assert.deepEqual([log.bodyBytes(found), log.bodyCrc(found)], [utf8.length, crc32(utf8)]);
    assert.deepEqual([log.stampMs(found), log.stampNs(found)], [stampMs, 999_999]);
    assert.deepEqual([log.priority(found), log.priority(other!.slot)], [7, 0]);
    const { low, high } = hashMessageId("m1");
    assert.deepEqual([log.idLow(found), log.idHigh(found)], [low, high]);
    assert.deepEqual([log.hasMessageId(found), log.hasMessageId(other!.slot)], [true, false]);
    const into = new Uint8Array(utf8.length + 2);
    assert.equal(log.copyBody(found, into, 1), utf8.length + 1);
    assert.deepEqual(into.subarray(1, -1), utf8);
    assert.deepEqual([log.sequence(found), log.sequence(other!.slot)], [1, 2]);
    assert.equal(log.sequence(second.append("anna", "m2")), 3);
    assert.equal(log.depth, 3);
    await log.close();
  });

  it("release() forgets a message, over a restart too", async () => {
    const stage = logStage();
    const first = await stage.open();
    const slots = ["a", "b", "c"].map((id) => first.append("anna", id));
    await first.log.flush();
    first.log.release(slots[1]!);
    await stage.clock.advanceAsync(60);
    stage.disk.kill();
    const second = await stage.open();
    assert.deepEqual(waiting(second), [bodyOf("a"), bodyOf("c")]);
    assert.throws(() => {
      const slot = second.log.oldest;
      second.log.release(slot);
      second.log.release(slot);
    }, /released twice/);
    await second.log.close();
  });

  it("append() of bodies of any size, among small ones", async () => {
    const stage = logStage();
    const first = await stage.open();
    const bodies = [10, 8_190, 8_200, 40_000, 20, 300_000, 262_000, 30].map((bytes) =>
      "x".repeat(bytes)
    );
    const slots = bodies.map((text, at) => first.append("anna", `m${at}`, { text }));
    await first.log.flush();
    const all = bodies.map((text, at) => bodyOf(`m${at}`, text));
    assert.deepEqual(slots.map((slot) => first.log.bodyText(slot)), all);
    await first.log.close();
    const second = await stage.open();
    assert.deepEqual(waiting(second), all);
    assert.equal(second.log.bytes, all.join("").length);
    await second.log.close();
  });

  it("append() keeps long bodies of any characters, and their length in bytes", async () => {
    const stage = logStage();
    const first = await stage.open();
    const bodies = ["é", "€", "😀", "a😀é€"].map((part) => part.repeat(20_000));
    const slots = bodies.map((text, at) => first.append("anna", `m${at}`, { text }));
    await first.log.flush();
    const all = bodies.map((text, at) => bodyOf(`m${at}`, text));
    assert.deepEqual(slots.map((slot) => first.log.bodyText(slot)), all);
    const bytes = new TextEncoder().encode(all.join("")).length;
    assert.equal(first.log.bytes, bytes);
    const lone = first.append("anna", "lone", { text: "\ud83d".repeat(9_000) });
    assert.equal(first.log.bodyText(lone), bodyOf("lone", "\ufffd".repeat(9_000)));
    first.log.release(lone);
    await first.log.close();
    const second = await stage.open();
    assert.deepEqual(waiting(second), all);
    assert.equal(second.log.bytes, bytes);
    await second.log.close();
  });

  it("append() refuses over `size` and over `maxBytes`", async () => {
    const stage = logStage();
    const { log, append } = await stage.open({ size: 2, maxBytes: 1_000 });
    const first = append("anna", "a");
    append("anna", "b");
    assert.equal(append("anna", "c"), noSlot);
    log.release(first);
    assert.equal(append("anna", "c", { text: "x".repeat(1_000) }), noSlot);
    assert.notEqual(append("anna", "c"), noSlot);
    await log.close();
  });

  it("has fields for its owner, which are fresh for each message", async () => {
    const { log, append } = await logStage().open({ persistFile: "" });
    assert.equal(log.isDurable, false);
    const slot = append("anna", "a");
    log.setNext(slot, 5);
    log.setPrevious(slot, 6);
    log.setTries(slot, 255);
    log.setPlace(slot, 65_535);
    const fields = () => [log.next(slot), log.previous(slot), log.tries(slot), log.place(slot)];
    assert.deepEqual(fields(), [5, 6, 255, 65_535]);
    log.release(slot);
    assert.equal(append("anna", "b"), slot);
    assert.deepEqual(fields(), [noSlot, noSlot, 0, 0]);
    await log.flush();
    await log.close();
  });

  it("writes once and syncs once for all that comes within fsyncMinIntervalMs", async () => {
    const stage = logStage();
    const { log, append, ...run } = await stage.open({ fsyncMinIntervalMs: 10 });
    append("anna", "first");
    await stage.clock.advanceAsync(0);
    assert.equal(stage.disk.syncs, 1, "at once when it was idle");
    for (let n = 0; n < 100; n++) append("anna", `m${n}`);
    await stage.clock.advanceAsync(8);
    assert.equal(stage.disk.syncs, 1);
    await stage.clock.advanceAsync(3);
    assert.equal(stage.disk.syncs, 2);
    assert.ok(run !== undefined);
    await log.close();
  });

  it("fsync `interval` syncs once a second and says so then; `never` says so after the write", async () => {
    const stage = logStage();
    const slow = await stage.open({ fsync: "interval" });
    slow.append("anna", "a");
    await stage.clock.advanceAsync(0);
    assert.equal(slow.committed, 1);
    slow.append("anna", "b");
    await stage.clock.advanceAsync(900);
    assert.deepEqual([slow.committed, stage.disk.syncs], [1, 1]);
    await stage.clock.advanceAsync(200);
    assert.deepEqual([slow.committed, stage.disk.syncs], [2, 2]);
    await slow.log.close();
    const never = await stage.open({ fsync: "never" });
    never.append("anna", "c");
    await stage.clock.advanceAsync(3);
    assert.equal(never.committed, 3);
    assert.equal(stage.disk.syncs, 2);
    await never.log.close();
  });

  it("bury() keeps the message among the dead letters, within two files of bounded size", async () => {
    const stage = logStage();
    const { log, append } = await stage.open({}, { deadLetterBytes: 1_000 });
    for (let n = 0; n < 20; n++) {
      log.bury(append("anna", `m${n}`), "expired");
      await stage.clock.advanceAsync(5);
    }
    const [letter, ...more] = await log.deadLetters(3);
    assert.deepEqual(letter, {
      time: new Date(stage.clock.now() - 15).toISOString(),
      reason: "expired",
      direction: "up",
      clientId: "anna",
      messageId: "m17",
      message: bodyOf("m17"),
    });
    assert.deepEqual(more.map(({ messageId }) => messageId), ["m18", "m19"]);
    const sizes = [`data/buffer.log.dead`, `data/buffer.log.dead.1`].map((name) =>
      stage.disk.bytes(name).length
    );
    assert.ok(sizes.every((size) => size > 0 && size <= 1_000), `${sizes}`);
    assert.equal(log.depth, 0);
    await log.close();
    assert.deepEqual((await stage.open()).messages, []);
  });

  it("openMessageLog() sets files of another format aside and reports them", async () => {
    const stage = logStage();
    stage.disk.put("data/buffer.log", new TextEncoder().encode('[{"old":"format"}]'));
    stage.disk.put("data/buffer.log.000003", new Uint8Array(100).fill(7));
    stage.disk.put("data/buffer.log.txt", new Uint8Array(100).fill(7));
    const { log, report, append } = await stage.open();
    assert.deepEqual(report.renamed.sort(), ["buffer.log.000003.old", "buffer.log.old"]);
    append("anna", "a");
    await log.close();
    assert.deepEqual(stage.disk.names(), [
      "data/buffer.log.000003.old",
      "data/buffer.log.000004",
      "data/buffer.log.old",
      "data/buffer.log.txt",
    ]);
  });

  it("openMessageLog() overwrites nothing that was set aside before", async () => {
    const stage = logStage();
    const put = (name: string, text: string) =>
      stage.disk.put(`data/${name}`, new TextEncoder().encode(text));
    put("buffer.log", "third");
    put("buffer.log.old", "first");
    put("buffer.log.old.2", "second");
    const { report, log } = await stage.open();
    assert.deepEqual(report.renamed, ["buffer.log.old.3"]);
    assert.equal(new TextDecoder().decode(stage.disk.bytes("data/buffer.log.old")), "first");
    await log.close();
  });

  it("openMessageLog() says why when it cannot read what is there", async () => {
    const stage = logStage();
    stage.disk.fails = () => "EIO";
    await assert.rejects(stage.open(), /Cannot open the message log "data\/buffer.log": .*EIO/);
  });
});
