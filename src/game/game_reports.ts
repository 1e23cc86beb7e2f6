import { showAddress } from "../base/address.ts";
import { ReportLimit } from "../base/report_limit.ts";
import type { Clock } from "../ports/clock.ts";
import type { Logger } from "../ports/log.ts";
import { connectionDisconnects, type GameDisconnect } from "./disconnect.ts";
import type { GameMetrics } from "./game_metrics.ts";
import type { GamePeer } from "./game_peer.ts";

/** What the log says about connections and logins, bounded for each kind of line. */
export class GameReports {
  readonly #clock: Clock;
  readonly #logger: Logger;
  readonly #metrics: GameMetrics;
  readonly #limit = new ReportLimit();

  constructor(parts: { clock: Clock; logger: Logger; metrics: GameMetrics }) {
    this.#clock = parts.clock;
    this.#logger = parts.logger;
    this.#metrics = parts.metrics;
  }

  /** Counted always. Who just leaves is no news. */
  closed(peer: GamePeer, why: GameDisconnect): void {
    this.#metrics.disconnects.add(why.code);
    const { remoteHost, remotePort } = peer.socket;
    const level = why.code === connectionDisconnects.peerClosed.code ? "debug" : "info";
    this.#say(level, why.code, "game connection closed", {
      peer: showAddress(remoteHost, remotePort),
      reason: why.code,
    });
  }

  loggedIn(peer: GamePeer, player: { readonly name: string; readonly id: number }): void {
    const fields = { player: player.name, id: player.id, peer: peer.ip };
    this.#say("info", "login", "player logged in", fields);
  }

  /** Of this server's own: a store that does not answer, a worker that died. */
  trouble(reason: string): void {
    this.#say("error", "trouble", "trouble with a login", { reason });
  }

  /** An internal error, and what was being handled (out of a closed list). Counted always. */
  fault(event: string, error: unknown): void {
    this.#metrics.counters.faults++;
    const detail = error instanceof Error ? error.stack ?? error.message : String(error);
    this.#say("error", `fault ${event}`, "internal error in the game", { event, error: detail });
  }

  #say(
    level: "debug" | "info" | "error",
    kind: string,
    message: string,
    fields: Readonly<Record<string, unknown>>,
  ): void {
    const suppressed = this.#limit.report(kind, this.#clock.monotonic());
    if (suppressed === undefined) return;
    const more = suppressed === 0 ? {} : { not_shown: suppressed };
    this.#logger[level]({ ...fields, ...more }, message);
  }
}
