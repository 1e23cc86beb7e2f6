import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { Room, type RoomEvent } from "../../src/game/room.ts";
import { runRoomLife, type TrialRooms } from "../../src/game/room_life.ts";
import { RoomList, roomsMax } from "../../src/game/room_list.ts";

describe("Room", () => {
  it("Room refuses a capacity outside 1–64", () => {
    for (const capacity of [0, 65, 1.5, NaN, -1]) {
      assert.throws(() => new Room({ id: 1, capacity, ownerId: 1 }), RangeError, String(capacity));
    }
  });

  it("Room.handle() keeps its promises whatever comes in whatever order", () => {
    const playerId = fc.integer({ min: 1, max: 5 });
    const event: fc.Arbitrary<RoomEvent> = fc.oneof(
      fc.record({
        kind: fc.constantFrom("join", "leave", "ready", "start"),
        playerId,
      }) as fc.Arbitrary<
        RoomEvent
      >,
      fc.constant<RoomEvent>({ kind: "game_over" }),
    );
    fc.assert(fc.property(fc.array(event, { maxLength: 60 }), (events) => {
      const room = new Room({ id: 1, capacity: 3, ownerId: 1 });
      for (const each of events) {
        if (room.state.kind === "abandoned") break;
        room.handle(each);
        const ids = room.seats.map(({ playerId }) => playerId);
        assert.equal(new Set(ids).size, ids.length, "nobody sits twice");
        assert.ok(ids.length <= 3);
        if (ids.length > 0) assert.ok(ids.includes(room.ownerId), "the owner sits there");
        else assert.equal(room.state.kind, "abandoned");
        if (room.state.kind === "playing") assert.equal(ids.length, 3);
      }
    }));
  });
});

describe("RoomList", () => {
  it("RoomList forgets a room that nobody sits in, and never gives its id again", () => {
    const rooms = new RoomList();
    const first = rooms.create({ capacity: 1, ownerId: 5 });
    assert.equal(first?.id, 1);
    rooms.handle(1, { kind: "leave", playerId: 5 });
    assert.equal(rooms.size, 0);
    assert.deepEqual(rooms.handle(1, { kind: "join", playerId: 6 }), []);
    assert.equal(rooms.create({ capacity: 1, ownerId: 5 })?.id, 2);
  });

  it("RoomList.create() bounds the number of rooms", () => {
    const rooms = new RoomList();
    for (let i = 0; i < roomsMax; i++) assert.ok(rooms.create({ capacity: 1, ownerId: i }));
    assert.equal(rooms.create({ capacity: 1, ownerId: 0 }), undefined);
  });
});

describe("runRoomLife", () => {
  it("runRoomLife() goes well with the real rooms, again and again, and leaves nothing", () => {
    const rooms = new RoomList();
    rooms.create({ capacity: 4, ownerId: 1 });
    for (let i = 0; i < 100; i++) assert.deepEqual(runRoomLife(rooms), { ok: true });
    assert.equal(rooms.size, 1);
  });

  it("runRoomLife() notices each kind of event that has no effect, and cleans up", () => {
    for (const broken of ["join", "ready", "start", "game_over", "leave"] as const) {
      const real = new RoomList();
      const rooms: TrialRooms = {
        get size() {
          return real.size;
        },
        room: (id) => real.room(id),
        create: (options) => real.create(options),
        handle: (id, event) => event.kind === broken ? [] : real.handle(id, event),
      };
      assert.equal(runRoomLife(rooms).ok, false, broken);
      // A room that cannot end, or that nobody can leave, cannot be cleaned up either.
      const isStuck = broken === "leave" || broken === "game_over";
      if (!isStuck) assert.equal(real.size, 0, `${broken}: nothing is left`);
    }
  });

  it("runRoomLife() notices effects that are told and not done", () => {
    for (const broken of ["join", "ready", "start", "game_over", "leave"] as const) {
      const real = new RoomList();
      const shadow = new RoomList();
      const rooms: TrialRooms = {
        get size() {
          return real.size;
        },
        room: (id) => real.room(id),
        create: (options) => {
          shadow.create(options);
          return real.create(options);
        },
        handle: (id, event) => {
          const told = shadow.handle(id, event);
          if (event.kind !== broken) real.handle(id, event);
          return told;
        },
      };
      assert.equal(runRoomLife(rooms).ok, false, broken);
    }
  });

  it("runRoomLife() fails when there is no room left", () => {
    const rooms: TrialRooms = {
      size: 0,
      room: () => undefined,
      create: () => undefined,
      handle: () => [],
    };
    assert.deepEqual(runRoomLife(rooms), { ok: false, step: "create", found: "no room" });
  });
});
