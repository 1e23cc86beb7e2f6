import { bytesOf, type CborValue, integerOf } from "../../wire/cbor.ts";
import { decodeUtf8Lossy } from "../../wire/utf8.ts";
import type { RulesTurnView } from "./rpc_turn_view.ts";

/** What a call that returns nothing is answered with. */
export const nothing = 0;
const int32Max = 2 ** 31 - 1;

/** A result for Lua, or why the call is answered with −32602. */
export type MethodAnswer =
  | { readonly result: number | boolean | Uint8Array }
  | { readonly wrong: string };

/** Checks the parameters of one call and does what it says. */
export type Method = (view: RulesTurnView, params: readonly CborValue[]) => MethodAnswer;

/** What each kind of parameter becomes. `room`, `player` and `task` must exist; `int` has 32 bits. */
interface ValueOf {
  room: number;
  player: number;
  task: number;
  int: number;
  whole: number;
  bool: boolean;
  bytes: Uint8Array;
  text: string;
}
type Kind = keyof ValueOf;
type ValuesOf<Kinds extends readonly Kind[]> = { [At in keyof Kinds]: ValueOf[Kinds[At]] };

/** What an unknown room, player or task is answered with. */
export const missing = {
  room: "Room not found",
  player: "Player not found",
  task: "Task not found",
} as const;

/** A method of exactly these parameters. Types are checked before it is asked who exists. */
export function takes<const Kinds extends readonly Kind[]>(
  kinds: Kinds,
  run: (view: RulesTurnView, ...values: ValuesOf<Kinds>) => MethodAnswer | void,
): Method {
  return (view, params) => {
    if (params.length !== kinds.length) {
      return { wrong: `it takes ${kinds.length} parameters, got ${params.length}` };
    }
    const values: unknown[] = [];
    for (const [at, kind] of kinds.entries()) {
      const value = valueOf(kind, params[at]);
      if (value === undefined) return { wrong: `parameter ${at + 1} must be ${wanted[kind]}` };
      values.push(value);
    }
    for (const [at, kind] of kinds.entries()) {
      if (!exists(view, kind, params[at])) return { wrong: missing[kind as keyof typeof missing] };
    }
    return run(view, ...values as unknown as ValuesOf<Kinds>) ?? { result: nothing };
  };
}

const wanted: Readonly<Record<Kind, string>> = {
  room: "a room's id",
  player: "a player's connection id",
  task: "a task's id",
  int: "a whole number of 32 bits",
  whole: "a whole number",
  bool: "true or false",
  bytes: "a string",
  text: "a string",
};

function valueOf(kind: Kind, given: CborValue | undefined): ValueOf[Kind] | undefined {
  switch (kind) {
    case "bool":
      return typeof given === "boolean" ? given : undefined;
    case "bytes":
      return bytesOf(given);
    case "text": {
      const bytes = bytesOf(given);
      return bytes && decodeUtf8Lossy(bytes);
    }
    default: {
      const value = integerOf(given);
      const max = kind === "whole" ? Number.MAX_SAFE_INTEGER - 1 : int32Max;
      return value !== undefined && Math.abs(value) <= max ? value : undefined;
    }
  }
}

function exists(view: RulesTurnView, kind: Kind, given: CborValue | undefined): boolean {
  const id = integerOf(given) ?? 0;
  if (kind === "room") return view.hasRoom(id);
  if (kind === "player") return view.hasPlayer(id);
  return kind !== "task" || view.hasTask(id);
}
