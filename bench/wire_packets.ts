/** What one packet of the game costs: cut from the stream and read, or written. In one thread. */
import { nodeZlib } from "../src/adapters/node/zlib.ts";
import { encodeCbor } from "../src/wire/cbor_encode.ts";
import { decodeClientPacket } from "../src/wire/client_packet.ts";
import { encodeServerPacket } from "../src/wire/encode_server_message.ts";
import { encodeClientNotification } from "../src/wire/packet.ts";
import { PacketFramer } from "../src/wire/packet_framer.ts";
import { packetBytesMaxAfterLogin } from "../src/wire/packet_types.ts";
import type { ServerMessage } from "../src/wire/server_messages.ts";
import { type Figure, median, numberFlag, report } from "./measure.ts";

const rounds = numberFlag("rounds", 5);
const packetsPerRound = numberFlag("packets", 200_000);

const settings = {
  gameMode: "aaa_role_mode",
  roomName: "room",
  password: "",
  _game: { generalNum: 3, generalTimeout: 15, luckTime: 0, enableFreeAssign: false },
  _mode: {},
  disabledPack: [],
  disabledGenerals: [],
};
const chat = encodeClientNotification("Chat", encodeCbor({ type: 1, msg: "hello, everybody" }));
const createRoom = encodeClientNotification(
  "CreateRoom",
  encodeCbor(["room", 5, 25, settings]),
);
const chatMessage: ServerMessage = {
  command: "Chat",
  sender: 13,
  type: 1,
  msg: "hello, everybody",
  userName: "somebody",
};
const { inflate } = nodeZlib();

function read(packet: Uint8Array, count: number): void {
  const framer = new PacketFramer({ packetBytesMax: packetBytesMaxAfterLogin });
  for (let done = 0; done < count; done++) {
    framer.push(packet);
    for (let found = framer.next(); found !== undefined; found = framer.next()) {
      if (typeof found === "string") throw new Error(`Cannot read a packet of our own: ${found}`);
      decodeClientPacket(found, { plainBytesMax: packetBytesMaxAfterLogin, inflate });
    }
  }
}

const tasks: readonly (readonly [name: string, run: (count: number) => void])[] = [
  ["Chat read", (count) => read(chat, count)],
  ["CreateRoom read", (count) => read(createRoom, count)],
  ["Chat written", (count) => {
    for (let done = 0; done < count; done++) encodeServerPacket(chatMessage);
  }],
];

const figures: Figure[] = tasks.map(([name, run]) => {
  run(packetsPerRound); // compiles the hot code
  const perPacket = Array.from({ length: rounds }, () => {
    const before = performance.now();
    run(packetsPerRound);
    return (performance.now() - before) * 1_000 / packetsPerRound;
  });
  return { name, value: median(perPacket), unit: "µs a packet" };
});
report("wire_packets", figures);
