import assert from "node:assert/strict";
import { createSocket } from "node:dgram";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { it } from "node:test";
import { type GameProgram, type ProgramKind, withGameProgram } from "../client/game_program.ts";
import { md5OfNothing } from "../client/game_client.ts";
import { describeTraces, type TraceLine, traceLines, traceNames } from "../wire/golden_traces.ts";
import { deviations, scriptedGames } from "./recording_deviations.ts";
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
const unhurried = { loginsPerMinutePerIp: 1_000, chatBurst: 1_000 };

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
const core = process.env.FREEKILL_CORE_DIR;
/** Md5 of the core that was recorded (commit 88a912f). */
const md5OfCore = "1472a5d0de9b704a281027e348f8b6d7";
const noCore = core !== undefined && existsSync(join(core, "lua/server/rpc/entry.lua"))
  ? false
  : "FREEKILL_CORE_DIR names no freekill-core";
const isGame = (trace: string) => trace.startsWith("game_") || trace === "guest_rights";

async function play(kind: ProgramKind, trace: string): Promise<void> {
  const { game = {}, ...options } = needs[trace] ?? {};
  const table = [...deviations, ...scriptedGames].filter((each) => each.trace === trace);
  await withGameProgram(
    { kind, server: recordedServer, game: { ...unhurried, ...game } },
    async (program) => {
      const steps = readScript(trace, table);
      await new RecordingPlayer(program, steps, { md5: md5OfNothing, ...options }).play();
    },
  );
}

for (const kind of ["binary", "deno"] as const) {
  describeTraces(`serve (${kind}) on recordings of the original server`, () => {
    for (const trace of traceNames().filter((name) => name !== datagrams)) {
      it(`tells each client of ${trace} what it was told then, but for the table`, () =>
        play(kind, trace));
    }

    it("answers the datagrams of udp as then, and the others not at all", () =>
      withGameProgram(
        { kind, server: recordedServer },
        (program) => playDatagrams(program, traceLines(datagrams)),
      ));
  });
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
