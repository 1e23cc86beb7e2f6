import assert from "node:assert/strict";
import { join } from "node:path";
import type { UsersAnswers, UsersOperation } from "../../../src/game/accounts/users_operations.ts";
import { UsersStore } from "../../../src/game/accounts/users_store.ts";
import type { SqliteDatabase } from "../../../src/ports/sqlite.ts";
import { runtimeUnderTest } from "../../tested_runtime.ts";
import { originalUsersSql } from "./original_database.ts";
import { inDirectory } from "./temporary_directory.ts";

const { sqlite } = await runtimeUnderTest();
export const openFile = (path: string) => sqlite.open({ path, busyTimeoutMs: 0 });
export const openStore = (path: string) => new UsersStore(openFile(path), path);

/** One operation's answer, of its own type; a failure fails the test. */
export function ask<Operation extends UsersOperation>(
  store: UsersStore,
  operation: Operation,
): UsersAnswers[Operation["kind"]] {
  const [result] = store.perform([operation]);
  assert.ok(result?.ok, JSON.stringify(result));
  return result.value as UsersAnswers[Operation["kind"]];
}

/** An account from 10.1.1.1 at second 1,000. */
export function register(
  store: UsersStore,
  name: string,
  changed: { uuid?: string } = {},
) {
  return ask(store, {
    kind: "register",
    name,
    password: { hash: "h".repeat(64), salt: "0a1b2c3d" },
    ip: "10.1.1.1",
    uuid: changed.uuid ?? "device",
    at: 1_000,
    deviceAccountsMax: 50,
  });
}

/** Every row of every table and view of the original server. */
export function dump(database: SqliteDatabase): Record<string, unknown[]> {
  const tables = [
    "userinfo",
    "banip",
    "uuidinfo",
    "banuuid",
    "tempban",
    "tempmute",
    "whitelist",
    "usergameinfo",
    "friendinfo",
    "runRate",
    "pWinRate",
    "gWinRate",
    "pWinRateView",
    "gWinRateView",
  ];
  return Object.fromEntries(
    tables.map((table) => [table, database.prepare(`SELECT * FROM ${table}`).all()]),
  );
}

/** What the file is made of, without what is ours. */
export function schema(database: SqliteDatabase): unknown[] {
  return database.prepare(
    "SELECT type, name, sql FROM sqlite_master WHERE name NOT LIKE 'freekill_gw%' ORDER BY name",
  ).all();
}

/** A closed file that the original server made. */
export async function withOriginal(test: (path: string) => Promise<void> | void): Promise<void> {
  await inDirectory(async (directory) => {
    const path = join(directory, "users.db");
    const original = openFile(path);
    original.exec(originalUsersSql);
    original.close();
    await test(path);
  });
}

/** A store on a new file. */
export async function withStore(test: (store: UsersStore, path: string) => Promise<void> | void) {
  await inDirectory(async (directory) => {
    const path = join(directory, "users.db");
    const store = openStore(path);
    await test(store, path);
    store.close();
  });
}
