import { type CborRead, CborReader, encode } from "../client/cbor.ts";
import type { GameClient } from "../client/game_client.ts";
import { GamePacket, packetBytes, packetType } from "../client/game_packet.ts";
import { clientCipher } from "../game/accounts/client_cipher.ts";
import type { Names } from "./recording_masks.ts";
import type { Step } from "./recording_script.ts";

/** The md5 of the packages of the server that was recorded. */
const recordedMd5 = "1472a5d0de9b704a281027e348f8b6d7";

/** RSA with 2,048 bits. */
const cipherBytes = 256;

export interface FrameParts {
  /** Md5 of the packages of the program under test. */
  readonly md5: string;
  /** What a login's cipher holds, by its line. */
  readonly plainTexts: ReadonlyMap<number, string>;
  /** Players as they were recorded, and as they are numbered now. */
  readonly recordedNames: Names;
  readonly names: Names;
  clients(): readonly GameClient[];
}

/** Recorded frames of clients, with what must be different for another server. */
export class RecordedFrames {
  readonly #steps: readonly Step[];
  readonly #parts: FrameParts;

  constructor(steps: readonly Step[], parts: FrameParts) {
    this.#steps = steps;
    this.#parts = parts;
  }

  /** What a recorded frame becomes for this server. */
  rewritten(bytes: Uint8Array, client: GameClient, line: number): Uint8Array {
    const packet = packetOf(bytes);
    if (packet === undefined) return bytes;
    const { command } = packet;
    if (command === "Setup" || command === "Login") return this.#setup(packet, client, line);
    const data = this.#withIds(packet);
    return data === undefined ? bytes : packetBytes({ ...packet, command, data });
  }

  #setup(packet: GamePacket, client: GameClient, line: number): Uint8Array {
    const value = packet.data.length === 0 ? undefined : packet.value;
    if (!Array.isArray(value) || value.length !== 5) return packet.bytes;
    const [name, cipher, md5, ...rest] = value;
    const plain = this.#parts.plainTexts.get(line);
    const prefix = plain === undefined ? undefined : new Uint8Array(0);
    const password = plain ?? `password of ${asText(name)}`;
    const isCipher = cipher instanceof Uint8Array && cipher.length === cipherBytes;
    const items = [
      name,
      isCipher ? clientCipher(client.publicKeyPem, password, prefix) : cipher,
      asText(md5) === recordedMd5 ? likewise(md5, this.#parts.md5) : md5,
      ...rest,
    ];
    const { id, type, command, timeout, timestamp } = packet;
    const data = encode(items as Parameters<typeof encode>[0]);
    return packetBytes({ id, type, command, data, timeout, timestamp });
  }

  /** The data with this server's ids of players and rooms; undefined when it has none. */
  #withIds({ command, data }: GamePacket): Uint8Array | undefined {
    if (command === "KickPlayer") {
      const name = this.#parts.recordedNames.nameOf(Number(new CborReader(data).read()));
      const id = name === undefined ? undefined : this.#parts.names.idOf(name);
      return id === undefined ? undefined : encode(id);
    }
    if (command !== "EnterRoom" && command !== "ObserveRoom") return undefined;
    const reader = new CborReader(data);
    const { argument } = reader.head();
    const id = this.#roomOf(Number(reader.read()));
    if (id === undefined) return undefined;
    const rest = data.subarray(reader.at);
    return Uint8Array.from([0x80 | Number(argument), ...encode(id), ...rest]);
  }

  /** This server's id of a recorded room, by the first name under which both were listed. */
  #roomOf(recorded: number): number | undefined {
    const row = this.#steps.map((step) => {
      if (step.kind !== "expected" || step.command !== "UpdateRoomList") return undefined;
      return new RegExp(`\\[${recorded}, "([^"]*)"`).exec(step.diag)?.[1];
    }).find((name) => name !== undefined);
    for (const client of this.#parts.clients()) {
      for (const packet of client.received) {
        if (packet.command !== "UpdateRoomList") continue;
        const found = (packet.value as CborRead[][]).find(([, name]) => name === row);
        if (found !== undefined) return found[0] as number;
      }
    }
    return undefined;
  }
}

function packetOf(bytes: Uint8Array): GamePacket | undefined {
  try {
    return new GamePacket(bytes);
  } catch {
    // What is not a packet is sent as it is.
    return undefined;
  }
}

/** Answers to requests and heartbeats are given by the clients themselves. */
export function isAutomatic(bytes: Uint8Array): boolean {
  const packet = packetOf(bytes);
  return packet?.type === packetType.reply || packet?.command === "Heartbeat";
}

function asText(value: CborRead): string {
  return value instanceof Uint8Array ? new TextDecoder().decode(value) : String(value);
}

/** The text as the kind of string that `like` is. */
function likewise(like: CborRead, text: string): CborRead {
  return like instanceof Uint8Array ? new TextEncoder().encode(text) : text;
}
