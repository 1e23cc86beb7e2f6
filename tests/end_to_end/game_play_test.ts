import assert from "node:assert/strict";
import type { GamePacket } from "../client/game_packet.ts";
import { describePrograms, dialog, Ear, refusedLogin, unhurried } from "./game_stage.ts";
import { startGame } from "./game_table.ts";

describePrograms(
  "serve: games of the scripted rules",
  { game: unhurried },
  (stage, test) => {
    test("who lost the connection comes back to his seat, and all are told in order", async () => {
      const { players: [owner, lost], guest } = await startGame(stage, { players: 2 });
      assert.ok(owner !== undefined && lost !== undefined);
      const [ownerEar, guestEar] = [await Ear.of(owner), await Ear.of(guest)];
      const { name, id } = lost;
      await lost.reset();
      await owner.expect("NetStateChanged");
      assert.deepEqual(await ownerEar.heard(), [
        `ServerMessage raw "${name} logged out"`,
        `NetStateChanged [${id}, 'offline']`,
      ]);
      const back = await stage.player("", { name });
      assert.equal(back.id, id);
      const said = back.received.slice(1).map(({ command, diag }) => `${command} ${diag}`);
      assert.equal(said[0], `NetStateChanged [${id}, 'online']`);
      assert.match(said[1] ?? "", new RegExp(`^Setup \\[${id}, "${name}", "liubei", 1\\d{12}\\]$`));
      assert.deepEqual(said.slice(2), [
        'SetServerSettings ["Welcome!", [], ["AddRobot", "ChangeRoom"]]',
        `Reconnect {"players": [${owner.id}, ${id}]}`,
      ]);
      assert.deepEqual(await ownerEar.heard(), [
        `ServerMessage raw "${name} backed"`,
        `NetStateChanged [${id}, 'online']`,
      ]);
      assert.deepEqual(await guestEar.heard(), [
        `ServerMessage raw "${name} logged out"`,
        `ServerMessage raw "${name} backed"`,
      ]);
      back.pushRequest("notify,Note,still playing");
      await owner.expect("Note");
    });

    test("a second login into a running game takes the seat over, and nobody was offline", async () => {
      const { players: [owner, twice] } = await startGame(stage, { players: 2 });
      assert.ok(owner !== undefined && twice !== undefined);
      const [ear, oldEar] = [await Ear.of(owner), await Ear.of(twice)];
      const { name, id } = twice;
      const again = await stage.player("", { name });
      assert.equal(await twice.closed, "fin");
      assert.deepEqual(oldEar.heardByNow(), dialog("others logged in again with this name"));
      const said = again.received.slice(1).map(({ command }) => command);
      assert.deepEqual(said, ["Setup", "SetServerSettings", "Reconnect"]);
      assert.equal(again.id, id);
      assert.deepEqual(await ear.heard(), [`ServerMessage raw "${name} backed"`]);
    });

    test("observing begins with the rules' word and ends in the lobby", async () => {
      const { players: [owner], guest, roomId } = await startGame(stage, { players: 1, robots: 1 });
      assert.ok(owner !== undefined);
      guest.enterRoom(roomId);
      assert.equal((await guest.expect("ErrorMsg")).text, "Room is full or already started!");
      const [guestEar, ownerEar] = [await Ear.of(guest), await Ear.of(owner)];
      guest.observeRoom(roomId);
      assert.match(
        (await guest.expect("Observe")).diag,
        new RegExp(`\\{"players": \\[${owner.id}, -`),
      );
      owner.pushRequest("notify,Note,hello");
      assert.equal((await guest.expect("Note")).diag, '"hello"');
      guest.chat("from outside", 2);
      const chat = await owner.expect("Chat");
      assert.equal(chat.diag, `{"msg": "from outside", "sender": ${guest.id}, "type": 2}`);
      const commands = (await guestEar.heard()).map((text) => text.split(" ")[0]);
      assert.deepEqual(commands, ["Observe", "Note", "Chat"]);
      guest.quitRoom();
      await guest.expect("EnterLobby");
      const [setup, lobby, numbers] = await guestEar.heard();
      assert.equal(setup, `Setup [${guest.id}, '${guest.name}', 'liubei']`);
      assert.equal(lobby, "EnterLobby null");
      assert.match(numbers ?? "", /^UpdatePlayerNum /);
      owner.pushRequest("notify,Note,again");
      await owner.expect("Note", ({ diag }) => diag === '"again"');
      assert.deepEqual(await guestEar.heard(), [], "the rules no longer speak to him");
      assert.deepEqual((await ownerEar.heard()).map((text) => text.split(" ")[0]), [
        "Note",
        "Chat",
        "Note",
      ]);
    });

    test("a request is answered by its id, and by the newest alone", async () => {
      const { players: [one, two] } = await startGame(stage, { players: 2 });
      assert.ok(one !== undefined && two !== undefined);
      one.pushRequest(`ask,${two.id},15,AskForGeneral`);
      const request = await two.expect("AskForGeneral");
      assert.equal(request.type, 0x121);
      assert.equal(request.timeout, 15);
      assert.equal(request.timestamp, 1_700_000_000_000);
      assert.equal(request.diag, '["AskForGeneral", 15]');
      assert.ok(request.id >= 1 && request.id <= 10_000_000);
      // An answer to a question that was not asked, and one of somebody who was not asked.
      two.notify("Chat", { type: 2, msg: "not an answer" });
      one.reply(request, "from another");
      const { id, command } = request;
      two.reply({ ...request, id: id + 1, command } as GamePacket, "to another");
      two.reply({ ...request, id, command: "Whatever" } as GamePacket, "caocao");
      const answered = await one.expect("Answered");
      assert.equal(answered.diag, `[${two.id}, 'fcaocao']`, "as it came, CBOR and all");
    });

    test("time that is up counts as a miss, and the third one in a row closes the connection", async () => {
      const { players: [one, two] } = await startGame(stage, { players: 2 });
      assert.ok(one !== undefined && two !== undefined);
      for (let miss = 1; miss <= 3; miss++) {
        one.pushRequest(`ask,${two.id},0,AskForGeneral`);
        const answered: GamePacket = await one.expect("Answered");
        assert.equal(answered.diag, `[${two.id}, '__notready']`);
      }
      assert.equal(await two.closed, "fin");
      await one.settled();
      const gone = one.received.filter(({ command, text }) =>
        command === "NetStateChanged" || text === `${two.name} logged out`
      );
      assert.deepEqual(gone.map(({ command, diag }) => `${command} ${diag}`), [
        `NetStateChanged [${two.id}, 'offline']`,
        `ServerMessage raw "${two.name} logged out"`,
      ], "first the seat, where the server closes");
    });

    test("who trusts the machine is not asked, and takes over again", async () => {
      const { players: [one, two] } = await startGame(stage, { players: 2 });
      assert.ok(one !== undefined && two !== undefined);
      two.trust();
      assert.equal((await one.expect("NetStateChanged")).diag, `[${two.id}, 'trust']`);
      one.pushRequest(`ask,${two.id},15`);
      assert.equal((await one.expect("Answered")).diag, `[${two.id}, '__cancel']`);
      two.trust();
      assert.equal((await one.expect("NetStateChanged")).diag, `[${two.id}, 'online']`);
      one.pushRequest(`ask,${two.id},15`);
      two.reply(await two.expect("AskForUseActiveSkill"), "__cancel");
      assert.match((await one.expect("Answered")).diag, /^\[\d+, 'h__cancel'\]$/);
    });

    test("at the end come the results, the time played, and the leave of robots", async () => {
      const { players, guest, roomId } = await startGame(stage, { players: 2, robots: 1 });
      const [one, two] = players;
      assert.ok(one !== undefined && two !== undefined);
      const ear = await Ear.of(two);
      one.pushRequest("end,win,lose,draw");
      await two.expect("RemovePlayer");
      const said = (await ear.heard()).map((text) => {
        return text.replace(/(AddTotalGameTime .*), \d+\]$/, "$1, n]").replace(/\[-\d+/, "[-");
      });
      assert.deepEqual(said, [
        'GameOver "win+lose+draw"',
        `UpdateGameData [${one.id}, 1, 1, 0]`,
        `UpdateGameData [${two.id}, 1, 0, 0]`,
        `AddTotalGameTime [${one.id}, n]`,
        `AddTotalGameTime [${two.id}, n]`,
        "ReadyChanged [-, false]",
        "RemovePlayer [-]",
      ]);
      const found = (await guest.rooms()).find(({ id }) => id === roomId);
      assert.equal(found?.players, 2);
    });

    test("who runs away is told the same as the others, and closed", async () => {
      const { players: [one, two] } = await startGame(stage, { players: 2 });
      assert.ok(one !== undefined && two !== undefined);
      const [ear, runEar] = [await Ear.of(one), await Ear.of(two)];
      const { name, id } = two;
      two.quitRoom();
      assert.equal(await two.closed, "fin");
      const told = runEar.heardByNow();
      assert.equal(told[0], `NetStateChanged [${id}, 'run']`);
      assert.deepEqual(told.map((text) => text.split(" ")[0]), [
        "NetStateChanged",
        "EnterLobby",
        "UpdatePlayerNum",
        "ChangeSelf",
      ]);
      assert.deepEqual(await ear.heard(), [
        `NetStateChanged [${id}, 'run']`,
        `ServerMessage raw "${name} logged out"`,
      ]);
    });

    test("rules that crash cost their games: everybody is told and back in the lobby", async () => {
      const { players: [one, two] } = await startGame(stage, { players: 2 });
      assert.ok(one !== undefined && two !== undefined);
      const ear = await Ear.of(two);
      one.pushRequest("crash");
      await two.expect("EnterLobby");
      const [dialogText, lobby] = await ear.heard();
      assert.equal(dialogText, dialog("Server Internal Error")[0]);
      assert.equal(lobby, "EnterLobby null");
      assert.deepEqual(await one.rooms(), []);
      await startGame(stage, { players: 1, robots: 1 });
    });

    test("saves come back, and a player's own save is read in the lobby", async () => {
      const { players: [one] } = await startGame(stage, { players: 1, robots: 1 });
      assert.ok(one !== undefined);
      one.pushRequest('save_global,notes,{"a":1}');
      assert.equal((await one.expect("Saved")).diag, '"query_done"');
      one.pushRequest("load_global,notes");
      assert.equal((await one.expect("Loaded")).diag, '"{\\"a\\":1}"');
      one.readGlobalSaveState("notes");
      assert.equal((await one.expect("ReadGlobalSaveState")).diag, '"{\\"a\\":1}"');
      one.readGlobalSaveState("nothing");
      assert.equal((await one.expect("ReadGlobalSaveState")).diag, '"{}"');
    });

    test("a task of the lobby is begun with its data, and aborted when its player leaves", async () => {
      const client = await stage.player("tasker");
      client.lobbyTask("count", 20);
      assert.equal((await client.expect("TaskStarted")).text, "count");
      assert.equal((await client.expect("TaskDone")).text, "delay_done");
    });
  },
);

describePrograms("serve: running away", { server: { tempBanTime: 20 } }, (stage, test) => {
  test("the address of who ran away is refused, until the player is unbanned", async () => {
    const { players: [owner, runner] } = await startGame(stage, { players: 2 });
    assert.ok(owner !== undefined && runner !== undefined);
    const { name, localAddress } = runner;
    runner.quitRoom();
    await runner.closed;
    const banned = await stage.connect(localAddress);
    assert.equal(await banned.closed, "fin");
    const said = banned.received.map(({ command, diag }) => `${command} ${diag}`);
    assert.deepEqual(said, dialog("you have been temporarily banned!"));
    await stage.program.command(`unban ${name}`);
    const login = { name, password: "wrong" };
    const refused = await refusedLogin(stage, login, localAddress);
    assert.deepEqual(refused, dialog("username or password error"));
  });
});
