import { nodeZlib } from "../../src/adapters/node/zlib.ts";
import { type CborInput, encodeCbor } from "../../src/wire/cbor_encode.ts";
import { compress } from "../../src/wire/compression.ts";
import { encodeClientNotification, encodePacket } from "../../src/wire/packet.ts";
import { notificationId, packetBits, packetTypes } from "../../src/wire/packet_types.ts";
import { fakeRandom } from "../fakes/random.ts";
import { fromHex, joined } from "../wire/hex.ts";

/** Every command of a client, with data that it may carry. */
export const goodCommands: readonly [command: string, data: CborInput][] = [
  ["Heartbeat", null],
  ["Chat", { type: 1, msg: "hello" }],
  ["Chat", { type: 2, msg: "hello" }],
  ["UpdateAvatar", "zhangfei"],
  ["UpdatePassword", ["secret", "secret2"]],
  ["CreateRoom", ["room", 2, 15, { gameMode: "m", password: "", _game: { a: [1, 2, 3] } }]],
  ["EnterRoom", [1, ""]],
  ["ObserveRoom", [1, ""]],
  ["RefreshRoomList", ""],
  ["LobbyTask", ["type", encodeCbor([1, 2])]],
  ["ReadGlobalSaveState", "key"],
  ["QuitRoom", null],
  ["AddRobot", null],
  ["KickPlayer", 1],
  ["Ready", null],
  ["StartGame", null],
  ["Trust", null],
  ["ChangeRoom", ["room", 2, 15, { gameMode: "m", password: "x" }]],
  ["PushRequest", "prelight,1,true"],
];

const zlib = nodeZlib();

/** So many arrays within each other, and a number in the innermost. */
export function nested(depth: number): Uint8Array {
  return new Uint8Array(depth + 1).fill(0x81, 0, depth);
}

/** A notification with data of the caller's, in the form of qCompress. */
export function compressed(command: string, plain: Uint8Array): Uint8Array {
  return encodePacket({
    requestId: notificationId,
    type: packetTypes.clientNotification | packetBits.compressed,
    command,
    data: compress(plain, (bytes) => zlib.deflate(bytes)),
  });
}

/** Strings that break what trusts them. */
const strings = [
  "",
  "'; DROP TABLE userinfo; --",
  "\u0000",
  "\u202e\u001b[2J",
  "％s%n${7*7}",
  "../../../../etc/passwd",
  "__proto__",
  "constructor",
  "\ud83d",
  "𠀀".repeat(200),
  "a".repeat(1_000),
];

const numbers = [
  -1,
  0,
  1,
  64,
  65,
  2 ** 31,
  -(2 ** 31),
  2 ** 32,
  2 ** 53,
  0.5,
  NaN,
  Infinity,
  -1e308,
];

/** Packets to break a server with, the same for the same seed. */
export class BadPackets {
  readonly #sources: readonly Uint8Array[];
  readonly #random;

  /** `sources`: well-formed packets to spoil. */
  constructor(seed: number, sources: readonly Uint8Array[]) {
    this.#sources = sources;
    this.#random = fakeRandom(seed);
  }

  below(count: number): number {
    return Math.floor(this.#random.fraction() * count);
  }

  next(): Uint8Array {
    switch (this.below(12)) {
      case 0:
        return this.#random.bytes(this.below(64));
      case 1:
        return this.#hostile();
      case 2:
      case 3:
      case 4:
      case 5: {
        const [command] = this.#pick(goodCommands);
        const data = this.#value(3);
        return encodeClientNotification(command, encodeCbor(data));
      }
      case 6: {
        const [command, data] = this.#pick(goodCommands);
        return encodeClientNotification(command, this.#spoiled(encodeCbor(data)));
      }
      case 7: {
        const [command, data] = this.#pick(goodCommands);
        return this.below(2) === 0
          ? compressed(command, encodeCbor(data))
          : this.#spoiled(compressed(command, encodeCbor(data)));
      }
      case 8:
        return this.#pick(this.#sources);
      default:
        return this.#spoiled(this.#pick(this.#sources));
    }
  }

  #hostile(): Uint8Array {
    const data = this.#pick([
      nested(31),
      nested(33),
      nested(10_000),
      fromHex("9bffffffffffffffff"),
      fromHex("bb7fffffffffffffff"),
      fromHex("5bffffffffffffffff"),
      fromHex("9f9f9f9f"),
      fromHex("bf6161ff"),
      fromHex("f97e00"),
      new Uint8Array(0),
    ]);
    const [command] = this.#pick(goodCommands);
    switch (this.below(4)) {
      case 0:
        return compressed(command, this.below(20) === 0 ? new Uint8Array(2 ** 20) : data);
      case 1:
        return joined(fromHex("8421190412"), data);
      default:
        return encodeClientNotification(command, data);
    }
  }

  #value(depth: number): CborInput {
    switch (this.below(depth === 0 ? 5 : 8)) {
      case 0:
        return this.#pick(strings);
      case 1:
        return this.#pick(numbers);
      case 2:
        return this.below(100);
      case 3:
        return this.#pick([null, true, false, ""]);
      case 4:
        return this.#random.bytes(this.below(20));
      case 5: {
        const keys = ["type", "msg", "gameMode", "password", this.#pick(strings)];
        return Object.fromEntries(keys.map((key) => [key, this.#value(depth - 1)]));
      }
      default:
        return Array.from({ length: this.below(6) }, () => this.#value(depth - 1));
    }
  }

  /** Some bytes changed, cut out, put in or doubled. */
  #spoiled(source: Uint8Array): Uint8Array {
    let bytes: Uint8Array = source.slice();
    for (let change = this.below(4); change >= 0 && bytes.length > 0; change--) {
      const at = this.below(bytes.length);
      switch (this.below(5)) {
        case 0:
          bytes[at] = this.below(256);
          break;
        case 1:
          bytes[at] = (bytes[at] ?? 0) ^ (1 << this.below(8));
          break;
        case 2:
          bytes = joined(bytes.subarray(0, at), bytes.subarray(at + 1 + this.below(4)));
          break;
        case 3: {
          const more = this.#random.bytes(1 + this.below(4));
          bytes = joined(bytes.subarray(0, at), more, bytes.subarray(at));
          break;
        }
        case 4:
          bytes = joined(bytes, bytes.subarray(at));
      }
    }
    return bytes;
  }

  #pick<Item>(items: readonly Item[]): Item {
    return items[this.below(items.length)] as Item;
  }
}
