/** SHA-256 of "1234" and the salt 0a1b2c3d. */
const hashOf1234 = "8fd8691c927d0cf3381a8214ec02c4f82c496f9061aab46b8906eb3fd7855b41";

/**
 * `server/users.db` as the original server makes it, by plain SQL, with what old files hold: names
 * twice, NULLs, rows without company, addresses in both spellings.
 */
export const originalUsersSql = `
CREATE TABLE userinfo (id INTEGER PRIMARY KEY AUTOINCREMENT, name VARCHAR(255), password CHAR(64),
  salt CHAR(8), avatar VARCHAR(64), lastLoginIp VARCHAR(64), banned BOOLEAN);
CREATE TABLE banip (ip VARCHAR(64));
CREATE TABLE uuidinfo (id INTEGER PRIMARY KEY, uuid VARCHAR(32));
CREATE TABLE banuuid (uuid VARCHAR(32));
CREATE TABLE tempban (uid INTEGER PRIMARY KEY, expireAt INTEGER);
CREATE TABLE tempmute (uid INTEGER PRIMARY KEY, type INTEGER, expireAt INTEGER);
CREATE TABLE whitelist (name VARCHAR(64) PRIMARY KEY);
CREATE TABLE usergameinfo (id INTEGER PRIMARY KEY, registerTime INTEGER, lastLoginTime INTEGER,
  totalGameTime INTEGER);
CREATE TABLE friendinfo (id1 INTEGER, id2 INTEGER, reltype INTEGER);
CREATE TABLE runRate (id INTEGER, mode VARCHAR(16), run INTEGER, PRIMARY KEY(id, mode));
CREATE TABLE pWinRate (id INTEGER, mode VARCHAR(16), role VARCHAR(16), win INTEGER, lose INTEGER,
  draw INTEGER, PRIMARY KEY(id, mode, role));
CREATE TABLE gWinRate (general VARCHAR(16), mode VARCHAR(16), role VARCHAR(16), win INTEGER,
  lose INTEGER, draw INTEGER, PRIMARY KEY(general, mode, role));
CREATE VIEW pWinRateView AS SELECT pWinRate.id, userinfo.name, mode, sum(win) AS 'win',
  sum(lose) AS 'lose', sum(draw) AS 'draw', sum(win) + sum(lose) + sum(draw) AS 'total',
  round(sum(win) * 1.0 / (sum(win) + sum(lose) + sum(draw)) * 100, 2) AS 'winRate'
  FROM pWinRate, userinfo WHERE pWinRate.id = userinfo.id GROUP BY pWinRate.id, mode;
CREATE VIEW gWinRateView AS SELECT general, mode, sum(win) AS 'win', sum(lose) AS 'lose',
  sum(draw) AS 'draw', sum(win) + sum(lose) + sum(draw) AS 'total',
  round(sum(win) * 1.0 / (sum(win) + sum(lose) + sum(draw)) * 100, 2) AS 'winRate'
  FROM gWinRate GROUP BY general, mode;
INSERT INTO userinfo VALUES
  (1, 'caocao', '${hashOf1234}', '0a1b2c3d', 'caocao', '::ffff:10.0.0.1', 0),
  (2, 'caocao', 'other', '00000000', 'x', '::ffff:10.0.0.2', 1),
  (3, 'sunquan', NULL, NULL, NULL, NULL, NULL),
  (4, NULL, 'x', 'y', 'z', '', FALSE),
  (5, '${"长".repeat(80)}', '${hashOf1234}', '0a1b2c3d', 'liubei', '10.0.0.5', FALSE);
INSERT INTO banip VALUES ('::ffff:10.9.9.9'), ('10.8.8.8'), (NULL);
INSERT INTO uuidinfo VALUES (1, 'device-1'), (2, 'device-1'), (3, NULL);
INSERT INTO banuuid VALUES ('bad-device');
INSERT INTO tempmute VALUES (1, 1, 2000), (2, 2, 10);
INSERT INTO whitelist VALUES ('caocao');
INSERT INTO usergameinfo VALUES (1, 100, 200, 300), (3, NULL, NULL, NULL);
INSERT INTO runRate VALUES (1, 'aaa_role_mode', 2);
INSERT INTO pWinRate VALUES (1, 'aaa_role_mode', 'lord', 3, 1, 0), (1, 'aaa_role_mode', 'rebel', 1, 1, 1);
INSERT INTO gWinRate VALUES ('caocao', 'aaa_role_mode', 'lord', 1, 2, 3);
`;

/** `server/game.db`, with other names of indexes than ours, and data as text. */
export const originalGameSql = `
CREATE TABLE gameSaves (id INTEGER PRIMARY KEY AUTOINCREMENT, uid INTEGER NOT NULL,
  mode TEXT NOT NULL, data BLOB NOT NULL, UNIQUE(uid, mode));
CREATE TABLE globalSaves (id INTEGER PRIMARY KEY AUTOINCREMENT, uid INTEGER NOT NULL,
  key TEXT NOT NULL, data BLOB NOT NULL, UNIQUE(uid, key));
CREATE INDEX old_index ON gameSaves (uid);
INSERT INTO gameSaves VALUES (1, 7, 'm', '{"a":1}');
INSERT INTO globalSaves VALUES (1, 0, 'k', x'7b7d');
`;
