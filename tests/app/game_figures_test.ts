import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { flatGameFigures, type GameFigures, gameFigures } from "../../src/app/game_figures.ts";
import type { GamePart } from "../../src/app/game_part.ts";
import { PrometheusText } from "../../src/app/prometheus.ts";
import { ReasonCounts } from "../../src/game/game_metrics.ts";
import { emptyHostMetrics } from "../../src/host/host_metrics.ts";
import { ServerStage } from "../game/server_stage.ts";

/** The parts of a running game that figures are read from. */
function partOf(stage: ServerStage): GamePart {
  const counters = { batches: 1, operations: 2, failures: 3, retries: 4 };
  const parts = { server: stage.game, store: { counters, pending: 5 }, crypto: { pending: 6 } };
  return parts as unknown as GamePart;
}

function prometheusOf(game: (() => GameFigures) | undefined): PrometheusText {
  return new PrometheusText({
    host: emptyHostMetrics,
    process: () => ({ residentBytes: 1, cpuSeconds: 2, eventLoopLagSeconds: 0 }),
    runtimeName: "test",
    game,
    gateway: undefined,
  });
}

async function busyStage(): Promise<ServerStage> {
  const stage = await ServerStage.open({ config: { capacity: 50 } });
  const owner = await stage.player("owner", "10.0.0.1");
  const guest = await stage.player("guest", "10.0.0.2");
  await stage.player("idler", "10.0.0.3");
  await owner.say("CreateRoom", ["room", 2, 15, { gameMode: "m", password: "" }]);
  await guest.say("EnterRoom", [1, ""]);
  await guest.say("Ready");
  await owner.say("StartGame");
  await guest.say("Nonsense");
  await stage.connect("10.0.0.4");
  const refused = await stage.connect("10.0.0.5");
  await refused.say("Chat", { msg: "x" });
  return stage;
}

describe("gameFigures()", () => {
  it("tells how the game stands and what it has done", async () => {
    const { gauges, counters, byReason } = gameFigures(partOf(await busyStage()));
    assert.deepEqual(gauges, {
      players: 3,
      players_in_lobby: 1,
      capacity: 50,
      pending_connections: 1,
      rooms: 1,
      rooms_playing: 1,
      room_seats: 2,
      room_observers: 0,
      lua_states: 1,
      lua_rooms: 1,
      store_queue: 5,
      crypto_queue: 6,
    });
    const { connections, logins, registrations, games_started, faults, store_retries } = counters;
    assert.deepEqual(
      { connections, logins, registrations, games_started, faults, store_retries },
      {
        connections: 5,
        logins: 3,
        registrations: 3,
        games_started: 1,
        faults: 0,
        store_retries: 4,
      },
    );
    assert.ok(counters["packets_in"]! >= 4 && counters["packets_out"]! > counters["writes"]!);
    assert.deepEqual(
      Object.entries(byReason).map(([name, counts]) => [name, ...counts.entries]),
      [
        ["logins_refused", ["invalid_setup", 1]],
        ["disconnects", ["refused_invalid_setup", 1]],
        ["packets_ignored", ["command_unknown", 1]],
      ],
    );
  });
});

describe("flatGameFigures()", () => {
  it("has every figure once, with sums of the reasons, and only numbers", async () => {
    const figures = gameFigures(partOf(await busyStage()));
    const flat = flatGameFigures(figures);
    assert.equal(flat["game_players"], 3);
    assert.equal(flat["game_disconnects"], 1);
    assert.equal(flat["game_disconnects_refused_invalid_setup"], 1);
    const names = Object.keys({ ...figures.gauges, ...figures.counters }).length;
    assert.equal(Object.keys(flat).length, names + 3 + 3);
    for (const [name, value] of Object.entries(flat)) {
      assert.match(name, /^game_[a-z_]+$/);
      assert.equal(typeof value, "number", name);
    }
  });
});

describe("PrometheusText of a game", () => {
  it("has gauges, counters that end in _total, and a label for reasons", async () => {
    const part = partOf(await busyStage());
    const text = await prometheusOf(() => gameFigures(part)).text();
    for (
      const line of [
        "# TYPE freekill_gw_game_players gauge",
        "freekill_gw_game_players 3",
        "# TYPE freekill_gw_game_logins_total counter",
        "freekill_gw_game_logins_total 3",
        'freekill_gw_game_logins_refused_total{reason="invalid_setup"} 1',
        'freekill_gw_game_packets_ignored_total{reason="command_unknown"} 1',
      ]
    ) assert.ok(text.split("\n").includes(line), line);
  });

  it("reads the game once a scrape, and shows what is new at the next", async () => {
    let reads = 0;
    const disconnects = new ReasonCounts();
    const prometheus = prometheusOf(() => {
      reads++;
      return { gauges: { a: reads, b: reads }, counters: { c: reads }, byReason: { disconnects } };
    });
    disconnects.add("flood");
    const before = reads;
    const first = await prometheus.text();
    disconnects.add("flood");
    disconnects.add("slow");
    const second = await prometheus.text();
    assert.equal(reads - before, 2);
    assert.match(first, /game_disconnects_total\{reason="flood"\} 1\n/);
    assert.match(second, /game_disconnects_total\{reason="flood"\} 2\n/);
    assert.match(second, /game_disconnects_total\{reason="slow"\} 1\n/);
    assert.match(second, new RegExp(`game_a ${reads}\\n`));
    assert.match(second, new RegExp(`game_c_total ${reads}\\n`));
  });

  it("has none of it where no game is served", async () => {
    assert.doesNotMatch(await prometheusOf(undefined).text(), /_game_/);
  });
});
