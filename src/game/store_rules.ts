import { forecastAccount, forecastPassword } from "./accounts/account_forecast.ts";
import type { GameSaveAnswer, GameSaveOperation } from "./accounts/game_store.ts";
import { storableText } from "./accounts/store_batch.ts";
import type { UsersAnswer, UsersAnswers, UsersOperation } from "./accounts/users_operations.ts";

/** What a read makes of the writes that were given before it and still wait. */
export type ReadOutcome<Answer> =
  | { readonly kind: "answer"; readonly value: Answer }
  /** Only after the last write under this key can it be answered. */
  | { readonly kind: "wait"; readonly key: string };

/** The writes under these keys that were given before the read and are not done, in their order. */
export type EarlierWrites<Operation> = (...keys: string[]) => readonly Operation[];

/** How operations of a file depend on each other, so that reads need not wait for all writes. */
export interface StoreRules<Operation, Answer> {
  isRead(operation: Operation): boolean;
  /** Whether somebody waits for its answer: then it is given up after a short time, undone. */
  isAwaited(operation: Operation): boolean;
  /** Under which keys a write is kept while it waits. All are under `anyKey` too. */
  keysOf(write: Operation): readonly string[];
  /** The answer to a read, when the waiting writes alone tell it. */
  known(read: Operation, earlier: EarlierWrites<Operation>): { value: Answer } | undefined;
  /** What the read means that found `value` in the file. */
  settle(
    read: Operation,
    value: Answer,
    earlier: EarlierWrites<Operation>,
  ): ReadOutcome<Answer>;
}

/** The key of every write. */
export const anyKey = "";

/**
 * `users.db`: a login's reads overtake all writes, and what waits for the same account is added to
 * what they found. Only a name whose registration waits has to wait with it, because it has no id
 * yet. How many accounts a device has is not foretold: a registration counts them again.
 */
export const usersRules: StoreRules<UsersOperation, UsersAnswer> = {
  isRead: ({ kind }) =>
    kind === "look_up" || kind === "look_up_password" || kind === "find_player" ||
    kind === "game_data",

  isAwaited: ({ kind }) => !unawaited.has(kind),

  keysOf(write) {
    switch (write.kind) {
      case "register":
      case "ban":
      case "unban":
        return [nameKey(write.name)];
      case "record_login":
      case "lift_expired_ban":
      case "set_password":
      case "set_avatar":
      case "add_game_time":
      case "record_result":
      case "record_run":
        return [uidKey(write.uid)];
      default:
        return [];
    }
  },

  known: () => undefined,

  settle(read, value, earlier) {
    switch (read.kind) {
      case "look_up": {
        const found = value as UsersAnswers["look_up"];
        const key = nameKey(read.name);
        const { account } = found;
        if (account === undefined) {
          const registers = earlier(key).some(({ kind }) => kind === "register");
          return registers ? { kind: "wait", key } : { kind: "answer", value };
        }
        const writes = earlier(key, uidKey(account.uid));
        if (writes.length === 0) return { kind: "answer", value };
        return {
          kind: "answer",
          value: { ...found, account: forecastAccount(account, writes) },
        };
      }
      case "look_up_password": {
        const stored = value as UsersAnswers["look_up_password"];
        const writes = earlier(uidKey(read.uid));
        return { kind: "answer", value: forecastPassword(stored, writes) };
      }
      default:
        // Operators' questions can wait their turn.
        return earlier(anyKey).length > 0
          ? { kind: "wait", key: anyKey }
          : { kind: "answer", value };
    }
  },
};

/** `game.db`: what waits to be saved is what a load finds. */
export const savesRules: StoreRules<GameSaveOperation, GameSaveAnswer> = {
  isRead: ({ kind }) => kind === "load_state" || kind === "load_global",
  isAwaited: (operation) => savesRules.isRead(operation),
  keysOf: (write) => [saveKey(write)],
  known(read, earlier) {
    const last = earlier(saveKey(read)).at(-1);
    return last !== undefined && "data" in last ? { value: last.data } : undefined;
  },
  settle: (_read, value) => ({ kind: "answer", value }),
};

/** What goes on without an answer. */
const unawaited: ReadonlySet<UsersOperation["kind"]> = new Set(
  [
    "record_login",
    "lift_expired_ban",
    "set_avatar",
    "add_game_time",
    "record_result",
    "record_general_result",
    "record_run",
  ] as const,
);

function nameKey(name: string): string {
  return `name ${storableText(name)}`;
}

function uidKey(uid: number): string {
  return `uid ${uid}`;
}

function saveKey(operation: GameSaveOperation): string {
  return "mode" in operation
    ? `state ${operation.uid} ${storableText(operation.mode)}`
    : `global ${operation.uid} ${storableText(operation.key)}`;
}
