import { Database } from "bun:sqlite";
import assert from "node:assert/strict";
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { encrypt } from "../game/accounts/client_cipher.ts";
import { originalUsersSql } from "../game/accounts/original_database.ts";
import { md5OfNothing } from "../client/game_client.ts";
import { describePrograms, dialog, Ear, refusedLogin, unhurried } from "./game_stage.ts";
import { askServer } from "./run_program.ts";

const password = "secret";
const versionText = '["server supports version %1, please update","0.5.19+"]';

describePrograms("serve: logging in", {
  server: { banWords: ["badword"], maxPlayersPerDevice: 2 },
  game: { ...unhurried, maxPlayersPerDevice: 2 },
}, (stage, test) => {
  test("a new name is registered and comes into the lobby with what clients expect", async () => {
    const client = await stage.player("new");
    const { id, name } = client;
    await client.settled();
    const [setup, ...rest] = client.received.slice(1, 6).map((one) => `${one.command} ${one.diag}`);
    assert.match(setup ?? "", new RegExp(`^Setup \\[${id}, "${name}", "liubei", 1\\d{12}\\]$`));
    assert.deepEqual(rest, [
      'SetServerSettings ["Welcome!", [], ["AddRobot", "ChangeRoom"]]',
      `AddTotalGameTime [${id}, 0]`,
      "EnterLobby null",
      "UpdatePlayerNum [1, 1]",
    ]);
  });

  test("names that are not clean are refused", async () => {
    for (const sign of "'\";#* /\\?<>|:") {
      const login = { name: `a${sign}b`, password, uuid: "clean" };
      assert.deepEqual(await refusedLogin(stage, login), dialog("invalid user name"), sign);
    }
    for (const name of ["", "a--b", "my badword", "长".repeat(65)]) {
      const said = await refusedLogin(stage, { name, password, uuid: "clean" });
      assert.deepEqual(said, dialog("invalid user name"), name);
    }
  });

  test("the checks come in their order: version, device, packages, name", async () => {
    const wrong = { name: "", password, md5: "0", uuid: "a'b", version: "0.6.0" };
    assert.deepEqual(await refusedLogin(stage, wrong), dialog(versionText));
    const device = await refusedLogin(stage, { ...wrong, version: "0.5.99" });
    assert.deepEqual(device, dialog("you have been banned!"));
    const packages = await refusedLogin(stage, { ...wrong, version: "0.5.19", uuid: "u" });
    assert.equal(packages[0], 'ErrorMsg raw "MD5 check failed!"');
    assert.match(packages[1] ?? "", /^UpdatePackage \[/);
    assert.equal(packages.length, 2);
    const named = await refusedLogin(stage, {
      ...wrong,
      version: "0.5.19",
      uuid: "u",
      md5: md5OfNothing,
    });
    assert.deepEqual(named, dialog("invalid user name"));
  });

  test("a wrong password and a cipher that does not unpad get one answer, and register nobody", async () => {
    const client = await stage.player("cipher");
    const { name } = client;
    const wrong = dialog("username or password error");
    assert.deepEqual(await refusedLogin(stage, { name, password: "other" }), wrong);
    const unpadded = async (name: string, cipher: (pem: string) => Uint8Array) => {
      const other = await stage.connect();
      const pem = await other.greeted();
      other.notify("Setup", [name, cipher(pem), md5OfNothing, "0.5.19", name]);
      assert.equal(await other.closed, "fin");
      return other.received.slice(1).map(({ command, diag }) => `${command} ${diag}`);
    };
    const noise = () => new Uint8Array(256).fill(0x17);
    const short = (pem: string) => encrypt(pem, new Uint8Array(32).fill(0x41));
    for (const cipher of [noise, short]) {
      assert.deepEqual(await unpadded(name, cipher), wrong);
      assert.deepEqual(await unpadded("nobody_yet", cipher), wrong);
    }
    const odd = await unpadded(name, () => new Uint8Array(255).fill(1));
    assert.deepEqual(odd, dialog("unknown password error"));
    await stage.player("", { name: "nobody_yet", password: "the first password counts" });
  });

  test("a device with all its accounts registers no more, but logs in", async () => {
    const uuid = "shared-device";
    const first = await stage.player("one", { uuid });
    await stage.player("two", { uuid });
    const third = await refusedLogin(stage, { name: "three", password, uuid });
    assert.deepEqual(third, dialog("cannot register more new users on this device"));
    await stage.player("", { name: first.name, uuid });
  });

  test("a changed password counts at once, and only with the old one", async () => {
    const client = await stage.player("change");
    const { name } = client;
    client.updatePassword("wrong", "next");
    assert.equal((await client.expect("UpdatePassword")).diag, 'raw "0"');
    client.updatePassword(password, "next");
    assert.equal((await client.expect("UpdatePassword")).diag, 'raw "1"');
    const bytes = (text: string) => new TextEncoder().encode(text);
    client.updatePassword(bytes("next"), bytes("last"));
    assert.equal((await client.expect("UpdatePassword")).diag, 'raw "1"');
    await client.close();
    for (const old of [password, "next"]) {
      const said = await refusedLogin(stage, { name, password: old });
      assert.deepEqual(said, dialog("username or password error"));
    }
    await stage.player("", { name, password: "last" });
  });

  test("a banned account is closed and refused, until it is unbanned", async () => {
    const client = await stage.player("banned");
    const { name } = client;
    await stage.program.command(`ban ${name}`);
    assert.equal(await client.closed, "fin");
    const refused = dialog("you have been banned!");
    assert.deepEqual(await refusedLogin(stage, { name, password }), refused);
    await stage.program.command(`unban ${name}`);
    await stage.player("", { name });
  });

  test("a ban for a time says when it ends, in local time", async () => {
    const client = await stage.player("tempban");
    const { name } = client;
    const before = Date.now();
    await stage.program.command(`tempban ${name} 5m`);
    assert.equal(await client.closed, "fin");
    const [said = ""] = await refusedLogin(stage, { name, password });
    const text = JSON.parse(said.replace(/^ErrorDlg raw /, "")) as string;
    const [words, until] = JSON.parse(text) as [string, string];
    assert.equal(words, "you have been banned! expire at %1");
    const [, year, month, day, hour, minute, second] =
      /^(\d{4})-(\d\d)-(\d\d) (\d\d):(\d\d):(\d\d)\.$/.exec(until) ?? [];
    const parts = [year, month, day, hour, minute, second].map(Number);
    const [y = 0, mo = 0, d, h, mi, s] = parts;
    const at = new Date(y, mo - 1, d, h, mi, s).getTime();
    assert.ok(at >= before + 299_000 && at <= Date.now() + 301_000, until);
    await stage.program.command(`unban ${name}`);
    await stage.player("", { name });
  });

  test("with the whitelist on, only names on it get in", async () => {
    const { program } = stage;
    await program.configure({ enableWhitelist: true });
    try {
      const refused = dialog("user name not in whitelist");
      assert.deepEqual(await refusedLogin(stage, { name: "guest", password }), refused);
      const bad = await refusedLogin(stage, { name: "a b", password, uuid: "clean" });
      assert.deepEqual(bad, dialog("invalid user name"));
      await program.command("whitelist add guest");
      await stage.player("", { name: "guest" });
      await program.command("whitelist rm guest");
      assert.deepEqual(await refusedLogin(stage, { name: "guest", password }), refused);
    } finally {
      await program.configure({ enableWhitelist: false });
    }
  });

  test("the same account again ends the old connection and goes to the lobby", async () => {
    const old = await stage.player("twice");
    const ear = await Ear.of(old);
    const { name, id } = old;
    const again = await stage.player("", { name });
    assert.equal(again.id, id);
    assert.equal(await old.closed, "fin");
    assert.equal(ear.heardByNow()[0], dialog("others logged in again with this name")[0]);
    assert.deepEqual(await again.rooms(), []);
  });

  test("packets of other shapes are taken as existing clients send them", async () => {
    const client = await stage.player("odd");
    const lists = async (what: string) => {
      const ear = await Ear.of(client);
      client.refreshRoomList();
      assert.deepEqual(await ear.heard(), ["UpdateRoomList []"], what);
    };
    const taken: Readonly<Record<string, string>> = {
      "another id": "841903e7 190412 4f52656672657368526f6f6d4c697374 4160",
      "direction bits of a server": "8421 190421 4f52656672657368526f6f6d4c697374 4160",
      "six items": "8621 190412 4f52656672657368526f6f6d4c697374 4160 00 00",
      "empty data": "8421 190412 4f52656672657368526f6f6d4c697374 40",
      "data that is no CBOR": "8421 190412 4f52656672657368526f6f6d4c697374 41bf",
      "long heads": "980421 1a00000412 580f52656672657368526f6f6d4c697374 590001 60",
    };
    for (const [what, hex] of Object.entries(taken)) {
      const ear = await Ear.of(client);
      client.sendRaw(fromSpaced(hex));
      assert.deepEqual(await ear.heard(), ["UpdateRoomList []"], what);
    }
    const ignored: Readonly<Record<string, string>> = {
      "neither reply nor notification": "8421 190112 4f52656672657368526f6f6d4c697374 4160",
      "a reply that nobody awaits": "8401 190212 4f52656672657368526f6f6d4c697374 4160",
      "a command that there is not": "8421 190412 4378797a 4160",
      "compressed data that is none": "8421 191412 4443686174 47000000ffffffff",
      "4 GiB announced in compressed data": "8421 191412 4443686174 46ffffffff7801",
      "a password that is no list": "8421 190412 4e55706461746550617373776f7264 4160",
      "a room's number as text": "8421 190412 49456e746572526f6f6d 4482613160",
    };
    for (const [what, hex] of Object.entries(ignored)) {
      const ear = await Ear.of(client);
      client.sendRaw(fromSpaced(hex));
      assert.deepEqual(await ear.heard(), [], what);
    }
    const ofRooms = ["QuitRoom", "AddRobot", "Ready", "StartGame", "Trust", "PushRequest"];
    for (const command of [...ofRooms, "KickPlayer", "ChangeRoom", "Setup", "EnterLobby"]) {
      const ear = await Ear.of(client);
      client.notify(command, "");
      assert.deepEqual(await ear.heard(), [], command);
    }
    await lists("afterwards");
  });

  test("a packet over 64 KiB ends a connection that has not logged in, one over 1 MiB any", async () => {
    const stranger = await stage.connect();
    await stranger.greeted();
    stranger.sendRaw(fromSpaced("8421 190412 455365747570 5a00010001"));
    assert.equal(await stranger.closed, "fin");
    assert.deepEqual(stranger.received.map(({ command }) => command), ["NetworkDelayTest"]);
    const player = await stage.player("large");
    const ear = await Ear.of(player);
    player.sendRaw(fromSpaced("8421 190412 4443686174 5a00100001"));
    assert.equal(await player.closed, "fin");
    assert.deepEqual(ear.heardByNow(), []);
  });
});

describePrograms("serve: strangers", {
  game: { setupTimeoutSeconds: 0.4, maxPendingPerIp: 3 },
}, (stage, test) => {
  test("who does not log in is closed in time, without a word", async () => {
    const client = await stage.connect();
    assert.equal(await client.closed, "fin");
    assert.deepEqual(client.received.map(({ command }) => command), ["NetworkDelayTest"]);
  });

  test("one address has so many strangers at a time, and others are free to come", async () => {
    const from = "127.0.7.1";
    for (let count = 0; count < 3; count++) await (await stage.connect(from)).greeted();
    const over = await stage.connect(from);
    await over.closed;
    assert.deepEqual(over.received, []);
    await (await stage.connect("127.0.7.2")).greeted();
  });
});

describePrograms("serve: a copied data directory, on a port for all", {
  root: { tcp_port_mode: "auto" },
  prepare: (directory) => {
    mkdirSync(join(directory, "server"));
    const database = new Database(join(directory, "server/users.db"));
    database.exec(originalUsersSql);
    database.close();
  },
}, (stage, test) => {
  test("an account of the original server logs in with its old password, twice", async () => {
    for (let time = 1; time <= 2; time++) {
      const client = await stage.player("", { name: "caocao", password: "1234" });
      assert.equal(client.id, 1);
      assert.match(client.received[1]?.diag ?? "", /^\[1, "caocao", "caocao", \d+\]$/);
      const time = client.received.find(({ command }) => command === "AddTotalGameTime");
      assert.equal(time?.diag, "[1, 300]");
      await client.close();
    }
    const said = await refusedLogin(stage, { name: "caocao", password: "12345" });
    assert.deepEqual(said, dialog("username or password error"));
  });

  test("a banned device and a banned address of the original server stay banned", async () => {
    const said = await refusedLogin(stage, { name: "newcomer", password, uuid: "bad-device" });
    assert.deepEqual(said, dialog("you have been banned!"));
  });

  test("probes are answered on the same port, and silence is greeted as a game client", async () => {
    assert.equal(await askServer(stage.program.port, "M1_CONN_PING"), "M1_CONN_PONG");
    await (await stage.connect()).greeted();
  });
});

function fromSpaced(hex: string): Uint8Array {
  return new Uint8Array(Buffer.from(hex.replaceAll(" ", ""), "hex"));
}
