import { Database } from "bun:sqlite";
import { createHash } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type ServerProcess, startServe } from "./processes.ts";

/** A data directory with accounts as the original server has them: SHA-256 with a salt. */
export interface AccountsDirectory {
  readonly path: string;
  remove(): void;
}

/** Makes `users` accounts `user<n>` with the password `password<n>`. */
export async function directoryWithAccounts(users: number): Promise<AccountsDirectory> {
  const path = mkdtempSync(join(tmpdir(), "freekill-gw-bench-"));
  // The server makes the tables.
  await (await startServe(["--tcp-port-mode", "game"], { directory: path })).stop();
  const database = new Database(join(path, "server/users.db"));
  const insert = database.prepare(
    `INSERT INTO userinfo (name, password, salt, avatar, lastLoginIp, banned)
     VALUES (?, ?, ?, 'liubei', '::ffff:127.0.0.1', 0)`,
  );
  database.transaction(() => {
    for (let n = 0; n < users; n++) {
      const salt = n.toString(16).padStart(8, "0");
      const hash = createHash("sha256").update(`password${n}${salt}`).digest("hex");
      insert.run(`user${n}`, hash, salt);
    }
  })();
  database.close();
  return { path, remove: () => rmSync(path, { recursive: true }) };
}

/** A server in such a directory, with room for all and no limit on logins. */
export function startGame(directory: AccountsDirectory): Promise<ServerProcess> {
  return startServe(["--tcp-port-mode", "game"], {
    directory: directory.path,
    env: {
      FREEKILL_GW_GAME__CAPACITY: "10000",
      FREEKILL_GW_GAME__LOGINS_PER_MINUTE_PER_IP: "100000",
    },
  });
}

/** The value below which a part (0–1) of the sorted values lies. */
export function quantile(sorted: readonly number[], part: number): number {
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))] ?? NaN;
}
