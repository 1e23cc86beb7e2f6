import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { Player, PlayerRecord } from "../../src/game/player.ts";
import type { RoomConfig } from "../../src/game/room_events.ts";
import { runRoomLife, type TrialRooms } from "../../src/game/room_life.ts";
import { defaultGameSettings } from "../../src/game/game_settings.ts";
import { RoomList } from "../../src/game/room_list.ts";

const config: RoomConfig = {
  name: "r",
  capacity: 1,
  timeoutSeconds: 15,
  settings: { bytes: Uint8Array.of(0xa0), gameMode: "", password: "" },
};

function player(id: number): Player {
  const record = new PlayerRecord({
    id,
    name: `p${id}`,
    avatar: "liubei",
    totalGameTime: 0,
    statistics: new Map(),
  });
  return new Player(1000 + id, record, { connection: id, origin: { address: "", device: "" } });
}

describe("RoomList", () => {
  it("RoomList forgets a room that nobody sits in, and never gives its id again", () => {
    const rooms = new RoomList();
    const owner = player(5);
    assert.equal(rooms.create(5, config)?.id, 1);
    rooms.handle(1, { kind: "enter", player: owner, password: "" }, 0);
    rooms.handle(1, { kind: "quit", player: owner }, 0);
    assert.equal(rooms.size, 0);
    assert.deepEqual(rooms.handle(1, { kind: "enter", player: owner, password: "" }, 0), []);
    assert.equal(rooms.create(5, config)?.id, 2);
  });

  it("RoomList.create() bounds the rooms of a server and those of one player", () => {
    const rooms = new RoomList();
    const { roomsMax, roomsPerPlayerMax } = defaultGameSettings;
    for (let i = 0; i < roomsMax; i++) {
      assert.ok(rooms.create(Math.floor(i / roomsPerPlayerMax), config));
    }
    assert.equal(rooms.create(-1, config), undefined);
    const others = new RoomList();
    for (let i = 0; i < roomsPerPlayerMax; i++) assert.ok(others.create(7, config));
    assert.equal(others.create(7, config), undefined);
    assert.ok(others.create(8, config));
    others.handle(1, { kind: "close", text: "" }, 0);
    assert.ok(others.create(7, config), "a room that is gone no longer counts");
  });
});

/** A kind of event that does nothing; the end of a game is told by the rules. */
const breakable = ["enter", "ready", "start", "lua", "stored", "quit"] as const;

describe("runRoomLife", () => {
  it("runRoomLife() goes well with the real rooms, again and again, and leaves nothing", () => {
    const rooms = new RoomList();
    rooms.create(1, config);
    for (let i = 0; i < 100; i++) assert.deepEqual(runRoomLife(rooms), { ok: true });
    assert.equal(rooms.size, 1);
  });

  it("runRoomLife() notices each kind of event that has no effect, and cleans up", () => {
    for (const broken of breakable) {
      const real = new RoomList();
      const rooms: TrialRooms = {
        get size() {
          return real.size;
        },
        room: (id) => real.room(id),
        create: (creator, wish) => real.create(creator, wish),
        handle: (id, event, now) => event.kind === broken ? [] : real.handle(id, event, now),
      };
      assert.equal(runRoomLife(rooms).ok, false, broken);
      assert.equal(real.size, 0, `${broken}: nothing is left`);
    }
  });

  it("runRoomLife() notices effects that are told and not done", () => {
    for (const broken of breakable) {
      const real = new RoomList();
      const shadow = new RoomList();
      const rooms: TrialRooms = {
        get size() {
          return real.size;
        },
        room: (id) => real.room(id),
        create: (creator, wish) => {
          shadow.create(creator, wish);
          return real.create(creator, wish);
        },
        handle: (id, event, now) => {
          const told = shadow.handle(id, event, now);
          if (event.kind !== broken) real.handle(id, event, now);
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
