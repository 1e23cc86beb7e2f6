import { unreachable } from "../base/assert.ts";
import { gameDisconnects } from "./disconnect.ts";
import { Outbox } from "./outbox.ts";
import type { Player, PlayerId } from "./player.ts";
import type {
  RoomConfig,
  RoomContext,
  RoomEffect,
  RoomEvent,
  RoomId,
  RoomOrder,
  RoomOutbox,
  RoomRequestOfRules,
} from "./room_events.ts";
import { roomOutdatedNotice } from "../wire/server_messages.ts";
import { RoomDoor } from "./room_door.ts";
import { RoomGame } from "./room_game.ts";
import { tellChat, tellNewcomer, tellStart } from "./room_messages.ts";
import { luaPlayer, RoomSeats, type Seat } from "./room_seats.ts";
import {
  guestsAreReady,
  mayKick,
  refusedChange,
  seatRobot,
  tellChange,
  toggleReady,
  vacate,
} from "./room_waiting.ts";

/** Where a room is in its life. */
export type RoomState =
  | { readonly kind: "waiting" }
  /** A game is on; `session` counts the games of this room from 1. */
  | { readonly kind: "playing"; readonly session: number }
  /** Nobody is left: whoever owns the room forgets it. */
  | { readonly kind: "gone" };

/**
 * A room from its creation to its end: who sits in it, who owns it, whether a game is on. A
 * machine: events in, effects out. It begins empty; who enters first owns it.
 */
export class Room {
  readonly id: RoomId;
  readonly context: RoomContext;
  readonly creatorId: PlayerId;
  readonly seats: RoomSeats;
  readonly #door: RoomDoor;
  #config: RoomConfig;
  #isOutdated = false;
  #game: RoomGame | undefined;
  #isGone = false;
  #sessions = 0;
  #sessionData = "{}";
  #allReadySince: number | undefined;
  #wakeAt: number | undefined;

  /** The configuration has been checked. */
  constructor(
    context: RoomContext,
    room: { readonly id: RoomId; readonly creatorId: PlayerId; readonly config: RoomConfig },
  ) {
    this.context = context;
    this.id = room.id;
    this.creatorId = room.creatorId;
    this.#config = room.config;
    this.seats = new RoomSeats(room.id, context.whereabouts);
    this.#door = new RoomDoor(this);
  }

  get config(): RoomConfig {
    return this.#config;
  }

  get isOutdated(): boolean {
    return this.#isOutdated;
  }

  get isFull(): boolean {
    return this.seats.taken.length >= this.#config.capacity;
  }

  /** Nobody plays any more, and the rules have been told to end the game. */
  get isAbandoned(): boolean {
    return this.#game?.isAbandoned === true;
  }

  /** A game is on, and the rules have not let go of it. */
  get isOn(): boolean {
    return this.#game?.isOn === true;
  }

  get state(): RoomState {
    if (this.#isGone) return { kind: "gone" };
    if (this.#game === undefined) return { kind: "waiting" };
    return { kind: "playing", session: this.#game.session };
  }

  /** 0 before the first game. */
  get session(): { readonly id: number; readonly data: string } {
    return { id: this.#sessions, data: this.#sessionData };
  }

  /** Whether this player is to be given his seat back when he logs in again. */
  keepsSeat(player: Player): boolean {
    return this.isOn && this.seats.seatOf(player) !== undefined;
  }

  handle(event: RoomEvent, now: number): RoomEffect[] {
    const out = new Outbox<RoomOrder>();
    if (this.#isGone) return out.effects;
    this.#handle(event, out, now);
    if (this.isAbandoned) this.#sendObserversAway(out);
    if (this.#game?.isOver === true) this.#release(out, now);
    this.#watchOwner(now);
    const next = this.#game?.nextAt;
    if (
      next !== undefined && !this.#isGone && (this.#wakeAt === undefined || next < this.#wakeAt)
    ) {
      this.#wakeAt = next;
      out.push({ kind: "room_wake", at: next });
    }
    return out.effects;
  }

  #handle(event: RoomEvent, out: RoomOutbox, now: number): void {
    switch (event.kind) {
      case "enter":
        return this.#enter(event.player, event.password, out, now);
      case "observe":
        return this.#observe(event.player, event.password, out, now);
      case "quit":
        return this.#quit(event.player, out, now);
      case "disconnect":
        return this.#disconnect(event.player, out, now);
      case "add_robot":
        return this.#addRobot(event.player, out);
      case "kick":
        return this.#kick(event.player, event.target, out, now);
      case "ready":
        if (this.#game === undefined) toggleReady(this.seats, event.player, out);
        return;
      case "start":
        return this.#start(event.player, out, now);
      case "change":
        return this.#change(event.player, event, out);
      case "chat":
        return tellChat(this.seats, { sender: event.player.id, msg: event.message }, out);
      case "push_request":
        return this.#game?.pushRequest(event.player, event.request, out);
      case "reconnect":
      case "trust":
      case "reply": {
        const seat = this.seats.seatOf(event.player);
        if (this.#game === undefined || seat === undefined) return;
        if (event.kind === "reply") return this.#game.reply(seat, event, out, now);
        return this.#game[event.kind](seat, out, now);
      }
      case "lua":
        return this.#lua(event.request, out, now);
      case "stored":
        return this.#game?.stored(event.session, out, now);
      case "query_done":
        return this.#game?.queryDone(event.text, out);
      case "wake":
        // An earlier one was asked for in between when it is not the time yet.
        if ((this.#wakeAt ?? Infinity) <= now) this.#wakeAt = undefined;
        return this.#game?.wake(out, now);
      case "outdate":
        return this.#outdate(out);
      case "close":
        return this.#close(event.text, out);
      default:
        return unreachable(event);
    }
  }

  #enter(player: Player, password: string, out: RoomOutbox, now: number): void {
    const text = this.#door.refusal(player, { password, as: "player" }, now);
    if (text !== undefined) return out.sendTo(player.connection, { command: "ErrorMsg", text });
    const seat = this.seats.add(player);
    out.push({ kind: "entered", player, observes: false });
    tellNewcomer(this, seat, out);
  }

  #observe(player: Player, password: string, out: RoomOutbox, now: number): void {
    const text = this.#door.refusal(player, { password, as: "observer" }, now);
    if (text !== undefined) return out.sendTo(player.connection, { command: "ErrorMsg", text });
    this.seats.addObserver(player);
    out.push({ kind: "entered", player, observes: true });
    const observer = luaPlayer(player, this.#config.settings.gameMode, "online");
    out.lua({ kind: "add_observer", roomId: this.id, player: observer });
    out.lua({ kind: "request", roomId: this.id, playerId: player.id, command: "observe" });
  }

  #quit(player: Player, out: RoomOutbox, now: number): void {
    if (this.seats.observes(player)) {
      this.#quitObserving(player, out);
    } else {
      const seat = this.seats.seatOf(player);
      if (seat === undefined) return;
      if (this.#game !== undefined) return this.#game.quit(seat, out, now);
      this.#leave(seat, out);
    }
    if (this.#isOutdated) out.push({ kind: "drop", player, reason: gameDisconnects.outdated });
  }

  #disconnect(player: Player, out: RoomOutbox, now: number): void {
    if (this.seats.observes(player)) return this.#stopObserving(player, out);
    const seat = this.seats.seatOf(player);
    if (seat === undefined) return;
    if (this.#game !== undefined) return this.#game.disconnect(seat, out, now);
    seat.setState("offline", now);
    this.#leave(seat, out);
  }

  /** Out of a room without a game; the last human takes the room with him. */
  #leave(seat: Seat, out: RoomOutbox): void {
    const { player } = seat;
    vacate(this.seats, seat, out);
    if (seat.isConnected) out.push({ kind: "to_lobby", player });
    this.#goneIfEmpty(out);
  }

  #addRobot(player: Player, out: RoomOutbox): void {
    if (player !== this.seats.owner || this.#game !== undefined || this.isFull) return;
    if (this.context.settings.disabledFeatures.includes("AddRobot")) return;
    seatRobot(this, out);
  }

  #kick(player: Player, targetId: PlayerId, out: RoomOutbox, now: number): void {
    const target = this.seats.seatOfId(targetId);
    if (this.#game !== undefined || target === undefined) return;
    const waitingMs = now - (this.#allReadySince ?? now);
    if (!mayKick(this.seats, { by: player, target: target.player, waitingMs })) return;
    this.#door.reject(targetId, now);
    this.#leave(target, out);
  }

  #start(player: Player, out: RoomOutbox, now: number): void {
    const { seats } = this;
    if (player !== seats.owner || this.#game !== undefined) return;
    if (this.#isOutdated) {
      out.send(seats.connections(), { command: "ErrorMsg", text: "room is outdated" });
      return this.#dropAll(out);
    }
    if (!this.isFull || !guestsAreReady(seats)) return;
    tellStart(seats, out);
    this.#sessions++;
    this.#game = new RoomGame(this, this.#sessions, now);
    out.lua({ kind: "new_room", roomId: this.id });
  }

  #change(
    player: Player,
    { capacity, config, data }: RoomEvent & { readonly kind: "change" },
    out: RoomOutbox,
  ): void {
    if (this.#game !== undefined || this.seats.seatOf(player) === undefined) return;
    if (this.context.settings.disabledFeatures.includes("ChangeRoom")) return;
    const text = refusedChange(this.seats, { by: player, capacity, config });
    if (text !== undefined) return out.sendTo(player.connection, { command: "ErrorMsg", text });
    this.#config = config ?? this.#config;
    tellChange(this.seats, data, out);
  }

  #lua(request: RoomRequestOfRules, out: RoomOutbox, now: number): void {
    if (request.kind === "set_session_data") {
      this.#sessionData = request.json;
    } else if (request.kind === "emit_kick") {
      const player = this.seats.playerOf(request.connId);
      if (player?.connection === undefined) return;
      out.push({ kind: "drop", player, reason: gameDisconnects.missedRequests });
    } else if (request.kind === "remove_npc") {
      this.seats.removeNpc(request.connId);
    } else {
      this.#game?.lua(request, out, now);
    }
  }

  /** A game on old packages plays to its end; who only waits for one logs in again. */
  #outdate(out: RoomOutbox): void {
    this.#isOutdated = true;
    if (this.#game === undefined) return this.#dropAll(out);
    out.send(this.seats.allConnections(), roomOutdatedNotice);
  }

  #close(text: string, out: RoomOutbox): void {
    this.#game = undefined;
    out.send(this.seats.allConnections(), { command: "ErrorDlg", text });
    for (const seat of [...this.seats.taken]) {
      const { player, isConnected, state } = seat;
      this.seats.remove(player);
      if (isConnected) out.push({ kind: "to_lobby", player });
      else if (state === "offline") out.push({ kind: "forget", player });
    }
    this.#goneIfEmpty(out);
  }

  /** The game is over: who is not there leaves, robots included, and the room waits again. */
  #release(out: RoomOutbox, now: number): void {
    const leaving = this.#game?.leaving ?? new Set();
    this.#game = undefined;
    this.seats.removeNpcs();
    for (const seat of [...this.seats.taken]) {
      if (seat.isConnected) continue;
      vacate(this.seats, seat, out);
      if (seat.state === "offline") out.push({ kind: "forget", player: seat.player });
    }
    for (const player of leaving) this.#quit(player, out, now);
    this.#goneIfEmpty(out);
  }

  #goneIfEmpty(out: RoomOutbox): void {
    if (this.#isGone || this.seats.hasConnected) return;
    this.#sendObserversAway(out);
    this.seats.clear();
    this.#isGone = true;
    out.push({ kind: "gone" });
  }

  #sendObserversAway(out: RoomOutbox): void {
    for (const player of [...this.seats.observers]) this.#quitObserving(player, out);
  }

  #quitObserving(player: Player, out: RoomOutbox): void {
    const { id, name, record: { avatar } } = player;
    out.sendTo(player.connection, { command: "Setup", id, name, avatar });
    this.#stopObserving(player, out);
    out.push({ kind: "to_lobby", player });
  }

  #stopObserving(player: Player, out: RoomOutbox): void {
    out.lua({ kind: "request", roomId: this.id, playerId: player.id, command: "leave" });
    this.seats.removeObserver(player);
    out.lua({ kind: "remove_observer", roomId: this.id, playerId: player.id });
  }

  #dropAll(out: RoomOutbox): void {
    const reason = gameDisconnects.outdated;
    for (const { player } of this.seats.taken) {
      if (!player.isRobot) out.push({ kind: "drop", player, reason });
    }
    for (const player of this.seats.observers) out.push({ kind: "drop", player, reason });
  }

  #watchOwner(now: number): void {
    const keepsWaiting = this.#game === undefined && this.isFull && guestsAreReady(this.seats);
    this.#allReadySince = keepsWaiting ? this.#allReadySince ?? now : undefined;
  }
}
