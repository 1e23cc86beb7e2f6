import assert from "node:assert/strict";
import type { Socket } from "node:net";
import { encode } from "../client/cbor.ts";
import { GameClient } from "../client/game_client.ts";
import { type ConnectOptions, GameConnection } from "../client/game_connection.ts";
import { packetBytes } from "../client/game_packet.ts";
import { Bystanders, talkative } from "./bystanders.ts";
import { describePrograms, type Stage, unhurried } from "./game_stage.ts";
import { figureBecomes, figures, residentBytes } from "./program_figures.ts";

const outboundBytesMax = 262_144;
/** What is made and written meanwhile is some MB; all that is asked for would be hundreds. */
const memoryMax = 100_000_000;

describePrograms("serve: a client that never reads", {
  game: {
    ...unhurried,
    ...talkative,
    outboundBytesMax,
    maxRoomsPerPlayer: 1_000,
    packetsPerSecond: 100_000,
    packetsBurst: 100_000,
  },
}, (stage, test) => {
  test("is cut as slow and holds up nobody; who asks as much and reads is not", async () => {
    const { program } = stage;
    const bystanders = await Bystanders.meet(stage);
    await openRooms(stage, 40);
    const deaf = await Promise.all(Array.from({ length: 5 }, async () => {
      const client = await PausableClient.connect({ port: program.port });
      await client.login({ name: `deaf${stage.unique}`, password: "secret" });
      client.pause();
      return client;
    }));
    const memory = residentBytes(program);
    const asking = setInterval(() => deaf.forEach((client) => client.sendRaw(questions(5))), 2);
    const reader = await stage.player("reader");
    for (let round = 1; round <= 40; round++) {
      reader.sendRaw(questions(5));
      for (let answer = 0; answer < 5; answer++) await reader.expect("UpdateRoomList");
    }
    await figureBecomes(program, "game_disconnects_slow", (count) => count === deaf.length);
    clearInterval(asking);
    const grown = residentBytes(program) - memory;
    assert.ok(grown < memoryMax, `grew by ${grown} bytes`);
    assert.equal(reader.ending, undefined);
    await bystanders.part();
    for (const client of deaf) await client.reset();
  });

  test("who asks in one breath for more than may wait is cut before it is made", async () => {
    const { program } = stage;
    await openRooms(stage, 40);
    const cut = async () => (await figures(program))("game_disconnects_slow");
    const [before, memory] = [await cut(), residentBytes(program)];
    for (let round = 1; round <= 5; round++) {
      const greedy = await stage.player("greedy");
      greedy.sendRaw(questions(4_000));
      await greedy.closed;
    }
    assert.equal(await cut() - before, 5);
    const grown = residentBytes(program) - memory;
    assert.ok(grown < memoryMax, `grew by ${grown} bytes`);
  });
});

const packetsBurst = 300;

describePrograms("serve: floods of packets", {
  game: { ...unhurried, ...talkative, overLimitSeconds: 2 },
}, (stage, test) => {
  test("a burst of 300 is answered at once and whole, and a larger one whole too", async () => {
    const client = await stage.player("burst");
    await client.settled();
    for (const count of [packetsBurst - 10, 70]) {
      const heard = client.received.length;
      client.sendRaw(
        Buffer.concat(
          Array.from(
            { length: count },
            (_, n) => notification("ReadGlobalSaveState", `burst ${n}`),
          ),
        ),
      );
      const answers = () =>
        client.received.slice(heard).filter(({ command }) => command === "ReadGlobalSaveState");
      await client.until(() => answers().length >= count);
      await client.settled();
      assert.equal(answers().length, count + 1);
    }
    assert.equal(client.ending, undefined);
    assert.equal((await figures(stage.program))("game_disconnects_flood"), 0);
  });

  test("who never stops is cut, by packets or by bytes, and others are served", async () => {
    const bystanders = await Bystanders.meet(stage);
    const small = notification("Heartbeat");
    const large = notification("Heartbeat", "x".repeat(400_000));
    await Promise.all([small, large].map(async (packet) => {
      const flooder = await stage.player("flooder");
      const chunk = Buffer.concat(Array.from({ length: packet === small ? 200 : 1 }, () => packet));
      const timer = setInterval(() => flooder.sendRaw(chunk), 100);
      await flooder.closed;
      clearInterval(timer);
    }));
    await figureBecomes(stage.program, "game_disconnects_flood", (count) => count === 2);
    await figureBecomes(stage.program, "game_players", (count) => count === 2);
    await bystanders.part();
  });
});

/** A client whose socket can be left unread. */
class PausableClient extends GameClient {
  readonly #own: Socket;

  private constructor(socket: Socket) {
    super(socket);
    this.#own = socket;
  }

  static override async connect(options: ConnectOptions): Promise<PausableClient> {
    return new PausableClient(await GameConnection.open(options));
  }

  pause(): void {
    this.#own.pause();
  }
}

/** Each answer has several KB. */
function questions(count: number): Uint8Array {
  return Buffer.concat(Array.from({ length: count }, () => notification("RefreshRoomList")));
}

/** As many rooms with one player each; their lists are long. */
async function openRooms(stage: Stage, count: number): Promise<void> {
  const settings = { gameMode: "m".repeat(128), password: "" };
  await Promise.all(Array.from({ length: count }, async (_, n) => {
    // No address may have so many that are about to log in.
    const owner = await stage.player("owner", { localAddress: `127.13.1.${n + 1}` });
    owner.createRoom({ name: `${n}`.padEnd(128, "-"), capacity: 2, settings });
    await owner.expect("EnterRoom");
  }));
}

function notification(command: string, data = ""): Uint8Array {
  return packetBytes({ id: -2, type: 0x412, command, data: encode(data) });
}
