import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { GameClient, type Login } from "../client/game_client.ts";
import { GameProgram, type GameProgramOptions, type ProgramKind } from "../client/game_program.ts";

/** Limits that are tested where they matter; here many log in from one address. */
export const unhurried = { loginsPerMinutePerIp: 1_000, maxPlayersPerDevice: 1_000 };

/** One program for the tests of a describe block, and the clients that they leave open. */
export class Stage {
  readonly kind: ProgramKind;
  #program: GameProgram | undefined;
  #clients: GameClient[] = [];
  #count = 0;

  constructor(kind: ProgramKind) {
    this.kind = kind;
  }

  get program(): GameProgram {
    if (this.#program === undefined) throw new Error("the program has not been started");
    return this.#program;
  }

  async open(options: Omit<GameProgramOptions, "kind">): Promise<void> {
    this.#program = await GameProgram.start({ kind: this.kind, ...options });
  }

  async close(): Promise<void> {
    if (this.#program === undefined) return;
    assert.equal(await this.#program.stop(), 0, this.#program.log);
  }

  async clear(): Promise<void> {
    for (const client of this.#clients) await client.reset();
    this.#clients = [];
  }

  /** A connection; every test gets addresses of its own when it asks for one. */
  async connect(localAddress?: string): Promise<GameClient> {
    const client = await GameClient.connect({
      port: this.program.port,
      ...localAddress !== undefined && { localAddress },
    });
    this.#clients.push(client);
    return client;
  }

  /** A player in the lobby, with a new name that begins so. */
  async player(name: string, more: Partial<Login> & { localAddress?: string } = {}) {
    const { localAddress, ...login } = more;
    const client = await this.connect(localAddress);
    await client.login({ name: `${name}${++this.#count}`, password: "secret", ...login });
    return client;
  }

  /** A number that no other test of this program uses. */
  get unique(): number {
    return ++this.#count;
  }
}

/** `describe` for the binary and for Deno, each with one program for all tests in it. */
export function describePrograms(
  name: string,
  options: Omit<GameProgramOptions, "kind">,
  tests: (stage: Stage, test: (name: string, body: () => Promise<void>) => void) => void,
): void {
  for (const kind of ["binary", "deno"] as const) {
    describe(`${name} (${kind})`, () => {
      const stage = new Stage(kind);
      before(async () => {
        await stage.open(options);
      });
      after(async () => {
        await stage.close();
      });
      tests(stage, (title, body) => {
        it(title, async () => {
          try {
            await body();
          } finally {
            await stage.clear();
          }
        });
      });
    });
  }
}

/** Listens to one client: what it heard since the last time it was asked. */
export class Ear {
  readonly #client: GameClient;
  #from: number;

  private constructor(client: GameClient) {
    this.#client = client;
    this.#from = client.received.length;
  }

  /** Begins to listen when everything that is on its way to the client has arrived. */
  static async of(client: GameClient): Promise<Ear> {
    await client.settled();
    return new Ear(client);
  }

  /**
   * All that came of what was said so far, as `Command diagnosis`. Left out are heartbeats and
   * numbers of players, but for those that a newcomer to the lobby gets at once.
   */
  async heard(): Promise<string[]> {
    if (this.#client.ending === undefined) await this.#client.settled();
    return this.heardByNow();
  }

  /** The same without waiting. */
  heardByNow(): string[] {
    const packets = this.#client.received.slice(this.#from);
    this.#from = this.#client.received.length;
    return packets.filter(({ command }, at) => {
      if (command === "UpdatePlayerNum") return packets[at - 1]?.command === "EnterLobby";
      return command !== "Heartbeat" && command !== "ReadGlobalSaveState";
    }).map(({ command, diag }) => `${command} ${diag}`);
  }
}

/** Logs in and expects to be refused: everything that was said after the greeting, and the close. */
export async function refusedLogin(
  stage: Stage,
  login: Login,
  localAddress?: string,
): Promise<string[]> {
  const client = await stage.connect(localAddress);
  client.setup(login, await client.greeted());
  assert.equal(await client.closed, "fin");
  return client.received.slice(1).map(({ command, diag }) => `${command} ${diag}`);
}

/** The only text of a refusal, as it stands in `ErrorDlg`. */
export function dialog(text: string): string[] {
  return [`ErrorDlg raw ${JSON.stringify(text)}`];
}
