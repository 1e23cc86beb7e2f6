import assert from "node:assert/strict";
import process from "node:process";
import { describe, it } from "node:test";
import { nodeZlib } from "../../src/adapters/node/zlib.ts";
import { decodeClientPacket, isCancelReply } from "../../src/wire/client_packet.ts";
import { PacketFramer } from "../../src/wire/packet_framer.ts";
import {
  packetBytesMaxAfterLogin,
  packetBytesMaxBeforeLogin,
} from "../../src/wire/packet_types.ts";
import { decodeSetup } from "../../src/wire/setup.ts";
import { fakeRandom } from "../fakes/random.ts";
import { framesOf, traceNames } from "./golden_traces.ts";
import { fromHex, joined } from "./hex.ts";

/** The nightly suite asks for a million. */
const rounds = Number(process.env.FREEKILL_GW_TEST_PACKETS ?? 50_000);
const seed = Number(process.env.FREEKILL_GW_TEST_SEED ?? Date.now() % 1_000_000);

/** Packets of each kind, should there be no recordings to take some from. */
const basics = [
  "8421190412444368617451a2647479706501636d73676568656c6c6f",
  "842119041249456e746572526f6f6d43820360",
  "84211904124a437265617465526f6f6d55846166020fa16867616d654d6f6465656161615f72",
  "8407190212415849685f5f63616e63656c",
  "84211914124f52656672657368526f6f6d4c69737448000000107801ffff",
].map(fromHex);

describe("PacketFramer and the payload codecs", () => {
  it(`survive ${rounds} random and mutated packets (seed ${seed})`, () => {
    const random = fakeRandom(seed);
    const below = (count: number) => Math.floor(random.fraction() * count);
    const recorded = traceNames().flatMap((trace) =>
      framesOf(trace).filter((frame) => frame.dir === "c2s").map((frame) => frame.bytes)
    );
    const sources = [...basics, ...recorded];
    const { inflate } = nodeZlib();
    const seen = new Set<string>();
    for (let round = 0; round < rounds; round++) {
      const bytes = mutated(sources[below(sources.length)]!, below, random.bytes);
      const loggedIn = below(2) === 1;
      const packetBytesMax = loggedIn ? packetBytesMaxAfterLogin : packetBytesMaxBeforeLogin;
      const framer = new PacketFramer({ packetBytesMax });
      const cut = below(bytes.length + 1);
      for (const piece of [bytes.subarray(0, cut), bytes.subarray(cut)]) {
        framer.push(piece);
        for (let found = framer.next(); found !== undefined; found = framer.next()) {
          if (typeof found === "string") {
            seen.add(found);
            break;
          }
          if (!loggedIn) {
            seen.add(decodeSetup(found) === undefined ? "setup_invalid" : "setup");
            break;
          }
          const decoded = decodeClientPacket(found, { plainBytesMax: packetBytesMax, inflate });
          if (decoded.kind === "reply") isCancelReply(decoded.data);
          seen.add(decoded.kind === "ignored" ? decoded.reason : decoded.kind);
        }
        assert.ok(framer.heldBytes <= 2 * bytes.length + 256, `round ${round}`);
      }
    }
    for (const outcome of ["command", "reply", "payload_invalid", "packet_too_large"]) {
      assert.ok(seen.has(outcome), `${outcome} never came; seen: ${[...seen].join(" ")}`);
    }
  });
});

/** Some bytes changed, cut out, put in or doubled; or wholly random ones. */
function mutated(
  source: Uint8Array,
  below: (count: number) => number,
  randomBytes: (count: number) => Uint8Array,
): Uint8Array {
  const kind = below(10);
  if (kind === 0) return randomBytes(below(64));
  if (kind === 1) {
    return joined(Uint8Array.of(0x84, 0x21, 0x19, 0x04, 0x12), randomBytes(below(64)));
  }
  let bytes: Uint8Array = source.slice();
  for (let change = below(4); change >= 0; change--) {
    const at = below(bytes.length);
    switch (below(5)) {
      case 0:
        bytes[at] = below(256);
        break;
      case 1:
        bytes[at] = bytes[at]! ^ (1 << below(8));
        break;
      case 2:
        bytes = joined(bytes.subarray(0, at), bytes.subarray(at + 1 + below(4)));
        break;
      case 3:
        bytes = joined(bytes.subarray(0, at), randomBytes(1 + below(4)), bytes.subarray(at));
        break;
      case 4:
        bytes = joined(bytes, bytes.subarray(at));
        break;
    }
    if (bytes.length === 0) return bytes;
  }
  return bytes;
}
