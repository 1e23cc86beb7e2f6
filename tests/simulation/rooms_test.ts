import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { defaultGameSettings } from "../../src/game/game_settings.ts";
import { Lobby } from "../../src/game/lobby.ts";
import type { LobbyEvent } from "../../src/game/lobby_events.ts";
import type { Effect } from "../../src/game/outbox.ts";
import type { ClientCommand } from "../../src/wire/client_packet.ts";

const PLAYERS = 20;
const EVENTS = 1500;
const SEEDS = Number(process.env.FREEKILL_GW_SIMULATION_SEEDS ?? 50);
const FIRST_SEED = Number(process.env.FREEKILL_GW_TEST_SEED ?? 1);

describe("Lobby simulation", () => {
  it(`keeps its invariants through random lives (seeds from ${FIRST_SEED})`, () => {
    for (let seed = FIRST_SEED; seed < FIRST_SEED + SEEDS; seed++) {
      try {
        new Simulation(seed).run();
      } catch (cause) {
        throw new Error(`seed ${seed} (FREEKILL_GW_TEST_SEED=${seed} replays it)`, { cause });
      }
    }
  });
});

/** Twenty accounts, a store that answers late, and rules that end games or let them hang. */
class Simulation {
  readonly #lobby = new Lobby({ ...defaultGameSettings, tempBanMinutes: 20 });
  #random: number;
  #now = 0;
  #nextConnection = 1;
  /** Open sockets, and whose they are. */
  readonly #sockets = new Map<number, number>();
  #pending: LobbyEvent[] = [];
  #wakes: number[] = [];

  constructor(seed: number) {
    this.#random = seed * 7919 + 1;
  }

  run(): void {
    for (let i = 0; i < EVENTS; i++) {
      this.#now += this.#below(2000);
      this.#sleep();
      this.#give(this.#anEvent());
    }
    this.#windDown();
  }

  #anEvent(): LobbyEvent {
    const open = [...this.#sockets.keys()];
    const connection = this.#one(open) ?? 0;
    const dice = this.#below(1000);
    if (dice < 100 || open.length === 0) return this.#login(1 + this.#below(PLAYERS));
    if (dice < 140) {
      this.#sockets.delete(connection);
      return { kind: "closed", connection };
    }
    if (dice < 300 && this.#pending.length > 0) return this.#pending.shift() as LobbyEvent;
    if (dice < 400) return this.#rules();
    if (dice === 400) return { kind: "outdate" };
    const rooms = [...this.#lobby.rooms.all()];
    if (dice < 404) return { kind: "lua_lost", roomIds: rooms.slice(0, 1).map(({ id }) => id) };
    if (dice < 420) {
      const id = this.#below(100);
      return { kind: "reply", connection, id, data: Uint8Array.of(0xf6) };
    }
    return { kind: "command", connection, command: this.#command(connection) };
  }

  /** Mostly what makes sense where he is, so that games are played; at times anything. */
  #command(connection: number): ClientCommand {
    const visitor = this.#lobby.online.byConnection(connection);
    const room = visitor?.roomId === undefined ? undefined : this.#lobby.rooms.room(visitor.roomId);
    const dice = this.#below(10);
    if (dice === 0 || visitor === undefined) return this.#anyCommand();
    if (room === undefined) {
      const open = [...this.#lobby.rooms.all()].find(({ isFull, state }) => {
        return !isFull && state.kind === "waiting";
      });
      if (open === undefined || dice < 3) return this.#anyCommand();
      return { command: "EnterRoom", roomId: open.id, password: "" };
    }
    if (room.state.kind === "playing") {
      if (dice < 3) return { command: "Trust" };
      return dice < 4 ? { command: "QuitRoom" } : { command: "Heartbeat" };
    }
    if (room.seats.owner === visitor.player) {
      if (!room.isFull) return { command: dice < 6 ? "AddRobot" : "Heartbeat" };
      return { command: "StartGame" };
    }
    const isReady = room.seats.seatOf(visitor.player)?.ready ?? true;
    return { command: isReady ? "Heartbeat" : "Ready" };
  }

  #login(id: number): LobbyEvent {
    const connection = this.#nextConnection++;
    this.#sockets.set(connection, id);
    const account = { id, name: `p${id}`, avatar: "a", totalGameTime: 0, statistics: new Map() };
    const origin = { address: `10.0.0.${id % 4}`, device: `d${id}` };
    return { kind: "login", connection, account, origin, epochMs: 0 };
  }

  #anyCommand(): ClientCommand {
    const roomId = this.#one([...this.#lobby.rooms.all()])?.id ?? 1;
    const settings = { bytes: Uint8Array.of(0xa0), gameMode: "m", password: "" };
    const capacity = 1 + this.#below(4);
    const room = { name: "r", capacity, timeoutSeconds: 15, settings };
    const playerId = 1 + this.#below(PLAYERS);
    const task = { taskType: "t", data: Uint8Array.of(0xf6) };
    const choices: ClientCommand[] = [
      { command: "CreateRoom", ...room },
      { command: "EnterRoom", roomId, password: "" },
      { command: "EnterRoom", roomId, password: "" },
      { command: "ObserveRoom", roomId, password: "" },
      { command: "QuitRoom" },
      { command: "AddRobot" },
      { command: "KickPlayer", playerId: this.#below(5) === 0 ? -2 : playerId },
      { command: "Ready" },
      { command: "Ready" },
      { command: "StartGame" },
      { command: "StartGame" },
      { command: "Trust" },
      { command: "Chat", type: 1 + this.#below(2), msg: "hi" },
      { command: "ChangeRoom", ...room, data: Uint8Array.of(0xf6) },
      { command: "Heartbeat" },
      { command: "LobbyTask", ...task },
      { command: "RefreshRoomList" },
      { command: "PushRequest", request: Uint8Array.of(0x61) },
    ];
    return this.#one(choices) as ClientCommand;
  }

  #rules(): LobbyEvent {
    const rooms = [...this.#lobby.rooms.all()];
    const room = this.#one(rooms.filter(({ state }) => state.kind === "playing")) ?? rooms[0];
    const roomId = room?.id ?? 1;
    const connId = this.#one(room?.seats.taken ?? [])?.player.luaId ?? 0;
    const data = Uint8Array.of(0xf6);
    const of = (request: Extract<LobbyEvent, { kind: "lua" }>["request"]): LobbyEvent => {
      return { kind: "lua", request };
    };
    const ask = { command: "Ask", data, timeout: 15, timestamp: 0 };
    const choices = [
      of({ kind: "do_request", connId, ...ask }),
      of({ kind: "do_notify", connId, command: "N", data }),
      of({ kind: "set_thinking", connId, thinking: this.#below(2) === 0 }),
      of({ kind: "set_died", connId, died: this.#below(2) === 0 }),
      this.#below(8) === 0
        ? of({ kind: "emit_kick", connId })
        : of({ kind: "emit_kick", connId: 0 }),
      of({ kind: "delay", roomId, ms: this.#below(3000) - 10 }),
      of({ kind: "set_request_timer", roomId, ms: this.#below(15_500) }),
      of({ kind: "destroy_request_timer", roomId }),
      of({ kind: "game_over", roomId }),
      of({ kind: "decrease_ref_count", roomId }),
      of({ kind: "do_request", connId, ...ask }),
      of({ kind: "set_thinking", connId, thinking: true }),
      of({ kind: "get_save_state", connId }),
      of({ kind: "player_result", roomId, playerId: 1, mode: "m", role: "r", result: 1 }),
    ];
    if (this.#below(4) === 0) this.#lobby.reads.addNpc(roomId);
    return this.#one(choices) as LobbyEvent;
  }

  #give(event: LobbyEvent): void {
    for (const effect of this.#lobby.handle(event, this.#now)) this.#perform(effect);
    this.#check();
  }

  #perform(effect: Effect): void {
    switch (effect.kind) {
      case "send":
        for (const to of effect.to) {
          assert.ok(this.#sockets.has(to), `${effect.message.command} to a closed connection`);
        }
        assert.equal(new Set(effect.to).size, effect.to.length, "nobody is told twice");
        return;
      case "request":
        assert.ok(this.#sockets.has(effect.to), "a question to a closed connection");
        return;
      case "close":
        assert.ok(this.#sockets.delete(effect.connection), "closed once");
        assert.notEqual(effect.reason.code, "");
        // The shell reports it later.
        this.#pending.push({ kind: "closed", connection: effect.connection });
        return;
      case "wake":
        assert.ok(effect.at >= this.#now, "a wake in the past");
        this.#wakes.push(effect.at);
        return;
      case "store":
        if (effect.operation.kind === "end_of_game") {
          const { roomId, session } = effect.operation;
          this.#pending.push({ kind: "stored", roomId, session });
        } else if (effect.operation.kind === "get_state") {
          this.#pending.push({ kind: "query_done", roomId: effect.operation.roomId, text: "{}" });
        }
    }
  }

  /** Wakes that are due, at their time or a little late, as timers are. */
  #sleep(): void {
    const due = this.#wakes.filter((at) => at <= this.#now);
    if (due.length === 0) return;
    this.#wakes = this.#wakes.filter((at) => at > this.#now);
    this.#give({ kind: "wake" });
  }

  #check(): void {
    const { online, rooms } = this.#lobby;
    const seated = new Set<number>();
    for (const room of rooms.all()) {
      const { taken, observers, owner } = room.seats;
      assert.ok(taken.length <= room.config.capacity, "no more seats than there are");
      assert.ok(owner !== undefined && taken.some(({ player }) => player === owner), "one owner");
      if (room.state.kind === "waiting") {
        assert.ok(taken.every(({ player, isConnected }) => player.isRobot || isConnected));
        assert.ok(room.seats.seatOf(owner)?.isConnected, "a connected human owns it");
      }
      assert.ok(room.seats.hasConnected || room.isAbandoned, "a room has a connected human");
      for (const { player, isConnected } of taken) {
        if (!isConnected) continue;
        const visitor = online.of(player);
        assert.equal(visitor?.roomId, room.id, "he knows where he sits");
        assert.ok(player.connection !== undefined && this.#sockets.has(player.connection));
      }
      for (const player of [...taken.map(({ player }) => player), ...observers]) {
        assert.ok(!seated.has(player.luaId), "one seat a player");
        seated.add(player.luaId);
      }
      for (const player of observers) assert.equal(online.of(player)?.roomId, room.id);
    }
    for (const visitor of online.all) {
      const { player, roomId } = visitor;
      assert.equal(online.lobby.has(visitor), roomId === undefined, "in the lobby or in a room");
      if (roomId !== undefined) assert.ok(seated.has(player.luaId), "he is where he thinks");
      if (player.connection === undefined) {
        assert.equal(rooms.room(roomId ?? 0)?.state.kind, "playing", "offline only in a game");
      } else {
        assert.equal(this.#sockets.get(player.connection), player.id);
      }
    }
    const connected = [...online.all].filter(({ player }) => player.connection !== undefined);
    assert.equal(connected.length, this.#sockets.size, "every open connection is somebody's");
    assert.equal(this.#lobby.heartbeats.size, this.#sockets.size, "each has its heartbeat");
  }

  /** All go, the store answers, the rules hang: nothing may be left. */
  #windDown(): void {
    for (const connection of [...this.#sockets.keys()]) {
      this.#sockets.delete(connection);
      this.#give({ kind: "closed", connection });
    }
    for (let i = 0; i < 10; i++) {
      this.#now += 31_000;
      this.#sleep();
      for (const event of this.#pending.splice(0)) this.#give(event);
    }
    assert.equal(this.#lobby.rooms.size, 0, "no room is left");
    assert.equal(this.#lobby.online.size, 0, "nobody is left");
    assert.equal(this.#lobby.tasks.size, 0, "no task is left");
    assert.equal(this.#lobby.whereaboutsSize, 0, "nothing leaks");
  }

  #one<T>(list: readonly T[]): T | undefined {
    return list[this.#below(Math.max(1, list.length))];
  }

  /** A small generator of its own (mulberry32), so that a seed is all there is to a run. */
  #below(limit: number): number {
    this.#random = (this.#random + 0x6d2b79f5) | 0;
    let t = Math.imul(this.#random ^ (this.#random >>> 15), 1 | this.#random);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) % limit;
  }
}
