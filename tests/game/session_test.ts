import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { nodeZlib } from "../../src/adapters/node/zlib.ts";
import { defaultGameConfig, type GameConfig } from "../../src/config/game_config.ts";
import {
  floodPauseMs,
  GameSession,
  type SessionInput,
  sessionRulesOf,
} from "../../src/game/session.ts";
import { encodeCbor } from "../../src/wire/cbor_encode.ts";
import { compress } from "../../src/wire/compression.ts";
import { encodeClientNotification, encodePacket, encodeReply } from "../../src/wire/packet.ts";
import { notificationId, packetBits, packetTypes } from "../../src/wire/packet_types.ts";
import { describeTraces, framesOf, traceNames } from "../wire/golden_traces.ts";
import { fromHex, joined } from "../wire/hex.ts";

const zlib = nodeZlib();
const setupBytes = encodeClientNotification(
  "Setup",
  encodeCbor(["caocao", new Uint8Array(256), "md5", "0.5.20", "device"]),
);
const heartbeat = encodeClientNotification("Heartbeat", encodeCbor(null));

function newSession(config: Partial<GameConfig> = {}): GameSession {
  return new GameSession(sessionRulesOf({ ...defaultGameConfig, ...config }, zlib));
}

/** One that has logged in at 0. */
function playing(config: Partial<GameConfig> = {}): GameSession {
  const session = newSession(config);
  session.push(setupBytes, 0);
  assert.equal(session.next(0)?.kind, "setup");
  session.keep();
  session.loggedIn(0);
  return session;
}

/** All that it says now; what may not be read yet is its last. */
function all(session: GameSession, now: number): SessionInput[] {
  const inputs: SessionInput[] = [];
  for (let input = session.next(now); input !== undefined; input = session.next(now)) {
    inputs.push(input);
    if (input.kind === "too_fast" || input.kind === "flood" || input.kind === "fault") break;
  }
  session.keep();
  return inputs;
}

/** Pushes a copy that is overwritten afterwards, as an adapter's buffer is. */
function lend(session: GameSession, bytes: Uint8Array, now: number): SessionInput[] {
  const lent = bytes.slice();
  session.push(lent, now);
  const inputs = all(session, now);
  lent.fill(0xee);
  return inputs;
}

const text = (line: string) => new TextEncoder().encode(line);

describe("GameSession before the login", () => {
  it("next() reads a Setup, and nothing after it until loggedIn()", () => {
    const session = newSession();
    assert.deepEqual(lend(session, joined(setupBytes, heartbeat), 0), [{
      kind: "setup",
      setup: {
        name: "caocao",
        cipher: new Uint8Array(256),
        packagesMd5: "md5",
        version: "0.5.20",
        deviceId: "device",
      },
    }]);
    assert.deepEqual(lend(session, heartbeat, 0), []);
    session.loggedIn(1);
    assert.deepEqual(all(session, 1), [
      { kind: "command", command: { command: "Heartbeat" } },
      { kind: "command", command: { command: "Heartbeat" } },
    ]);
    assert.equal(session.heldBytes, 0);
  });

  it("next() calls any other first packet an invalid setup", () => {
    for (
      const bytes of [
        heartbeat,
        encodeClientNotification("Setup", encodeCbor(["a", "b", "c", "d"])),
        encodeClientNotification("Setup", encodeCbor(["a", "b", "c", "d", 5])),
        encodeClientNotification("Setup", fromHex("85")),
        encodeReply({ requestId: 1, command: "Setup", data: setupBytes }),
        encodePacket({
          requestId: notificationId,
          type: packetTypes.clientNotification | packetBits.compressed,
          command: "Setup",
          data: compress(encodeCbor(["a", "b", "c", "d", "e"]), (plain) => zlib.deflate(plain)),
        }),
      ]
    ) assert.deepEqual(lend(newSession(), bytes, 0), [{ kind: "invalid_setup" }]);
  });

  it("next() reads a Setup that comes byte by byte", () => {
    const session = newSession();
    const inputs = [...setupBytes].flatMap((byte) => lend(session, Uint8Array.of(byte), 0));
    assert.deepEqual(inputs.map(({ kind }) => kind), ["setup"]);
  });

  it("next() names what cannot be a packet, and push() then holds nothing", () => {
    const cases: [hex: string, fault: string][] = [
      ["00", "packet_not_array"],
      ["a0", "packet_not_array"],
      ["85", "packet_item_count"],
      ["9f", "packet_indefinite"],
      ["8440", "packet_integer_expected"],
      ["84211904126141", "packet_bytes_expected"],
      ["1c", "packet_reserved_encoding"],
      // 1 GiB and 2^64−1 bytes announced, none of which has to come.
      ["842119041245536574757" + "05a40000000", "packet_too_large"],
      ["842119041245536574757" + "05bffffffffffffffff", "packet_too_large"],
      ["8421190412590000" + "5a00010001", "packet_too_large"],
    ];
    for (const [hex, fault] of cases) {
      const session = newSession();
      assert.deepEqual(lend(session, fromHex(hex), 0), [{ kind: "fault", fault }], hex);
      session.push(setupBytes, 0);
      assert.equal(session.heldBytes, 0, hex);
      assert.equal(session.next(0), undefined, hex);
    }
  });

  it("loggedIn() lets packets be larger, not before", () => {
    const large = encodeClientNotification("Chat", encodeCbor({ msg: "a".repeat(70_000) }));
    assert.deepEqual(lend(newSession(), large, 0), [{ kind: "fault", fault: "packet_too_large" }]);
    assert.deepEqual(lend(playing(), large, 0).map(({ kind }) => kind), ["command"]);
    assert.equal(lend(playing({ maxPacketBytes: 65_536 }), large, 0)[0]?.kind, "fault");
  });

  it("loggedIn() does nothing for one who has said nothing, or is closed", () => {
    const session = newSession();
    session.loggedIn(0);
    assert.deepEqual(lend(session, heartbeat, 0), [{ kind: "invalid_setup" }]);
    session.close();
    session.loggedIn(0);
    assert.deepEqual(lend(session, heartbeat, 0), []);
  });
});

describe("GameSession of a late probe", () => {
  it("next() hands out a line of the host protocol, in pieces or whole, with what follows it", () => {
    for (const line of ["M1_CONN_PING\n", "__STOP__\r\n", "AUTH:secret\nM6_STABILITY\nrest"]) {
      const bytes = text(line);
      for (let cut = 1; cut < line.indexOf("\n"); cut++) {
        const session = newSession();
        assert.deepEqual(lend(session, bytes.subarray(0, cut), 0), [], `${line} at ${cut}`);
        assert.equal(session.heldBytes, cut);
        assert.deepEqual(lend(session, bytes.subarray(cut), 0), [{ kind: "host_text", bytes }]);
        assert.equal(session.heldBytes, 0);
      }
    }
  });

  it("next() gives up at the first byte that no verb has, and at a line without an end", () => {
    const endless = text(`M4_SAVE_STATE:${"a".repeat(2_040)}`);
    for (const bytes of [text("GET / HTTP/1.1"), text("M1_CONN_PINGX"), text("_X"), endless]) {
      const fault = [{ kind: "fault", fault: "packet_not_array" }];
      assert.deepEqual(lend(newSession(), bytes, 0), fault);
    }
    assert.deepEqual(lend(newSession(), text("M4_SAVE_STATE:a"), 0), []);
    assert.deepEqual(lend(newSession(), text("M1_CONN\n"), 0), [
      { kind: "fault", fault: "packet_not_array" },
    ]);
  });

  it("next() takes text for a fault once a packet has begun", () => {
    const session = newSession();
    lend(session, setupBytes.subarray(0, 1), 0);
    assert.equal(lend(session, text("M1_CONN_PING\n"), 0)[0]?.kind, "fault");
  });
});

describe("GameSession of a player", () => {
  it("next() tells replies, commands and what is ignored", () => {
    const data = encodeCbor("__cancel");
    const bytes = joined(
      encodeReply({ requestId: 7, command: "X", data }),
      heartbeat,
      encodeClientNotification("Nonsense", data),
      encodeClientNotification("EnterRoom", fromHex("82")),
      encodePacket({ requestId: 1, type: 0x112, command: "Chat", data }),
    );
    assert.deepEqual(lend(playing(), bytes, 0), [
      { kind: "reply", id: 7, data },
      { kind: "command", command: { command: "Heartbeat" } },
      { kind: "ignored", reason: "command_unknown", command: "Nonsense" },
      { kind: "ignored", reason: "payload_invalid", command: "EnterRoom" },
      { kind: "ignored", reason: "packet_kind_unknown", command: "Chat" },
    ]);
  });

  it("next() charges a packet once, in however many pieces it comes", () => {
    const session = playing({ packetsBurst: 1, packetsPerSecond: 1 });
    const inputs = [...heartbeat].flatMap((byte) => lend(session, Uint8Array.of(byte), 0));
    assert.deepEqual(inputs, [{ kind: "command", command: { command: "Heartbeat" } }]);
    assert.equal(lend(session, heartbeat, 0).at(-1)?.kind, "too_fast");
  });

  it("next() reads the burst at once, and the rest at the rate", () => {
    const session = playing({ packetsBurst: 10, packetsPerSecond: 4 });
    const inputs = lend(session, joined(...Array.from({ length: 12 }, () => heartbeat)), 0);
    assert.equal(inputs.filter(({ kind }) => kind === "command").length, 10);
    assert.deepEqual(inputs.at(-1), { kind: "too_fast", until: floodPauseMs });
    assert.deepEqual(all(session, 249), [{ kind: "too_fast", until: 249 + floodPauseMs }]);
    const later = all(session, 250).map(({ kind }) => kind);
    assert.deepEqual(later, ["command", "too_fast"]);
    assert.deepEqual(all(session, 500).map(({ kind }) => kind), ["command"]);
    assert.equal(session.heldBytes, 0);
  });

  it("next() calls it a flood when it goes on too long", () => {
    const session = playing({ packetsBurst: 2, packetsPerSecond: 1, overLimitSeconds: 3 });
    const many = joined(...Array.from({ length: 20 }, () => heartbeat));
    assert.equal(lend(session, many, 0).at(-1)?.kind, "too_fast");
    for (let now = 250; now < 3_000; now += 250) {
      assert.equal(all(session, now).at(-1)?.kind, "too_fast", `${now}`);
    }
    assert.equal(all(session, 3_000).at(-1)?.kind, "flood");
  });

  it("push() of many bytes makes the next packet wait", () => {
    const session = playing({ bytesBurst: 4_096, bytesPerSecond: 1_000, maxPacketBytes: 4_096 });
    const chat = encodeClientNotification("Chat", encodeCbor({ msg: "a".repeat(2_000) }));
    assert.deepEqual(lend(session, joined(chat, chat), 0).map(({ kind }) => kind), [
      "command",
      "command",
    ]);
    assert.equal(lend(session, joined(chat, chat), 0).at(-1)?.kind, "too_fast");
  });

  it("next() charges a compressed packet what it says that it holds", () => {
    const data = compress(new Uint8Array(2 ** 20), (plain) => zlib.deflate(plain));
    const bomb = encodePacket({
      requestId: notificationId,
      type: packetTypes.clientNotification | packetBits.compressed,
      command: "Chat",
      data,
    });
    assert.ok(bomb.length < 2_000);
    const session = playing();
    const kinds = lend(session, joined(...Array.from({ length: 50 }, () => bomb)), 0)
      .map(({ kind }) => kind);
    const { bytesBurst } = defaultGameConfig;
    assert.ok(kinds.length <= Math.ceil(bytesBurst / 2 ** 20) + 1, `${kinds}`);
    assert.deepEqual([kinds[0], kinds.at(-1)], ["ignored", "too_fast"]);
  });

  it("next() inflates nothing that announces more than a packet may be", () => {
    let inflations = 0;
    const rules = sessionRulesOf(defaultGameConfig, zlib);
    const session = new GameSession({
      ...rules,
      inflate: (bytes, limits) => {
        inflations++;
        return rules.inflate(bytes, limits);
      },
    });
    lend(session, setupBytes, 0);
    session.loggedIn(0);
    const bomb = encodePacket({
      requestId: notificationId,
      type: packetTypes.clientNotification | packetBits.compressed,
      command: "Chat",
      data: fromHex("ffffffff789c"),
    });
    assert.deepEqual(lend(session, bomb, 0), [
      { kind: "ignored", reason: "compression_too_large", command: "Chat" },
    ]);
    assert.equal(inflations, 0);
  });

  it("close() lets go of everything", () => {
    const session = playing();
    session.push(heartbeat.subarray(0, 5), 0);
    session.keep();
    assert.ok(session.heldBytes > 0);
    session.close();
    assert.equal(session.heldBytes, 0);
    assert.deepEqual(lend(session, heartbeat, 0), []);
  });

  it("heldBytes stay near what came, however much is announced", () => {
    const session = playing();
    lend(session, fromHex("842119041244" + "43686174" + "5a000fffff" + "00"), 0);
    assert.ok(session.heldBytes <= 128, `${session.heldBytes}`);
  });
});

const generous: Partial<GameConfig> = {
  packetsBurst: 1_000_000,
  packetsPerSecond: 1_000_000,
  bytesBurst: 2 ** 30,
  bytesPerSecond: 2 ** 30,
};

describeTraces("GameSession and every packet that recorded clients sent", () => {
  for (const trace of traceNames()) {
    const frames = framesOf(trace).filter(({ dir, decoded }) => dir === "c2s" && decoded)
      .map(({ bytes }) => bytes)
      // What was recorded to be refused ends a session, and so the comparison.
      .filter((bytes) => lend(playing(generous), bytes, 0)[0]?.kind !== "fault");
    if (frames.length === 0) continue;

    it(`reads the ${frames.length} of ${trace} the same, split at every byte`, () => {
      for (const bytes of new Map(frames.map((frame) => [frame.join(), frame])).values()) {
        const isSetup = lend(newSession(), bytes, 0)[0]?.kind === "setup";
        const start = () => isSetup ? newSession() : playing(generous);
        const whole = lend(start(), bytes, 0);
        assert.equal(whole.length, 1);
        for (let cut = 1; cut < bytes.length; cut++) {
          const session = start();
          const pieces = [bytes.subarray(0, cut), bytes.subarray(cut)];
          assert.deepEqual(pieces.flatMap((piece) => lend(session, piece, 0)), whole, `${cut}`);
        }
      }
    });

    it(`reads the ${frames.length} of ${trace} the same, joined with their neighbours`, () => {
      const singly = frames.flatMap((bytes) => lend(playing(generous), bytes, 0));
      assert.deepEqual(lend(playing(generous), joined(...frames), 0), singly);
      const session = playing(generous);
      const stream = joined(...frames);
      const inputs: SessionInput[] = [];
      for (let at = 0; at < stream.length; at += 1_460) {
        inputs.push(...lend(session, stream.subarray(at, at + 1_460), 0));
      }
      assert.deepEqual(inputs, singly);
    });
  }
});
