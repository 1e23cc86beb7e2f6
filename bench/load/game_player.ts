import { constants, publicEncrypt } from "node:crypto";
import { connect, type Socket } from "node:net";
import { bytesOf, decodeCbor } from "../../src/wire/cbor.ts";
import { encodeCbor } from "../../src/wire/cbor_encode.ts";
import { encodeClientNotification } from "../../src/wire/packet.ts";
import { PacketFramer } from "../../src/wire/packet_framer.ts";
import { type Packet, packetBytesMaxAfterLogin } from "../../src/wire/packet_types.ts";

/** The md5 of no packages. */
const md5OfNothing = "d41d8cd98f00b204e9800998ecf8427e";

/** Connections from one address: below what a server allows that have not logged in. */
const perAddress = 24;

/** The source address of the n-th connection: one address is limited. */
export function sourceAddress(n: number): string {
  const block = Math.floor(n / perAddress) + 1;
  return `127.${(block >> 14) & 0xff}.${(block >> 7) & 0x7f}.${(block & 0x7f) + 2}`;
}

/** The least that a player needs to be a load: logs in, counts what comes. */
export class LoadPlayer {
  /** Gets each packet; the login's too. */
  onPacket: (packet: Packet) => void = () => {};
  isClosed = false;
  readonly #socket: Socket;
  readonly #framer = new PacketFramer({ packetBytesMax: packetBytesMaxAfterLogin });

  private constructor(socket: Socket) {
    this.#socket = socket;
    socket.setNoDelay(true);
    socket.on("data", (bytes: Uint8Array) => this.#receive(bytes));
    socket.on("close", () => this.isClosed = true);
    socket.on("error", () => this.isClosed = true);
  }

  static connect(port: number, localAddress: string): Promise<LoadPlayer> {
    return new Promise((resolve, reject) => {
      const socket = connect({ port, host: "127.0.0.1", localAddress });
      socket.once("error", reject);
      socket.once("connect", () => resolve(new LoadPlayer(socket)));
    });
  }

  /** Connects and logs in; rejects when the server refuses. */
  static async join(
    login: { port: number; localAddress: string; name: string; password: string },
  ): Promise<LoadPlayer> {
    const player = await LoadPlayer.connect(login.port, login.localAddress);
    await new Promise<void>((resolve, reject) => {
      player.#socket.once("close", () => reject(new Error(`${login.name}: the server hung up`)));
      player.onPacket = ({ command, data }) => {
        if (command === "NetworkDelayTest") player.#sendSetup(textOf(data), login);
        else if (command === "EnterLobby") resolve();
        else if (command === "ErrorDlg" || command === "ErrorMsg") {
          reject(new Error(`${login.name} was refused: ${new TextDecoder().decode(data)}`));
        }
      };
    });
    player.onPacket = () => {};
    return player;
  }

  send(bytes: Uint8Array): void {
    this.#socket.write(bytes);
  }

  close(): void {
    this.#socket.destroy();
  }

  #sendSetup(publicPem: string, { name, password }: { name: string; password: string }): void {
    const plain = Buffer.concat([new Uint8Array(32).fill(0x41), Buffer.from(password)]);
    const padding = constants.RSA_PKCS1_PADDING;
    const cipher = new Uint8Array(publicEncrypt({ key: publicPem, padding }, plain));
    const setup = encodeCbor([name, cipher, md5OfNothing, "0.5.19", `uuid-${name}`]);
    this.send(encodeClientNotification("Setup", setup));
  }

  #receive(bytes: Uint8Array): void {
    this.#framer.push(bytes);
    for (;;) {
      const packet = this.#framer.next();
      if (packet === undefined) break;
      if (typeof packet === "string") throw new Error(`the server sent no packet: ${packet}`);
      this.onPacket(packet);
    }
    this.#framer.keep();
  }
}

function textOf(data: Uint8Array): string {
  const decoded = decodeCbor(data);
  const bytes = decoded.ok ? bytesOf(decoded.value) : undefined;
  return new TextDecoder().decode(bytes);
}
