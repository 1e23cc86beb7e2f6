import assert from "node:assert/strict";
import { createSocket } from "node:dgram";
import { once } from "node:events";
import { after, it } from "node:test";
import { GameProgram, type ProgramKind, withGameProgram } from "../client/game_program.ts";
import { type GameClient, md5OfNothing } from "../client/game_client.ts";
import { packetType } from "../client/game_packet.ts";
import { describeTraces, type TraceLine, traceLines, traceNames } from "../wire/golden_traces.ts";
import { md5OfCore, realCore, RecordedGames, withoutCore } from "./recorded_games.ts";
import { deviations, realGames, scriptedGames } from "./recording_deviations.ts";
import { type PlayOptions, RecordingPlayer } from "./recording_player.ts";
import { readScript } from "./recording_script.ts";

/** The configuration of the recorded server. */
const recordedServer = {
  banWords: ["badword"],
  description: "Golden Server",
  iconUrl: "default",
  capacity: 100,
  tempBanTime: 20,
  motd: "Welcome!",
  hiddenPacks: [],
  disabledFeatures: [],
  enableWhitelist: false,
  roomCountPerThread: 2000,
  maxPlayersPerDevice: 50,
};

/** Everything comes from one address, and faster than it was recorded. */
const unhurried = { loginsPerMinutePerIp: 1_000, chatBurst: 1_000, maxPlayersPerDevice: 1_000 };

/** What single recordings need besides. */
const needs: Readonly<
  Record<string, Partial<PlayOptions> & { readonly game?: Readonly<Record<string, unknown>> }>
> = {
  bad_setup: {
    plainTexts: new Map([[68, "too short"], [76, "A".repeat(32)]]),
  },
  register_login: { plainTexts: new Map([[28, `${"A".repeat(32)}another password`]]) },
  guest_rights: { sameAddress: "guf5ryB, guf5ryD, guf5ryE" },
  game_cancel_2p: { sameAddress: "gudxwtA, gudxwtB" },
  game_over_replay: { sameAddress: "gue1p6A, gue1p6B" },
  game_timeout: { sameAddress: "guek82A, guek82B" },
  game_run_away: { sameAddress: "guezbqA, guezbqB" },
  heartbeat: { heartbeatsOf: ["B"], game: { heartbeatSeconds: 0.3 } },
};

const datagrams = "udp";
const games = traceNames().filter((name) => name.startsWith("game_") || name === "guest_rights");

/** Real games take the time that they take. */
const patienceWithCoreMs = 60_000;

/** One program for all recordings that leave nothing behind. */
class SharedProgram {
  readonly #kind: ProgramKind;
  #program: GameProgram | undefined;

  constructor(kind: ProgramKind) {
    this.#kind = kind;
  }

  async play(trace: string): Promise<void> {
    this.#program ??= await GameProgram.start(programOptions(this.#kind, {}));
    try {
      await playOn(this.#program, trace);
      await nobodyIsOn(this.#program);
    } catch (error) {
      const { log } = this.#program;
      await this.stop();
      throw new Error(`${(error as Error).message}\nthe program's log:\n${log}`, { cause: error });
    }
  }

  async stop(): Promise<void> {
    const program = this.#program;
    this.#program = undefined;
    if (program !== undefined) assert.equal(await program.stop(), 0, program.log);
  }
}

function programOptions(kind: ProgramKind, game: Readonly<Record<string, unknown>>) {
  return { kind, server: recordedServer, game: { ...unhurried, ...game } };
}

async function playOn(program: GameProgram, trace: string): Promise<void> {
  const { game: _, ...options } = needs[trace] ?? {};
  const table = [...deviations, ...scriptedGames].filter((each) => each.trace === trace);
  const steps = readScript(trace, table);
  await new RecordingPlayer(program, steps, { md5: md5OfNothing, ...options }).play();
}

/** Games leave bans behind, and count on being the first of their program. */
const needsOwnProgram = (trace: string) =>
  games.includes(trace) || needs[trace]?.game !== undefined;

for (const kind of ["binary", "deno"] as const) {
  describeTraces(`serve (${kind}) on recordings of the original server`, () => {
    const shared = new SharedProgram(kind);
    after(async () => {
      await shared.stop();
    });

    for (const trace of traceNames().filter((name) => name !== datagrams)) {
      it(`tells each client of ${trace} what it was told then, but for the table`, async () => {
        if (!needsOwnProgram(trace)) return await shared.play(trace);
        const options = programOptions(kind, needs[trace]?.game ?? {});
        await withGameProgram(options, (program) => playOn(program, trace));
      });
    }

    it("answers the datagrams of udp as then, and the others not at all", () =>
      withGameProgram(
        programOptions(kind, {}),
        (program) => playDatagrams(program, traceLines(datagrams)),
      ));

    for (const [lua, command] of [["embedded", ""], ["native", "lua5.4"]] as const) {
      for (const trace of games) {
        it(`plays ${trace} with a real core on ${lua} Lua: the same kinds in the same order`, {
          skip: withoutCore,
        }, () => playWithCore(kind, trace, command));
      }
    }
  });
}

async function playWithCore(kind: ProgramKind, trace: string, lua: string): Promise<void> {
  const { game: _, ...options } = needs[trace] ?? {};
  const table = [...deviations, ...realGames].filter((each) => each.trace === trace);
  const root = { lua_command: lua, lua_memory_mb: 512 };
  const program = { ...programOptions(kind, {}), core: realCore, root };
  await withGameProgram(program, async (program) => {
    const player = new RecordingPlayer(program, readScript(trace, table), {
      md5: md5OfCore,
      ...options,
      pacedByRules: true,
      patienceMs: patienceWithCoreMs,
      ...trace === "game_timeout"
        ? { afterwards: oneIsKicked }
        : { prepare: (client) => client.answerRequests(() => "__cancel") },
    });
    await player.play();
    const recorded = new RecordedGames(games);
    for (const client of player.clients) recorded.assertAlike(client);
  });
}

/** Nobody answers: whoever misses the third request in a row is closed, and the other is told. */
async function oneIsKicked(clients: readonly GameClient[]): Promise<void> {
  const kicked = await Promise.race(clients.map(async (client) => {
    await client.until(() => client.ending !== undefined, { withinMs: patienceWithCoreMs });
    return client;
  }));
  const other = clients.find((client) => client !== kicked) as GameClient;
  await other.expect("NetStateChanged", ({ diag }) => /^\[\d+, 'offline'\]$/.test(diag));
  const requests = kicked.received.filter(({ type }) => type === packetType.serverRequest);
  assert.ok(requests.length >= 3, `closed after ${requests.length} requests`);
  assert.equal(kicked.ending, "fin");
}

/** Waits until the server has seen the last client go. */
async function nobodyIsOn({ port }: GameProgram): Promise<void> {
  const socket = createSocket("udp4");
  try {
    for (;;) {
      const answer = once(socket, "message", { signal: AbortSignal.timeout(10_000) });
      socket.send("fkGetDetail,", port, "127.0.0.1");
      const [bytes] = await answer as [Uint8Array];
      const [, , , , online] = JSON.parse(new TextDecoder().decode(bytes)) as unknown[];
      if (online === 0) return;
    }
  } finally {
    socket.close();
  }
}

async function playDatagrams(
  { port }: GameProgram,
  lines: readonly TraceLine[],
): Promise<void> {
  const socket = createSocket("udp4");
  const texts: string[] = [];
  let answers = 0;
  let wake = () => {};
  socket.on("message", (bytes) => {
    texts.push(bytes.toString());
    wake();
  });
  // What is not answered is known by the answer to what is asked behind it.
  const asked = [...lines, { dir: "c2s", text: "fkDetectServer" }, { dir: "s2c", text: "me" }];
  const expected = asked.filter(({ dir }) => dir === "s2c").map(({ text }) => text);
  try {
    for (const { dir, text } of asked) {
      if (dir === "c2s") socket.send(text ?? "", port, "127.0.0.1");
      else {await new Promise<void>((resolve, reject) => {
          const wanted = ++answers;
          const timer = setTimeout(() => reject(new Error(`no ${text}; got ${texts}`)), 10_000);
          wake = () => {
            if (texts.length < wanted) return;
            clearTimeout(timer);
            resolve();
          };
          wake();
        });}
    }
    assert.deepEqual(texts, expected);
  } finally {
    socket.close();
  }
}
