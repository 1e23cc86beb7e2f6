import { unreachable } from "../base/assert.ts";
import { DeadlineQueue } from "../base/deadline_queue.ts";
import { type GameDisconnect, gameDisconnects } from "./disconnect.ts";
import { enabledFeatures, type GameSettings } from "./game_settings.ts";
import { Heartbeats } from "./heartbeat.ts";
import { obey } from "./lobby_commands.ts";
import type { LobbyEvent } from "./lobby_events.ts";
import { LobbyNumbers } from "./lobby_numbers.ts";
import { carryOut } from "./lobby_orders.ts";
import { OnlinePlayers, type Visitor } from "./lobby_players.ts";
import { LobbyTasks } from "./lobby_tasks.ts";
import { lobbyReads } from "./lobby_reads.ts";
import type { LuaAnswers } from "./lua/lua_host.ts";
import { type Effect, Outbox } from "./outbox.ts";
import { Player, type PlayerId, PlayerRecord } from "./player.ts";
import { type RoomContext, roomContext, type RoomEvent, type RoomId } from "./room_events.ts";
import { RoomList } from "./room_list.ts";
import { VisitorRates } from "./visitor_rates.ts";

/** Comings and goings are told to all only while so few are online. */
export const smallServerMax = 10;

/**
 * All that happens on a game server after the login: who is online, the lobby, and through it the
 * rooms. A machine: events in, effects out, in order; `now` is monotonic, in milliseconds.
 */
export class Lobby {
  readonly online = new OnlinePlayers();
  readonly rooms: RoomList;
  readonly heartbeats: Heartbeats;
  readonly numbers = new LobbyNumbers(this.online);
  readonly tasks: LobbyTasks;
  readonly #context: RoomContext;
  readonly #roomWakes = new DeadlineQueue<RoomId>();
  #out = new Outbox();
  #now = 0;
  #nowEpoch = 0;
  #wakeAskedFor: number | undefined;

  constructor(settings: GameSettings) {
    this.#context = roomContext(settings);
    this.tasks = new LobbyTasks(this.#context.ids);
    this.rooms = new RoomList(this.#context);
    this.heartbeats = new Heartbeats(settings.heartbeatMs);
  }

  get settings(): GameSettings {
    return this.#context.settings;
  }

  /** What the rules may read at any time. */
  get reads(): LuaAnswers {
    return lobbyReads(this.rooms, this.tasks, this.#context);
  }

  /** Players, robots and observers that rooms still hold: 0 when there is no room. */
  get whereaboutsSize(): number {
    return this.#context.whereabouts.size;
  }

  /** Whether a login of this account is a return into a running game. */
  hasSeatInGame(id: PlayerId): boolean {
    const visitor = this.online.byId(id);
    const room = visitor?.roomId === undefined ? undefined : this.rooms.room(visitor.roomId);
    return visitor !== undefined && room?.keepsSeat(visitor.player) === true;
  }

  handle(event: LobbyEvent, now: number): Effect[] {
    this.#out = new Outbox();
    this.#now = now;
    this.#handle(event);
    this.numbers.settle(this.#out, now);
    this.#askForWake();
    return this.#out.effects;
  }

  /** Gives an event to a room and carries out what the room wants of the lobby. */
  tellRoom(roomId: RoomId, event: RoomEvent): void {
    for (const effect of this.rooms.handle(roomId, event, this.#now)) {
      switch (effect.kind) {
        case "room_wake":
          this.#roomWakes.add(effect.at, roomId);
          break;
        default:
          carryOut(this, { effect, roomId, out: this.#out, epochMs: this.#nowEpoch });
      }
    }
  }

  /** A line to everybody else who is connected, while the server is small. */
  announce(visitor: Visitor, text: string): void {
    if (this.online.size > smallServerMax) return;
    this.#out.send(this.online.connections(visitor.player.connection), {
      command: "ServerMessage",
      text: `${visitor.player.name} ${text}`,
    });
  }

  /** He hears at once how many are there; the others a little later. */
  welcomeToLobby(visitor: Visitor): void {
    this.online.enterLobby(visitor);
    this.#out.sendTo(visitor.player.connection, { command: "EnterLobby" });
    this.numbers.tell(visitor, this.#out);
  }

  introduce(visitor: Visitor, epochMs: number): void {
    const { id, name, connection, record: { avatar } } = visitor.player;
    const { motd, hiddenPacks } = this.settings;
    this.#out.sendTo(connection, { command: "Setup", id, name, avatar, nowMs: epochMs });
    this.#out.sendTo(connection, {
      command: "SetServerSettings",
      motd,
      hiddenPacks,
      enabledFeatures: enabledFeatures(this.settings),
    });
  }

  /** Closes his connection and lets everybody know that it is gone. */
  drop(visitor: Visitor, reason: GameDisconnect): void {
    const { connection } = visitor.player;
    if (connection === undefined) return;
    this.#out.push({ kind: "close", connection, reason });
    this.#gone(visitor, { closedBy: "server" });
  }

  /**
   * His connection is gone. A seat in a running game waits for him, everything else is over. Of who
   * went by himself the line comes before the state of his seat (trace guest_rights), of whom the
   * server closed after it (trace game_timeout).
   */
  #gone(visitor: Visitor, { closedBy }: { readonly closedBy: "peer" | "server" }): void {
    const { player, roomId } = visitor;
    if (player.connection !== undefined) this.heartbeats.remove(player.connection);
    this.tasks.abortAllOf(player, this.#out);
    const room = roomId === undefined ? undefined : this.rooms.room(roomId);
    if (room?.keepsSeat(player) === true) {
      this.online.disconnect(visitor);
      if (closedBy === "peer") this.announce(visitor, "logged out");
      this.tellRoom(room.id, { kind: "disconnect", player });
      if (closedBy === "server") this.announce(visitor, "logged out");
      return;
    }
    this.online.disconnect(visitor);
    this.announce(visitor, "logged out");
    this.online.remove(visitor);
    if (room !== undefined) this.tellRoom(room.id, { kind: "disconnect", player });
  }

  newPlayer(record: PlayerRecord, seen: { connection: number; origin: Player["origin"] }): Player {
    return new Player(this.#context.ids.nextLuaId(), record, seen);
  }

  #handle(event: LobbyEvent): void {
    switch (event.kind) {
      case "login":
        return this.#login(event);
      case "closed": {
        const visitor = this.online.byConnection(event.connection);
        if (visitor !== undefined) this.#gone(visitor, { closedBy: "peer" });
        return;
      }
      case "command": {
        const visitor = this.online.byConnection(event.connection);
        if (visitor === undefined) return;
        return obey(this, { visitor, command: event.command, out: this.#out, now: this.#now });
      }
      case "reply": {
        const visitor = this.online.byConnection(event.connection);
        if (visitor?.roomId === undefined) return;
        const { id, data } = event;
        return this.tellRoom(visitor.roomId, { kind: "reply", player: visitor.player, id, data });
      }
      case "lua":
        return this.#lua(event);
      case "lua_lost":
        for (const id of event.roomIds) this.#closeRoom(id);
        for (const id of event.taskIds ?? []) this.tasks.forget(id);
        return;
      case "unheard": {
        const visitor = this.online.byId(event.playerId);
        if (visitor?.roomId !== event.roomId) return;
        return this.tellRoom(event.roomId, { kind: "quit", player: visitor.player });
      }
      case "stored":
        return this.tellRoom(event.roomId, { kind: "stored", session: event.session });
      case "query_done": {
        if (event.roomId < 0) return this.tasks.queryDone(event.roomId, event.text, this.#out);
        const found = event.text === undefined ? {} : { text: event.text };
        return this.tellRoom(event.roomId, { kind: "query_done", ...found });
      }
      case "global_save":
      case "password_changed":
        if (this.online.byConnection(event.connection) === undefined) return;
        return this.#out.sendTo(
          event.connection,
          event.kind === "global_save"
            ? { command: "ReadGlobalSaveState", json: event.json }
            : { command: "UpdatePassword", changed: event.changed },
        );
      case "settings":
        this.#context.settings = event.settings;
        this.heartbeats.intervalMs = event.settings.heartbeatMs;
        return;
      case "outdate":
        return this.#outdate();
      case "announce": {
        const room = event.roomId === undefined ? undefined : this.rooms.room(event.roomId);
        if (event.roomId !== undefined && room === undefined) return;
        const to = room?.seats.allConnections() ?? this.online.connections();
        return this.#out.send(to, { command: "ServerMessage", text: event.text });
      }
      case "kick": {
        const visitor = this.online.byId(event.playerId);
        if (visitor !== undefined) this.drop(visitor, gameDisconnects.kickedByOperator);
        return;
      }
      case "kill_room":
        return this.#closeRoom(event.roomId);
      case "mute": {
        const visitor = this.online.byId(event.playerId);
        if (visitor !== undefined) visitor.player.record.mutedUntil = event.until;
        return;
      }
      case "wake":
        return this.#wake();
      default:
        return unreachable(event);
    }
  }

  #login(event: Extract<LobbyEvent, { kind: "login" }>): void {
    const { connection, account, origin, epochMs } = event;
    const before = this.online.byId(account.id);
    this.#nowEpoch = epochMs;
    this.#out.sendTo(before?.player.connection, {
      command: "ErrorDlg",
      text: gameDisconnects.otherLogin.text,
    });
    const room = before?.roomId === undefined ? undefined : this.rooms.room(before.roomId);
    if (before !== undefined && room?.keepsSeat(before.player) === true) {
      const old = before.player.connection;
      if (old !== undefined) {
        this.#out.push({ kind: "close", connection: old, reason: gameDisconnects.otherLogin });
        this.heartbeats.remove(old);
        this.online.disconnect(before);
      }
      before.player.connection = connection;
      before.player.origin = origin;
      this.online.connect(before);
      this.heartbeats.add(connection, this.#now);
      this.announce(before, "backed");
      return this.tellRoom(room.id, { kind: "reconnect", player: before.player });
    }
    const visitor: Visitor = {
      player: this.newPlayer(new PlayerRecord(account), { connection, origin }),
      roomId: undefined,
      rates: new VisitorRates(this.settings.chat, this.#now),
      numbersTold: undefined,
    };
    this.announce(visitor, "logged in");
    this.online.add(visitor);
    this.heartbeats.add(connection, this.#now);
    this.introduce(visitor, epochMs);
    const { id, record: { totalGameTime: seconds } } = visitor.player;
    this.#out.sendTo(connection, { command: "AddTotalGameTime", id, seconds });
    if (before !== undefined) this.online.leaveLobby(before);
    this.welcomeToLobby(visitor);
    if (before !== undefined) this.drop(before, gameDisconnects.otherLogin);
  }

  #lua({ request }: Extract<LobbyEvent, { kind: "lua" }>): void {
    if ("taskId" in request) return this.tasks.lua(request, this.#out, this.#now);
    if (request.kind === "do_notify" && !this.#context.whereabouts.has(request.connId)) {
      const player = this.tasks.player(request.connId);
      const { command: name, data } = request;
      return this.#out.sendTo(player?.connection, { command: "raw", name, data });
    }
    const roomId = "roomId" in request
      ? request.roomId
      : this.#context.whereabouts.get(request.connId);
    if (roomId !== undefined) this.tellRoom(roomId, { kind: "lua", request });
  }

  #closeRoom(id: RoomId): void {
    this.tellRoom(id, { kind: "close", text: "Server Internal Error" });
  }

  #outdate(): void {
    for (const { id } of [...this.rooms.all()]) this.tellRoom(id, { kind: "outdate" });
    for (const visitor of [...this.online.lobby]) this.drop(visitor, gameDisconnects.outdated);
  }

  #wake(): void {
    this.#wakeAskedFor = undefined;
    for (;;) {
      const roomId = this.#roomWakes.take(this.#now);
      if (roomId === undefined) break;
      this.tellRoom(roomId, { kind: "wake" });
    }
    this.tasks.wake(this.#out, this.#now);
    const { alive, dead } = this.heartbeats.beat(this.#now);
    this.#out.send(alive, { command: "Heartbeat" });
    for (const connection of dead) {
      const visitor = this.online.byConnection(connection);
      if (visitor !== undefined) this.drop(visitor, gameDisconnects.heartbeat);
    }
  }

  #askForWake(): void {
    const { heartbeats, numbers, tasks } = this;
    const times = [this.#roomWakes.next, heartbeats.nextAt, numbers.nextAt, tasks.nextAt];
    const next = Math.min(...times.map((at) => at ?? Infinity));
    if (next === Infinity || (this.#wakeAskedFor ?? Infinity) <= next) return;
    this.#wakeAskedFor = next;
    this.#out.push({ kind: "wake", at: next });
  }
}
