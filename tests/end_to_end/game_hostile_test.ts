import assert from "node:assert/strict";
import { deflateSync } from "node:zlib";
import { type CborItem, encode } from "../client/cbor.ts";
import { fromHex } from "../client/diagnosis.ts";
import type { GameClient } from "../client/game_client.ts";
import { packetBytes } from "../client/game_packet.ts";
import { Bystanders, talkative } from "./bystanders.ts";
import { describePrograms, dialog, unhurried } from "./game_stage.ts";
import { cpuMs, figures, residentBytes } from "./program_figures.ts";

const MiB = 2 ** 20;
const head = "8421190412";
const chat = `${head}4443686174`;
const setup = `${head}455365747570`;

/** Bytes that cannot be a packet, by the reason that the log and the metrics give. */
const faults: Readonly<Record<string, readonly string[]>> = {
  packet_not_array: [
    "00",
    "20",
    "40",
    "60",
    "6568656c6c6f",
    "a0",
    "a10102",
    "bf",
    "c0",
    "d9d9f7",
    "f6",
    "f93c00",
    "fb3ff8000000000000",
    "ff",
  ],
  packet_item_count: ["80", "81", "83", "85", "87", "9a3b9aca00", "9bffffffffffffffff"],
  packet_indefinite: ["9f", `${head}5f`, `${chat}5f`],
  packet_reserved_encoding: ["1c", "9c", "841d", `${head}5e`, "fc"],
  packet_integer_expected: [
    "84f93c00",
    "8421fb3ff0000000000000",
    "8460",
    "84c000",
    "84a0",
    "8421f6",
    "84".repeat(10_000),
    `86${chat.slice(2)}40f5`,
  ],
  packet_bytes_expected: [`${head}65`, `${head}00`, `${chat}60`, `${chat}84`, `${chat}f6`],
  packet_too_large: [
    `${head}5a40000000`,
    `${head}5b7fffffffffffffff`,
    `${chat}5a00100001`,
    `${chat}5a40000000`,
    `${chat}5bffffffffffffffff`,
  ],
};

const allFaults = Object.entries(faults).flatMap(([reason, all]) =>
  all.map((hex) => ({ reason, hex }))
);

/** Data that a connection survives, by the reason for which its packet is ignored. */
const ignored: Readonly<Record<string, readonly Uint8Array[]>> = {
  payload_invalid: [
    ...["", "ff", "a1", "f6", "a16474797065", "1c", "bf", "5f", "84".repeat(100_000)].map((hex) =>
      notification("Chat", fromHex(hex))
    ),
    notification("Chat", encode({ type: "one", msg: "x" })),
    notification("Chat", encode({ type: 1, msg: nested(33) })),
    notification("Chat", fromHex("a163 6d7367 9bffffffffffffffff".replaceAll(" ", ""))),
    notification("CreateRoom", encode(["x", 2, 15])),
    notification("CreateRoom", encode([1, "2", 15, {}])),
    notification("EnterRoom", encode([[], {}])),
    notification("UpdatePassword", encode(["only one"])),
    notification("UpdateAvatar", fromHex("62ff")),
    notification("UpdateAvatar", fromHex("62fffe")),
    notification("LobbyTask", encode("no pair")),
  ],
  command_unknown: [notification("Setup", encode([])), notification("ÿ".repeat(500), encode(1))],
  packet_kind_unknown: [0, 0x012, 0x121, 0x1012, 2 ** 40, -1].map((type) =>
    packetBytes({ id: -2, type, command: "Chat", data: encode({ msg: "no" }) })
  ),
  compression_broken: [
    compressed(new Uint8Array(3)),
    compressed(announcing(10, fromHex("789c"))),
    compressed(announcing(10, new Uint8Array(50).fill(0xff))),
    compressed(announcing(100, deflateSync(new Uint8Array(16 * MiB)))),
    compressed(announcing(MiB, deflateSync(new Uint8Array(64 * MiB)))),
    compressed(announcing(1_000, deflateSync(encode({ msg: "shorter than announced" })))),
  ],
  compression_too_large: [
    compressed(announcing(0xffffffff, deflateSync(new Uint8Array(64 * MiB)))),
    compressed(announcing(MiB + 1, deflateSync(new Uint8Array(MiB + 1)))),
  ],
};

describePrograms("serve: bytes that are no packets", {
  game: { ...unhurried, ...talkative, bytesBurst: 64 * MiB, maxPendingPerIp: 1_000 },
}, (stage, test) => {
  const disconnects = async (reason: string) =>
    (await figures(stage.program))(`game_disconnects_${reason}`);

  test("each of them ends its connection without a word, before the login and after", async () => {
    const bystanders = await Bystanders.meet(stage);
    for (const when of ["before", "after"] as const) {
      const counts = new Map<string, number>();
      for (const reason of Object.keys(faults)) counts.set(reason, await disconnects(reason));
      await inTens(allFaults, async ({ hex, reason }) => {
        const client = when === "before" ? await stage.connect() : await stage.player("faulty");
        if (when === "before") await client.greeted();
        else await client.settled();
        const heard = client.received.length;
        client.sendRaw(fromHex(hex));
        await client.closed;
        const said = client.received.slice(heard).map(({ command }) => command);
        assert.deepEqual(said.filter((one) => !isNews(one)), [], `${hex.slice(0, 40)} ${when}`);
        counts.set(reason, (counts.get(reason) ?? 0) + 1);
      });
      for (const [reason, count] of counts) assert.equal(await disconnects(reason), count, reason);
    }
    await bystanders.part();
  });

  test("the same in pieces of a byte", async () => {
    await inTens(allFaults.filter(({ hex }) => hex.length < 100), async ({ hex }) => {
      const client = await stage.connect();
      await client.greeted();
      for (const byte of fromHex(hex)) client.sendRaw(Uint8Array.of(byte));
      await client.closed;
      assert.equal(client.received.length, 1, hex);
    });
  });

  test("a first packet that is no Setup is told so, a zip bomb too", async () => {
    const bomb = deflateSync(new Uint8Array(32 * MiB));
    const wrong = [
      notification("Chat", encode({ msg: "hello" })),
      packetBytes({ id: 1, type: 0x412, command: "Setup", data: encode([]) }),
      packetBytes({ id: -2, type: 0x1412, command: "Setup", data: announcing(100, bomb) }),
      packetBytes({ id: -2, type: 0x1412, command: "Setup", data: announcing(2 ** 32 - 1, bomb) }),
      ...["", "ff", "84".repeat(30_000), "9f", "85".repeat(5)].map((hex) =>
        notification("Setup", fromHex(hex))
      ),
      notification("Setup", encode(["a", 1, "b", "c", "d"])),
      notification("Setup", encode(["a", "a", "a", "a", "a", "a"])),
    ];
    for (const bytes of wrong) {
      const client = await stage.connect();
      await client.greeted();
      client.sendRaw(bytes);
      assert.equal(await client.closed, "fin");
      assert.deepEqual(spoken(client), dialog("INVALID SETUP STRING"));
    }
  });

  test("what is wrong inside a packet costs that packet alone, bombs little more", async () => {
    const bystanders = await Bystanders.meet(stage);
    const client = await stage.player("sloppy");
    await client.settled();
    const before = await figures(stage.program);
    const [memory, cpu] = [residentBytes(stage.program), cpuMs(stage.program)];
    for (const packets of Object.values(ignored)) {
      for (const bytes of packets) client.sendRaw(bytes);
    }
    const line = encode({ type: 1, msg: "still here" });
    const plain = { id: -2, type: 0x1412, command: "Chat" };
    client.sendRaw(packetBytes({ ...plain, data: announcing(line.length, deflateSync(line)) }));
    await client.expect("Chat", ({ diag }) => diag.includes("still here"));
    const after = await figures(stage.program);
    for (const [reason, packets] of Object.entries(ignored)) {
      const name = `game_packets_ignored_${reason}`;
      assert.equal(after(name) - before(name), packets.length, reason);
    }
    const grown = residentBytes(stage.program) - memory;
    assert.ok(grown < 48 * MiB, `grew by ${grown} bytes`);
    const spent = cpuMs(stage.program) - cpu;
    assert.ok(spent < 1_000, `took ${spent} ms`);
    await bystanders.part();
  });

  test("50 MB under an announced 1 GB are refused at the head, before the login and after", async () => {
    const bystanders = await Bystanders.meet(stage);
    const player = await stage.player("large");
    await player.settled();
    const [memory, cpu] = [residentBytes(stage.program), cpuMs(stage.program)];
    const strangers = await Promise.all(Array.from({ length: 5 }, () => stage.connect()));
    for (const client of [...strangers, player]) {
      client.sendRaw(fromHex(`${setup}5a40000000`));
      client.sendRaw(new Uint8Array(50 * MiB));
      await client.closed;
    }
    const spent = cpuMs(stage.program) - cpu;
    assert.ok(spent < 600, `took ${spent} ms`);
    const grown = residentBytes(stage.program) - memory;
    assert.ok(grown < 48 * MiB, `grew by ${grown} bytes`);
    await bystanders.part();
  });
});

/** What comes by itself to everybody in the lobby. */
function isNews(command: string): boolean {
  return ["Chat", "ServerMessage", "UpdatePlayerNum", "Heartbeat"].includes(command);
}

function spoken(client: GameClient): string[] {
  return client.received.slice(1).map(({ command, diag }) => `${command} ${diag}`);
}

/** In the order of the items, ten at a time. */
async function inTens<T>(items: readonly T[], work: (item: T) => Promise<void>): Promise<void> {
  for (let at = 0; at < items.length; at += 10) {
    await Promise.all(items.slice(at, at + 10).map(work));
  }
}

function notification(command: string, data: Uint8Array): Uint8Array {
  return packetBytes({ id: -2, type: 0x412, command, data });
}

function compressed(data: Uint8Array): Uint8Array {
  return packetBytes({ id: -2, type: 0x1412, command: "Chat", data });
}

/** Data as of qCompress, with whatever length it announces. */
function announcing(length: number, stream: Uint8Array): Uint8Array {
  const data = new Uint8Array(4 + stream.length);
  new DataView(data.buffer).setUint32(0, length);
  data.set(stream, 4);
  return data;
}

function nested(depth: number): CborItem {
  return depth === 0 ? 0 : [nested(depth - 1)];
}
