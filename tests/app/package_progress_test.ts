import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { progressBar, progressLines, progressText } from "../../src/app/package_progress.ts";
import type { PackagesProgress } from "../../src/game/packages/packages_progress.ts";

const at = (phase: PackagesProgress["phase"], loaded = 0, total = 0) => ({
  name: "mine",
  phase,
  loaded,
  total,
});

describe("progressText()", () => {
  it("says what is done, and how much of it", () => {
    const texts = [
      at("connect"),
      at("receive", 1_250_000),
      at("copy", 50_000),
      at("index", 3, 9),
      at("write", 2, 446),
      at("swap", 0, 1),
    ].map(progressText);
    assert.deepEqual(texts, [
      "mine: asking for its repository",
      "mine: receiving, 1.3 MB",
      "mine: copying its repository, 0.1 MB",
      "mine: looking through 3 of 9 objects",
      "mine: writing 2 of 446 files",
      "mine: putting it in its place",
    ]);
  });
});

describe("progressLines()", () => {
  it("tells of each phase once, and of what is received every 16 MB", () => {
    const lines: string[] = [];
    const tell = progressLines((line) => lines.push(line));
    tell(at("connect"));
    for (let bytes = 0; bytes < 40_000_000; bytes += 262_144) tell(at("receive", bytes));
    for (let files = 0; files <= 100; files++) tell(at("write", files, 100));
    tell({ ...at("write", 0, 5), name: "other" });
    assert.deepEqual(lines, [
      "mine: asking for its repository",
      "mine: receiving, 0.0 MB",
      "mine: receiving, 16.8 MB",
      "mine: receiving, 33.6 MB",
      "mine: writing 0 of 100 files",
      "other: writing 0 of 5 files",
    ]);
  });
});

describe("progressBar()", () => {
  it("draws over its line, ten times a second at most, and at the ends of phases", () => {
    const written: string[] = [];
    let now = 0;
    const bar = progressBar((text) => written.push(text), () => now);
    bar.draw(at("receive", 1_000_000));
    bar.draw(at("receive", 2_000_000));
    now = 100;
    bar.draw(at("receive", 3_000_000));
    bar.draw(at("write", 0, 4));
    bar.draw(at("write", 1, 4));
    bar.draw(at("write", 4, 4));
    bar.clear();
    bar.clear();
    assert.deepEqual(written, [
      "\rmine: receiving, 1.0 MB\x1b[K",
      "\rmine: receiving, 3.0 MB\x1b[K",
      `\r[${" ".repeat(24)}] mine: writing 0 of 4 files\x1b[K`,
      `\r[${"#".repeat(24)}] mine: writing 4 of 4 files\x1b[K`,
      "\r\x1b[K",
    ]);
  });
});
