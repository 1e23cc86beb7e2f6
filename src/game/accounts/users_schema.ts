import { ownDatabaseId } from "../../config/default_host.ts";
import type { SqliteDatabase } from "../../ports/sqlite.ts";
import { rollBack } from "./store_batch.ts";

/**
 * Marks a database that is made just now, by `application_id`, which the original does not look at.
 * To be called before the file gets a write-ahead log: then the mark stands in the file's first page
 * itself, where it can be read without opening the database.
 */
export function markOwnDatabase(database: SqliteDatabase): void {
  const found = database.prepare("SELECT 1 FROM sqlite_master LIMIT 1").get();
  if (found === undefined) database.exec(`PRAGMA application_id = ${ownDatabaseId}`);
}

/**
 * Makes what is missing in `users.db`. Existing tables and views stay as they are, so that the
 * original server can still open the file (it inserts without column names); what is new is in a
 * table of our own. The two indexes spare a scan of all accounts at each login.
 */
export function prepareUsersSchema(database: SqliteDatabase): void {
  database.exec("BEGIN IMMEDIATE");
  try {
    for (const statement of [...originalTables, ...originalViews, ...ours]) {
      database.exec(statement);
    }
    database.exec("COMMIT");
  } catch (error) {
    rollBack(database);
    throw error;
  }
}

const originalTables = [
  `CREATE TABLE IF NOT EXISTS userinfo (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    name VARCHAR(255),
    password CHAR(64),
    salt CHAR(8),
    avatar VARCHAR(64),
    lastLoginIp VARCHAR(64),
    banned BOOLEAN
  )`,
  "CREATE TABLE IF NOT EXISTS banip (ip VARCHAR(64))",
  "CREATE TABLE IF NOT EXISTS uuidinfo (id INTEGER PRIMARY KEY, uuid VARCHAR(32))",
  "CREATE TABLE IF NOT EXISTS banuuid (uuid VARCHAR(32))",
  "CREATE TABLE IF NOT EXISTS tempban (uid INTEGER PRIMARY KEY, expireAt INTEGER)",
  `CREATE TABLE IF NOT EXISTS tempmute (
    uid INTEGER PRIMARY KEY,
    type INTEGER,
    expireAt INTEGER
  )`,
  "CREATE TABLE IF NOT EXISTS whitelist (name VARCHAR(64) PRIMARY KEY)",
  `CREATE TABLE IF NOT EXISTS usergameinfo (
    id INTEGER PRIMARY KEY,
    registerTime INTEGER,
    lastLoginTime INTEGER,
    totalGameTime INTEGER
  )`,
  "CREATE TABLE IF NOT EXISTS friendinfo (id1 INTEGER, id2 INTEGER, reltype INTEGER)",
  `CREATE TABLE IF NOT EXISTS runRate (
    id INTEGER,
    mode VARCHAR(16),
    run INTEGER,
    PRIMARY KEY (id, mode)
  )`,
  `CREATE TABLE IF NOT EXISTS pWinRate (
    id INTEGER,
    mode VARCHAR(16),
    role VARCHAR(16),
    win INTEGER,
    lose INTEGER,
    draw INTEGER,
    PRIMARY KEY (id, mode, role)
  )`,
  `CREATE TABLE IF NOT EXISTS gWinRate (
    general VARCHAR(16),
    mode VARCHAR(16),
    role VARCHAR(16),
    win INTEGER,
    lose INTEGER,
    draw INTEGER,
    PRIMARY KEY (general, mode, role)
  )`,
];

const sums = `sum(win) AS win, sum(lose) AS lose, sum(draw) AS draw,
    sum(win + lose + draw) AS total,
    round(sum(win) * 100.0 / nullif(sum(win + lose + draw), 0), 2) AS winRate`;

const originalViews = [
  `CREATE VIEW IF NOT EXISTS pWinRateView AS
    SELECT pWinRate.id AS id, userinfo.name AS name, mode, ${sums}
    FROM pWinRate JOIN userinfo ON userinfo.id = pWinRate.id
    GROUP BY pWinRate.id, mode`,
  `CREATE VIEW IF NOT EXISTS gWinRateView AS
    SELECT general, mode, ${sums}
    FROM gWinRate
    GROUP BY general, mode`,
];

const ours = [
  // left_password: what this server left in userinfo.password; another value there is newer.
  `CREATE TABLE IF NOT EXISTS freekill_gw_password (
    uid INTEGER PRIMARY KEY,
    hash BLOB NOT NULL,
    salt BLOB NOT NULL,
    cost_n INTEGER NOT NULL,
    cost_r INTEGER NOT NULL,
    cost_p INTEGER NOT NULL,
    left_password TEXT NOT NULL
  )`,
  "CREATE INDEX IF NOT EXISTS freekill_gw_userinfo_name ON userinfo (name)",
  "CREATE INDEX IF NOT EXISTS freekill_gw_uuidinfo_uuid ON uuidinfo (uuid)",
];
