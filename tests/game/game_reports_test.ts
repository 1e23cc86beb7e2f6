import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { connectionDisconnects } from "../../src/game/disconnect.ts";
import { GameMetrics } from "../../src/game/game_metrics.ts";
import { GameReports } from "../../src/game/game_reports.ts";
import { fakeClock } from "../fakes/clock.ts";
import { fakeLog } from "../fakes/log.ts";
import { peerProbe } from "./peer_probe.ts";

function stage() {
  const clock = fakeClock();
  const log = fakeLog();
  const metrics = new GameMetrics();
  return { clock, log, metrics, reports: new GameReports({ clock, logger: log.logger, metrics }) };
}

describe("GameReports", () => {
  it("closed() counts every one, and logs a bounded number of each reason", () => {
    const { clock, log, metrics, reports } = stage();
    const { peer } = peerProbe(1, "2001:db8::1");
    for (let i = 0; i < 1_000; i++) reports.closed(peer, connectionDisconnects.flood);
    reports.closed(peer, connectionDisconnects.slow);
    assert.deepEqual([...metrics.disconnects.entries], [["flood", 1_000], ["slow", 1]]);
    assert.equal(metrics.disconnects.total, 1_001);
    assert.equal(log.lines.length, 21);
    assert.deepEqual(log.lines[0], {
      level: "info",
      message: "game connection closed",
      fields: { peer: "[2001:db8::1]:1234", reason: "flood" },
    });
    clock.advance(1_000);
    reports.closed(peer, connectionDisconnects.flood);
    assert.equal(log.lines.at(-1)?.fields["not_shown"], 980);
  });

  it("closed() of who just leaves is for debugging only", () => {
    const { log, reports } = stage();
    reports.closed(peerProbe().peer, connectionDisconnects.peerClosed);
    assert.deepEqual(log.lines.map(({ level }) => level), ["debug"]);
  });

  it("loggedIn() names the player and no port of his", () => {
    const { log, reports } = stage();
    for (let i = 0; i < 100; i++) reports.loggedIn(peerProbe().peer, { name: "caocao", id: 7 });
    assert.equal(log.lines.length, 20);
    assert.deepEqual(log.lines[0]?.fields, { player: "caocao", id: 7, peer: "10.0.0.1" });
  });

  it("trouble() and fault() are errors, bounded each", () => {
    const { log, metrics, reports } = stage();
    for (let i = 0; i < 100; i++) {
      reports.trouble("cannot look up an account: disk full");
      reports.fault("command", new Error("broken"));
    }
    reports.fault("reply", "text");
    assert.equal(metrics.counters.faults, 101);
    assert.equal(log.lines.length, 41);
    assert.ok(log.lines.every(({ level }) => level === "error"));
    assert.match(String(log.lines[1]?.fields["error"]), /broken/);
    assert.deepEqual(log.lines.at(-1)?.fields, { event: "reply", error: "text" });
  });
});
