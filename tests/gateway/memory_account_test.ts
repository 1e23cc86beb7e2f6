import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { MemoryAccount, transferRoom } from "../../src/gateway/memory_account.ts";
import { encodeUtf8 } from "../../src/wire/utf8.ts";
import { linkScene } from "./link_scene.ts";
import { serverFrame } from "./raw_upstream.ts";

const mebibyte = 1_048_576;

describe("transferRoom()", () => {
  it("counts what is reserved, and refuses above watermark and limit", () => {
    const memory = new MemoryAccount({ maxMemoryMB: 10, highWatermark: 0.8 });
    const room = transferRoom(memory);
    assert.equal(room.reserve(5 * mebibyte), true);
    assert.equal(memory.bytes("transfers"), 5 * mebibyte);
    assert.equal(room.reserve(6 * mebibyte), false, "over the limit");
    assert.equal(room.reserve(4 * mebibyte), false, "over the watermark");
    assert.equal(room.reserve(3 * mebibyte), true);
    assert.equal(memory.totalBytes, 8 * mebibyte);
    room.giveBack(3 * mebibyte);
    room.giveBack(5 * mebibyte);
    assert.equal(memory.totalBytes, 0);
  });
});

describe("UpstreamLink: memory of a large message", () => {
  const large = serverFrame(1, encodeUtf8(`{"data":"${"x".repeat(200_000)}"}`));

  it("is counted from its head on until it is passed on", async () => {
    const memory = new MemoryAccount({ maxMemoryMB: 10, highWatermark: 0.8 });
    const options = { room: transferRoom(memory), messageBytesMax: mebibyte };
    const { upstream, owner, pass } = await linkScene("none", { options });
    upstream.last.send(large.subarray(0, 100_000));
    await pass();
    assert.equal(memory.totalBytes, 200_011);
    upstream.last.send(large.subarray(100_000));
    await pass();
    assert.equal(memory.totalBytes, 0);
    assert.deepEqual(owner.texts.map((text) => text.length), [200_011]);
  });

  it("is given back when the connection goes in the middle of it", async () => {
    const memory = new MemoryAccount({ maxMemoryMB: 10, highWatermark: 0.8 });
    const options = { room: transferRoom(memory), messageBytesMax: mebibyte };
    const { upstream, pass } = await linkScene("none", { options });
    upstream.last.send(large.subarray(0, 100_000));
    await pass();
    assert.equal(memory.totalBytes, 200_011);
    upstream.last.connection.destroy();
    await pass();
    assert.equal(memory.totalBytes, 0);
  });
});
