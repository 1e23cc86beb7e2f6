import { Player, PlayerRecord } from "./player.ts";
import type { RoomConfig, RoomEffect, RoomEvent, RoomId } from "./room_events.ts";
import type { RoomList } from "./room_list.ts";

/** The part of the rooms that a trial life needs; `RoomList` is the real one. */
export type TrialRooms = Pick<RoomList, "create" | "handle" | "room" | "size">;

/** How a trial life went. */
export type RoomLifeResult =
  | { readonly ok: true }
  /** The first step whose outcome was not what it must be, and what it was. */
  | { readonly ok: false; readonly step: string; readonly found: string };

const config: RoomConfig = {
  name: "trial",
  capacity: 2,
  timeoutSeconds: 15,
  settings: { bytes: Uint8Array.of(0xa0), gameMode: "trial", password: "" },
};

/**
 * Runs one whole life of a room through the real room code (`M5_FLOW_ROOM`): create, join, ready,
 * start, end, clean up; each step's effects and what it left behind are checked. Leaves nothing.
 */
export function runRoomLife(rooms: TrialRooms): RoomLifeResult {
  const before = rooms.size;
  const cast = new Cast();
  const room = rooms.create(cast.owner.id, config);
  if (room === undefined) return { ok: false, step: "create", found: "no room" };
  for (const step of steps) {
    const effects = rooms.handle(room.id, step.event(cast, room.id), 0);
    const found = describe(rooms, room.id, { effects, cast });
    if (found !== step.expected) {
      rooms.handle(room.id, { kind: "close", text: "the trial is over" }, 0);
      return { ok: false, step: step.name, found };
    }
  }
  if (rooms.size !== before || rooms.room(room.id) !== undefined) {
    return { ok: false, step: "clean up", found: "the room is still there" };
  }
  return { ok: true };
}

/** Players with ids that no account has: nothing of theirs is sent or stored. */
class Cast {
  readonly owner = trialPlayer("owner", Number.MAX_SAFE_INTEGER);
  readonly guest = trialPlayer("guest", Number.MAX_SAFE_INTEGER - 1);
  readonly stranger = trialPlayer("stranger", Number.MAX_SAFE_INTEGER - 2);

  nameOf(id: number): string {
    const all = [this.owner, this.guest, this.stranger];
    return all.find((player) => player.id === id || player.connection === id)?.name ?? "nobody";
  }
}

/** Connections are counted from 0 up, so that these are nobody's. */
function trialPlayer(name: string, id: number): Player {
  const record = new PlayerRecord({
    id,
    name,
    avatar: "",
    totalGameTime: 0,
    statistics: new Map(),
  });
  return new Player(-id, record, { connection: -id, origin: { address: name, device: name } });
}

const steps: readonly {
  readonly name: string;
  readonly event: (cast: Cast, roomId: RoomId) => RoomEvent;
  readonly expected: string;
}[] = [
  {
    name: "join of the owner",
    event: ({ owner: player }) => ({ kind: "enter", player, password: "" }),
    expected: "entered:owner EnterRoom>owner RoomOwner:owner>owner UpdateGameData:owner>owner" +
      " | waiting, owner owns, owner",
  },
  {
    name: "start before it is full",
    event: ({ owner: player }) => ({ kind: "start", player }),
    expected: " | waiting, owner owns, owner",
  },
  {
    name: "join",
    event: ({ guest: player }) => ({ kind: "enter", player, password: "" }),
    expected: "entered:guest AddPlayer:guest>owner EnterRoom>guest AddPlayer:owner>guest" +
      " UpdateGameData:owner>guest RoomOwner:owner>guest UpdateGameData:guest>owner+guest" +
      " | waiting, owner owns, owner guest",
  },
  {
    name: "join when full",
    event: ({ stranger: player }) => ({ kind: "enter", player, password: "" }),
    expected: "ErrorMsg:Room is full or already started!>stranger" +
      " | waiting, owner owns, owner guest",
  },
  {
    name: "start before all are ready",
    event: ({ owner: player }) => ({ kind: "start", player }),
    expected: " | waiting, owner owns, owner guest",
  },
  {
    name: "ready",
    event: ({ guest: player }) => ({ kind: "ready", player }),
    expected: "ReadyChanged:guest:true>owner+guest | waiting, owner owns, owner guest!",
  },
  {
    name: "start by a guest",
    event: ({ guest: player }) => ({ kind: "start", player }),
    expected: " | waiting, owner owns, owner guest!",
  },
  {
    name: "start",
    event: ({ owner: player }) => ({ kind: "start", player }),
    expected: "ReadyChanged:owner:false>owner+guest ReadyChanged:guest:false>owner+guest" +
      " new_room | playing 1, owner owns, owner guest",
  },
  {
    name: "end",
    event: (_, roomId) => ({ kind: "lua", request: { kind: "game_over", roomId } }),
    expected: "add_game_time add_game_time end_of_game | playing 1, owner owns, owner guest",
  },
  {
    name: "end is stored",
    event: () => ({ kind: "stored", session: 1 }),
    expected: "AddTotalGameTime:owner>owner+guest AddTotalGameTime:guest>owner+guest" +
      " | playing 1, owner owns, owner guest",
  },
  {
    name: "the rules let go",
    event: (_, roomId) => ({ kind: "lua", request: { kind: "decrease_ref_count", roomId } }),
    expected: " | waiting, owner owns, owner guest",
  },
  {
    name: "owner leaves",
    event: ({ owner: player }) => ({ kind: "quit", player }),
    expected: "ReadyChanged:owner:false>owner+guest RemovePlayer:owner>guest" +
      " RoomOwner:guest>guest to_lobby:owner | waiting, guest owns, guest",
  },
  {
    name: "last one leaves",
    event: ({ guest: player }) => ({ kind: "quit", player }),
    expected: "ReadyChanged:guest:false>guest to_lobby:guest gone | gone",
  },
];

function describe(
  rooms: TrialRooms,
  id: RoomId,
  { effects, cast }: { readonly effects: readonly RoomEffect[]; readonly cast: Cast },
): string {
  const room = rooms.room(id);
  const said = effects.map((effect) => describeEffect(effect, cast)).join(" ");
  if (room === undefined) return `${said} | gone`;
  const state = room.state.kind === "playing" ? `playing ${room.state.session}` : room.state.kind;
  const { taken, owner } = room.seats;
  const seats = taken.map(({ player, ready }) => `${player.name}${ready ? "!" : ""}`).join(" ");
  return `${said} | ${state}, ${owner?.name ?? "nobody"} owns, ${seats}`;
}

function describeEffect(effect: RoomEffect, cast: Cast): string {
  if (effect.kind === "lua") return effect.call.kind;
  if (effect.kind === "store") return effect.operation.kind;
  if (effect.kind !== "send") {
    return "player" in effect ? `${effect.kind}:${effect.player.name}` : effect.kind;
  }
  const { message, to } = effect;
  const what = "id" in message ? `:${cast.nameOf(message.id)}` : "";
  const more = "text" in message
    ? `:${message.text}`
    : "ready" in message && message.command === "ReadyChanged"
    ? `:${message.ready}`
    : "";
  return `${message.command}${what}${more}>${to.map((each) => cast.nameOf(each)).join("+")}`;
}
