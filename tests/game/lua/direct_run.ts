import type { LuaEngineFactory, LuaValue } from "../../../src/game/lua/lua_engine.ts";
import type { LuaCall } from "../../../src/game/lua/lua_host.ts";
import {
  type FactsHost,
  npcStock,
  type TurnFacts,
  turnFacts,
} from "../../../src/game/lua/rules_facts.ts";
import type { RulesRun, RulesRunEvents, TurnOutcome } from "../../../src/game/lua/rules_run.ts";
import { rulesMethodNames } from "../../../src/game/lua/rules_sandbox.ts";
import { RulesState, type RulesTurnEnd } from "../../../src/game/lua/rules_state.ts";
import type { CborValue } from "../../../src/wire/cbor.ts";
import { decodeUtf8Lossy } from "../../../src/wire/utf8.ts";
import { patient } from "./lua_program.ts";
import type { StdioRulesOptions } from "./stdio_rules.ts";

/** A turn with what it was told and what came of it. */
export interface RecordedTurn {
  readonly call: LuaCall;
  readonly facts: TurnFacts;
  readonly end: RulesTurnEnd;
}

export interface DirectOptions extends Omit<StdioRulesOptions, "host"> {
  readonly host: FactsHost;
  /** Milliseconds that an answer to the rules took. */
  timed?(ms: number): void;
  recorded?(turn: RecordedTurn): void;
}

/** Rules in the embedded Lua as the program runs them, without the worker around them. */
export class DirectRun implements RulesRun {
  readonly #state: RulesState;
  readonly #host: FactsHost;
  readonly #events: RulesRunEvents;
  readonly #recorded: DirectOptions["recorded"];
  #npcsUsed = npcStock;
  #isLoading = true;
  isIdle = false;

  constructor(
    engines: LuaEngineFactory,
    options: DirectOptions,
    events: RulesRunEvents,
  ) {
    this.#host = options.host;
    this.#recorded = options.recorded;
    this.#events = events;
    const recorded: LuaEngineFactory = {
      open: ({ host, ...rest }) =>
        engines.open({
          ...rest,
          host: (call) => {
            const number = Number(call[0]);
            // The others are the sandbox's own.
            if (number >= 0) options.called?.(asHostCall(number, call.slice(1)));
            if (options.timed === undefined || this.#isLoading || number < 0) return host(call);
            const before = performance.now();
            const answer = host(call);
            options.timed(performance.now() - before);
            return answer;
          },
        }),
    };
    this.#state = new RulesState(recorded, {
      ...options,
      turnMs: patient.turnMs,
      memoryBytesMax: 512 * 1_048_576,
      now: () => performance.now(),
      time: () => Date.now() / 1_000,
    });
  }

  get memoryBytes(): number {
    return this.#state.memoryBytes;
  }

  start(): void {
    const { outcome, reason, notices } = this.#state.start();
    this.#isLoading = false;
    queueMicrotask(() => {
      this.isIdle = outcome === "done";
      if (this.isIdle) this.#events.ready(notices);
      else this.#events.ended(reason, notices);
    });
  }

  tell(call: LuaCall, done: (outcome: TurnOutcome) => void): void {
    this.isIdle = false;
    const facts = turnFacts(this.#host, call, this.#npcsUsed);
    queueMicrotask(() => {
      const end = this.#state.run(call, facts);
      this.#recorded?.({ call, facts, end });
      const { outcome, reason, notices, addedNpcs } = end;
      this.#npcsUsed = addedNpcs.length;
      if (outcome === "dead") return this.#events.ended(reason, notices);
      for (const { roomId, npc } of addedNpcs) this.#host.seatNpc(roomId, npc);
      this.isIdle = true;
      done({ outcome, reason, notices });
    });
  }

  ping(done: (outcome: TurnOutcome) => void): void {
    done({ outcome: "done", reason: "", notices: [] });
  }

  forget(id: number): void {
    this.#state.forget(id);
  }

  kill(): void {}

  stop(): Promise<void> {
    return Promise.resolve();
  }
}

function asHostCall(number: number, params: readonly LuaValue[]) {
  const [name, ...rest] = params;
  if (number > 0) return { method: rulesMethodNames[number - 1] ?? "?", params: params.map(plain) };
  const method = name instanceof Uint8Array ? decodeUtf8Lossy(name) : "?";
  return { method, params: rest.map(plain) };
}

function plain(value: LuaValue): CborValue {
  if (typeof value === "object" && "luaReference" in value) return "a function";
  return value ?? null;
}
