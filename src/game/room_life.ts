import type { RoomEffect, RoomEvent, RoomId } from "./room.ts";
import type { RoomList } from "./room_list.ts";

/** The part of the rooms that a trial life needs; `RoomList` is the real one. */
export type TrialRooms = Pick<RoomList, "create" | "handle" | "room" | "size">;

export type RoomLifeResult =
  | { readonly ok: true }
  /** The first step whose outcome was not what it must be, and what it was. */
  | { readonly ok: false; readonly step: string; readonly found: string };

/** Ids that no account has: players of trial rooms are never stored. */
const owner = -1_001;
const guest = -1_002;

/**
 * Runs one whole life of a room through the real room code (`M5_FLOW_ROOM`): create, join, ready,
 * start, end, clean up; each step's effects and what it left behind are checked. Leaves nothing.
 */
export function runRoomLife(rooms: TrialRooms): RoomLifeResult {
  const before = rooms.size;
  const room = rooms.create({ capacity: 2, ownerId: owner });
  if (room === undefined) return { ok: false, step: "create", found: "no room" };
  for (const step of steps) {
    const found = describe(rooms, room.id, rooms.handle(room.id, step.event));
    if (found !== step.expected) {
      cleanUp(rooms, room.id);
      return { ok: false, step: step.name, found };
    }
  }
  if (rooms.size !== before || rooms.room(room.id) !== undefined) {
    return { ok: false, step: "clean up", found: "the room is still there" };
  }
  return { ok: true };
}

const steps: readonly { name: string; event: RoomEvent; expected: string }[] = [
  {
    name: "start before it is full",
    event: { kind: "start", playerId: owner },
    expected: "refused:room is not full | waiting, owner -1001, -1001",
  },
  {
    name: "join",
    event: { kind: "join", playerId: guest },
    expected: "player_added:-1002 | waiting, owner -1001, -1001 -1002",
  },
  {
    name: "join when full",
    event: { kind: "join", playerId: -1_003 },
    expected: "refused:Room is full or already started! | waiting, owner -1001, -1001 -1002",
  },
  {
    name: "start before all are ready",
    event: { kind: "start", playerId: owner },
    expected: "refused:somebody is not ready | waiting, owner -1001, -1001 -1002",
  },
  {
    name: "ready",
    event: { kind: "ready", playerId: guest },
    expected: "ready_changed:-1002:true | waiting, owner -1001, -1001 -1002+",
  },
  {
    name: "start by a guest",
    event: { kind: "start", playerId: guest },
    expected: "refused:only the owner starts | waiting, owner -1001, -1001 -1002+",
  },
  {
    name: "start",
    event: { kind: "start", playerId: owner },
    expected: "game_started:1 | playing 1, owner -1001, -1001 -1002+",
  },
  {
    name: "end",
    event: { kind: "game_over" },
    expected: "game_ended:1 ready_changed:-1002:false | waiting, owner -1001, -1001 -1002",
  },
  {
    name: "owner leaves",
    event: { kind: "leave", playerId: owner },
    expected: "player_removed:-1001 owner_changed:-1002 | waiting, owner -1002, -1002",
  },
  {
    name: "last one leaves",
    event: { kind: "leave", playerId: guest },
    expected: "player_removed:-1002 abandoned | gone",
  },
];

function describe(rooms: TrialRooms, id: RoomId, effects: readonly RoomEffect[]): string {
  const room = rooms.room(id);
  const said = effects.map(describeEffect).join(" ");
  if (room === undefined) return `${said} | gone`;
  const state = room.state.kind === "playing" ? `playing ${room.state.session}` : room.state.kind;
  const seats = room.seats.map(({ playerId, ready }) => `${playerId}${ready ? "+" : ""}`).join(" ");
  return `${said} | ${state}, owner ${room.ownerId}, ${seats}`;
}

function describeEffect(effect: RoomEffect): string {
  switch (effect.kind) {
    case "refused":
      return `refused:${effect.reason}`;
    case "ready_changed":
      return `ready_changed:${effect.playerId}:${effect.ready}`;
    case "game_started":
    case "game_ended":
      return `${effect.kind}:${effect.session}`;
    case "abandoned":
      return "abandoned";
    case "player_added":
    case "player_removed":
    case "owner_changed":
      return `${effect.kind}:${effect.playerId}`;
  }
}

/** After a failed step: whoever sits there leaves, whatever the room says to it. */
function cleanUp(rooms: TrialRooms, id: RoomId): void {
  rooms.handle(id, { kind: "game_over" });
  for (const { playerId } of rooms.room(id)?.seats ?? []) {
    rooms.handle(id, { kind: "leave", playerId });
  }
}
