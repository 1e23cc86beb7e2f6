import assert from "node:assert/strict";
import { defaultGameSettings, type GameSettings } from "../../src/game/game_settings.ts";
import { Lobby } from "../../src/game/lobby.ts";
import type { LobbyEvent } from "../../src/game/lobby_events.ts";
import type { Effect } from "../../src/game/outbox.ts";
import { decodeClientCommand } from "../../src/wire/client_packet.ts";
import { PacketFramer } from "../../src/wire/packet_framer.ts";
import { type Packet, packetBits, packetBytesMaxAfterLogin } from "../../src/wire/packet_types.ts";
import type { ServerMessage } from "../../src/wire/server_messages.ts";
import { type TraceLine, traceLines } from "../wire/golden_traces.ts";
import { fromHex } from "../wire/hex.ts";
import { semanticMessage } from "../wire/semantic_message.ts";

type Line = TraceLine & { readonly t_ms: number; readonly event?: string };

/** What this replay does otherwise than the recording, from the first line that `at` finds. */
export interface Deviation {
  readonly at: (line: Line) => boolean;
  /** The event that takes the place of the recorded one. */
  readonly instead: (players: ReadonlyMap<string, number>) => LobbyEvent[];
}

export interface Replay {
  readonly expected: Map<string, ServerMessage[]>;
  readonly actual: Map<string, ServerMessage[]>;
  readonly effects: Effect[];
  /** Connections of those who logged in, by their labels in the recording. */
  readonly ids: ReadonlyMap<string, number>;
}

/** Commands of the host itself; everything else in a game comes from the rules. */
const hostCommands = new Set(
  ("Setup SetServerSettings AddTotalGameTime EnterLobby UpdatePlayerNum ServerMessage AddPlayer " +
    "RemovePlayer ReadyChanged RoomOwner NetStateChanged UpdateGameData ErrorMsg ErrorDlg " +
    "ChangeSelf Chat EnterRoom ChangeRoom UpdateRoomList UpdateAvatar Heartbeat").split(" "),
);

/**
 * Plays what the clients of a recording sent to the machines, and collects what each of them was
 * told then and is told now. The rules are played too: a recorded `GameOver` ends the game.
 */
export function replay(
  trace: string,
  options: {
    readonly until?: number;
    readonly deviations?: readonly Deviation[];
    readonly settings?: Partial<GameSettings>;
  } = {},
): Replay {
  const settings = { ...defaultGameSettings, banWords: ["badword"], tempBanMinutes: 20 };
  const stage = new Stage({ ...settings, ...options.settings });
  const lines = (traceLines(trace) as Line[]).filter((line) => {
    return line.t_ms < (options.until ?? Infinity);
  });
  // At the end all clients go at once, and what they would be told no longer reaches them.
  while (lines.at(-1)?.dir === "event") lines.pop();
  const deviations = [...options.deviations ?? []];
  for (const [index, line] of lines.entries()) {
    const deviation = deviations.findIndex(({ at }) => at(line));
    if (deviation >= 0) {
      const [{ instead }] = deviations.splice(deviation, 1) as [Deviation];
      for (const event of instead(stage.ids)) stage.give(event, line.t_ms);
    } else {
      stage.play(line, lines.slice(index));
    }
  }
  assert.deepEqual(deviations, [], "each deviation has its place in the recording");
  return stage;
}

class Stage implements Replay {
  readonly expected = new Map<string, ServerMessage[]>();
  readonly actual = new Map<string, ServerMessage[]>();
  readonly effects: Effect[] = [];
  readonly ids = new Map<string, number>();
  readonly #lobby: Lobby;
  readonly #labels = new Map<number, string>();
  #wakes: number[] = [];
  #rooms = new Map<number, number>();

  constructor(settings: GameSettings) {
    this.#lobby = new Lobby(settings);
  }

  play(line: Line, rest: readonly Line[]): void {
    const { conn = "", dir } = line;
    if (dir === "note") return this.#note(line);
    if (dir === "event") return this.#event(line, conn);
    if (line.hex === undefined || line.decoded == null) return;
    const packet = packetOf(line.hex);
    if (packet === undefined) return;
    if (dir === "s2c") return this.#recorded(packet, conn, line.t_ms);
    if (packet.command === "Setup") return this.#login(conn, line.t_ms, rest);
    const connection = this.ids.get(conn);
    if (connection === undefined) return;
    if ((packet.type & packetBits.reply) !== 0) return;
    const command = decodeClientCommand(packet.command, packet.data);
    if (typeof command === "string") return;
    if (command.command === "EnterRoom" || command.command === "ObserveRoom") {
      const known = [...this.#lobby.rooms.all()].map(({ id }) => id);
      if (!this.#rooms.has(command.roomId)) this.#rooms.set(command.roomId, known[0] ?? 0);
      const roomId = this.#rooms.get(command.roomId) ?? 0;
      return this.give({ kind: "command", connection, command: { ...command, roomId } }, line.t_ms);
    }
    this.give({ kind: "command", connection, command }, line.t_ms);
  }

  give(event: LobbyEvent, now: number): void {
    for (;;) {
      const at = Math.min(...this.#wakes);
      if (at > now) break;
      this.#wakes = this.#wakes.filter((each) => each > at);
      this.#perform(this.#lobby.handle({ kind: "wake" }, at), at);
    }
    this.#perform(this.#lobby.handle(event, now), now);
  }

  #perform(effects: readonly Effect[], now: number): void {
    const later: LobbyEvent[] = [];
    for (const effect of effects) {
      this.effects.push(effect);
      if (effect.kind === "wake") this.#wakes.push(effect.at);
      if (effect.kind === "send") {
        for (const to of effect.to) push(this.actual, this.#labels.get(to) ?? "", effect.message);
      }
      if (effect.kind === "store" && effect.operation.kind === "end_of_game") {
        const { roomId, session } = effect.operation;
        later.push({ kind: "stored", roomId, session });
      }
    }
    for (const event of later) this.#perform(this.#lobby.handle(event, now), now);
  }

  #login(conn: string, now: number, rest: readonly Line[]): void {
    const answer = rest.find((line) => {
      return line.conn === conn && line.dir === "s2c" && line.decoded?.command === "Setup";
    });
    if (answer?.hex === undefined) return;
    const setup = semanticMessage(packetOf(answer.hex) as Packet);
    assert.ok(setup !== "not_utf8" && setup.command === "Setup");
    const connection = 10_000 + this.#labels.size;
    this.ids.set(conn, connection);
    this.#labels.set(connection, conn);
    const { id, name, avatar } = setup;
    this.give({
      kind: "login",
      connection,
      account: { id, name, avatar, totalGameTime: 0, statistics: new Map() },
      origin: { address: "127.0.0.1", device: conn },
      epochMs: 0,
    }, now);
  }

  #event({ event, t_ms: now }: Line, conn: string): void {
    const connection = this.ids.get(conn);
    if (connection === undefined) return;
    if (event === "client_close") return this.give({ kind: "closed", connection }, now);
    if (event !== "server_fin") return;
    // The rules have him closed for missed requests, if he is still there.
    const player = this.#lobby.online.byConnection(connection)?.player;
    if (player === undefined) return;
    this.give({ kind: "lua", request: { kind: "emit_kick", connId: player.luaId } }, now);
  }

  #note({ text = "", t_ms: now }: Line): void {
    const said = /^console: msg (.*)$/.exec(text)?.[1];
    if (said !== undefined) this.give({ kind: "announce", text: `${said} ` }, now);
    const [, verb, name] = /^console: (tempmute|unmute) (\S+)/.exec(text) ?? [];
    const muted = [...this.#lobby.online.all].find(({ player }) => player.name === name)?.player.id;
    if (muted !== undefined) {
      const until = verb === "tempmute" ? { until: Infinity } : {};
      this.give({ kind: "mute", playerId: muted, ...until }, now);
    }
  }

  #recorded(packet: Packet, conn: string, now: number): void {
    if (packet.command === "GameOver") this.#gameOver(now);
    const isOfHost = hostCommands.has(packet.command);
    const message = isOfHost ? semanticMessage(packet) : undefined;
    if (message === "not_utf8") {
      push(this.expected, conn, { command: "Chat", sender: 0, type: 0, msg: "(not text)" });
    } else if (message !== undefined) {
      push(this.expected, conn, message);
    }
  }

  #gameOver(now: number): void {
    for (const { id: roomId, state } of [...this.#lobby.rooms.all()]) {
      if (state.kind !== "playing") continue;
      this.give({ kind: "lua", request: { kind: "game_over", roomId } }, now);
      this.give({ kind: "lua", request: { kind: "decrease_ref_count", roomId } }, now);
    }
  }
}

function packetOf(hex: string): Packet | undefined {
  const framer = new PacketFramer({ packetBytesMax: packetBytesMaxAfterLogin });
  framer.push(fromHex(hex));
  const found = framer.next();
  return typeof found === "string" ? undefined : found;
}

function push(map: Map<string, ServerMessage[]>, conn: string, message: ServerMessage): void {
  const list = map.get(conn) ?? [];
  list.push(message);
  map.set(conn, list);
}

/**
 * Brings both sides to what must be equal: ids of rooms, wall clock and names in warnings are
 * masked; of the numbers only what a newcomer to the lobby gets at once is kept, since the rest is
 * coalesced; what says the same again is left out (the original doubles such notices).
 */
export function comparable(messages: readonly ServerMessage[]): unknown[] {
  const kept: unknown[] = [];
  const last = new Map<string, string>();
  let before = "";
  for (const message of messages) {
    const { command } = message;
    if (command === "UpdatePlayerNum" && before !== "EnterLobby") continue;
    if (command === "ChangeSelf" && before !== "UpdatePlayerNum") continue;
    before = command;
    if (command === "ReadyChanged" || command === "RoomOwner") {
      const key = command === "RoomOwner" ? command : `${command} ${message.id}`;
      const value = JSON.stringify(message);
      if (last.get(key) === value) continue;
      last.set(key, value);
    }
    if (command === "EnterRoom") last.clear();
    kept.push(masked(message));
  }
  return kept;
}

function masked(message: ServerMessage): unknown {
  switch (message.command) {
    case "Setup":
      return { ...message, nowMs: message.nowMs === undefined ? undefined : 0 };
    case "UpdateRoomList":
      return { ...message, rooms: message.rooms.map((room) => ({ ...room, id: 0 })) };
    case "ServerMessage":
      return message.text.startsWith("*WARN*") ? { ...message, text: "*WARN*" } : message;
    default:
      return message;
  }
}
