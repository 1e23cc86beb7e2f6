import type { LuaPlayer } from "./lua/lua_host.ts";
import {
  type ConnectionId,
  type LuaPlayerId,
  type Player,
  type PlayerId,
  type PlayerState,
  playerStateNumbers,
} from "./player.ts";
import type { RoomId } from "./room_events.ts";
import { RequestSlot } from "./request_slot.ts";

/** Robots that the rules may add to one game. */
export const npcsMax = 64;

/** A seat that is taken. What a player is in one room; ends when he leaves it. */
export class Seat {
  readonly player: Player;
  readonly slot = new RequestSlot();
  ready: boolean;
  died = false;
  thinking = false;
  #state: PlayerState;
  #onlineMs = 0;
  #onlineSince: number | undefined;

  constructor(player: Player) {
    this.player = player;
    this.ready = player.isRobot;
    this.#state = player.isRobot ? "robot" : "online";
  }

  get state(): PlayerState {
    return this.#state;
  }

  /** Whether a human with a connection sits here. */
  get isConnected(): boolean {
    return this.#state === "online" || this.#state === "trust";
  }

  /** Only time that he plays himself counts as played. */
  setState(state: PlayerState, now: number): void {
    this.#stopClock(now);
    this.#state = state;
    if (state === "online") this.#onlineSince = now;
  }

  startGame(now: number): void {
    this.ready = false;
    this.died = false;
    this.thinking = false;
    this.slot.clear();
    this.#onlineMs = 0;
    this.#onlineSince = this.#state === "online" ? now : undefined;
  }

  /** Seconds of this game spent online, rounded as the original does. */
  secondsPlayed(now: number): number {
    this.#stopClock(now);
    return Math.round(this.#onlineMs / 1000);
  }

  #stopClock(now: number): void {
    if (this.#onlineSince === undefined) return;
    this.#onlineMs += Math.max(0, now - this.#onlineSince);
    this.#onlineSince = undefined;
  }
}

/** Who sits in a room, who owns it, who looks on. The order is the order of coming. */
export class RoomSeats {
  #taken: Seat[] = [];
  #observers: Player[] = [];
  readonly #npcs = new Set<LuaPlayerId>();
  #owner: Player | undefined;
  readonly #roomId: RoomId;
  readonly #whereabouts: Map<LuaPlayerId, RoomId>;

  /** `whereabouts` is the server's, and is kept right here. */
  constructor(roomId: RoomId, whereabouts: Map<LuaPlayerId, RoomId>) {
    this.#roomId = roomId;
    this.#whereabouts = whereabouts;
  }

  get taken(): readonly Seat[] {
    return this.#taken;
  }

  get observers(): readonly Player[] {
    return this.#observers;
  }

  /** Undefined only while nobody sits here. */
  get owner(): Player | undefined {
    return this.#owner;
  }

  get hasConnected(): boolean {
    return this.#taken.some((seat) => seat.isConnected);
  }

  seatOf(player: Player): Seat | undefined {
    return this.#taken.find((seat) => seat.player === player);
  }

  seatOfId(id: PlayerId): Seat | undefined {
    return this.#taken.find((seat) => seat.player.id === id);
  }

  seatOfLuaId(id: LuaPlayerId): Seat | undefined {
    return this.#taken.find((seat) => seat.player.luaId === id);
  }

  /** Who sits here or looks on, by the name that Lua knows. */
  playerOf(luaId: LuaPlayerId): Player | undefined {
    return this.seatOfLuaId(luaId)?.player ??
      this.#observers.find((observer) => observer.luaId === luaId);
  }

  observes(player: Player): boolean {
    return this.#observers.includes(player);
  }

  /** Connections of those who sit here, but for `except`. */
  connections(except?: Player): ConnectionId[] {
    const found: ConnectionId[] = [];
    for (const { player, isConnected } of this.#taken) {
      if (isConnected && player !== except && player.connection !== undefined) {
        found.push(player.connection);
      }
    }
    return found;
  }

  /** Connections of those who sit here and of those who look on. */
  allConnections(): ConnectionId[] {
    const looking = this.#observers.flatMap(({ connection }) => connection ?? []);
    return [...this.connections(), ...looking];
  }

  add(player: Player): Seat {
    const seat = new Seat(player);
    this.#taken.push(seat);
    this.#whereabouts.set(player.luaId, this.#roomId);
    this.#owner ??= player;
    return seat;
  }

  /** True when the room has another owner now: the first connected one. */
  remove(player: Player): boolean {
    this.#taken = this.#taken.filter((seat) => seat.player !== player);
    this.#whereabouts.delete(player.luaId);
    if (this.#owner !== player) return false;
    this.#owner = this.#taken.find((seat) => seat.isConnected)?.player;
    return this.#owner !== undefined;
  }

  /** A robot of the rules' own: nobody else sees a seat of it. False when there are too many. */
  addNpc(npc: Player): boolean {
    if (this.#npcs.size >= npcsMax) return false;
    this.#npcs.add(npc.luaId);
    this.#whereabouts.set(npc.luaId, this.#roomId);
    return true;
  }

  /** How many more of them there may be. */
  get npcPlaces(): number {
    return npcsMax - this.#npcs.size;
  }

  removeNpc(luaId: LuaPlayerId): void {
    if (this.#npcs.delete(luaId)) this.#whereabouts.delete(luaId);
  }

  removeNpcs(): void {
    for (const luaId of this.#npcs) this.removeNpc(luaId);
  }

  /** Nobody is left: robots go too. */
  clear(): void {
    this.removeNpcs();
    for (const { player } of this.#taken) this.remove(player);
  }

  addObserver(player: Player): void {
    this.#observers.push(player);
    this.#whereabouts.set(player.luaId, this.#roomId);
  }

  removeObserver(player: Player): void {
    this.#observers = this.#observers.filter((other) => other !== player);
    this.#whereabouts.delete(player.luaId);
  }
}

/** A player as the rules see him, in a room of `mode`. */
export function luaPlayer(player: Player, mode: string, state: PlayerState): LuaPlayer {
  const { total, win, run } = player.record.statisticsOf(mode);
  return {
    connId: player.luaId,
    id: player.id,
    screenName: player.name,
    avatar: player.record.avatar,
    totalGameTime: player.record.totalGameTime,
    state: playerStateNumbers[state],
    gameData: [total, win, run],
  };
}

/** The names of players who share an address, or a device, with another one here. */
export function sharedOrigins(
  seats: readonly Seat[],
  what: "address" | "device",
): string[][] {
  const groups = new Map<string, string[]>();
  for (const { player } of seats) {
    const key = player.origin[what];
    if (player.isRobot || key === "") continue;
    const names = groups.get(key) ?? [];
    names.push(player.name);
    groups.set(key, names);
  }
  return [...groups.values()].filter((names) => names.length > 1);
}
