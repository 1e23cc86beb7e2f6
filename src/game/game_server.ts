import type { GameConfig } from "../config/game_config.ts";
import { unreachable } from "../base/assert.ts";
import type { TcpCloseReason, TcpConnection } from "../ports/tcp.ts";
import type { Zlib } from "../ports/zlib.ts";
import { encodeServerPacket } from "../wire/encode_server_message.ts";
import type { PackageEntry, ServerMessage } from "../wire/server_messages.ts";
import type { SetupRequest } from "../wire/setup.ts";
import { decideGreeting } from "./accounts/login_decision.ts";
import { addressGroup } from "./accounts/login_limits.ts";
import { type Refusal, refusal } from "./accounts/refusals.ts";
import { Deliveries } from "./deliveries.ts";
import { connectionDisconnects, disconnectOf, type GameDisconnect } from "./disconnect.ts";
import { GameMetrics } from "./game_metrics.ts";
import { GamePeer, type GiveBack, type PeerOwner } from "./game_peer.ts";
import { GameReports } from "./game_reports.ts";
import { gameSettings } from "./game_settings.ts";
import type { Lobby } from "./lobby.ts";
import type { LobbyEvent } from "./lobby_events.ts";
import { LobbyRunner, type LobbyRunnerParts } from "./lobby_runner.ts";
import { LoginDesk, type LoginDeskParts } from "./login_desk.ts";
import { PendingPeers } from "./pending_peers.ts";
import type { RulesPool } from "./rules_pool.ts";
import { GameSession, type SessionInput, type SessionRules, sessionRulesOf } from "./session.ts";

/** The packages as clients must have them. */
export interface InstalledPackages {
  readonly md5: string;
  readonly updateList: readonly PackageEntry[];
}

export type GameServerParts =
  & LobbyRunnerParts
  & LoginDeskParts
  & { readonly zlib: Zlib; readonly packages: InstalledPackages };

/**
 * The shell of the game: takes connections over, reads them, lets players in, and closes them. What
 * happens after the login is the lobby's (`LobbyRunner`).
 */
export class GameServer implements PeerOwner {
  readonly metrics = new GameMetrics();
  readonly deliveries: Deliveries;
  readonly pending: PendingPeers;
  /** As clients are told them; set anew alone when only their addresses have changed. */
  packages: InstalledPackages;
  readonly #runner: LobbyRunner;
  readonly #parts: GameServerParts;
  readonly #reports: GameReports;
  readonly #desk: LoginDesk;
  readonly #greeting: Uint8Array;
  #config: GameConfig;
  #sessionRules: SessionRules;
  #lastId = 0;
  #isStopping = false;

  constructor(parts: GameServerParts) {
    const { clock, config, logger, keys: { publicPem: publicKey } } = parts;
    const { metrics } = this;
    this.#parts = parts;
    this.#config = config;
    this.packages = parts.packages;
    this.#sessionRules = sessionRulesOf(config, parts.zlib);
    this.#greeting = encodeServerPacket({ command: "NetworkDelayTest", publicKey });
    this.deliveries = new Deliveries({
      clock,
      outboundBytesMax: config.outboundBytesMax,
      slow: (peer) => this.#cut(peer, connectionDisconnects.slow),
    });
    this.pending = new PendingPeers({
      clock,
      timeoutMs: config.setupTimeoutSeconds * 1_000,
      expired: (peer) => this.#cut(peer, connectionDisconnects.setupTimeout),
    });
    const reports = this.#reports = new GameReports({ clock, logger, metrics });
    const packagesMd5 = () => this.packages.md5;
    this.#desk = new LoginDesk(parts, { metrics, reports, packagesMd5 });
    const close = (peer: GamePeer, why: GameDisconnect) => this.#end(peer, why);
    const { deliveries } = this;
    this.#runner = new LobbyRunner(parts, { metrics, reports, deliveries, close });
  }

  get config(): GameConfig {
    return this.#config;
  }

  get lobby(): Lobby {
    return this.#runner.lobby;
  }

  get rules(): RulesPool {
    return this.#runner.rules;
  }

  /** Whether a player's connection is open. */
  isConnected(connection: number): boolean {
    return this.#runner.players.has(connection);
  }

  /** Starts the rules; connections may come before they are ready. */
  start(): void {
    this.rules.renew();
  }

  /** Closes all connections and ends the rules. */
  async stop(): Promise<void> {
    this.#isStopping = true;
    this.pending.stop();
    for (const peer of [...this.pending.peers, ...this.#runner.players.values()]) {
      this.#end(peer, connectionDisconnects.stopping);
    }
    this.deliveries.close();
    await this.#runner.stop();
  }

  /** Another configuration, for what can be changed while the server runs: all of it but
   * `outboundBytesMax`, which the TCP port has a part in. */
  configure(config: GameConfig): void {
    this.#config = config;
    this.#sessionRules = sessionRulesOf(config, this.#parts.zlib);
    this.#desk.configure(config);
    this.pending.timeoutMs = config.setupTimeoutSeconds * 1_000;
    this.handle({ kind: "settings", settings: gameSettings(config) });
  }

  /** The packages have changed: who does not play must log in anew, with the same ones. */
  replacePackages(packages: InstalledPackages): void {
    this.packages = packages;
    this.rules.renew();
    this.handle({ kind: "outdate" });
  }

  /** Gives lobby and rooms an event, an operator's for example. */
  handle(event: LobbyEvent): void {
    this.#runner.handle(event);
  }

  /** Takes over a connection whose peer speaks this protocol, or says nothing. */
  adopt(
    socket: TcpConnection<unknown>,
    opening: { readonly bytes: Uint8Array | undefined; readonly giveBack: GiveBack | undefined },
  ): GamePeer | undefined {
    const peer = new GamePeer({
      id: ++this.#lastId,
      socket,
      session: new GameSession(this.#sessionRules),
      owner: this,
      giveBack: opening.giveBack,
    });
    this.metrics.counters.connections++;
    const { bans, clock } = this.#parts;
    const refused = this.#isStopping ? undefined : decideGreeting({
      isIpBanned: bans.isIpBanned(peer.ip),
      isIpTemporarilyBanned: bans.isIpTemporarilyBanned(peer.ip, clock.now()),
      loggedIn: this.lobby.online.size,
      capacity: this.#config.capacity,
    });
    if (refused !== undefined) {
      this.#refuse(peer, refused);
    } else if (this.#isStopping) {
      this.#end(peer, connectionDisconnects.stopping);
    } else if (!this.pending.add(peer, addressGroup(peer.ip), this.#config.maxPendingPerIp)) {
      this.#cut(peer, connectionDisconnects.tooManyPending);
    } else {
      socket.write(this.#greeting);
      if (opening.bytes !== undefined) this.received(peer, opening.bytes);
    }
    return peer;
  }

  received(peer: GamePeer, bytes: Uint8Array): void {
    if (peer.stage === "closing") return;
    this.metrics.counters.bytes_in += bytes.length;
    peer.session.push(bytes, this.#now());
    this.#read(peer);
  }

  ended(peer: GamePeer): void {
    this.#end(peer, connectionDisconnects.peerClosed);
  }

  gone(peer: GamePeer, reason: TcpCloseReason): void {
    const isNew = peer.stage !== "closing";
    peer.stage = "closing";
    peer.session.close();
    this.#forget(peer);
    if (isNew) this.#reports.closed(peer, disconnectOf(reason));
  }

  /** Takes what has come, as far as it may be taken now. */
  #read(peer: GamePeer): void {
    const { session } = peer;
    this.#carefully(peer, "read", () => {
      const next = () => session.next(this.#now());
      for (let input = next(); input && this.#take(peer, input);) input = next();
      session.keep();
    });
  }

  /** What is sent meanwhile leaves together. A fault of ours costs this connection, not the server. */
  #carefully(peer: GamePeer, event: string, work: () => void): void {
    this.deliveries.begin();
    try {
      work();
    } catch (error) {
      this.#reports.fault(event, error);
      this.#cut(peer, connectionDisconnects.internalError);
    } finally {
      this.deliveries.turnEnded();
    }
  }

  /** Whether more may be read at once. */
  #take(peer: GamePeer, input: SessionInput): boolean {
    switch (input.kind) {
      case "setup":
        peer.stage = "logging_in";
        peer.socket.pause();
        void this.#login(peer, input.setup);
        return false;
      case "invalid_setup":
        this.#refuse(peer, refusal("invalid_setup"));
        return false;
      case "command":
        this.metrics.counters.packets_in++;
        this.handle({ kind: "command", connection: peer.id, command: input.command });
        return true;
      case "reply":
        this.metrics.counters.packets_in++;
        this.handle({ kind: "reply", connection: peer.id, id: input.id, data: input.data });
        return true;
      case "ignored":
        this.metrics.ignored.add(input.reason);
        return true;
      case "fault":
        this.#cut(peer, { code: input.fault, text: undefined, retry: false });
        return false;
      case "flood":
        this.#cut(peer, connectionDisconnects.flood);
        return false;
      case "too_fast":
        this.#rest(peer, input.until);
        return false;
      case "host_text":
        this.#returnToHost(peer, input.bytes);
        return false;
      default:
        return unreachable(input);
    }
  }

  #rest(peer: GamePeer, until: number): void {
    // What the system had read already may still come while it rests.
    if (peer.isResting) return;
    peer.isResting = true;
    peer.socket.pause();
    this.#parts.clock.after(Math.max(1, Math.ceil(until - this.#now())), () => {
      peer.isResting = false;
      if (peer.stage === "closing") return;
      peer.socket.resume();
      this.#read(peer);
    });
  }

  #returnToHost(peer: GamePeer, bytes: Uint8Array): void {
    if (peer.giveBack === undefined) {
      return this.#cut(peer, { code: "packet_not_array", text: undefined, retry: false });
    }
    this.metrics.counters.given_back++;
    peer.stage = "closing";
    this.#forget(peer);
    peer.giveBack(peer.socket, bytes);
  }

  async #login(peer: GamePeer, setup: SetupRequest): Promise<void> {
    const entry = await this.#desk.admit({ setup, ip: peer.ip, connection: peer.id });
    if (peer.stage !== "logging_in") return;
    if (entry.kind === "failed") return this.#cut(peer, connectionDisconnects.internalError);
    if (entry.kind === "refused") return this.#refuse(peer, entry.refusal);
    const before = this.lobby.online.byId(entry.login.account.id);
    if (before === undefined && this.lobby.online.size >= this.#config.capacity) {
      return this.#refuse(peer, refusal("server_full"));
    }
    this.#carefully(peer, "let_in", () => {
      this.#letIn(peer, entry.login);
      entry.settle();
    });
  }

  #letIn(peer: GamePeer, login: LobbyEvent & { kind: "login" }): void {
    this.pending.remove(peer);
    peer.stage = "playing";
    peer.session.loggedIn(this.#now());
    this.#runner.add(peer);
    const isReturn = this.lobby.hasSeatInGame(login.account.id);
    this.handle(login);
    // After a fault the lobby may not know of it: nobody would ever look after it.
    if (this.lobby.online.byConnection(peer.id) === undefined) {
      return this.#cut(peer, connectionDisconnects.internalError);
    }
    this.metrics.counters.logins++;
    if (isReturn) this.metrics.counters.reconnects++;
    this.#reports.loggedIn(peer, login.account);
    peer.socket.resume();
    this.#read(peer);
  }

  /** Says why (`ErrorDlg`, and the packages to get), then closes. */
  #refuse(peer: GamePeer, why: Refusal): void {
    this.metrics.refusals.add(why.reason);
    const say = (message: ServerMessage) => this.deliveries.add(peer, encodeServerPacket(message));
    say({ command: why.command, text: why.text });
    if (why.sendPackages) say({ command: "UpdatePackage", packages: this.packages.updateList });
    this.#end(peer, { code: `refused_${why.reason}`, text: why.text, retry: false });
  }

  /** Closes after what was queued has left. */
  #end(peer: GamePeer, why: GameDisconnect): void {
    this.deliveries.flushPeer(peer);
    if (!this.#beginClose(peer, why)) return;
    // What it still sends is dropped; without reading, its own close would not be seen.
    peer.socket.resume();
    peer.socket.end();
  }

  /** Closes at once: what waits for this peer is of no use to it. */
  #cut(peer: GamePeer, why: GameDisconnect): void {
    peer.queued = undefined;
    if (this.#beginClose(peer, why)) peer.socket.destroy();
  }

  #beginClose(peer: GamePeer, why: GameDisconnect): boolean {
    if (peer.closedFor !== undefined) return false;
    peer.stage = "closing";
    peer.session.close();
    peer.closedFor = why.code;
    this.#reports.closed(peer, why);
    this.#forget(peer);
    return true;
  }

  /** It counts nowhere any more. */
  #forget(peer: GamePeer): void {
    this.pending.remove(peer);
    this.#runner.remove(peer);
  }

  #now(): number {
    return this.#parts.clock.monotonic();
  }
}
