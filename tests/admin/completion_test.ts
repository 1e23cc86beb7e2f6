import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { candidatesMax, completeLine } from "../../src/admin/completion.ts";

const names = () => ({
  players: ["Alice", "alan", "Bob", "odd name", "evil\x1b[2J"],
  roomIds: [3, 31, 4],
  packages: ["freekill-core", "utility"],
});

function complete(line: string, cursor = line.length): [string[], string] {
  const { candidates, replaced } = completeLine(line, cursor, names);
  return [[...candidates], replaced];
}

describe("completeLine() offers", () => {
  const cases: readonly [line: string, candidates: string[], replaced: string][] = [
    ["ls", ["lsplayer ", "lsroom "], "ls"],
    ["  LS", ["lsplayer ", "lsroom "], "LS"],
    ["nothing", [], "nothing"],
    ["nothing a", [], "a"],
    ["kick al", ["Alice ", "alan "], "al"],
    ["ban Bob al", ["Alice ", "alan "], "al"],
    ["ban o", ['"odd name" '], "o"],
    ['ban "o', ['"odd name" '], '"o'],
    ["ban 'odd n", ["'odd name' "], "'odd n"],
    ["ban evil", [], "evil"],
    ["lsroom 3", ["3 ", "31 "], "3"],
    ["lsroom 3 ", [], ""],
    ["mr 4 B", [], "B"],
    ["disable ", ["freekill-core ", "utility "], ""],
    ["u ut", ["utility "], "ut"],
    ["help temp", ["tempban ", "tempmute "], "temp"],
    ["whitelist ", ["add ", "rm "], ""],
    ["whitelist rm Bo", ["Bob "], "Bo"],
    ["whitelist xx Bo", [], "Bo"],
    ["tempban Bo", ["Bob "], "Bo"],
    ["tempban Bob ", [], ""],
    ["msg Al", [], "Al"],
    ["install ut", [], "ut"],
  ];
  for (const [line, candidates, replaced] of cases) {
    it(JSON.stringify(line), () => assert.deepEqual(complete(line), [candidates, replaced]));
  }

  it("every command on an empty line, but no short alias", () => {
    const [candidates] = complete("");
    assert.equal(candidates.length, 31);
    assert.ok(!candidates.includes("m "));
  });

  it("for the word at the cursor, not the last", () => {
    assert.deepEqual(complete("lsro 3", 4), [["lsroom "], "lsro"]);
  });

  it("not more than a screenful", () => {
    const many = Array.from({ length: candidatesMax + 9 }, (_, i) => `p${i}`);
    const given = () => ({ players: many, roomIds: [], packages: [] });
    assert.equal(completeLine("kick ", 5, given).candidates.length, candidatesMax);
  });
});
