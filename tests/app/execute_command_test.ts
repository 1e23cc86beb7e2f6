import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { parseAdminCommand } from "../../src/admin/parse_command.ts";
import type { AdminAnswer } from "../../src/app/admin_answer.ts";
import { executeAdminCommand } from "../../src/app/execute_command.ts";
import { type FakeOperatedGame, fakeOperatedGame } from "../fakes/operated_game.ts";

const now = Date.UTC(2026, 0, 31, 12);

describe("executeAdminCommand()", () => {
  it("shows figures, players and rooms in tables", async () => {
    const { run } = stage();
    assert.deepEqual((await run("stat")).lines, [
      "version   9.9.9",
      "uptime    1d 02:03:04",
      "players   3 of 100, 1 in the lobby",
      "logins    4 under way",
      "rooms     1, 1 playing",
      "memory    100.0 MiB",
      "database  5 waiting",
      "packages  none",
      "lua 1     1 rooms, process 77, 1.0 MiB, outdated",
    ]);
    assert.deepEqual((await run("lsplayer")).lines, [
      "id  name   state   where             address",
      " 1  Alice  online  lobby             192.0.2.1",
      " 2  Bob    online  room 3            192.0.2.2",
      "12  小明   online  room 3, watching  192.0.2.12",
    ]);
    assert.deepEqual((await run("lsroom")).lines, [
      "id  name        mode           seats  watching  state",
      " 3  Bob's room  aaa_role_mode  2/2           1  playing, password",
    ]);
    assert.deepEqual((await run("lsroom 3")).lines, [
      "Room 3, Bob's room: aaa_role_mode, 2/2 seats, 15 s to answer, playing, password",
      "id  name     state   role      ready",
      " 2  Bob      online  owner     ready",
      "-2  COMP--2  robot   player    ready",
      "12  小明     online  watching",
    ]);
    assert.deepEqual(await run("lsroom 4"), {
      ok: false,
      lines: ["There is no room 4: lsroom lists those there are."],
      data: null,
    });
  });

  it("gives the same as data", async () => {
    const { game, run } = stage();
    assert.deepEqual((await run("lsplayer")).data, game.online);
    assert.deepEqual((await run("stat")).data, game.stat());
    assert.deepEqual((await run("gc")).lines, ["Memory was 2.0 MiB, is 1.0 MiB."]);
  });

  it("shows the control characters of names instead of sending them to the terminal", async () => {
    const { game, run } = stage();
    game.online[0] = { ...game.online[0]!, name: "\x1b[2JEve\n9 root" };
    for (const line of ["lsplayer", "kick #1"]) {
      const { lines } = await run(line);
      assert.ok(lines.join("").includes("\\u001b[2JEve\\u000a9 root"), lines.join());
      for (const one of lines) assert.doesNotMatch(one, /\p{Cc}/u);
    }
  });

  it("explains the commands in both languages", async () => {
    const { run } = stage();
    const { lines } = await run("help");
    assert.equal(lines.length, 31);
    const reset = await run("help rp");
    assert.deepEqual(reset.lines, [
      "resetpassword <name> (rp)  Gives a random new password, shown once  重置密码",
    ]);
  });

  it("tells all or one room, and says how many that were", async () => {
    const { game, run } = stage();
    assert.deepEqual((await run("m  hello  all")).lines, ["Told 3 players."]);
    assert.deepEqual((await run("mr 3 hi")).lines, ["Told 2 players."]);
    assert.equal((await run("mr 5 hi")).ok, false);
    assert.deepEqual(game.orders, [
      { announce: "hello  all ", roomId: undefined },
      { announce: "hi ", roomId: 3 },
    ]);
  });

  it("kicks by name and by id, and all that it can of several", async () => {
    const { game, run } = stage();
    const answer = await run("kick Bob Eve 12");
    assert.equal(answer.ok, false);
    assert.deepEqual(answer.lines, [
      "Kicked Bob (#2).",
      "No player Eve is here: lsplayer lists those who are.",
      "Kicked 小明 (#12).",
    ]);
    assert.deepEqual(game.orders, [{ kick: 2 }, { kick: 12 }]);
  });

  it("kicks nobody where a number may mean two", async () => {
    const { game, run } = stage();
    game.online.push({ ...game.online[0]!, id: 5, name: "12" });
    assert.deepEqual((await run("kick 12")).lines, [
      "12 is the name of #5 and the id of 小明: say #5 or #12.",
    ]);
    assert.deepEqual(game.orders, []);
    assert.ok((await run("kick #12")).ok);
    assert.deepEqual(game.orders, [{ kick: 12 }]);
  });

  it("bans accounts, known or online, and kicks who is here", async () => {
    const { game, run } = stage();
    const answer = await run("ban Bob Newcomer Nobody");
    assert.deepEqual(answer.lines, [
      "Bob is banned; kicked #2.",
      "Newcomer is banned.",
      "There is no player Nobody.",
    ]);
    assert.equal(answer.ok, false);
    assert.deepEqual(game.orders, [
      { kind: "ban", name: "Bob" },
      { kick: 2 },
      { kind: "ban", name: "Newcomer" },
      { kind: "ban", name: "Nobody" },
    ]);
  });

  it("bans for a time, counted from now in seconds", async () => {
    const { game, run } = stage();
    assert.deepEqual((await run("tempban Newcomer 2h")).lines, [
      "Newcomer is banned until 2026-01-31 14:00:00Z.",
    ]);
    assert.deepEqual(game.orders, [
      { kind: "ban", name: "Newcomer", expireAt: now / 1_000 + 7_200 },
    ]);
  });

  it("bans addresses and devices, and kicks all who are on them", async () => {
    const { game, run } = stage();
    game.online.push({ ...game.online[0]!, id: 50, name: "Twin", device: "device-2" });
    assert.deepEqual((await run("banip Alice 203.0.113.9 Newcomer")).lines, [
      "Alice is banned by address; kicked #1, #50.",
      "203.0.113.9 is banned by address.",
      "Nothing is known of the address of Newcomer.",
    ]);
    game.online.push({ ...game.online[0]!, id: 51, name: "Other", device: "device-2" });
    assert.deepEqual((await run("banuuid Bob")).lines, [
      "Bob is banned by device; kicked #2, #51.",
    ]);
  });

  it("lifts bans and mutes, changes the whitelist, and passes on what it is told", async () => {
    const { game, run } = stage();
    const lines = [
      "unban Bob",
      "unbanip Bob 192.0.2.7",
      "unbanuuid Bob",
      "tempmute Bob 5m",
      "unmute Bob",
      "whitelist add Eve Bob",
      "whitelist rm Eve",
    ];
    for (const line of lines) assert.ok((await run(line)).ok, line);
    assert.deepEqual(game.orders, [
      { kind: "unban", name: "Bob" },
      { kind: "unban_ip", target: { name: "Bob" } },
      { kind: "unban_ip", target: { address: "192.0.2.7" } },
      { kind: "unban_uuid", name: "Bob" },
      { kind: "mute", name: "Bob", type: 1, expireAt: now / 1_000 + 300 },
      { kind: "unmute", name: "Bob" },
      { kind: "whitelist_add", name: "Eve" },
      { kind: "whitelist_add", name: "Bob" },
      { kind: "whitelist_remove", name: "Eve" },
    ]);
  });

  it("says when the database could not be used, and kicks nobody then", async () => {
    const { game, run } = stage();
    game.failNext("users.db is locked");
    assert.deepEqual((await run("ban Bob")).lines, ["Bob: users.db is locked"]);
    assert.deepEqual(game.orders, []);
  });

  it("resets a password and shows it once", async () => {
    const { run } = stage();
    const answer = await run("rp Bob");
    assert.deepEqual(answer, {
      ok: true,
      lines: ["The new password of Bob is k7Wm2pQx"],
      data: { password: "k7Wm2pQx" },
    });
    assert.equal((await run("rp Nobody")).ok, false);
  });

  it("lists packages without the credentials in their addresses, and tells of progress", async () => {
    const { game, run, told } = stage();
    const { lines, data } = await run("pkgs");
    assert.deepEqual(lines, [
      "name           state    commit    from",
      "freekill-core  enabled  01234567  https://…@example.org/freekill-core",
    ]);
    assert.doesNotMatch(JSON.stringify(data), /secret/);
    assert.deepEqual((await run("u utility")).lines, ["done"]);
    assert.deepEqual(told, ["half way"]);
    game.failNext("no such package");
    assert.deepEqual((await run("disable utility")).lines, ["no such package"]);
    await run("syncpkgs");
    assert.deepEqual(game.orders, [{ kind: "upgrade", name: "utility" }, { kind: "sync" }]);
  });

  it("reloads, checks the lobby, and ends rooms", async () => {
    const { game, run } = stage();
    assert.deepEqual((await run("r")).lines, ["motd taken over", "tcp_port needs a restart"]);
    assert.deepEqual((await run("checklobby")).lines, [
      "Removed Ghost (#9).",
      "1 players in the lobby are well.",
    ]);
    assert.deepEqual((await run("killroom 3")).lines, ["Room 3 is closed."]);
    assert.equal((await run("killroom 3")).ok, false);
    assert.deepEqual(game.orders, ["reload", { killRoom: 3 }]);
  });

  it("answers before the server ends", async () => {
    const { game, run, later } = stage();
    assert.deepEqual((await run("quit")).lines, ["The server stops."]);
    assert.deepEqual((await run("crash")).lines, ["The server crashes."]);
    assert.deepEqual(game.orders, []);
    for (const call of later) call();
    assert.deepEqual(game.orders, ["quit", "crash"]);
  });
});

function stage(): {
  game: FakeOperatedGame;
  told: string[];
  later: (() => void)[];
  run(line: string): Promise<AdminAnswer>;
} {
  const game = fakeOperatedGame();
  const told: string[] = [];
  const later: (() => void)[] = [];
  return {
    game,
    told,
    later,
    run(line) {
      const parsed = parseAdminCommand(line);
      assert.ok(parsed.ok, line);
      return executeAdminCommand(parsed.command, game, {
        now: () => now,
        tell: (one) => void told.push(one),
        afterAnswer: (call) => void later.push(call),
      });
    },
  };
}
