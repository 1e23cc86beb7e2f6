import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { effectiveConfig } from "../../src/config/effective_config.ts";
import { showFault } from "../../src/config/faults.ts";
import { defaultGameConfig, setupPacketBytesMax } from "../../src/config/game_config.ts";
import type { GameConfig } from "../../src/config/game_config.ts";
import { loadSettings } from "../../src/config/load_settings.ts";
import type { LoadResult } from "../../src/config/load_settings.ts";
import { reloadGameConfig } from "../../src/config/reload_game_config.ts";
import { fakeFiles } from "../fakes/files.ts";

const original = "freekill.server.config.json";

describe("defaultGameConfig", () => {
  it("has the values that the original server uses without a file", () => {
    const { banWords, hiddenPacks, disabledFeatures, ...others } = defaultGameConfig;
    assert.deepEqual([banWords, hiddenPacks, disabledFeatures], [[], [], []]);
    assert.equal(others.description, "FreeKill Server");
    assert.equal(others.iconUrl, "default");
    assert.equal(others.capacity, 100);
    assert.equal(others.tempBanTime, 0);
    assert.equal(others.motd, "Welcome!");
    assert.equal(others.enableWhitelist, false);
    assert.equal(others.roomCountPerThread, 2_000);
    assert.equal(others.maxPlayersPerDevice, 1_000);
  });

  it("lets the largest packet through its own limits", () => {
    assert.equal(defaultGameConfig.maxPacketBytes, 1_048_576);
    assert.ok(defaultGameConfig.bytesBurst >= defaultGameConfig.maxPacketBytes);
  });
});

describe("setupPacketBytesMax()", () => {
  it("is 64 KiB, or less where all packets are smaller", () => {
    assert.equal(setupPacketBytesMax({ maxPacketBytes: 1_048_576 }), 65_536);
    assert.equal(setupPacketBytesMax({ maxPacketBytes: 4_096 }), 4_096);
  });
});

describe("loadSettings() of freekill.server.config.json", () => {
  it("takes the keys of an original file, with byte order mark and comments", async () => {
    const game = await gameFrom({
      old: `\ufeff{ // ours
        "banWords": ["a", "b"], "description": "D", "iconUrl": "http://x/i.png", "capacity": 7,
        "tempBanTime": 20, "motd": "# Hi\\n\\tthere", "hiddenPacks": ["p"],
        "disabledFeatures": ["ChangeRoom"], "enableWhitelist": true, "roomCountPerThread": 5,
        "maxPlayersPerDevice": 50, "maxPacketBytes": "2MiB", "heartbeatSeconds": 0.05, }`,
    });
    assert.deepEqual(game, {
      ...defaultGameConfig,
      banWords: ["a", "b"],
      description: "D",
      iconUrl: "http://x/i.png",
      capacity: 7,
      tempBanTime: 20,
      motd: "# Hi\n\tthere",
      hiddenPacks: ["p"],
      disabledFeatures: ["ChangeRoom"],
      enableWhitelist: true,
      roomCountPerThread: 5,
      maxPlayersPerDevice: 50,
      maxPacketBytes: 2_097_152,
      heartbeatSeconds: 0.05,
    });
  });

  it("lets the main file's section win key by key, and the environment over both", async () => {
    const game = await gameFrom({
      old: `{"capacity": 1, "motd": "old", "description": "old", "banWords": ["x"]}`,
      main: `{"game": {"motd": "main", "description": "main"}}`,
      env: { FREEKILL_GW_GAME__MOTD: "env", FREEKILL_GW_GAME__BAN_WORDS: "y, z" },
    });
    assert.deepEqual(
      [game.capacity, game.description, game.motd, game.banWords],
      [1, "main", "env", ["y", "z"]],
    );
  });

  it("takes banwords for banWords, unless both are there", async () => {
    assert.deepEqual((await gameFrom({ old: `{"banwords": ["x"]}` })).banWords, ["x"]);
    const both = `{"banwords": ["x"], "banWords": ["y"]}`;
    assert.deepEqual((await gameFrom({ old: both })).banWords, ["y"]);
    assert.deepEqual((await gameFrom({ main: `{"game": {"banwords": ["x"]}}` })).banWords, ["x"]);
  });

  const switches: readonly [old: string, features: readonly string[]][] = [
    [`{"enableBots": false}`, ["AddRobot"]],
    [`{"enableChangeRoom": false}`, ["ChangeRoom"]],
    [`{"enableBots": true, "enableChangeRoom": true}`, []],
    [`{"enableBots": false, "disabledFeatures": ["ChangeRoom"]}`, ["ChangeRoom", "AddRobot"]],
    [`{"enableBots": false, "disabledFeatures": ["AddRobot"]}`, ["AddRobot"]],
    [`{"enableBots": true, "disabledFeatures": ["AddRobot"]}`, ["AddRobot"]],
  ];
  for (const [text, features] of switches) {
    it(`takes ${text} for disabled ${JSON.stringify(features)}, in the section too`, async () => {
      assert.deepEqual((await gameFrom({ old: text })).disabledFeatures, features);
      const main = `{"game": ${text}}`;
      assert.deepEqual((await gameFrom({ main })).disabledFeatures, features);
    });
  }

  it("lets disabledFeatures of the main file win over the old switches", async () => {
    const main = `{"game": {"disabledFeatures": []}}`;
    assert.deepEqual((await gameFrom({ old: `{"enableBots": false}`, main })).disabledFeatures, []);
  });

  it("ignores what it does not know with one line for each kind", async () => {
    const result = await load({
      old: `{"$schema": "x", "whitelist": ["a"], "capacitty": 5, "a\\nb": 1, "constructor": 1,
        "disabledFeatures": ["AddRobots", "AddRobot"]}`,
    });
    assert.ok(result.ok);
    assert.deepEqual(result.settings.game, {
      ...defaultGameConfig,
      disabledFeatures: ["AddRobot"],
    });
    assert.deepEqual(result.notices, [
      `In ${original} these keys are unknown and ignored: ` +
      'whitelist, capacitty (capacity?), "a\\nb", constructor.',
      `In ${original} these disabledFeatures are unknown and ignored: AddRobots (AddRobot?).`,
    ]);
  });

  it("names at most ten of thousands of unknown keys", async () => {
    const keys = Array.from({ length: 2_000 }, (_, index) => `"zzzzzz${index}": 1`);
    const result = await load({ old: `{${keys.join(",")}}` });
    assert.ok(result.ok);
    assert.match(result.notices[0] ?? "", /zzzzzz9 and 1990 more\.$/);
  });

  const wrong: readonly [text: string, problems: readonly string[]][] = [
    [`{"capacity": "100"}`, ['capacity must be 0–2147483647, got "100"']],
    [`{"capacity": 1.5}`, ["capacity must be 0–2147483647, got 1.5"]],
    [`{"tempBanTime": -1}`, ["tempBanTime must be 0–2147483647, got -1"]],
    [`{"motd": null}`, ["motd must be a text of at most 16,384 characters, got null"]],
    [`{"enableBots": "no"}`, ['enableBots must be true or false, got "no"']],
    [`{"banwords": "x"}`, ['banwords must be a list of at most 10000 texts, got "x"']],
    [
      `{"banwords": ["x", 5], "enableWhitelist": 1}`,
      [
        "banwords[1] must be a text of 1–255 characters, got 5",
        "enableWhitelist must be true or false, got 1",
      ],
    ],
    [
      `{"maxPacketBytes": "4MiB", "bytesBurst": "3MiB"}`,
      ["bytesBurst must be at least maxPacketBytes (4194304), got 3145728"],
    ],
    [`[]`, ["it must be an object, got an empty list"]],
    [`{"motd": "x"`, ["line 1, column 13: close brace expected"]],
  ];
  for (const [text, problems] of wrong) {
    it(`names file and key of what is wrong in ${text}`, async () => {
      const lines = await faultLines({ old: text });
      assert.deepEqual(lines, problems.map((text) => `Cannot use config "${original}": ${text}`));
    });
  }

  it("names the main file for its own section, and the variable for the environment", async () => {
    assert.deepEqual(
      await faultLines({ old: `{"capacity": 5}`, main: `{"game":{"capacity":""}}` }),
      [
        'Cannot use config "gw.json": game.capacity must be 0–2147483647, got ""',
      ],
    );
    assert.deepEqual(await faultLines({ main: `{"game":{"banwords":[""]}}` }), [
      'Cannot use config "gw.json": game.banwords[0] must be a text of 1–255 characters, got ""',
    ]);
    assert.deepEqual(await faultLines({ env: { FREEKILL_GW_GAME__CAPACITY: "x" } }), [
      "Cannot use environment FREEKILL_GW_GAME__CAPACITY: " +
      'game.capacity must be 0–2147483647, got "x"',
    ]);
  });

  it("refuses an unknown feature in the main file", async () => {
    const main = `{"game": {"disabledFeatures": ["AddRobot", "addrobot"]}}`;
    assert.deepEqual(await faultLines({ main }), [
      'Cannot use config "gw.json": game.disabledFeatures[1] must be one of ' +
      '"AddRobot", "ChangeRoom", got "addrobot"',
    ]);
  });

  it("raises bytesBurst with maxPacketBytes where nobody sets it", async () => {
    assert.equal((await gameFrom({ old: `{"maxPacketBytes": "4MiB"}` })).bytesBurst, 4_194_304);
    assert.equal((await gameFrom({ old: `{"maxPacketBytes": "64KiB"}` })).bytesBurst, 2_097_152);
  });

  it("refuses a file that is too large", async () => {
    const lines = await faultLines({ old: " ".repeat(16 * 2 ** 20 + 1) });
    assert.match(lines[0] ?? "", /server\.config\.json": it must be at most 16777216 bytes/);
  });

  it("tells which file was read", async () => {
    const result = await load({ old: `{}` });
    assert.ok(result.ok);
    assert.deepEqual([result.path, result.gamePath], [undefined, original]);
    const none = await load({});
    assert.ok(none.ok);
    assert.equal(none.gamePath, undefined);
  });
});

describe("effectiveConfig()", () => {
  it("shows the game's keys, from whichever file", async () => {
    const result = await load({ old: `{"banwords": ["x"]}`, main: `{"game": {"capacity": 3}}` });
    assert.ok(result.ok);
    const { game } = effectiveConfig(result.settings);
    assert.deepEqual(game, { ...defaultGameConfig, banWords: ["x"], capacity: 3 });
  });
});

describe("reloadGameConfig()", () => {
  it("reads both files again, and gives faults instead of half a configuration", async () => {
    const files = fakeFiles();
    const input = { files, env: {}, flags: {} };
    const write = (path: string, text: string) => files.replace(path, encode(text));
    await write(original, `{"capacity": 1, "motd": "a", "spare": 1}`);
    await write("freekill-gw.json", `{"game": {"motd": "b"}}`);
    const first = await reloadGameConfig(input);
    assert.ok(first.ok);
    assert.deepEqual([first.game.capacity, first.game.motd], [1, "b"]);
    assert.match(first.notices[0] ?? "", /spare/);

    await write(original, `{"capacity": 2, "motd": "c"}`);
    await write("freekill-gw.json", `{}`);
    const second = await reloadGameConfig(input);
    assert.ok(second.ok);
    assert.deepEqual([second.game.capacity, second.game.motd], [2, "c"]);

    await write("freekill-gw.json", `{"tcp_port": "x"}`);
    const third = await reloadGameConfig(input);
    assert.ok(!third.ok);
    assert.match(third.faults.map(showFault).join(), /tcp_port must be/);
  });
});

interface Given {
  /** Text of freekill.server.config.json. */
  readonly old?: string;
  readonly main?: string;
  readonly env?: Readonly<Record<string, string>>;
}

async function load({ old, main, env = {} }: Given): Promise<LoadResult> {
  const files = fakeFiles();
  if (old !== undefined) await files.replace(original, encode(old));
  if (main !== undefined) await files.replace("gw.json", encode(main));
  const configPath = main === undefined ? undefined : "gw.json";
  return await loadSettings({ files, env, flags: {}, configPath });
}

async function gameFrom(given: Given): Promise<GameConfig> {
  const result = await load(given);
  assert.ok(result.ok, result.ok ? "" : result.faults.map(showFault).join("\n"));
  return result.settings.game;
}

async function faultLines(given: Given): Promise<string[]> {
  const result = await load(given);
  return result.ok ? [] : result.faults.map(showFault);
}

function encode(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}
