import assert from "node:assert/strict";
import type { GameClient } from "../client/game_client.ts";
import { diagnose, hexOf } from "../client/diagnosis.ts";
import { describePrograms, Ear, unhurried } from "./game_stage.ts";
import { gameMode, openRoom, roomData, settingsBytes } from "./game_table.ts";

const errors = {
  unknown: 'ErrorMsg raw "no such room"',
  password: 'ErrorMsg raw "room password error"',
  full: 'ErrorMsg raw "Room is full or already started!"',
  rejected: 'ErrorMsg raw "rejected your demand of joining room"',
  notRunning: 'ErrorMsg raw "Can only observe running room."',
  refused: 'ErrorMsg raw "unk error"',
  notOwner: 'ErrorMsg raw "只有房主才能修改房间配置"',
  tooSmall: 'ErrorMsg raw "新容量不得低于现有玩家数！"',
};

/** What an attempt makes its client hear. */
async function answer(client: GameClient, attempt: () => void): Promise<string[]> {
  const ear = await Ear.of(client);
  attempt();
  return await ear.heard();
}

describePrograms(
  "serve: rooms",
  { server: { banWords: ["badword"] }, game: { ...unhurried, maxRoomsPerPlayer: 1_000 } },
  (stage, test) => {
    test("entering tells the others, and the newcomer everything in its order", async () => {
      const [owner, guest] = [await stage.player("owner"), await stage.player("guest")];
      const id = await openRoom(owner, guest, { name: "entering", capacity: 3 });
      owner.addRobot();
      await owner.expect("AddPlayer");
      const [ownerEar, guestEar] = [await Ear.of(owner), await Ear.of(guest)];
      guest.enterRoom(id);
      const settings = diagnose(settingsBytes(""));
      assert.deepEqual(await guestEar.heard(), [
        `EnterRoom [3, 15, ${settings}]`,
        `AddPlayer [${owner.id}, '${owner.name}', 'liubei', false, 0]`,
        `UpdateGameData [${owner.id}, 0, 0, 0]`,
        `AddPlayer [-2, 'COMP--2', 'guanyu', true, 0]`,
        `RoomOwner [${owner.id}]`,
        `UpdateGameData [${guest.id}, 0, 0, 0]`,
      ]);
      assert.deepEqual(await ownerEar.heard(), [
        `AddPlayer [${guest.id}, "${guest.name}", "liubei", false, 0]`,
        `UpdateGameData [${guest.id}, 0, 0, 0]`,
      ]);
      const entered = guest.received.find(({ command }) => command === "EnterRoom");
      const raw = hexOf(settingsBytes(""));
      assert.equal(hexOf(entered?.data ?? new Uint8Array(0)), `83030f${raw}`, "byte for byte");
    });

    test("a room opens to its password, and one without a password to any", async () => {
      const [owner, guest] = [await stage.player("owner"), await stage.player("guest")];
      const id = await openRoom(owner, guest, { name: "locked", capacity: 3, password: "key" });
      for (const wrong of ["", "KEY", "key "]) {
        assert.deepEqual(await answer(guest, () => guest.enterRoom(id, wrong)), [errors.password]);
        assert.deepEqual(await answer(guest, () => guest.observeRoom(id, wrong)), [
          errors.password,
        ]);
      }
      const found = (await guest.rooms()).find((room) => room.id === id);
      assert.equal(found?.hasPassword, true);
      guest.notify("EnterRoom", [id, new TextEncoder().encode("key")]);
      await guest.expect("EnterRoom");
      const other = await stage.player("other");
      const open = await openRoom(other, await stage.player("list"), { name: "open", capacity: 2 });
      guest.quitRoom();
      await guest.expect("EnterLobby");
      guest.enterRoom(open, "whatever");
      await guest.expect("EnterRoom");
    });

    test("unknown and full rooms refuse, the password being asked before", async () => {
      const [owner, guest] = [await stage.player("owner"), await stage.player("guest")];
      const id = await openRoom(owner, guest, { name: "full", capacity: 1, password: "key" });
      for (const unknown of [id + 1_000, 0, -1, 2 ** 40]) {
        assert.deepEqual(await answer(guest, () => guest.enterRoom(unknown)), [errors.unknown]);
        assert.deepEqual(await answer(guest, () => guest.observeRoom(unknown)), [errors.unknown]);
      }
      assert.deepEqual(await answer(guest, () => guest.enterRoom(id)), [errors.password]);
      assert.deepEqual(await answer(guest, () => guest.enterRoom(id, "key")), [errors.full]);
      assert.deepEqual(await answer(guest, () => guest.observeRoom(id, "key")), [
        errors.notRunning,
      ]);
    });

    test("the kicked may not come back, even into a full room", async () => {
      const [owner, guest] = [await stage.player("owner"), await stage.player("guest")];
      const id = await openRoom(owner, guest, { name: "kicking", capacity: 2 });
      guest.enterRoom(id);
      await guest.expect("RoomOwner");
      const [ownerEar, guestEar] = [await Ear.of(owner), await Ear.of(guest)];
      guest.kick(owner.id);
      assert.deepEqual(await guestEar.heard(), [], "a guest kicks nobody");
      owner.kick(owner.id);
      assert.deepEqual(await ownerEar.heard(), [], "nor the owner himself");
      owner.kick(guest.id);
      await guest.expect("EnterLobby");
      const [ready, lobby, numbers] = await guestEar.heard();
      assert.equal(ready, `ReadyChanged [${guest.id}, false]`);
      assert.equal(lobby, "EnterLobby null");
      assert.match(numbers ?? "", /^UpdatePlayerNum \[\d+, \d+\]$/);
      assert.deepEqual(await ownerEar.heard(), [
        `ReadyChanged [${guest.id}, false]`,
        `RemovePlayer [${guest.id}]`,
      ]);
      assert.deepEqual(await answer(guest, () => guest.enterRoom(id)), [errors.rejected]);
      owner.addRobot();
      await owner.expect("AddPlayer");
      assert.deepEqual(await answer(guest, () => guest.enterRoom(id)), [errors.rejected]);
      const other = await stage.player("other");
      assert.deepEqual(await answer(other, () => other.enterRoom(id)), [errors.full]);
    });

    test("CreateRoom refuses what is outside the limits and makes no room", async () => {
      const client = await stage.player("maker");
      const wishes = [
        { name: "", capacity: 2 },
        { name: "a".repeat(129), capacity: 2 },
        { name: "a badword b", capacity: 2 },
        { name: "small", capacity: 0 },
        { name: "negative", capacity: -1 },
        { name: "large", capacity: 65 },
        { name: "huge", capacity: 2 ** 60 },
        { name: "hasty", capacity: 2, timeout: 0 },
        { name: "slow", capacity: 2, timeout: 601 },
        { name: "wide", capacity: 2, settings: { gameMode: "x", roomName: "s".repeat(65_536) } },
      ];
      for (const wish of wishes) {
        assert.deepEqual(
          await answer(client, () => client.createRoom(wish)),
          [errors.refused],
          wish.name,
        );
      }
      assert.deepEqual(await client.rooms(), []);
      for (
        const wish of [{ name: "a".repeat(128), capacity: 64, timeout: 600 }, {
          name: "x",
          capacity: 1,
          timeout: 1,
        }]
      ) {
        client.createRoom(wish);
        await client.expect("RoomOwner");
        client.quitRoom();
        await client.expect("EnterLobby");
      }
    });

    test("ChangeRoom is the owner's, goes to all as it came, and makes all unready", async () => {
      const [owner, guest] = [await stage.player("owner"), await stage.player("guest")];
      const id = await openRoom(owner, guest, { name: "changing", capacity: 3 });
      guest.enterRoom(id);
      await guest.expect("RoomOwner");
      guest.ready();
      await guest.expect("ReadyChanged");
      await owner.expect("ReadyChanged");
      owner.addRobot();
      await guest.expect("AddPlayer");
      await owner.expect("AddPlayer", ({ diag }) => diag.includes("COMP-"));
      const data = roomData("changed", 4, "new");
      assert.deepEqual(await answer(guest, () => guest.notify("ChangeRoom", data)), [
        errors.notOwner,
      ]);
      const small = roomData("changed", 2, "new");
      assert.deepEqual(await answer(owner, () => owner.notify("ChangeRoom", small)), [
        errors.tooSmall,
      ]);
      const none = roomData("changed", 0, "new");
      assert.deepEqual(await answer(owner, () => owner.notify("ChangeRoom", none)), [
        errors.tooSmall,
      ]);
      const banned = roomData("a badword b", 4);
      assert.deepEqual(await answer(owner, () => owner.notify("ChangeRoom", banned)), [
        errors.refused,
      ]);
      const guestEar = await Ear.of(guest);
      const said = await answer(owner, () => owner.notify("ChangeRoom", data));
      assert.deepEqual(said, [
        `ChangeRoom ${diagnose(data.bytes)}`,
        `ReadyChanged [${owner.id}, false]`,
        `ReadyChanged [${guest.id}, false]`,
      ]);
      assert.deepEqual(await guestEar.heard(), said);
      const changed = owner.received.findLast(({ command }) => command === "ChangeRoom");
      assert.equal(hexOf(changed?.data ?? new Uint8Array(0)), hexOf(data.bytes), "byte for byte");
      const list = await (await stage.player("list")).rooms();
      const found = list.find((room) => room.id === id);
      assert.deepEqual([found?.name, found?.capacity, found?.hasPassword], ["changed", 4, true]);
    });

    test("only the owner starts, a full room, and everybody else being ready", async () => {
      const [owner, guest] = [await stage.player("owner"), await stage.player("guest")];
      const id = await openRoom(owner, guest, { name: "starting", capacity: 2 });
      assert.deepEqual(await answer(owner, () => owner.startGame()), [], "not full");
      guest.enterRoom(id);
      await guest.expect("RoomOwner");
      await owner.expect("UpdateGameData", ({ value }) => (value as number[])[0] === guest.id);
      assert.deepEqual(await answer(owner, () => owner.startGame()), [], "a guest not ready");
      guest.ready();
      await guest.expect("ReadyChanged");
      await owner.expect("ReadyChanged");
      assert.deepEqual(await answer(guest, () => guest.startGame()), [], "a guest");
      const ear = await Ear.of(owner);
      owner.startGame();
      await owner.expect("StartGame");
      assert.deepEqual((await ear.heard()).slice(0, 4), [
        `ReadyChanged [${owner.id}, false]`,
        `ReadyChanged [${guest.id}, false]`,
        `ServerMessage raw "*WARN* Same IP address: [${owner.name}, ${guest.name}]"`,
        "StartGame null",
      ]);
    });

    test("the list has rooms that are not full first, each by its id", async () => {
      const clients: GameClient[] = [];
      for (let at = 0; at < 4; at++) clients.push(await stage.player("host"));
      const lister = await stage.player("lister");
      const ids: number[] = [];
      for (const [at, client] of clients.entries()) {
        const capacity = at % 2 === 0 ? 1 : 2;
        ids.push(await openRoom(client, lister, { name: `listed ${at}`, capacity }));
      }
      const listed = (await lister.rooms()).filter(({ name }) => name.startsWith("listed"));
      assert.deepEqual(listed.map(({ id }) => id), [ids[1], ids[3], ids[0], ids[2]]);
      assert.deepEqual(listed[0], {
        id: ids[1],
        name: "listed 1",
        gameMode,
        players: 1,
        capacity: 2,
        hasPassword: false,
        outdated: false,
      });
    });

    test("chat reaches its own place alone, is cut between characters, and bounded", async () => {
      const [one, two] = [await stage.player("talker"), await stage.player("listener")];
      const id = await openRoom(one, two, { name: "talking", capacity: 2 });
      assert.deepEqual(await answer(two, () => one.chat("to the room", 2)), []);
      const long = "长".repeat(101);
      const said = await answer(two, () => two.chat(long));
      const cut = long.slice(0, 100);
      assert.deepEqual(said, [
        `Chat {"msg": "${cut}", "sender": ${two.id}, "type": 1, "userName": "${two.name}"}`,
      ]);
      assert.deepEqual(await answer(two, () => two.chat(`${"a".repeat(299)} badword`)), []);
      two.enterRoom(id);
      await two.expect("RoomOwner");
      await one.expect("AddPlayer");
      const ear = await Ear.of(one);
      two.chat("hello", 2);
      await one.expect("Chat");
      const hello = `Chat {"msg": "hello", "sender": ${two.id}, "type": 2}`;
      assert.ok((await ear.heard()).includes(hello));
    });

    test("who loses the connection in a waiting room leaves it, and the owner hands over", async () => {
      const [owner, guest] = [await stage.player("owner"), await stage.player("guest")];
      const id = await openRoom(owner, guest, { name: "leaving", capacity: 2 });
      guest.enterRoom(id);
      await guest.expect("UpdateGameData", ({ value }) => (value as number[])[0] === guest.id);
      const ear = await Ear.of(guest);
      await owner.reset();
      await guest.expect("RoomOwner");
      assert.deepEqual(await ear.heard(), [
        `ServerMessage raw "${owner.name} logged out"`,
        `ReadyChanged [${owner.id}, false]`,
        `RemovePlayer [${owner.id}]`,
        `RoomOwner [${guest.id}]`,
      ]);
      guest.quitRoom();
      await guest.expect("EnterLobby");
      assert.deepEqual((await guest.rooms()).filter((room) => room.id === id), []);
    });
  },
);
