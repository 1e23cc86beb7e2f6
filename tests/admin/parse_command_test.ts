import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { type AdminCommand, describeCommand, isHarmless } from "../../src/admin/command.ts";
import { commandHelps, commandWords } from "../../src/admin/help_texts.ts";
import {
  announcementCharsMax,
  lineCharsMax,
  namesMax,
  parseAdminCommand,
} from "../../src/admin/parse_command.ts";

describe("parseAdminCommand() reads", () => {
  const lines: readonly [line: string, command: AdminCommand][] = [
    ["help", { kind: "help" }],
    ["help rp", { kind: "help", topic: "resetpassword" }],
    ["  STAT ", { kind: "stat" }],
    ["gc", { kind: "gc" }],
    ["lsplayer", { kind: "lsplayer" }],
    ["lsroom", { kind: "lsroom" }],
    ["lsroom 12", { kind: "lsroom", roomId: 12 }],
    [`m  it's "late",  good   night `, { kind: "msg", text: `it's "late",  good   night` }],
    ["msgroom 3 'hi' all", { kind: "msgroom", roomId: 3, text: "'hi' all" }],
    ["mr 3 hi", { kind: "msgroom", roomId: 3, text: "hi" }],
    ["kick Bob #12 5", { kind: "kick", targets: [{ name: "Bob" }, { id: 12 }, { name: "5" }] }],
    ["ban 'odd  name' Bob Bob", { kind: "ban", names: ["odd  name", "Bob"] }],
    ["unban it's", { kind: "unban", names: ["it's"] }],
    ["banip Bob 192.0.2.7 2001:db8::1 1.2.3", {
      kind: "banip",
      targets: [
        { name: "Bob" },
        { address: "192.0.2.7" },
        { address: "2001:db8::1" },
        { name: "1.2.3" },
      ],
    }],
    ["unbanip ::ffff:192.0.2.7", {
      kind: "unbanip",
      targets: [{ address: "::ffff:192.0.2.7" }],
    }],
    ["banuuid 小明", { kind: "banuuid", names: ["小明"] }],
    ["unbanuuid 小明", { kind: "unbanuuid", names: ["小明"] }],
    ["tempban Bob 5m", { kind: "tempban", name: "Bob", seconds: 300 }],
    ["tempban Bob 2h", { kind: "tempban", name: "Bob", seconds: 7_200 }],
    ["tempmute Bob 1d", { kind: "tempmute", name: "Bob", seconds: 86_400 }],
    ["tempban Bob 1mo", { kind: "tempban", name: "Bob", seconds: 2_592_000 }],
    ["unmute Bob", { kind: "unmute", names: ["Bob"] }],
    ["whitelist add Bob Eve", { kind: "whitelist", action: "add", names: ["Bob", "Eve"] }],
    ["whitelist rm Bob", { kind: "whitelist", action: "rm", names: ["Bob"] }],
    ["killroom 4", { kind: "killroom", roomId: 4 }],
    ["checklobby", { kind: "checklobby" }],
    ["r", { kind: "reloadconf" }],
    ["rp Bob", { kind: "resetpassword", name: "Bob" }],
    ["install https://e.org/a", { kind: "install", url: "https://e.org/a" }],
    ["remove utility", { kind: "remove", name: "utility" }],
    ["pkgs", { kind: "pkgs" }],
    ["syncpkgs", { kind: "syncpkgs" }],
    ["enable utility", { kind: "enable", name: "utility" }],
    ["disable utility", { kind: "disable", name: "utility" }],
    ["u", { kind: "upgrade" }],
    ["upgrade utility", { kind: "upgrade", name: "utility" }],
    ["quit", { kind: "quit" }],
    ["crash", { kind: "crash" }],
  ];
  for (const [line, command] of lines) {
    it(line, () => assert.deepEqual(parseAdminCommand(line), { ok: true, command }));
  }

  it("every command that help names, and has help for each", () => {
    const seen = new Set(lines.map(([, { kind }]) => kind));
    assert.deepEqual([...seen].sort(), commandHelps.map(({ name }) => name).sort());
    assert.equal(new Set(commandWords).size, commandWords.length);
  });
});

describe("parseAdminCommand() refuses with one line", () => {
  const lines: readonly [line: string, reason: RegExp][] = [
    ["", /^The line is empty: type help for the commands\.$/],
    ["lsplayers", /^Unknown command "lsplayers"\. Did you mean lsplayer\?$/],
    ["frobnicate\x1b", /^Unknown command "frobnicate\\u001b"\. Type help for the commands\.$/],
    ["help bna", /^Unknown command "bna"\. Did you mean ban\? Usage: help \[command\]$/],
    ["lsroom x", /^A room id must be a whole number from 1, got "x"\. Usage: lsroom \[id\]$/],
    ["lsroom 0", /whole number from 1, got "0"/],
    ["killroom", /^A room id is missing\. Usage: killroom <id>$/],
    ["lsroom 1 2", /^One is allowed, got 2\./],
    ["stat now", /^No arguments are allowed, got 1\. Usage: stat$/],
    ["msg", /^A text is missing\. Usage: msg <text>$/],
    ["msgroom 3 ", /^A text is missing\./],
    [`msg ${"x".repeat(announcementCharsMax + 1)}`, /must be 1–1000 characters, got 1001\./],
    ["ban", /^A name is missing\. Usage: ban <name>…$/],
    ["ban ''", /^A name must be 1–255 characters, got 0\./],
    ['ban "Bob', /^The quote " at character 5 is not closed\./],
    ["kick #0", /^An id must be a whole number from 1 after #, got "#0"\./],
    ["tempban Bob", /^A time is missing\. Usage: tempban <name> <n>\(m\|h\|d\|mo\)$/],
    ["tempban Bob 5", /A time must be a whole number with m, h, d or mo .*, got "5"\./],
    ["tempban Bob 0m", /got "0m"/],
    ["tempban Bob 1201mo", /1m–1200mo, got "1201mo"/],
    ["whitelist", /^whitelist takes add or rm first, got nothing\./],
    ["whitelist show Bob", /^whitelist takes add or rm first, got "show"\./],
    ["disable ../x", /^A package's name must be .*, got "\.\.\/x"\./],
    ["disable ..", /got "\.\."/],
    [`ban ${Array.from({ length: namesMax + 1 }, (_, i) => `n${i}`).join(" ")}`, /At most 64 at/],
    ["x".repeat(lineCharsMax + 1), /^The line must be 1–4096 characters, got 4097\.$/],
  ];
  for (const [line, reason] of lines) {
    it(line.slice(0, 40) || "nothing", () => {
      const parsed = parseAdminCommand(line);
      assert.ok(!parsed.ok);
      assert.match(parsed.reason, reason);
      assert.doesNotMatch(parsed.reason, /\p{Cc}/u);
    });
  }

  it("what is too many without showing it: it may be a password", () => {
    const parsed = parseAdminCommand("resetpassword Bob hunter2");
    assert.ok(!parsed.ok);
    assert.equal(parsed.name, "resetpassword");
    assert.doesNotMatch(parsed.reason, /hunter2/);
  });

  it("whatever else there is, and never throws", () => {
    const word = fc.oneof(
      fc.constantFrom(...commandWords, "add", "1", "'", '"', "5m"),
      fc.string(),
    );
    fc.assert(fc.property(fc.array(word, { maxLength: 6 }), (words) => {
      const parsed = parseAdminCommand(words.join(" "));
      if (!parsed.ok) assert.doesNotMatch(parsed.reason, /\p{Cc}/u);
    }));
  });
});

describe("describeCommand()", () => {
  it("gives a line that means the same", () => {
    const lines = [
      "help ban",
      "lsroom 3",
      "msg  a 'b' c",
      "msgroom 3 x",
      "kick #3 Bob",
      "ban 'a b' c",
      "banip 192.0.2.7 Bob",
      "tempban Bob 2h",
      "tempmute Bob 1mo",
      "whitelist rm a",
      "killroom 2",
      "rp Bob",
      "upgrade x",
      "u",
      "quit",
    ];
    for (const line of lines) {
      const first = parseAdminCommand(line);
      assert.ok(first.ok, line);
      assert.deepEqual(parseAdminCommand(describeCommand(first.command)), first);
      assert.ok(isHarmless(first.command));
    }
  });

  it("leaves credentials out", () => {
    const command = { kind: "install", url: "https://me:secret@e.org/a?token=secret" } as const;
    assert.equal(describeCommand(command), "install https://…@e.org/a?…");
    assert.equal(isHarmless(command), false);
    assert.ok(isHarmless({ kind: "install", url: "https://e.org/a" }));
  });
});
