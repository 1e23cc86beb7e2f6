import { DeadlineQueue } from "../base/deadline_queue.ts";
import { equalsAscii } from "../wire/utf8.ts";
import type { LuaPlayerRequest, LuaRoomRequest } from "./lua/lua_host.ts";
import { type Player, playerStateNumbers } from "./player.ts";
import type { RoomConfig, RoomContext, RoomId, RoomOutbox } from "./room_events.ts";
import { answerQuery, foundState } from "./room_queries.ts";
import type { RoomSeats, Seat } from "./room_seats.ts";

/** Rules that were told to give up and do not end their game lose the room after so long. */
export const abandonMsMax = 30_000;

/** A room has one course of events; more delays at a time are a fault of the rules. */
export const delaysMax = 64;

/** What a game needs of its room. */
export interface GameRoom {
  readonly id: RoomId;
  readonly context: RoomContext;
  readonly seats: RoomSeats;
  readonly config: RoomConfig;
  readonly isOutdated: boolean;
}

type Phase =
  | { readonly kind: "playing" }
  /** The rules said so; over when the store and the rules have let go. */
  | { readonly kind: "ending"; readonly isStored: boolean; readonly isReleased: boolean };

/** One game of a room, from its start until the rules let go of the room. */
export class RoomGame {
  readonly session: number;
  readonly #room: GameRoom;
  #phase: Phase = { kind: "playing" };
  #isSettled = false;
  readonly #secondsPlayed = new Map<Seat, number>();
  readonly #withResult = new Set<Player>();
  readonly #leaving = new Set<Player>();
  readonly #delays = new DeadlineQueue<null>();
  #requestTimer: number | undefined;
  #abandonedUntil: number | undefined;

  constructor(room: GameRoom, session: number, now: number) {
    this.#room = room;
    this.session = session;
    for (const seat of room.seats.taken) seat.startGame(now);
  }

  get isOver(): boolean {
    return this.#phase.kind === "ending" && this.#phase.isStored && this.#phase.isReleased;
  }

  /** Somebody plays, and the rules still hold the room: who comes back hears from them. */
  get isOn(): boolean {
    const isReleased = this.#phase.kind === "ending" && this.#phase.isReleased;
    return !isReleased && !this.isAbandoned;
  }

  get isAbandoned(): boolean {
    return this.#abandonedUntil !== undefined;
  }

  /** Who wanted to leave after the end of the game, before it was over. */
  get leaving(): ReadonlySet<Player> {
    return this.#leaving;
  }

  /** When the next `wake` is due; undefined when nothing waits. */
  get nextAt(): number | undefined {
    const times = [this.#requestTimer, this.#delays.next, this.#abandonedUntil];
    const known = times.filter((at) => at !== undefined);
    return known.length === 0 ? undefined : Math.min(...known);
  }

  wake(out: RoomOutbox, now: number): void {
    while (this.#delays.take(now) !== undefined) this.#resume(out, "delay_done");
    if (this.#requestTimer !== undefined && this.#requestTimer <= now) {
      this.#requestTimer = undefined;
      this.#resume(out, "request_timer");
    }
    if (this.#abandonedUntil !== undefined && this.#abandonedUntil <= now) {
      this.#abandonedUntil = now + abandonMsMax;
      this.#letGo(out, now);
    }
  }

  /** In a running game a player who quits runs away; after its end he leaves a little later. */
  quit(seat: Seat, out: RoomOutbox, now: number): void {
    if (this.#phase.kind === "ending") {
      this.#leaving.add(seat.player);
      return;
    }
    const { isOutdated } = this.#room;
    const audience = this.#room.seats.connections();
    seat.setState("run", now);
    if (!seat.died) this.#recordRun(seat, out);
    this.#tellState(seat, audience, out);
    this.#wakeIfThinking(seat, "player_disconnect", out);
    const fate = isOutdated ? "close" : seat.died ? "lobby" : "ban";
    out.push({ kind: "run_away", player: seat.player, fate });
    this.#giveUpIfAbandoned(out, now);
  }

  /** The seat stays until the end of the game. */
  disconnect(seat: Seat, out: RoomOutbox, now: number): void {
    this.#leaving.delete(seat.player);
    seat.setState("offline", now);
    this.#tellState(seat, this.#room.seats.connections(), out);
    this.#wakeIfThinking(seat, "player_disconnect", out);
    this.#giveUpIfAbandoned(out, now);
  }

  reconnect(seat: Seat, out: RoomOutbox, now: number): void {
    const { player } = seat;
    if (seat.state === "offline") {
      seat.setState("online", now);
      this.#tellState(seat, this.#room.seats.connections(), out);
    }
    out.push({ kind: "welcome", player });
    const { id: roomId } = this.#room;
    out.lua({ kind: "request", roomId, playerId: player.id, command: "reconnect" });
  }

  trust(seat: Seat, out: RoomOutbox, now: number): void {
    if (this.#phase.kind !== "playing") return;
    const trusts = seat.state === "online";
    seat.setState(trusts ? "trust" : "online", now);
    this.#tellState(seat, this.#room.seats.connections(), out);
    if (trusts) this.#wakeIfThinking(seat, "player_trust", out);
  }

  reply(seat: Seat, answer: { id: number; data: Uint8Array }, out: RoomOutbox, now: number): void {
    if (!seat.slot.answer(answer.id, answer.data, now)) return;
    this.#resume(out, "reply");
  }

  pushRequest(player: Player, request: Uint8Array, out: RoomOutbox): void {
    if (isForServers(request)) return;
    out.lua({ kind: "push_request", roomId: this.#room.id, playerId: player.id, request });
  }

  /** A query of the rules has been answered; `text` is undefined when it was a save. */
  queryDone(text: string | undefined, out: RoomOutbox): void {
    this.#resume(out, text === undefined ? "query_done" : foundState(text));
  }

  /** What the game recorded is on disk: now everybody may see it. */
  stored(session: number, out: RoomOutbox, now: number): void {
    const phase = this.#phase;
    if (session !== this.session || phase.kind !== "ending" || phase.isStored) return;
    this.#phase = { ...phase, isStored: true };
    const { seats, config } = this.#room;
    const audience = seats.connections();
    for (const { record, id } of this.#withResult) {
      const statistics = record.statisticsOf(config.settings.gameMode);
      out.send(audience, { command: "UpdateGameData", id, ...statistics });
    }
    for (const [seat, seconds] of this.#secondsPlayed) {
      const { id } = seat.player;
      out.send(audience, { command: "AddTotalGameTime", id, seconds });
    }
    for (const seat of seats.taken) {
      if (seat.state !== "trust") continue;
      seat.setState("online", now);
      const { id } = seat.player;
      out.send(audience, { command: "NetStateChanged", id, state: "online" });
    }
  }

  lua(request: LuaPlayerRequest | LuaRoomRequest, out: RoomOutbox, now: number): void {
    switch (request.kind) {
      case "do_request": {
        const seat = this.#room.seats.seatOfLuaId(request.connId);
        // Who is not online is played by the machine: no question, and no id is used up.
        if (seat?.state !== "online" || seat.player.connection === undefined) return;
        const id = this.#room.context.ids.nextRequest();
        seat.slot.ask(id, request.timeout, now);
        const { command, data, timeout, timestamp } = request;
        const to = seat.player.connection;
        out.push({ kind: "request", to, request: { id, command, data, timeout, timestamp } });
        return;
      }
      case "do_notify": {
        const player = this.#room.seats.playerOf(request.connId);
        const { command: name, data } = request;
        out.sendTo(player?.connection, { command: "raw", name, data });
        return;
      }
      case "set_thinking": {
        const seat = this.#room.seats.seatOfLuaId(request.connId);
        if (seat !== undefined) seat.thinking = request.thinking;
        return;
      }
      case "set_died": {
        const seat = this.#room.seats.seatOfLuaId(request.connId);
        if (seat !== undefined) seat.died = request.died;
        return;
      }
      case "delay":
        if (request.ms <= 0 || this.#delays.size >= delaysMax) this.#resume(out, "delay_done");
        else this.#delays.add(now + request.ms, null);
        return;
      case "set_request_timer":
        this.#requestTimer = request.ms > 0 ? now + request.ms : undefined;
        if (request.ms <= 0) this.#resume(out, "request_timer");
        return;
      case "destroy_request_timer":
        this.#requestTimer = undefined;
        return;
      case "player_result": {
        const { playerId, mode, role, result } = request;
        if (playerId <= 0) return;
        out.store({ kind: "player_result", playerId, mode, role, result });
        const seat = this.#room.seats.seatOfId(playerId);
        if (seat === undefined) return;
        seat.player.record.addGame(mode, result === 1);
        this.#withResult.add(seat.player);
        return;
      }
      case "general_result": {
        const { general, mode, role, result } = request;
        out.store({ kind: "general_result", general, mode, role, result });
        return;
      }
      case "game_over":
        this.#end(out, now);
        return;
      case "decrease_ref_count":
        this.#letGo(out, now);
        return;
      case "emit_kick":
      case "set_session_data":
        // The room's own.
        return;
      default:
        answerQuery(this.#room, request, out);
    }
  }

  #end(out: RoomOutbox, now: number): void {
    if (this.#phase.kind === "ending") return;
    this.#phase = { kind: "ending", isStored: false, isReleased: false };
    this.#settle(out, now);
    const { id: roomId } = this.#room;
    out.store({ kind: "end_of_game", roomId, session: this.session });
  }

  /** The rules are through with the room, with or without a word about the end. */
  #letGo(out: RoomOutbox, now: number): void {
    this.#end(out, now);
    if (this.#phase.kind === "ending") this.#phase = { ...this.#phase, isReleased: true };
  }

  /** Once a game: time played, and what happens to those who are not there at the end. */
  #settle(out: RoomOutbox, now: number): void {
    if (this.#isSettled) return;
    this.#isSettled = true;
    for (const seat of this.#room.seats.taken) {
      const { player } = seat;
      if (player.isRobot) continue;
      const seconds = seat.secondsPlayed(now);
      player.record.totalGameTime += seconds;
      this.#secondsPlayed.set(seat, seconds);
      out.store({ kind: "add_game_time", playerId: player.id, seconds });
      if (seat.state !== "offline" || seat.died) continue;
      this.#recordRun(seat, out);
      if (!this.#room.isOutdated) out.push({ kind: "ban", player });
    }
  }

  #giveUpIfAbandoned(out: RoomOutbox, now: number): void {
    const { seats } = this.#room;
    if (seats.hasConnected || this.#abandonedUntil !== undefined) return;
    this.#abandonedUntil = now + abandonMsMax;
    this.#settle(out, now);
    this.#resume(out, "abandon");
    // Nobody can come back to it: who logs in now begins in the lobby.
    for (const { player, state } of seats.taken) {
      if (state === "offline") out.push({ kind: "forget", player });
    }
  }

  #recordRun(seat: Seat, out: RoomOutbox): void {
    const { gameMode: mode } = this.#room.config.settings;
    seat.player.record.addRun(mode);
    out.store({ kind: "add_run", playerId: seat.player.id, mode });
  }

  /** The rules know it first. */
  #tellState(seat: Seat, audience: readonly number[], out: RoomOutbox): void {
    const { player: { id }, state } = seat;
    const { id: roomId } = this.#room;
    out.lua({ kind: "set_player_state", roomId, playerId: id, state: playerStateNumbers[state] });
    out.send(audience, { command: "NetStateChanged", id, state });
  }

  #wakeIfThinking(seat: Seat, reason: "player_disconnect" | "player_trust", out: RoomOutbox): void {
    if (seat.thinking) this.#resume(out, reason);
  }

  #resume(out: RoomOutbox, reason: string): void {
    out.lua({ kind: "resume", roomId: this.#room.id, reason });
  }
}

/**
 * Commands of the same channel to the rules that are the server's to give. A player's `observe` would
 * make him look on once more each time, his `reconnect` costs the rules the whole state of the game.
 */
const serversCommands = ["reconnect", "observe", "leave", "newroom", "newtask"];

/** Whether a request begins with one of them: `command,arguments…`. */
function isForServers(request: Uint8Array): boolean {
  return serversCommands.some((command) => {
    const end = request[command.length];
    return (end === undefined || end === comma) &&
      equalsAscii(request.subarray(0, command.length), command);
  });
}

const comma = 0x2c;
