import assert from "node:assert/strict";
import { connectionDisconnects, gameDisconnects } from "../../src/game/disconnect.ts";
import type { GamePeer } from "../../src/game/game_peer.ts";
import type { GameServer } from "../../src/game/game_server.ts";
import type { Visitor } from "../../src/game/lobby_players.ts";
import type { Player } from "../../src/game/player.ts";
import type { Room } from "../../src/game/room.ts";
import { abandonMsMax } from "../../src/game/room_game.ts";
import { npcsMax } from "../../src/game/room_seats.ts";
import type { SimClient } from "./sim_client.ts";
import type { WatchedSocket } from "./watched_socket.ts";

/** Both ends of a connection. */
export interface Link {
  readonly peer: GamePeer;
  readonly socket: WatchedSocket;
  readonly client: SimClient;
}

/** What the store and a late look may add to the life of a room that was given up. */
const abandonSlackMs = 6_000;
/** How long somebody may be kept from knowing where he is: rules that hang, and start again. */
const lostMsMax = 30_000;
/** Bytes of half a packet: nobody here sends more. */
const heldBytesMax = 40_000;

const namedReasons: ReadonlySet<string> = new Set(
  [...Object.values(gameDisconnects), ...Object.values(connectionDisconnects)]
    .map(({ code }) => code)
    .filter((code) => code !== "internal_error"),
);

/** What must always be true of a game server, whatever players, store, rules and network do. */
export class Invariants {
  readonly #server: GameServer;
  readonly #links: ReadonlyMap<number, Link>;
  /** Since when a room has nobody, or a client does not know where it is. */
  readonly #emptySince = new Map<number, number>();
  readonly #lostSince = new Map<SimClient, number>();
  #roomsSeen = 0;
  /** Players, observers and robots in the rooms that were just looked at. */
  #whereabouts = 0;
  /** Views of rooms that were compared: a check that never happens shows nothing. */
  viewsCompared = 0;

  constructor(server: GameServer, links: ReadonlyMap<number, Link>) {
    this.#server = server;
    this.#links = links;
  }

  check(now: number): void {
    this.#checkConnections();
    this.#checkPlayers();
    this.#whereabouts = 0;
    for (const room of this.#server.lobby.rooms.all()) this.#checkRoom(room, now);
    assert.equal(this.#server.lobby.whereaboutsSize, this.#whereabouts, "who is where is known");
    for (const id of this.#emptySince.keys()) {
      if (this.#server.lobby.rooms.room(id) === undefined) this.#emptySince.delete(id);
    }
    for (const visitor of this.#server.lobby.online.all) this.#compareView(visitor, now);
  }

  /** A connection is gone; it must have been closed for what its client did. */
  closed({ peer: { id, closedFor }, client }: Link): void {
    const isOfPacket = closedFor?.startsWith("packet_") === true;
    if (isOfPacket) assert.ok(client.sent.has("garbage"), `${id} sent packets: ${closedFor}`);
    if (closedFor === "flood") assert.ok(client.sent.has("flood"), `${id} sent no flood`);
    if (closedFor === "heartbeat") assert.ok(client.isCut, `${id} answered its heartbeats`);
  }

  #checkConnections(): void {
    const { pending, metrics, lobby } = this.#server;
    const waiting = new Set(pending.peers);
    let open = 0;
    for (const { peer } of this.#links.values()) {
      const isClosing = peer.stage === "closing";
      if (!isClosing) open++;
      const places = Number(waiting.has(peer)) + Number(this.#server.isConnected(peer.id)) +
        Number(isClosing);
      assert.equal(places, 1, `connection ${peer.id} (${peer.stage}) is held in ${places} places`);
      assert.equal(peer.stage === "playing", this.#server.isConnected(peer.id));
      assert.ok(peer.session.heldBytes <= heldBytesMax, `${peer.session.heldBytes} bytes are held`);
      waiting.delete(peer);
    }
    assert.equal(waiting.size, 0, "a connection that is gone is still pending");
    const { counters, disconnects } = metrics;
    assert.equal(disconnects.total, counters.connections - open, "every end of one has a reason");
    for (const [code] of disconnects.entries) {
      const isNamed = namedReasons.has(code) || /^(packet|refused)_[a-z_]+$/.test(code);
      assert.ok(isNamed, `a connection was closed for "${code}"`);
    }
    assert.equal(counters.faults, 0, "the server has no faults of its own");
    const playing = [...this.#links.values()].filter(({ peer }) => peer.stage === "playing");
    assert.equal(lobby.heartbeats.size, playing.length, "each player has his heartbeat");
  }

  #checkPlayers(): void {
    const { online, rooms } = this.#server.lobby;
    const connections = new Set<number>();
    for (const visitor of online.all) {
      const { player, roomId } = visitor;
      const { connection } = player;
      assert.equal(online.lobby.has(visitor), roomId === undefined, `${player.name} is somewhere`);
      if (connection === undefined) {
        const state = rooms.room(roomId ?? 0)?.state.kind;
        assert.equal(state, "playing", `${player.name} is offline and not in a game`);
      } else {
        assert.equal(this.#links.get(connection)?.peer.stage, "playing", "his connection is open");
        assert.ok(!connections.has(connection), "a connection is one player's");
        connections.add(connection);
      }
    }
    const playing = [...this.#links.values()].filter(({ peer }) => peer.stage === "playing");
    assert.equal(playing.length, connections.size, "every open connection is somebody's");
  }

  #checkRoom(room: Room, now: number): void {
    const { online } = this.#server.lobby;
    const { taken, observers, owner, hasConnected } = room.seats;
    this.#roomsSeen = Math.max(this.#roomsSeen, room.id);
    assert.ok(taken.length <= room.config.capacity, `room ${room.id} holds more than it has seats`);
    assert.ok(taken.some(({ player }) => player === owner), `the owner of ${room.id} sits there`);
    const ids = taken.map(({ player }) => player.id);
    assert.equal(new Set(ids).size, ids.length, `somebody sits twice in room ${room.id}`);
    const npcs = npcsMax - room.seats.npcPlaces;
    this.#whereabouts += taken.length + observers.length + npcs;
    if (room.state.kind === "waiting") {
      assert.equal(npcs, 0, `robots of the rules outlive the game of room ${room.id}`);
      const isOld = taken.some(({ player, ready }) => player.isRobot && !ready);
      assert.ok(!isOld, `a robot outlives the game of room ${room.id}`);
      assert.ok(room.seats.seatOf(owner as Player)?.isConnected, `${room.id} has a human owner`);
      assert.ok(taken.every(({ player, isConnected }) => player.isRobot || isConnected));
    }
    for (const { player, isConnected, state } of taken) {
      if (!isConnected && state !== "offline") continue;
      const visitor = online.of(player);
      // He was forgotten when everybody had left, or came back when the game was over but for the
      // store: he may be elsewhere.
      if (visitor === undefined && !room.isOn) continue;
      assert.equal(visitor?.roomId, room.id, `${player.name} knows that he sits in ${room.id}`);
      assert.equal(isConnected, player.connection !== undefined, `${player.name} is ${state}`);
    }
    for (const player of observers) assert.equal(online.of(player)?.roomId, room.id);
    if (hasConnected) return void this.#emptySince.delete(room.id);
    const since = this.#emptySince.get(room.id) ?? now;
    this.#emptySince.set(room.id, since);
    const bound = abandonMsMax + abandonSlackMs;
    assert.ok(now - since <= bound, `room ${room.id} has had nobody for ${now - since} ms`);
  }

  /** What a client that has read everything believes must be so. */
  #compareView({ player, roomId, numbersTold }: Visitor, now: number): void {
    const { lobby } = this.#server;
    const link = this.#links.get(player.connection ?? 0);
    if (link === undefined || !isInSync(link)) return;
    const { client, client: { view } } = link;
    const who = `${player.name} (connection ${link.peer.id})`;
    if (roomId === undefined) {
      assert.equal(view.place, "lobby", `${who} is in the lobby`);
      const { nextAt } = lobby.numbers;
      const numbers = `${lobby.online.lobby.size} ${lobby.online.size}`;
      if (nextAt === undefined) assert.equal(view.numbers, numbers, `${who} knows the numbers`);
      assert.equal(view.numbers, numbersTold, `${who} was told other numbers`);
      return;
    }
    const room = lobby.rooms.room(roomId);
    assert.ok(room !== undefined, `${who} is in room ${roomId}, which is gone`);
    const expected = room.seats.observes(player) ? "observing" : "room";
    if (view.place !== expected) {
      const since = this.#lostSince.get(client) ?? now;
      this.#lostSince.set(client, since);
      const text = `${who} is in room ${roomId} (${expected}, ${room.state.kind}) and believes ` +
        `for ${now - since} ms to be in: ${view.place}`;
      assert.ok(view.place === "nowhere" || expected === "observing", text);
      return assert.ok(now - since <= lostMsMax, text);
    }
    this.#lostSince.delete(client);
    if (expected === "room") this.#compareRoom(room, link, who);
  }

  #compareRoom(room: Room, { client: { view } }: Link, who: string): void {
    this.viewsCompared++;
    const { taken } = room.seats;
    const isSame = taken.length === view.seats.size && taken.every(({ player, ready, state }) => {
      const seen = view.seats.get(player.id);
      return seen?.ready === ready && seen.state === state;
    });
    if (!isSame) {
      const there = taken.map(({ player: { id }, ready, state }) => [id, { ready, state }]);
      assert.deepEqual([...view.seats], there, `${who} sees the seats of room ${room.id}`);
    }
    assert.equal(view.owner, room.seats.owner?.id, `${who} knows who owns room ${room.id}`);
    // A core's own word about a game that goes on does not hold it.
    if (view.capacity !== 0) assert.equal(view.capacity, room.config.capacity);
  }

  /** All have left, and time has passed: nothing may be left of them. */
  checkEmpty(): void {
    const { lobby, pending, metrics } = this.#server;
    assert.equal(this.#links.size, 0, "no connection is left");
    assert.equal(lobby.rooms.size, 0, "no room is left");
    assert.equal(lobby.online.size, 0, "nobody is left");
    assert.equal(lobby.online.lobby.size, 0, "nobody is left in the lobby");
    assert.equal(lobby.tasks.size, 0, "no task is left");
    assert.equal(lobby.whereaboutsSize, 0, "nobody is anywhere");
    assert.equal(lobby.heartbeats.size, 0, "no heart beats");
    assert.equal(pending.size, 0, "nobody waits to log in");
    assert.equal(metrics.disconnects.total, metrics.counters.connections);
    assert.ok(this.#roomsSeen > 0 && this.viewsCompared > 0, "there were rooms to look at");
  }
}

/** Nothing is under way to it. */
function isInSync({ peer, socket: { inner }, client }: Link): boolean {
  return peer.queued === undefined && inner.bufferedBytes === 0 && client.hasReadAll &&
    client.isOpen && !client.isCut && !client.isPaused;
}
