/**
 * What the parts around the embedded Lua cost of a turn. Games are played in this thread at a fixed
 * time, so that Lua's random numbers are the same and each game is the same to the byte however often it is
 * played; the parts are then measured on what was recorded, or left out in turns.
 */
import process from "node:process";
import { bunAssets } from "../src/adapters/bun/assets.ts";
import type { LuaEngineFactory } from "../src/game/lua/lua_engine.ts";
import { compileLua, type LuaProgram } from "../src/game/lua/lua_wasm.ts";
import type { PackageTree } from "../src/game/lua/package_tree.ts";
import type { FactsHost } from "../src/game/lua/rules_facts.ts";
import { RulesQueue } from "../src/game/lua/rules_queue.ts";
import { meterLoops } from "../src/game/lua/wasm_meter.ts";
import { wasmoonEngines } from "../src/game/lua/wasmoon_engine.ts";
import { encodeServerPacket } from "../src/wire/encode_server_message.ts";
import { fakeLog } from "../tests/fakes/log.ts";
import { DirectRun, type RecordedTurn } from "../tests/game/lua/direct_run.ts";
import { LobbyWithRules } from "../tests/game/lua/lobby_with_rules.ts";
import { runLua, valuesOf } from "../tests/game/lua/lua_program.ts";
import { runtimeUnderTest } from "../tests/tested_runtime.ts";
import { type Figure, median } from "./measure.ts";

export interface PartsOptions {
  readonly tree: PackageTree;
  readonly directory: string;
  readonly games: number;
  readonly turnsPerGameMax: number;
}

/** Of each way to play; in the first ones the machine code is still being made. */
const rounds = 8;
const roundsToWarmUp = 2;
/** Some day; each game has another one. */
const firstDay = 1_700_000_000_000;
const dayMs = 86_400_000;
/** The least by which the memory of a state grows. */
const growthBytes = 1_048_576;

interface Played {
  readonly cpuMs: number;
  readonly turns: number;
  readonly hostCalls: number;
  readonly answersMs: number;
  readonly sends: readonly (() => Uint8Array)[];
  readonly recorded: readonly RecordedTurn[];
  readonly memoryBytes: number;
}

/** Figures of one turn, in the order in which they are to be read. */
export async function partFigures(options: PartsOptions): Promise<Figure[]> {
  const glue = await bunAssets.luaWasm();
  const guarded = await compileLua(glue);
  const plain = await withoutGuard(glue, guarded);
  const cpu = { guarded: [] as number[], plain: [] as number[] };
  for (let round = 0; round < rounds; round++) {
    const order = [["guarded", guarded], ["plain", plain]] as const;
    for (const [kind, program] of round % 2 === 0 ? order : order.toReversed()) {
      const { cpuMs, turns } = await play(wasmoonEngines(program), options, "bare");
      if (round >= roundsToWarmUp) cpu[kind].push(cpuMs / turns);
    }
  }
  const played = await play(wasmoonEngines(guarded), options, "recorded");
  const [all, bare] = [median(cpu.guarded), median(cpu.plain)];
  const guard = median(cpu.guarded.map((ms, at) => ms - (cpu.plain[at] ?? ms)));
  const perTurn = (ms: number) => ms / played.turns;
  const calls = perTurn(crossingMs(guarded) * played.hostCalls);
  const messages = await messagesMs(played.recorded);
  const packets = perTurn(encodingMs(played));
  const part = (name: string, value: number): Figure => {
    const share = `${(value / all * 100).toPrecision(2)} %`;
    return { name: `  of which ${name} (${share})`, value, unit: "ms" };
  };
  return [
    { name: "CPU a turn in one thread, the same games", value: all, unit: "ms" },
    { name: "  without the guard", value: bare, unit: "ms" },
    part("the guard: metered loops", guard),
    part("the way to the server and back", calls),
    part("the server's answers", perTurn(played.answersMs)),
    { name: "  the server is called", value: played.hostCalls / played.turns, unit: "times" },
    {
      name: "  the memory cap is asked, in a game",
      value: Math.ceil(played.memoryBytes / growthBytes / options.games),
      unit: "times",
    },
    { name: "beside it: messages to a worker and back", value: messages, unit: "ms" },
    { name: "beside it: packets to the players", value: packets, unit: "ms" },
  ];
}

/** The same program with the guard's instructions made none. */
async function withoutGuard(glue: Uint8Array, guarded: LuaProgram): Promise<LuaProgram> {
  const { bytes } = meterLoops(glue, { interpreterCases: 83, pagesMin: 20 });
  const plain = new Uint8Array(bytes);
  let removed = 0;
  for (let at = 2; at < plain.length; at++) {
    // global.get fuel, i32.const 1, i32.sub, global.set fuel … call_indirect, type, table 0, end.
    const isCheck = plain[at - 2] === 0x23 && plain[at] === 0x41 && plain[at + 1] === 1 &&
      plain[at + 2] === 0x6b && plain[at + 3] === 0x24;
    if (!isCheck) continue;
    let end = at + 4;
    while (plain[end] !== 0x11 || plain[end + 2] !== 0 || plain[end + 3] !== 0x0b) end++;
    if (end - at > 32) continue;
    plain.fill(nop, at - 2, end + 4);
    removed++;
  }
  if (removed < 100) throw new Error(`Only ${removed} checks of the guard were found`);
  return { ...guarded, module: await WebAssembly.compile(plain as Uint8Array<ArrayBuffer>) };
}

const nop = 0x01;

async function play(
  engines: LuaEngineFactory,
  { tree, directory, games, turnsPerGameMax }: PartsOptions,
  how: "bare" | "recorded",
): Promise<Played> {
  const { clock } = await runtimeUnderTest();
  const now = Date.now;
  const recorded: RecordedTurn[] = [];
  const sends: Played["sends"][number][] = [];
  let [cpuMs, turns, hostCalls, answersMs, memoryBytes] = [0, 0, 0, 0, 0];
  try {
    for (let game = 0; game < games; game++) {
      Date.now = () => firstDay + game * dayMs;
      const table = new LobbyWithRules((ends) => {
        const common = {
          ...ends,
          host: ends.host as typeof ends.host & FactsHost,
          tree,
          directory,
          disabledPacks: [],
          log: fakeLog().logger,
          ...how === "bare" ? {} : {
            timed: (ms: number) => {
              hostCalls++;
              answersMs += ms;
            },
            recorded: (turn: RecordedTurn) => void recorded.push(turn),
          },
        };
        return new RulesQueue(clock, common, (told) => new DirectRun(engines, common, told));
      });
      await table.rules.ping();
      const before = process.cpuUsage();
      table.startGame(1, { capacity: 8 });
      table.perform(table.stage.say(1, { command: "Trust" }));
      await table.run(() => table.rules.load === 0 || table.turns >= turnsPerGameMax);
      const { user, system } = process.cpuUsage(before);
      cpuMs += (user + system) / 1_000;
      turns += table.turns;
      memoryBytes += table.rules.memoryBytes ?? 0;
      for (const effect of how === "bare" ? [] : table.stage.effects) {
        if (effect.kind !== "send") continue;
        const { message } = effect;
        sends.push(() => encodeServerPacket(message));
      }
      await table.rules.close();
    }
  } finally {
    Date.now = now;
  }
  return { cpuMs, turns, hostCalls, answersMs, sends, recorded, memoryBytes };
}

/** Of one call with two parameters and one result that nobody works out. */
function crossingMs(program: LuaProgram): number {
  const engine = wasmoonEngines(program).open({
    limits: { turnMs: 60_000, giveUpMs: 60_000, memoryBytesMax: 64 * 1_048_576 },
    host: () => [true],
    now: () => performance.now(),
  });
  const count = 200_000;
  const cost = (call: string) => {
    const loop = `local host, none = host, function() return true end
      for i = 1, ${count} do ${call}(7, 1000) end return 1`;
    const before = process.cpuUsage();
    valuesOf(runLua(engine, loop));
    const { user, system } = process.cpuUsage(before);
    return (user + system) / 1_000 / count;
  };
  cost("host");
  return median([1, 2, 3, 4, 5].map(() => cost("host") - cost("none")));
}

/** Both threads' work for a turn's facts on their way there, and its notices on their way back. */
async function messagesMs(recorded: readonly RecordedTurn[]): Promise<number> {
  const worker = new Worker(new URL("load/turn_echo.ts", import.meta.url), { type: "module" });
  const ask = (message: unknown) =>
    new Promise<void>((resolve) => {
      worker.onmessage = () => resolve();
      worker.postMessage(message);
    });
  await ask({ answers: recorded.map(({ end }) => ({ kind: "turn_over", end, memoryBytes: 1 })) });
  const pass = async () => {
    const before = process.cpuUsage();
    for (const [turn, { call, facts }] of recorded.entries()) {
      await ask({ kind: "turn", call, facts, turn });
    }
    const { user, system } = process.cpuUsage(before);
    return (user + system) / 1_000 / recorded.length;
  };
  await pass();
  const costs: number[] = [];
  for (let round = 0; round < rounds; round++) costs.push(await pass());
  worker.terminate();
  return median(costs);
}

function encodingMs({ sends }: Played): number {
  const pass = () => {
    const before = process.cpuUsage();
    for (let again = 0; again < 10; again++) for (const encode of sends) encode();
    const { user, system } = process.cpuUsage(before);
    return (user + system) / 1_000 / 10;
  };
  pass();
  return median(Array.from({ length: rounds }, pass));
}
