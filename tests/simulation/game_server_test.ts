import assert from "node:assert/strict";
import process from "node:process";
import { describe, it } from "node:test";
import { runtimeUnderTest } from "../tested_runtime.ts";
import { Simulation } from "./simulation.ts";

const nightly = process.env["FREEKILL_GW_SIMULATION_SEEDS"] !== undefined;
const seeds = Number(process.env["FREEKILL_GW_SIMULATION_SEEDS"] ?? 50);
const players = Number(process.env["FREEKILL_GW_SIMULATION_PLAYERS"] ?? (nightly ? 200 : 40));
const firstSeed = Number(process.env["FREEKILL_GW_TEST_SEED"] ?? 1);
const minutes = 20;
/** So that fifty seeds take less than half a minute. */
const pauseMs = 20_000;

/** What must have happened somewhere, or the simulation shows less than it says. */
const expected = {
  done: [
    "answer run_away Reconnect Observe GameOver cut fail second_login flood burst garbage odd sleep",
    "leave_while_logging_in wrong_password UpdatePassword ChangeRoom KickPlayer LobbyTask",
    "PushRequest Trust StartGame",
    "kick kill_room reload packages mute ban ban_ip announce",
  ].join(" ").split(" "),
  disconnects: [
    "other_login heartbeat missed_requests ran_away outdated kicked_by_operator peer_closed",
    "connection_lost setup_timeout flood stopping packet_not_array refused_wrong_password",
    "refused_packages_differ refused_server_full refused_ip_temporarily_banned refused_ip_banned",
    "refused_account_banned refused_invalid_setup refused_unsupported_version",
  ].join(" ").split(" "),
};

describe("GameServer simulation", () => {
  const name = `${players} players for ${minutes} minutes (${seeds} seeds from ${firstSeed})`;
  it(`keeps its invariants with ${name}`, { timeout: seeds * 60_000 }, async () => {
    const { zlib } = await runtimeUnderTest();
    const done = new Set<string>();
    const disconnects = new Set<string>();
    for (let seed = firstSeed; seed < firstSeed + seeds; seed++) {
      const simulation = new Simulation({ seed, players, minutes, pauseMs, zlib });
      try {
        await simulation.run();
      } catch (cause) {
        const replay = `FREEKILL_GW_TEST_SEED=${seed} FREEKILL_GW_SIMULATION_SEEDS=1 ` +
          `FREEKILL_GW_SIMULATION_PLAYERS=${players} replays it`;
        const why = cause instanceof Error ? cause.message : String(cause);
        throw new Error(`seed ${seed} (${replay}): ${why}`, { cause });
      }
      for (const [what] of simulation.done) done.add(what);
      for (const [code] of simulation.disconnects) disconnects.add(code);
    }
    // Few seeds need not show everything.
    if (seeds < 50) return;
    assert.deepEqual(expected.done.filter((what) => !done.has(what)), [], "never done");
    const missing = expected.disconnects.filter((code) => !disconnects.has(code));
    assert.deepEqual(missing, [], "reasons that were never seen");
  });
});
