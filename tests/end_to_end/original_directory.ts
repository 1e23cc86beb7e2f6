import { Database } from "bun:sqlite";
import { createHash, generateKeyPairSync } from "node:crypto";
import { mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";

/** Of every account that has one. */
export const oldPassword = "1234";
const salt = "0a1b2c3d";

/** A name that the original let in and that nobody may take any more. */
export const longName = "长".repeat(80);

/** The tables and views of `users.db`, as the original server makes them. */
const usersSchema = [
  `CREATE TABLE userinfo (id INTEGER PRIMARY KEY AUTOINCREMENT, name VARCHAR(255),
    password CHAR(64), salt CHAR(8), avatar VARCHAR(64), lastLoginIp VARCHAR(64), banned BOOLEAN)`,
  "CREATE TABLE banip (ip VARCHAR(64))",
  "CREATE TABLE uuidinfo (id INTEGER PRIMARY KEY, uuid VARCHAR(32))",
  "CREATE TABLE banuuid (uuid VARCHAR(32))",
  "CREATE TABLE tempban (uid INTEGER PRIMARY KEY, expireAt INTEGER)",
  "CREATE TABLE tempmute (uid INTEGER PRIMARY KEY, type INTEGER, expireAt INTEGER)",
  "CREATE TABLE whitelist (name VARCHAR(64) PRIMARY KEY)",
  `CREATE TABLE usergameinfo (id INTEGER PRIMARY KEY, registerTime INTEGER,
    lastLoginTime INTEGER, totalGameTime INTEGER)`,
  "CREATE TABLE friendinfo (id1 INTEGER, id2 INTEGER, reltype INTEGER)",
  "CREATE TABLE runRate (id INTEGER, mode VARCHAR(16), run INTEGER, PRIMARY KEY(id, mode))",
  `CREATE TABLE pWinRate (id INTEGER, mode VARCHAR(16), role VARCHAR(16), win INTEGER,
    lose INTEGER, draw INTEGER, PRIMARY KEY(id, mode, role))`,
  `CREATE TABLE gWinRate (general VARCHAR(16), mode VARCHAR(16), role VARCHAR(16), win INTEGER,
    lose INTEGER, draw INTEGER, PRIMARY KEY(general, mode, role))`,
  `CREATE VIEW pWinRateView AS SELECT pWinRate.id, userinfo.name, mode, sum(win) AS win,
    sum(lose) AS lose, sum(draw) AS draw, sum(win + lose + draw) AS total,
    round(sum(win) * 100.0 / sum(win + lose + draw), 2) AS winRate
    FROM pWinRate, userinfo WHERE pWinRate.id = userinfo.id GROUP BY pWinRate.id, mode`,
  `CREATE VIEW gWinRateView AS SELECT general, mode, sum(win) AS win, sum(lose) AS lose,
    sum(draw) AS draw, sum(win + lose + draw) AS total,
    round(sum(win) * 100.0 / sum(win + lose + draw), 2) AS winRate
    FROM gWinRate GROUP BY general, mode`,
];

const gameSchema = [
  `CREATE TABLE gameSaves (id INTEGER PRIMARY KEY AUTOINCREMENT, uid INTEGER NOT NULL,
    mode TEXT NOT NULL, data BLOB NOT NULL, UNIQUE(uid, mode))`,
  `CREATE TABLE globalSaves (id INTEGER PRIMARY KEY AUTOINCREMENT, uid INTEGER NOT NULL,
    key TEXT NOT NULL, data BLOB NOT NULL, UNIQUE(uid, key))`,
  "CREATE INDEX idx_uid ON gameSaves (uid)",
  "CREATE INDEX idx_key ON globalSaves (key)",
];

/** Ids of the accounts in `users.db`. */
export const accounts = {
  caocao: 1,
  /** Has no password, avatar, address nor ban: NULL everywhere. */
  sunquan: 3,
  banned: 4,
  banned_for_now: 5,
  ban_is_over: 6,
  muted: 7,
  mute_is_over: 8,
  [longName]: 9,
} as const;

/** Sources of the packages in the order in which they count, with what counts of them. */
const sources: readonly (readonly [path: string, content: string])[] = [
  ["packages/Zoo/init.lua", "return 'zoo'\n"],
  ["packages/utility/a/z.lua", "-- CRLF\nreturn 1\n"],
  ["packages/utility/a.lua", "return 2\n"],
  ["packages/utility/standard/init.lua", "-- only left out above\n"],
  ["packages/utility/啊.lua", "return '啊'\rx"],
  ["packages/Zoo/Zoo.qml", "Item {}\n"],
  ["packages/utility/a/b.js", "export {}\n"],
];

/** Files that do not count. */
const others = {
  "packages/utility/readme.md": "# utility",
  "packages/standard/init.lua": "-- an older client's",
  "packages/off/init.lua": "-- disabled in packages.db",
  "packages/old.disabled/init.lua": "-- disabled by its name",
  "packages/init.lua": "-- in no package",
};

export const packagesMd5 = md5(
  sources.map(([path, content]) => `${path}=${md5(content)};`).join(""),
);

/** What a client with other packages is told to get. */
export const updateList = [
  { hash: "a".repeat(40), name: "utility", url: "https://example.org/utility.git" },
  { hash: "b".repeat(40), name: "Zoo", url: "https://example.org/zoo.git" },
];

/** Writes the data directory of an original server; gives the public part of its key. */
export function writeOriginalDirectory(directory: string): { publicPem: string } {
  const now = Math.floor(Date.now() / 1_000);
  mkdirSync(join(directory, "server"), { recursive: true });
  makeDatabase(join(directory, "server/users.db"), usersSchema, usersRows(now));
  makeDatabase(join(directory, "server/game.db"), gameSchema, [
    `INSERT INTO gameSaves VALUES (1, 1, 'm', '{"old":1}')`,
    `INSERT INTO globalSaves VALUES (1, 1, 'k', x'7b226f6c64223a327d')`,
  ]);
  for (const [path, content] of [...sources, ...Object.entries(others)]) {
    mkdirSync(join(directory, dirname(path)), { recursive: true });
    const text = content.startsWith("-- CRLF") ? content.replaceAll("\n", "\r\n") : content;
    writeFileSync(join(directory, path), text);
  }
  const [utility, zoo] = updateList.map(({ name, url, hash }) => `'${name}', '${url}', '${hash}'`);
  makeDatabase(join(directory, "packages/packages.db"), [
    "CREATE TABLE packages (name VARCHAR(128), url VARCHAR(255), hash CHAR(40), enabled BOOLEAN)",
  ], [
    `INSERT INTO packages VALUES (${utility}, 1), (${zoo}, TRUE)`,
    `INSERT INTO packages VALUES ('off', 'https://example.org/off.git', '${"c".repeat(40)}', 0)`,
  ]);
  writeFileSync(
    join(directory, "freekill.server.config.json"),
    JSON.stringify({
      motd: "Old greeting",
      banwords: ["badword"],
      enableBots: false,
      capacity: 50,
    }),
  );
  const { privateKey, publicKey } = generateKeyPairSync("rsa", {
    modulusLength: 2_048,
    privateKeyEncoding: { type: "pkcs1", format: "pem" },
    publicKeyEncoding: { type: "pkcs1", format: "pem" },
  });
  writeFileSync(join(directory, "server/rsa"), privateKey, { mode: 0o600 });
  writeFileSync(join(directory, "server/rsa_pub"), publicKey);
  return { publicPem: publicKey };
}

/** Whether the original server would take this password by the columns of a row. */
export function isLegacyHash(row: { password: string; salt: string }, password: string): boolean {
  return row.password === sha256(password + row.salt);
}

function usersRows(now: number): string[] {
  const hash = sha256(oldPassword + salt);
  const account = (name: keyof typeof accounts, banned: number) =>
    `INSERT INTO userinfo VALUES (${accounts[name]}, '${name}', '${hash}', '${salt}', 'zhangfei',
      '::ffff:10.0.0.1', ${banned})`;
  return [
    account("caocao", 0),
    "INSERT INTO userinfo VALUES (2, 'caocao', 'another', '00000000', 'x', '', 1)",
    "INSERT INTO userinfo VALUES (3, 'sunquan', NULL, NULL, NULL, NULL, NULL)",
    account("banned", 1),
    account("banned_for_now", 1),
    account("ban_is_over", 1),
    account("muted", 0),
    account("mute_is_over", 0),
    account(longName, 0),
    `INSERT INTO userinfo VALUES (10, NULL, 'x', 'y', 'z', '', NULL)`,
    "INSERT INTO banip VALUES ('127.66.0.1'), ('::ffff:127.66.0.2'), (NULL)",
    "INSERT INTO uuidinfo VALUES (1, 'device-1'), (2, 'device-1'), (3, NULL)",
    "INSERT INTO banuuid VALUES ('bad-device'), (NULL)",
    `INSERT INTO tempban VALUES (5, ${now + 3_600}), (6, ${now - 10})`,
    `INSERT INTO tempmute VALUES (7, 1, ${now + 3_600}), (8, 1, ${now - 10})`,
    "INSERT INTO whitelist VALUES ('caocao')",
    "INSERT INTO usergameinfo VALUES (1, 100, 200, 300), (7, NULL, NULL, NULL)",
    "INSERT INTO friendinfo VALUES (1, 7, 1)",
    "INSERT INTO runRate VALUES (1, 'scripted', 2)",
    "INSERT INTO pWinRate VALUES (1, 'scripted', 'lord', 3, 1, 0), (1, 'scripted', 'rebel', 1, 1, 1)",
  ];
}

function makeDatabase(path: string, schema: readonly string[], rows: readonly string[]): void {
  const database = new Database(path);
  for (const statement of [...schema, ...rows]) database.exec(statement);
  database.close();
}

function md5(text: string): string {
  return createHash("md5").update(text).digest("hex");
}

function sha256(text: string): string {
  return createHash("sha256").update(text).digest("hex");
}
