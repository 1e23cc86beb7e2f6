import assert from "node:assert/strict";
import { it } from "node:test";
import { GameClient, type Login } from "../client/game_client.ts";
import { type ProgramKind, withGameProgram } from "../client/game_program.ts";
import { Ear } from "./game_stage.ts";
import { md5OfCore, realCore, withoutCore } from "./recorded_games.ts";

/** Reconnects into a game of the real rules, looks on at another's, and leaves both. */
async function comeAndGo(kind: ProgramKind): Promise<void> {
  await withGameProgram({ kind, core: realCore }, async ({ port }) => {
    const join = async (login: Omit<Login, "password" | "md5">) => {
      const client = await GameClient.connect({ port });
      await client.login({ ...login, password: "secret", md5: md5OfCore });
      client.answerRequests(() => "__cancel");
      return client;
    };
    const [owner, other, guest] = [
      await join({ name: "liubei" }),
      await join({ name: "guanyu" }),
      await join({ name: "zhangfei" }),
    ];
    owner.createRoom({
      name: "peach garden",
      capacity: 2,
      settings: {
        gameMode: "aaa_role_mode",
        roomName: "peach garden",
        password: "",
        _game: { generalNum: 3, generalTimeout: 15, luckTime: 0, enableFreeAssign: false },
        _mode: {},
        disabledPack: [],
        disabledGenerals: [],
      },
    });
    await owner.expect("RoomOwner");
    const [room] = await guest.rooms();
    assert.ok(room !== undefined);
    other.enterRoom(room.id);
    await other.expect("RoomOwner");
    other.ready();
    await owner.expect("ReadyChanged", ({ diag }) => diag.endsWith("true]"));
    owner.startGame();
    for (const client of [owner, other]) await client.expect("ArrangeSeats");

    guest.observeRoom(room.id);
    await guest.expect("Observe");
    await other.reset();
    await owner.expect("NetStateChanged", ({ diag }) => diag === `[${other.id}, 'offline']`);
    const back = await join({ name: "guanyu" });
    const said = back.received.map(({ command }) => command);
    // The game goes on meanwhile, so that words of the rules may come before `Reconnect`.
    assert.deepEqual(said.slice(1, 4), ["NetStateChanged", "Setup", "SetServerSettings"]);
    assert.ok(said.includes("Reconnect"));
    await owner.expect("NetStateChanged", ({ diag }) => diag === `[${other.id}, 'online']`);

    guest.quitRoom();
    await guest.expect("EnterLobby");
    const ear = await Ear.of(guest);
    back.pushRequest("surrender,true");
    owner.pushRequest("surrender,true");
    for (const client of [owner, back]) await client.expect("GameOver");
    for (const client of [owner, back]) await client.expect("AddTotalGameTime");
    assert.deepEqual(await ear.heard(), []);
    for (const client of [owner, back, guest]) await client.close();
  });
}

for (const kind of ["binary", "deno"] as const) {
  it(`serve (${kind}): a real core reconnects players and shows games to others`, {
    skip: withoutCore,
  }, () => {
    return comeAndGo(kind);
  });
}
