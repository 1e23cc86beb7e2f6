import type { Answers, Told } from "./ferry_stage.ts";

/** What `FerryBegin`, `Reconnect`, `Observe` and `FerryView` show. */
export interface FerryView {
  readonly game: string;
  readonly round: number;
  readonly goal: number;
  readonly skipper: number;
  readonly phase: "load" | "open";
  readonly said?: string;
  readonly crates: number;
  readonly seed?: number;
  readonly shown: Readonly<Record<string, number>>;
  readonly seats: readonly {
    readonly seat: number;
    readonly id: number;
    readonly name: string;
    readonly coins: number;
    readonly crates: number;
    readonly record?: Readonly<Record<"played" | "won" | "streak" | "best", number>>;
  }[];
  readonly you?: number;
  readonly hand?: readonly string[];
}

/** What `FerryShipped` tells. */
export interface Shipped {
  readonly skipper: number;
  readonly said: string;
  readonly openers: readonly number[];
  readonly coins: readonly number[];
  readonly crates: number;
  readonly kind?: string;
}

/** What `GameOver` tells. */
export interface Over {
  readonly reason: string;
  readonly winners: readonly number[];
  readonly coins: readonly number[];
}

/** What `FerryLoad` asks with. */
export interface LoadQuestion {
  readonly hand: readonly string[];
  readonly sayings: readonly string[];
}

/** Loads what it has first, tells the truth where that can be said, and opens nothing. */
export const trusting: Answers = ({ command, value }: Told) => {
  if (command === "FerryOpen") return false;
  const { hand, sayings } = value as unknown as LoadQuestion;
  const honest = hand.find((kind) => sayings.includes(kind));
  return [honest ?? hand[0] ?? "", honest ?? "tea"];
};

/** The same, but opens everything. */
export const suspicious: Answers = (told) => told.command === "FerryOpen" ? true : trusting(told);

/** Has no answer to anything. */
export const silent: Answers = () => undefined;
