import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import type { LuaCall } from "../../../src/game/lua/lua_host.ts";
import { RulesChild } from "../../../src/game/lua/rpc_child.ts";
import type { RulesNotice } from "../../../src/game/lua/rpc_rules.ts";
import type { RulesLoss, RulesQueue, RulesTurn } from "../../../src/game/lua/rules_queue.ts";
import type { Clock } from "../../../src/ports/clock.ts";
import type { Logger } from "../../../src/ports/log.ts";
import type { Runtime } from "../../../src/ports/runtime.ts";
import { encodeUtf8 } from "../../../src/wire/utf8.ts";
import { fakeLog } from "../../fakes/log.ts";
import { runtimeUnderTest } from "../../tested_runtime.ts";
import { type RulesTable, rulesTable } from "./rpc_table.ts";

/** However slow the machine, a scripted child has answered by then. */
const patienceMs = 30_000;

/** The command that runs the scripted rules in the runtime that runs the tests. */
export function scriptedRules(...starts: readonly string[]): string {
  const script = fileURLToPath(new URL("../../fakes/scripted_rules.ts", import.meta.url));
  const run = "Bun" in globalThis ? [] : ["run", "-A", "--quiet"];
  return [process.execPath, ...run, script, ...starts].join(" ");
}

/** What a host of rules is made from, whichever kind it is. */
export interface RulesParts {
  readonly runtime: Runtime;
  readonly clock: Clock;
  /** Of the core: one without any, unless the host brings its own. */
  readonly directory: string;
  readonly common: {
    readonly disabledPacks: readonly string[];
    readonly turnMs: number;
    readonly host: RulesTable;
    readonly log: Logger;
    turnDone(turn: RulesTurn): void;
    stateLost(loss: RulesLoss): void;
  };
}

/** A host with scripted rules in a real process or worker, and all that it tells. */
export interface RulesUnderTest {
  readonly rules: RulesQueue;
  readonly table: RulesTable;
  readonly log: ReturnType<typeof fakeLog>;
  readonly turns: readonly RulesTurn[];
  readonly losses: readonly RulesLoss[];
  /** The core's folder. */
  readonly directory: string;
  /** Orders of player 9 (connection 1000), as his client would send them. */
  order(text: string, roomId?: number): boolean;
  /** Tells it and waits until that very turn is over. */
  turn(call: LuaCall): Promise<readonly RulesNotice[]>;
  ordered(text: string, roomId?: number): Promise<readonly RulesNotice[]>;
  until(what: string, holds: () => boolean): Promise<void>;
  loss(): Promise<RulesLoss>;
  close(): Promise<void>;
}

/** A RulesChild that runs `command`. */
export function childOf(command: string): (parts: RulesParts) => RulesQueue {
  return ({ runtime, clock, directory, common }) =>
    new RulesChild({ process: runtime.process, clock }, {
      ...common,
      command,
      directory,
      memoryMb: 4_000,
    });
}

export async function rulesUnderTest(given: {
  readonly command?: string;
  readonly clock?: Clock;
  readonly roomIds?: readonly number[];
  readonly turnMs?: number;
  readonly directory?: string;
  turnDone?(turn: RulesTurn, rules: RulesQueue): void;
  /** A RulesChild, unless it says otherwise. */
  open?(parts: RulesParts): RulesQueue;
} = {}): Promise<RulesUnderTest> {
  const runtime = await runtimeUnderTest();
  const directory = await mkdtemp(join(tmpdir(), "rules-"));
  const table = rulesTable(given.roomIds);
  const log = fakeLog();
  const turns: RulesTurn[] = [];
  const losses: RulesLoss[] = [];
  const watchers = new Set<() => void>();
  const told = () => {
    for (const watcher of [...watchers]) watcher();
  };
  const parts: RulesParts = {
    runtime,
    clock: given.clock ?? runtime.clock,
    directory: given.directory ?? directory,
    common: {
      disabledPacks: ["off", "not this"],
      turnMs: given.turnMs ?? patienceMs,
      host: table,
      log: log.logger,
      turnDone(turn) {
        turns.push(turn);
        given.turnDone?.(turn, rules);
        told();
      },
      stateLost(loss) {
        losses.push(loss);
        told();
      },
    },
  };
  const rules = (given.open ?? childOf(given.command ?? scriptedRules()))(parts);

  function until(what: string, holds: () => boolean): Promise<void> {
    return new Promise((resolve, reject) => {
      const stopTimer = runtime.clock.after(patienceMs, () => {
        watchers.delete(check);
        const seen = JSON.stringify({ losses, turns: turns.length });
        reject(new Error(`Waited ${patienceMs} ms for ${what}, saw ${seen}`));
      });
      const check = () => {
        if (!holds()) return;
        watchers.delete(check);
        stopTimer();
        resolve();
      };
      watchers.add(check);
      check();
    });
  }

  const order = (text: string, roomId = 1) => rules.call(orderOf(text, roomId));
  async function turn(call: LuaCall): Promise<readonly RulesNotice[]> {
    rules.call(call);
    await until(`the end of ${call.kind}`, () => turns.some((one) => one.call === call));
    return turns.find((one) => one.call === call)?.notices ?? [];
  }
  return {
    rules,
    table,
    log,
    turns,
    losses,
    directory,
    order,
    turn,
    ordered: (text, roomId = 1) => turn(orderOf(text, roomId)),
    until,
    async loss() {
      const before = losses.length;
      await until("a loss", () => losses.length > before);
      return losses[before] as RulesLoss;
    },
    async close() {
      await rules.close();
      await rm(directory, { recursive: true });
    },
  };
}

function orderOf(text: string, roomId: number): LuaCall {
  return { kind: "push_request", roomId, playerId: 9, request: encodeUtf8(text) };
}
