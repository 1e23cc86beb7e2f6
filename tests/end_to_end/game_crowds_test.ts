import assert from "node:assert/strict";
import { connect, type Socket } from "node:net";
import { encode } from "../client/cbor.ts";
import { GameClient, md5OfNothing } from "../client/game_client.ts";
import { packetBytes } from "../client/game_packet.ts";
import { clientCipher } from "../game/accounts/client_cipher.ts";
import { Bystanders, talkative } from "./bystanders.ts";
import { describePrograms, dialog, refusedLogin, type Stage, unhurried } from "./game_stage.ts";
import { figureBecomes, figures, residentBytes } from "./program_figures.ts";

const password = "secret";
const tooMany = dialog("too many login attempts, please try again in a minute");

/** Of the strangers: at most 32 may come from one address. */
const perAddress = 25;
/** Where connections and their logins are kept. */
const places = [
  "game_players",
  "game_pending_connections",
  "game_crypto_queue",
  "game_store_queue",
  "active_connections",
];

/** Of the program's memory, garbage of the moment included. */
const strangerBytesMax = { binary: 10_000, deno: 24_000 };

describePrograms("serve: crowds of strangers", {
  game: { ...unhurried, ...talkative },
  server: { setupTimeoutSeconds: 300 },
}, (stage, test) => {
  test("5,000 that never log in are few to each address, cost little, and are cut in time", async () => {
    const { program } = stage;
    const bystanders = await Bystanders.meet(stage);
    const before = await figures(program);
    const memory = residentBytes(program);
    const strangers: Stranger[] = [];
    for (let group = 0; group < 200; group++) {
      const localAddress = `127.10.${group}.1`;
      strangers.push(
        ...await Promise.all(
          Array.from({ length: perAddress }, () => Stranger.open(program.port, localAddress)),
        ),
      );
    }
    await Promise.all(strangers.map(({ greeted }) => greeted));
    assert.equal((await figures(program))("game_pending_connections"), 5_000);
    const grown = residentBytes(program) - memory;
    assert.ok(grown < 5_000 * strangerBytesMax[stage.kind], `grew by ${grown} bytes`);
    const { name } = await stage.player("amidst");
    assert.deepEqual(
      await refusedLogin(stage, { name, password: "wrong" }),
      dialog("username or password error"),
    );
    await program.configure({ setupTimeoutSeconds: 0.5 });
    await Promise.all(strangers.map(({ closed }) => closed));
    await program.configure({});
    await figureBecomes(program, "game_pending_connections", (count) => count === 0);
    const after = await figures(program);
    const cut = "game_disconnects_setup_timeout";
    assert.equal(after(cut) - before(cut), 5_000);
    await bystanders.part();
  });

  test("the 33rd of an address is closed without a word until one of the others is gone", async () => {
    const { program } = stage;
    const from = "127.11.1.1";
    const first = await Promise.all(
      Array.from({ length: 32 }, () => Stranger.open(program.port, from)),
    );
    await Promise.all(first.map(({ greeted }) => greeted));
    const over = await Stranger.open(program.port, from);
    await over.closed;
    assert.equal(over.bytes, 0);
    await stage.player("elsewhere", { localAddress: "127.11.1.2" });
    first[7]?.reset();
    await figureBecomes(program, "game_pending_connections", (count) => count === 31);
    const next = await Stranger.open(program.port, from);
    await next.greeted;
    for (const stranger of [...first, next]) stranger.reset();
    await figureBecomes(program, "game_pending_connections", (count) => count === 0);
  });

  test("logins that end at a random moment, by a reset or a fin, leave nothing behind", async () => {
    const { program } = stage;
    const before = await figures(program);
    const random = seeded(20_261_122);
    for (let round = 0; round < 20; round++) {
      const visits = Array.from({ length: 10 }, (_, at) =>
        briefVisit(stage, {
          name: `brief${round}_${at}`,
          moment: Math.floor(random() * moments),
          share: random(),
          waitMs: random() * 40,
          byFin: random() < 0.4,
        }));
      await Promise.all(visits);
    }
    for (const name of places) await figureBecomes(program, name, (count) => count === 0);
    const after = await figures(program);
    assert.equal(after("game_faults"), before("game_faults"), program.log);
    // Whoever was reset before he was taken is not among them.
    const came = after("game_connections") - before("game_connections");
    assert.ok(came > 100 && came <= 200, `${came} came`);
    // An account whose first login was cut short is there, or can still be made: never half.
    await Promise.all(
      Array.from({ length: 20 }, (_, round) => stage.player("", { name: `brief${round}_0` })),
    );
  });

  test("a player who half-closes is gone at once, with all that was said to him before", async () => {
    const { program } = stage;
    const client = await stage.player("half");
    client.readGlobalSaveState("last question");
    client.updatePassword("wrong", "next");
    assert.equal(await client.close(), "fin");
    await figureBecomes(program, "game_players", (count) => count === 0);
  });
});

describePrograms("serve: floods of logins", {
  game: { maxPlayersPerDevice: 1_000, ...talkative },
}, (stage, test) => {
  test("the 21st login of an address within a minute is refused, others get in", async () => {
    const bystanders = await Bystanders.meet(stage);
    const localAddress = "127.12.1.1";
    const outcomes = await Promise.all(
      Array.from({ length: 30 }, async (_, at) => {
        const client = await stage.connect(localAddress);
        return await client.login({ name: `flood${at}`, password }).then(
          () => "in",
          ({ message }: Error) => message,
        );
      }),
    );
    const refused = outcomes.filter((each) => each !== "in");
    assert.equal(refused.length, 10);
    assert.deepEqual([...new Set(refused)], [
      "too many login attempts, please try again in a minute",
    ]);
    const login = { name: "flood0", password };
    assert.deepEqual(await refusedLogin(stage, login, localAddress), tooMany);
    await stage.player("", { name: "flood0", localAddress: "127.12.1.2" });
    await bystanders.part();
  });

  test("a name with 10 failed logins is closed to everybody for a while, no other name is", async () => {
    const from = () => `127.12.2.${stage.unique % 250 + 1}`;
    const { name } = await stage.player("guessed", { localAddress: from() });
    for (let failure = 0; failure < 10; failure++) {
      const said = await refusedLogin(stage, { name, password: `guess ${failure}` }, from());
      assert.deepEqual(said, dialog("username or password error"));
    }
    assert.deepEqual(await refusedLogin(stage, { name, password }, from()), tooMany);
    await stage.player("other", { localAddress: from() });
  });
});

/** A connection that takes what comes and says nothing. */
class Stranger {
  bytes = 0;
  readonly greeted: Promise<void>;
  readonly closed: Promise<void>;
  readonly #socket: Socket;

  private constructor(socket: Socket) {
    this.#socket = socket;
    this.greeted = new Promise((resolve) =>
      socket.on("data", ({ length }) => {
        this.bytes += length;
        resolve();
      })
    );
    this.closed = new Promise((resolve) => socket.on("close", () => resolve()));
    // A reset is a close too.
    socket.on("error", () => {});
  }

  static open(port: number, localAddress: string): Promise<Stranger> {
    return new Promise((resolve, reject) => {
      const socket = connect({ port, host: "127.0.0.1", localAddress });
      const stranger = new Stranger(socket);
      socket.once("connect", () => resolve(stranger));
      socket.once("error", reject);
    });
  }

  reset(): void {
    this.#socket.resetAndDestroy();
  }
}

/** Before the greeting, within the Setup, three times while it is worked on, in the lobby. */
const moments = 6;

/** Comes, goes as far as `moment` says, and ends. */
async function briefVisit(
  stage: Stage,
  plan: { name: string; moment: number; share: number; waitMs: number; byFin: boolean },
): Promise<void> {
  const { name, moment, share, waitMs, byFin } = plan;
  const client = await GameClient.connect({ port: stage.program.port });
  if (moment > 0) {
    const cipher = clientCipher(await client.greeted(), password);
    const data = encode([name, cipher, md5OfNothing, "0.5.19", name]);
    const bytes = packetBytes({ id: -2, type: 0x412, command: "Setup", data });
    client.sendRaw(moment === 1 ? bytes.subarray(0, Math.floor(bytes.length * share)) : bytes);
  }
  if (moment === 3 || moment === 4) await new Promise((resolve) => setTimeout(resolve, waitMs));
  if (moment === 5) await client.expect("EnterLobby");
  await (byFin ? client.close() : client.reset());
}

/** Numbers from 0 to 1, the same for the same seed. */
function seeded(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0;
    return state / 2 ** 32;
  };
}
