import { unreachable } from "../base/assert.ts";
import { ReportLimit } from "../base/report_limit.ts";
import type { GameConfig } from "../config/game_config.ts";
import type { Clock } from "../ports/clock.ts";
import type { Logger } from "../ports/log.ts";
import { encodeServerPacket } from "../wire/encode_server_message.ts";
import { encodeRequest } from "../wire/packet.ts";
import type { RoomListEntry, ServerMessage } from "../wire/server_messages.ts";
import type { BanView } from "./accounts/ban_view.ts";
import type { Deliveries } from "./deliveries.ts";
import type { GameDisconnect } from "./disconnect.ts";
import type { GameMetrics } from "./game_metrics.ts";
import type { GamePeer } from "./game_peer.ts";
import type { GameReports } from "./game_reports.ts";
import { gameSettings } from "./game_settings.ts";
import { Lobby } from "./lobby.ts";
import type { LobbyEvent } from "./lobby_events.ts";
import type { RulesLoss, RulesTurn } from "./lua/rpc_child.ts";
import type { LuaAnswers, LuaCall } from "./lua/lua_host.ts";
import type { RulesNotice } from "./lua/rpc_rules.ts";
import type { Effect, StoreOperation } from "./outbox.ts";
import { type RulesHooks, RulesPool, type RulesState } from "./rules_pool.ts";

const minuteMs = 60_000;
/** What players do can make the rules write lines, each of up to 4 KiB: they must not fill a disk. A
 * core that loads many packages may be chatty for a moment. */
const linesOfRules = { perSecond: 20, burst: 1_000 } as const;
/** After a fault the lobby is woken, as it may not have come to ask for it; the fault may come again. */
const wakeAfterFaultMs = 1_000;

type RulesLine = Extract<RulesNotice, { readonly kind: "log" }>;

/** What lobby and rooms are run with. */
export interface LobbyRunnerParts {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly bans: BanView;
  readonly config: GameConfig;
  /** Work for the store; what it answers comes back as events. */
  openStore(answer: (event: LobbyEvent) => void): { perform(operation: StoreOperation): void };
  /** A state of the rules, for as long as the packages stay as they are. */
  makeRules(hooks: RulesHooks, host: LuaAnswers): RulesState;
}

/**
 * Carries what lobby and rooms want to players, store and rules. One event is handled at a time; what
 * it leads to on the way waits for its end.
 */
export class LobbyRunner {
  readonly lobby: Lobby;
  readonly rules: RulesPool;
  readonly #parts: LobbyRunnerParts;
  readonly #metrics: GameMetrics;
  readonly #reports: GameReports;
  readonly #deliveries: Deliveries;
  readonly #close: (peer: GamePeer, why: GameDisconnect) => void;
  readonly #players = new Map<number, GamePeer>();
  readonly #store: { perform(operation: StoreOperation): void };
  readonly #events: LobbyEvent[] = [];
  readonly #linesOfRules = new ReportLimit<RulesLine["level"]>(linesOfRules);
  #isHandling = false;
  #roomList: { readonly rooms: readonly RoomListEntry[]; readonly packet: Uint8Array } | undefined;
  #cancelWake = () => {};
  #wakeAt = Infinity;
  #isStopping = false;

  /** `close`: after what was queued for the peer has left. */
  constructor(
    parts: LobbyRunnerParts,
    own: {
      readonly metrics: GameMetrics;
      readonly reports: GameReports;
      readonly deliveries: Deliveries;
      close(peer: GamePeer, why: GameDisconnect): void;
    },
  ) {
    this.#parts = parts;
    this.#metrics = own.metrics;
    this.#reports = own.reports;
    this.#deliveries = own.deliveries;
    this.#close = own.close;
    this.lobby = new Lobby(gameSettings(parts.config));
    this.#store = parts.openStore((event) => this.handle(event));
    const { reads } = this.lobby;
    this.rules = new RulesPool((hooks) => parts.makeRules(hooks, reads), {
      turnDone: (turn) => this.#turnDone(turn),
      stateLost: (loss) => this.#stateLost(loss),
      unheard: (call) => this.#unheard(call),
    });
  }

  /** Connections of players who have logged in. */
  get players(): ReadonlyMap<number, GamePeer> {
    return this.#players;
  }

  /** From now on effects reach this connection. */
  add(peer: GamePeer): void {
    this.#players.set(peer.id, peer);
  }

  /** The lobby hears of it, unless it was the one that closed it. Does nothing for a stranger. */
  remove(peer: GamePeer): void {
    if (this.#players.delete(peer.id)) this.handle({ kind: "closed", connection: peer.id });
  }

  async stop(): Promise<void> {
    this.#isStopping = true;
    this.#cancelWake();
    await this.rules.close();
  }

  /** Gives lobby and rooms an event and carries out what they want. */
  handle(event: LobbyEvent): void {
    this.#events.push(event);
    if (this.#isHandling) return;
    this.#isHandling = true;
    this.#deliveries.begin();
    try {
      for (let next = this.#events.shift(); next !== undefined; next = this.#events.shift()) {
        this.#handleOne(next);
      }
    } finally {
      this.#isHandling = false;
      this.#deliveries.turnEnded();
    }
  }

  /** A fault of ours costs the event, or the one effect, in which it showed, not the server. */
  #handleOne(event: LobbyEvent): void {
    let effects: readonly Effect[];
    try {
      effects = this.lobby.handle(event, this.#now());
    } catch (error) {
      this.#reports.fault(event.kind, error);
      return this.#wakeLater(this.#now() + wakeAfterFaultMs);
    }
    for (const effect of effects) {
      try {
        this.#perform(effect);
      } catch (error) {
        this.#reports.fault(event.kind, error);
      }
    }
  }

  #now(): number {
    return this.#parts.clock.monotonic();
  }

  #perform(effect: Effect): void {
    switch (effect.kind) {
      case "send": {
        const packet = this.#encode(effect.message);
        for (const id of effect.to) this.#deliver(id, packet);
        return;
      }
      case "request": {
        const { id: requestId, command, data, timeout, timestamp } = effect.request;
        const packet = encodeRequest({
          requestId,
          command,
          data,
          timeoutSeconds: timeout,
          timestampMs: timestamp,
        });
        return this.#deliver(effect.to, packet);
      }
      case "lua":
        if (effect.call.kind === "new_room") this.#metrics.counters.games_started++;
        return this.rules.call(effect.call);
      case "forget_room":
        return this.rules.forget(effect.roomId);
      case "store":
        return this.#store.perform(effect.operation);
      case "close": {
        const peer = this.#players.get(effect.connection);
        if (peer !== undefined) this.#close(peer, effect.reason);
        return;
      }
      case "ban_ip":
        return this.#parts.bans.banIpTemporarily(
          effect.address,
          this.#parts.clock.now() + effect.minutes * minuteMs,
        );
      case "wake":
        return this.#wakeLater(effect.at);
      default:
        return unreachable(effect);
    }
  }

  /** A long list of rooms that many ask for is encoded once, for as long as it stays the same. */
  #encode(message: ServerMessage): Uint8Array {
    if (message.command !== "UpdateRoomList") return encodeServerPacket(message);
    if (this.#roomList?.rooms !== message.rooms) {
      this.#roomList = { rooms: message.rooms, packet: encodeServerPacket(message) };
    }
    return this.#roomList.packet;
  }

  #deliver(id: number, packet: Uint8Array): void {
    const peer = this.#players.get(id);
    if (peer !== undefined) this.#deliveries.add(peer, packet);
  }

  #wakeLater(at: number): void {
    if (at >= this.#wakeAt || this.#isStopping) return;
    this.#cancelWake();
    this.#wakeAt = at;
    const ms = Math.max(0, Math.ceil(at - this.#now()));
    this.#cancelWake = this.#parts.clock.after(ms, () => {
      this.#wakeAt = Infinity;
      this.handle({ kind: "wake" });
    });
  }

  #turnDone({ notices }: RulesTurn): void {
    this.#metrics.counters.lua_turns++;
    this.#deliveries.begin();
    try {
      for (const notice of notices) this.#heed(notice);
    } finally {
      this.#deliveries.turnEnded();
    }
  }

  #heed(notice: RulesNotice): void {
    if (notice.kind !== "log") return this.handle({ kind: "lua", request: notice });
    const suppressed = this.#linesOfRules.report(notice.level, this.#now());
    if (suppressed === undefined) return;
    const more = suppressed === 0 ? {} : { not_shown: suppressed };
    this.#parts.logger[notice.level]({ part: "rules", ...more }, notice.text);
  }

  /** Who was to come into a game that is over is told where he is. */
  #unheard(call: LuaCall): void {
    if (call.kind !== "request" || call.command === "leave") return;
    const { roomId, playerId } = call;
    // Not within the call: a room must not change while it is telling us something.
    this.#parts.clock.after(0, () => this.handle({ kind: "unheard", roomId, playerId }));
  }

  #stateLost({ reason, roomIds, taskIds }: RulesLoss): void {
    const { counters } = this.#metrics;
    counters.lua_states_lost++;
    counters.rooms_lost += roomIds.length;
    if (roomIds.length > 0) {
      this.#parts.logger.error({ reason, rooms: roomIds }, "rooms ended with their rules");
    }
    this.handle({ kind: "lua_lost", roomIds, taskIds });
  }
}
