import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { describe, it } from "node:test";
import fc from "fast-check";
import { encodePacket } from "../../src/wire/packet.ts";
import { type PacketFault, PacketFramer } from "../../src/wire/packet_framer.ts";
import { type Packet, packetBytesMaxAfterLogin } from "../../src/wire/packet_types.ts";
import { fromHex, joined } from "./hex.ts";

const limit = 65_536;
const chatHex = "8421190412444368617451a2647479706501636d73676568656c6c6f";

/** All that comes out of the pieces, pushed one after another. */
function framed(pieces: readonly Uint8Array[], packetBytesMax = limit): (Packet | PacketFault)[] {
  const framer = new PacketFramer({ packetBytesMax });
  const out: (Packet | PacketFault)[] = [];
  for (const piece of pieces) {
    framer.push(piece.slice());
    for (let found = framer.next(); found !== undefined; found = framer.next()) {
      out.push(found);
      if (typeof found === "string") return out;
    }
  }
  return out;
}

const packets = fc.array(
  fc.record({
    requestId: fc.integer({ min: -2, max: 10_000_000 }),
    type: fc.integer({ min: 0, max: 0xffff }),
    command: fc.string({ maxLength: 20 }),
    data: fc.uint8Array({ maxLength: 300 }),
    timed: fc.boolean(),
  }).map(({ timed, ...packet }): Packet =>
    timed ? { ...packet, timeoutSeconds: 15, timestampMs: 1_795_291_760_453 } : packet
  ),
  { minLength: 1, maxLength: 5 },
);

describe("PacketFramer.next()", () => {
  it("gives packets of 4 and of 6 items", () => {
    assert.deepEqual(framed([fromHex(chatHex)]), [{
      requestId: -2,
      type: 0x412,
      command: "Chat",
      data: fromHex("a2647479706501636d73676568656c6c6f"),
    }]);
    assert.deepEqual(framed([fromHex("86 07 190121 4158 41f6 0f 1b000001a1ffba4745")]), [{
      requestId: 7,
      type: 0x121,
      command: "X",
      data: fromHex("f6"),
      timeoutSeconds: 15,
      timestampMs: 1_795_291_760_453,
    }]);
  });

  it("gives the same packets however the stream is cut", () => {
    fc.assert(
      fc.property(packets, fc.infiniteStream(fc.integer({ min: 1, max: 40 })), (all, sizes) => {
        const stream = joined(...all.map(encodePacket));
        const pieces: Uint8Array[] = [];
        for (let at = 0; at < stream.length;) {
          const size = sizes.next().value ?? 1;
          pieces.push(stream.subarray(at, at + size));
          at += size;
        }
        assert.deepEqual(framed(pieces), all);
        assert.deepEqual(framed([stream]), all);
      }),
    );
  });

  it("takes non-minimal lengths and integers", () => {
    for (
      const hex of [
        "9804 3801 1a00000412 5804 43686174 590001 60",
        "990004 390001 1b0000000000000412 5a00000004 43686174 5b0000000000000001 60",
        "9b0000000000000004 3b0000000000000001 190412 44 43686174 41 60",
      ]
    ) {
      assert.deepEqual(framed([fromHex(hex)]), [{
        requestId: -2,
        type: 0x412,
        command: "Chat",
        data: fromHex("60"),
      }]);
    }
  });

  const faults: Record<PacketFault, readonly string[]> = {
    packet_not_array: [
      "00",
      "40",
      "474554",
      "a10102",
      "bf",
      "d8c884",
      "ff",
      "f6",
      "fb3ff0000000000000",
    ],
    packet_item_count: ["80", "83", "85", "87", "9803", "9bffffffffffffffff", "9b0000000100000004"],
    packet_indefinite: ["9f", "8421190412 5f", "8421190412 4143 5f"],
    packet_reserved_encoding: ["1c", "3d", "9c", "f800", "841c", "84211f", "8421190412 5c"],
    packet_integer_expected: [
      "84fb3ff0000000000000",
      "8441",
      "8460",
      "8484",
      "84a0",
      "84c1",
      "84f6",
      "8421f90000",
      "8621190412414141f681",
      "86211904124141 41f6 00 f6",
      "84ff",
      "8481818181",
    ],
    packet_bytes_expected: [
      "842119041264",
      "84211904124443686174 6161",
      "84211904124443686174 8101",
      "8421190412 4143 f6",
      "8421190412 4143 00",
      "8421190412 ff",
    ],
    packet_too_large: [
      "84210a5b00ffffffffffffff",
      "842119041244436861745a40000000",
      "842119041244436861745a00010001",
      "84211904125a00010001",
      "842119041244436861745bffffffffffffffff",
    ],
  };
  for (const [fault, hexes] of Object.entries(faults)) {
    it(`refuses ${fault} at the byte that shows it, in one piece or byte by byte, for good`, () => {
      for (const hex of hexes) {
        const bytes = fromHex(hex);
        assert.deepEqual(framed([bytes]), [fault], hex);
        assert.deepEqual(framed([...bytes].map((byte) => Uint8Array.of(byte))), [fault], hex);
        const framer = new PacketFramer({ packetBytesMax: limit });
        framer.push(joined(bytes, fromHex(chatHex)));
        assert.equal(framer.next(), fault);
        framer.push(fromHex(chatHex));
        assert.equal(framer.next(), fault);
        assert.equal(framer.heldBytes, 0);
      }
    });
  }

  it("gives the packets before a fault first", () => {
    const out = framed([joined(fromHex(chatHex), fromHex("ff"))]);
    assert.equal(out.length, 2);
    assert.equal(out[1], "packet_not_array");
  });

  it("takes a data field of exactly the limit, and more once the limit is raised", () => {
    const packet = (length: number) =>
      encodePacket({ requestId: -2, type: 0x412, command: "Chat", data: new Uint8Array(length) });
    assert.equal((framed([packet(limit)])[0] as Packet).data.length, limit);
    assert.deepEqual(framed([packet(limit + 1)]), ["packet_too_large"]);
    const framer = new PacketFramer({ packetBytesMax: limit });
    framer.push(joined(packet(1), packet(packetBytesMaxAfterLogin)));
    assert.equal((framer.next() as Packet).data.length, 1);
    framer.packetBytesMax = packetBytesMaxAfterLogin;
    assert.equal((framer.next() as Packet).data.length, packetBytesMaxAfterLogin);
  });

  it("cuts a command that is longer than any known one", () => {
    const command = "a".repeat(60_000);
    const bytes = encodePacket({ requestId: 1, type: 0x212, command, data: Uint8Array.of(1) });
    for (const pieces of [[bytes], [bytes.subarray(0, 100), bytes.subarray(100)]]) {
      assert.deepEqual(framed(pieces), [
        { requestId: 1, type: 0x212, command: "a".repeat(128), data: Uint8Array.of(1) },
      ]);
    }
  });

  it("holds what came, not what was announced", () => {
    const framer = new PacketFramer({ packetBytesMax: packetBytesMaxAfterLogin });
    framer.push(fromHex("842119041244436861745a00100000 01 02"));
    assert.equal(framer.next(), undefined);
    assert.ok(framer.heldBytes <= 128, `${framer.heldBytes}`);
    let received = 2;
    while (received < 1_000_000) {
      framer.push(new Uint8Array(1_400));
      received += 1_400;
      assert.equal(framer.next(), undefined);
      assert.ok(framer.heldBytes <= Math.min(2 * received + 128, packetBytesMaxAfterLogin));
    }
  });

  it("holds nothing between packets", () => {
    const framer = new PacketFramer({ packetBytesMax: limit });
    framer.push(fromHex(chatHex));
    assert.equal((framer.next() as Packet).command, "Chat");
    assert.equal(framer.next(), undefined);
    assert.equal(framer.heldBytes, 0);
  });

  it("does not share memory with what was pushed", () => {
    for (const bytes of [fromHex(chatHex), Buffer.from(chatHex, "hex")]) {
      const framer = new PacketFramer({ packetBytesMax: limit });
      framer.push(bytes);
      const packet = framer.next() as Packet;
      bytes.fill(0);
      assert.deepEqual(packet.data, fromHex("a2647479706501636d73676568656c6c6f"));
      assert.equal(packet.data.constructor, Uint8Array);
    }
  });
});

describe("PacketFramer.keep()", () => {
  it("keeps what was not taken when the pushed array changes", () => {
    const bytes = Buffer.from(chatHex + chatHex, "hex");
    const framer = new PacketFramer({ packetBytesMax: limit });
    framer.push(bytes);
    const first = framer.next();
    framer.keep();
    bytes.fill(0);
    assert.equal(framer.heldBytes, chatHex.length / 2);
    framer.push(fromHex(chatHex));
    assert.deepEqual([framer.next(), framer.next(), framer.next()], [first, first, undefined]);
  });
});
