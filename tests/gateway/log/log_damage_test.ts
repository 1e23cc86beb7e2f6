import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { crc32 } from "../../../src/base/crc32.ts";
import { putStamp, putU32, recordCrc, recordKind } from "../../../src/gateway/log/record_format.ts";
import { fakeDisk } from "../../fakes/log_files.ts";
import { bodyOf, logStage, waiting } from "./log_stage.ts";

const long = { timeout: 120_000 };
const file = "data/buffer.log.000001";

/** A small log: eight messages of three clients, two of them gone. */
async function smallLog(): Promise<{ bytes: Uint8Array; bodies: string[] }> {
  const stage = logStage();
  const { log, append } = await stage.open();
  const slots = Array.from(
    { length: 8 },
    (_, n) =>
      append(`client-${n % 3}`, `m${n}`, { ackAsked: n % 2 === 0, text: "x".repeat(n * 30) }),
  );
  await log.flush();
  for (const gone of [2, 5]) log.release(slots[gone]!);
  await log.close();
  const bodies = [0, 1, 2, 3, 4, 5, 6, 7].map((n) => bodyOf(`m${n}`, "x".repeat(n * 30)));
  return { bytes: stage.disk.bytes(file), bodies };
}

/** With `goesOn`, more is stored then, and all is read back once more. */
async function read(
  bytes: Uint8Array,
  goesOn = true,
  check = isOfItsClient,
): Promise<{ found: string[]; lines: string }> {
  const disk = fakeDisk();
  disk.put(file, bytes);
  const stage = logStage(disk);
  const run = await stage.open();
  for (const { client, slot } of run.messages) {
    check(client.id, run.log.bodyText(slot));
  }
  const found = waiting(run);
  const { torn, corrupt, renamed, orphaned } = run.report;
  const lines = JSON.stringify({ torn, corrupt, renamed, orphaned });
  if (!goesOn) return { found, lines };
  // What is read back stays the same, and more can be stored.
  run.append("client-9", "new");
  await run.log.close();
  const again = await stage.open();
  assert.deepEqual(waiting(again), [...found, bodyOf("new")]);
  assert.equal(again.report.torn, 0);
  await again.log.close();
  return { found, lines };
}

function isOfItsClient(clientId: string, body: string): void {
  const number = Number(/"m(\d)"/.exec(body)?.[1]);
  assert.equal(clientId, `client-${number % 3}`);
}

/** A message of the segment's first client, of bytes that are all ASCII, with a CRC that is right
 * but for the salt. */
function forgedRecord(): Uint8Array {
  const body = new TextEncoder().encode("forged");
  const bodyAt = 4 + 1 + 1 + 1 + 1 + 9;
  for (let stampNs = 0;; stampNs++) {
    const bytes = new Uint8Array(bodyAt + body.length);
    bytes.set([recordKind.up, bytes.length - 6, 2, 1], 4);
    putStamp(bytes, 8, 0x01_10_10_10_10_10, stampNs & 0x7f7f);
    bytes.set(body, bodyAt);
    putU32(bytes, 0, recordCrc(bytes, { at: 0, bodyAt, bodyCrc: crc32(body), salt: 0 }));
    if (bytes.every((byte) => byte < 0x80)) return bytes;
  }
}

describe("MessageLog with a damaged file", () => {
  it("keeps all that stands before a tail that is torn off at any offset", long, async () => {
    const { bytes, bodies } = await smallLog();
    const gone = [bodies[2], bodies[5]];
    let before = 0;
    for (let cut = 0; cut < bytes.length; cut++) {
      const { found } = await read(bytes.slice(0, cut), cut % 8 === 0);
      const kept = bodies.slice(0, found.length);
      // The record of the two that are gone is the last.
      assert.deepEqual(found, kept, `cut at ${cut}`);
      assert.ok(found.length >= before, `cut at ${cut}`);
      before = found.length;
    }
    assert.equal(before, 8);
    assert.deepEqual(
      (await read(bytes)).found,
      bodies.filter((body) => !gone.includes(body)),
    );
  });

  it(
    "loses one message at most by a flipped byte at any offset, and never makes one up",
    long,
    async () => {
      const { bytes, bodies } = await smallLog();
      const left = bodies.filter((_, n) => n !== 2 && n !== 5);
      let lost = 0;
      for (let at = 0; at < bytes.length; at++) {
        for (const mask of [0x01, 0xff]) {
          const flipped = bytes.slice();
          flipped[at] = flipped[at]! ^ mask;
          const { found, lines } = await read(flipped, at % 16 === 0);
          const missing = left.filter((body) => !found.includes(body));
          const extra = found.filter((body) => !left.includes(body));
          assert.ok(missing.length <= 1, `${at}: ${missing}`);
          // The end of the two is in the last record: without it they are there once more.
          assert.ok(extra.length === 0 || extra.length === 2, `${at}: ${extra}`);
          assert.ok(found.every((body) => bodies.includes(body)), `${at}`);
          if (missing.length > 0) {
            lost++;
            assert.match(lines, /"(corrupt|torn|orphaned)":1/, `${at}: ${lines}`);
          }
        }
      }
      assert.ok(lost > 0);
    },
  );

  it("finds no record in the body of a damaged one, even if the client knows the format", async () => {
    const stage = logStage();
    const { log, append } = await stage.open();
    const text = String.fromCharCode(...forgedRecord());
    append("anna", "carrier", { text });
    await log.close();
    const carrier = stage.disk.bytes(file);
    // Behind the header of 64 bytes is the record that names the client, then the message.
    for (let at = 64; at < 100; at++) {
      const damaged = carrier.slice();
      damaged[at] = damaged[at]! ^ 0xff;
      const { found } = await read(damaged, false, () => {});
      assert.ok(!found.includes("forged"), `${at}`);
    }
  });

  it("survives files of garbage", async () => {
    const { bytes } = await smallLog();
    for (let round = 0; round < 50; round++) {
      const garbage = bytes.slice(0, 64 + 20_000);
      const whole = new Uint8Array(20_064);
      whole.set(garbage.subarray(0, 64));
      for (let at = 64; at < whole.length; at++) whole[at] = (at * at * (round + 7)) >>> 3;
      assert.deepEqual((await read(whole)).found, []);
    }
  });
});
