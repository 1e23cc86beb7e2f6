import { type CborInput } from "../../src/wire/cbor_encode.ts";
import type { GamePacket } from "../client/game_packet.ts";
import type { FakeClock } from "../fakes/clock.ts";
import type { FakeMachine } from "../fakes/network.ts";
import type { Dice } from "./dice.ts";
import { cipherOf } from "./fake_accounts.ts";
import { someGarbage } from "./garbage.ts";
import { type ClientEvents, SimClient } from "./sim_client.ts";

/** What players share. */
export interface PlayersWorld {
  readonly clock: FakeClock;
  readonly dice: Dice;
  /** Mean time between two things that a player does, in milliseconds. */
  readonly pauseMs: number;
  /** Of the packages that everybody has. */
  md5(): string;
  /** Counts what was done, so that a test can tell that it was done at all. */
  did(what: string): void;
  asked(requestId: number): void;
  complain(player: SimPlayer, text: string): void;
}

/** A player to whom nothing happens for so many tries starts his client again. */
const patience = 12;

/** An account and the human behind it: does what makes sense where he is, at times anything. */
export class SimPlayer {
  readonly name: string;
  readonly #world: PlayersWorld;
  readonly #machine: FakeMachine;
  readonly #events: ClientEvents;
  readonly clients: SimClient[] = [];
  #password = "secret";
  #wanted: string | undefined;
  #cancel = () => {};
  #isSilent = false;
  /** Things done without seeing anything come of it. */
  #inVain = 0;

  constructor(world: PlayersWorld, parts: { name: string; machine: FakeMachine }) {
    this.#world = world;
    this.name = parts.name;
    this.#machine = parts.machine;
    this.#events = {
      greeted: (client) => this.#greeted(client),
      notified: (client, packet) => this.#notified(client, packet),
      asked: (client, packet) => this.#asked(client, packet),
      closed: (client) => void this.clients.splice(this.clients.indexOf(client), 1),
      complain: (_client, text) => world.complain(this, text),
    };
    this.#later();
  }

  /** The newest connection. */
  get client(): SimClient | undefined {
    return this.clients.at(-1);
  }

  /** He does nothing any more; his connections stay. */
  stop(): void {
    this.#cancel();
    this.#isSilent = true;
  }

  #later(): void {
    const { clock, dice, pauseMs } = this.#world;
    this.#cancel = clock.after(dice.pause(pauseMs), () => {
      this.#later();
      this.#act();
    });
  }

  #act(): void {
    const { client } = this;
    const { clock, dice } = this.#world;
    if (client === undefined) {
      if (dice.chance(0.8)) this.#connect();
      return;
    }
    if (client.stage !== "in") {
      if (clock.monotonic() - client.since > 60_000) client.close("destroy");
      return;
    }
    const { place, isPlaying } = client.view;
    // Most of what goes wrong is of interest in a game.
    if (dice.chance(isPlaying ? 0.1 : 0.03)) return this.#misbehave(client);
    if (place === "lobby" || place === "nowhere") {
      if (++this.#inVain > patience) return this.#giveUp(client);
    }
    if (place === "lobby") return this.#inLobby(client);
    if (place === "observing") return this.#observing(client);
    if (place === "room") {
      return isPlaying ? this.#playing(client) : this.#waiting(client);
    }
  }

  #giveUp(client: SimClient): void {
    this.#inVain = 0;
    this.#world.did("give_up");
    client.close("end");
  }

  #connect(): void {
    const { clock } = this.#world;
    this.#world.did("connect");
    this.clients.push(
      new SimClient(this.#machine, { now: clock.monotonic(), events: this.#events }),
    );
  }

  #greeted(client: SimClient): void {
    const { dice } = this.#world;
    if (this.#isSilent || dice.chance(0.01)) return;
    if (dice.chance(0.01)) return client.say("Chat", { type: 1, msg: "before the login" });
    const isWrong = dice.chance(0.03);
    if (isWrong) this.#world.did("wrong_password");
    const cipher = cipherOf(isWrong ? dice.one(["wrong", undefined]) : this.#password);
    const version = dice.chance(0.01) ? "0.5.18" : "0.5.19";
    client.stage = "setup_sent";
    const md5 = dice.chance(0.01) ? "md5-0" : this.#world.md5();
    client.say("Setup", [this.name, cipher, md5, version, `device-${this.name}`]);
    if (!dice.chance(0.04)) return;
    const how = dice.one(["end", "destroy", "fail"] as const)!;
    this.#world.did("leave_while_logging_in");
    this.#world.clock.after(dice.below(300), () => client.close(how));
  }

  #notified(client: SimClient, { command }: GamePacket): void {
    const { lastText } = client;
    if (command === "UpdateRoomList" || command === "EnterRoom") this.#inVain = 0;
    if (command === "UpdatePassword") {
      if (lastText === "1") this.#password = this.#wanted ?? this.#password;
      this.#wanted = undefined;
    } else if (command === "ErrorDlg" && lastText === "username or password error") {
      // The word that it was changed may have been lost.
      if (this.#wanted !== undefined) {
        [this.#password, this.#wanted] = [this.#wanted, this.#password];
      }
    }
    if (command === "Observe" || command === "Reconnect" || command === "GameOver") {
      this.#world.did(command);
    }
  }

  #asked(client: SimClient, { id, timeout = 1 }: GamePacket): void {
    const { clock, dice } = this.#world;
    this.#world.asked(id);
    if (this.#isSilent || dice.chance(0.15)) return;
    const slowest = timeout * (dice.chance(0.1) ? 1_300 : 500);
    clock.after(dice.between(50, slowest), () => {
      const isOld = dice.chance(0.02);
      this.#world.did("answer");
      client.answer(isOld ? Math.max(1, id - 1) : id, dice.chance(0.1) ? "__cancel" : "yes");
    });
  }

  #misbehave(client: SimClient): void {
    const { clock, dice } = this.#world;
    const ways = {
      hang_up: 5,
      destroy: 3,
      fail: 5,
      cut: 3,
      second_login: 6,
      garbage: 3,
      odd: 8,
      flood: 0.3,
      burst: 0.5,
      sleep: 3,
    };
    const what = dice.weighted(ways);
    this.#world.did(what);
    switch (what) {
      case "hang_up":
        return client.close("end");
      case "destroy":
      case "fail":
        return client.close(what);
      case "cut": {
        // He notices some time later, the server by its heartbeats.
        client.close("cut");
        clock.after(dice.between(2_000, 40_000), () => client.close("destroy"));
        return;
      }
      case "second_login":
        return this.#connect();
      case "garbage":
        client.sent.add(what);
        return client.write(someGarbage(dice, "no_packet"));
      case "odd":
        return client.write(someGarbage(dice, "ignored"));
      case "flood":
        client.sent.add(what);
        for (let i = 0; i < 1_500; i++) client.say("Trust");
        return;
      case "burst":
        for (let i = 0; i < 400; i++) client.say("ReadGlobalSaveState", "k");
        return;
      case "sleep":
        client.pause();
        clock.after(dice.between(1_000, 15_000), () => client.resume());
        return;
    }
  }

  #inLobby(client: SimClient): void {
    const { dice } = this.#world;
    const { rooms } = client.view;
    const open = dice.one(rooms.filter(({ isFull }) => !isFull));
    const full = dice.one(rooms.filter(({ isFull }) => isFull));
    const what = dice.weighted({
      RefreshRoomList: 18,
      EnterRoom: open === undefined ? 0 : 40,
      ObserveRoom: full === undefined ? 0 : 10,
      CreateRoom: rooms.length < 10 ? 12 : 3,
      Chat: 6,
      UpdateAvatar: 2,
      UpdatePassword: 2,
      LobbyTask: 3,
      ReadGlobalSaveState: 2,
      QuitRoom: 1,
    });
    this.#world.did(what);
    const password = dice.chance(0.95) ? "pw" : "wrong";
    switch (what) {
      case "EnterRoom":
        client.say(what, [open?.id ?? 1, password]);
        client.say("RefreshRoomList");
        return;
      case "ObserveRoom":
        return client.say(what, [full?.id ?? 1, password]);
      case "CreateRoom":
        return client.say(what, this.#roomWish());
      case "Chat":
        return client.say(what, { type: 1, msg: dice.one(["hi", "长".repeat(200), "badword"])! });
      case "UpdateAvatar":
        return client.say(what, dice.one(["caocao", "liu bei", "sunquan"])!);
      case "UpdatePassword": {
        if (this.#wanted !== undefined) return;
        this.#wanted = dice.one(["secret", "other", "third"])!;
        return client.say(what, [dice.chance(0.9) ? this.#password : "wrong", this.#wanted]);
      }
      case "LobbyTask":
        return client.say(what, ["task", { a: 1 }]);
      case "ReadGlobalSaveState":
        return client.say(what, "k");
      default:
        return client.say(what);
    }
  }

  #roomWish(): CborInput {
    const { dice } = this.#world;
    const capacity = dice.chance(0.97) ? dice.between(1, 5) : dice.one([0, 65, 8])!;
    const settings: Record<string, CborInput> = { gameMode: dice.one(["m", "other"])!, extra: [1] };
    if (dice.chance(0.2)) settings.password = "pw";
    const name = dice.chance(0.03) ? "a badword" : `room of ${this.name}`;
    return [name, capacity, dice.between(2, 8), settings];
  }

  #waiting(client: SimClient): void {
    const { dice } = this.#world;
    const { view } = client;
    const guests = [...view.seats].filter(([id]) => id !== view.self);
    const idle = guests.find(([id, { ready }]) => id > 0 && !ready)?.[0];
    const isOwner = view.owner === view.self;
    const isFull = view.seats.size >= view.capacity;
    const isReady = view.seats.get(view.self)?.ready === true;
    const what = dice.weighted({
      AddRobot: isOwner && !isFull ? 25 : 0.5,
      StartGame: isOwner && isFull && idle === undefined ? 60 : 1,
      KickPlayer: isOwner && idle !== undefined ? 4 : 1,
      ChangeRoom: isOwner ? 3 : 0.3,
      Ready: isOwner ? 1 : isReady ? 1 : 60,
      Chat: 4,
      QuitRoom: 2,
      Trust: 0.5,
      nothing: 10,
    });
    this.#world.did(what);
    switch (what) {
      case "nothing":
        return;
      case "KickPlayer":
        return client.say(what, idle ?? view.owner ?? 1);
      case "ChangeRoom":
        return client.say(what, this.#roomWish());
      case "Chat":
        return client.say(what, { type: 2, msg: "hello" });
      default:
        return client.say(what);
    }
  }

  #playing(client: SimClient): void {
    const { dice } = this.#world;
    const what = dice.weighted({
      Trust: 6,
      Chat: 10,
      PushRequest: 5,
      QuitRoom: 1.5,
      nothing: 40,
      Ready: 1,
    });
    if (what === "nothing") return;
    this.#world.did(what === "QuitRoom" ? "run_away" : what);
    if (what === "Chat") return client.say(what, { type: 2, msg: "come on" });
    if (what === "PushRequest") return client.say(what, "surrender,1");
    client.say(what);
  }

  #observing(client: SimClient): void {
    const what = this.#world.dice.weighted({ QuitRoom: 10, Chat: 5, nothing: 30, Ready: 1 });
    if (what === "nothing") return;
    this.#world.did(what === "QuitRoom" ? "stop_observing" : what);
    client.say(what, what === "Chat" ? { type: 2, msg: "oh" } : null);
  }
}
