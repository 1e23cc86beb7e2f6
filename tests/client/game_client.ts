import type { CborItem, CborRead } from "./cbor.ts";
import { type ConnectOptions, GameConnection } from "./game_connection.ts";
import type { GamePacket } from "./game_packet.ts";
import { clientCipher } from "../game/accounts/client_cipher.ts";

/** The md5 of no packages at all, or of packages without any script. */
export const md5OfNothing = "d41d8cd98f00b204e9800998ecf8427e";

export interface Login {
  readonly name: string;
  readonly password: string;
  /** Of the packages; of none when absent. */
  readonly md5?: string;
  readonly version?: string;
  /** The device; the name when absent. */
  readonly uuid?: string;
}

/** What a room is made of; the settings become a map unless they are something else. */
export interface RoomWish {
  readonly name: string;
  readonly capacity: CborItem;
  readonly timeout?: CborItem;
  readonly settings?: CborItem;
}

/** A row of `UpdateRoomList`. */
export interface ListedRoom {
  readonly id: number;
  readonly name: string;
  readonly gameMode: string;
  readonly players: number;
  readonly capacity: number;
  readonly hasPassword: boolean;
  readonly outdated: boolean;
}

/** A player of the game, without a face: every command that a client can send. */
export class GameClient extends GameConnection {
  #account: { readonly id: number; readonly name: string } | undefined;

  static async connect(options: ConnectOptions): Promise<GameClient> {
    return new GameClient(await GameConnection.open(options));
  }

  /** Connects and logs in. */
  static async join(options: ConnectOptions, login: Login): Promise<GameClient> {
    const client = await GameClient.connect(options);
    await client.login(login);
    return client;
  }

  /** The player's id, known after login. */
  get id(): number {
    if (this.#account === undefined) throw new Error("this client has not logged in");
    return this.#account.id;
  }

  get name(): string {
    return this.#account?.name ?? "";
  }

  /** The server's key as it was sent (PEM); throws before the greeting has come. */
  get publicKeyPem(): string {
    const greeting = this.received.find(({ command }) => command === "NetworkDelayTest");
    if (greeting === undefined) throw new Error("the server has not greeted yet");
    return new TextDecoder().decode(greeting.value as Uint8Array);
  }

  /** Waits for the greeting; rejects with the text of a refusal. */
  greeted(): Promise<string> {
    return this.#orRefusal("NetworkDelayTest").then(({ value }) =>
      new TextDecoder().decode(value as Uint8Array)
    );
  }

  /** Sends `Setup` and waits for the lobby, or for the game that this player left behind; rejects
   * with the text of a refusal. */
  async login(login: Login): Promise<void> {
    this.setup(login, await this.greeted());
    const { value } = await this.#orRefusal("Setup");
    this.#account = { id: (value as CborRead[])[0] as number, name: login.name };
    await this.#orRefusal("EnterLobby", "Reconnect");
  }

  /** Sends `Setup` alone. */
  setup(login: Login, publicKeyPem: string): void {
    const { name, password, md5 = md5OfNothing, version = "0.5.19", uuid = name } = login;
    this.notify("Setup", [name, clientCipher(publicKeyPem, password), md5, version, uuid]);
  }

  createRoom({ name, capacity, timeout = 15, settings }: RoomWish): void {
    const map = settings ?? { gameMode: "aaa_role_mode", roomName: name, password: "" };
    this.notify("CreateRoom", [name, capacity, timeout, map]);
  }

  changeRoom({ name, capacity, timeout = 15, settings }: RoomWish): void {
    const map = settings ?? { gameMode: "aaa_role_mode", roomName: name, password: "" };
    this.notify("ChangeRoom", [name, capacity, timeout, map]);
  }

  enterRoom(roomId: number, password = ""): void {
    this.notify("EnterRoom", [roomId, password]);
  }

  observeRoom(roomId: number, password = ""): void {
    this.notify("ObserveRoom", [roomId, password]);
  }

  quitRoom(): void {
    this.notify("QuitRoom", "");
  }

  addRobot(): void {
    this.notify("AddRobot", "");
  }

  kick(playerId: number): void {
    this.notify("KickPlayer", playerId);
  }

  ready(): void {
    this.notify("Ready", "");
  }

  startGame(): void {
    this.notify("StartGame", "");
  }

  trust(): void {
    this.notify("Trust", "");
  }

  /** `type` 1 is heard in the lobby, 2 in rooms. */
  chat(msg: CborItem, type: CborItem = 1): void {
    this.notify("Chat", { type, msg });
  }

  /** `order`: the command for the rules and its arguments, with commas. */
  pushRequest(order: string): void {
    this.notify("PushRequest", order);
  }

  refreshRoomList(): void {
    this.notify("RefreshRoomList", "");
  }

  /** Asks for the rooms and waits for the list. */
  async rooms(): Promise<ListedRoom[]> {
    this.refreshRoomList();
    const rows = (await this.expect("UpdateRoomList")).value as CborRead[][];
    return rows.map(([id, name, gameMode, players, capacity, hasPassword, outdated]) =>
      ({ id, name, gameMode, players, capacity, hasPassword, outdated }) as ListedRoom
    );
  }

  updateAvatar(avatar: CborItem): void {
    this.notify("UpdateAvatar", avatar);
  }

  updatePassword(old: CborItem, next: CborItem): void {
    this.notify("UpdatePassword", [old, next]);
  }

  lobbyTask(type: string, data: CborItem): void {
    this.notify("LobbyTask", [type, data]);
  }

  readGlobalSaveState(key: CborItem): void {
    this.notify("ReadGlobalSaveState", key);
  }

  heartbeat(): void {
    this.notify("Heartbeat", "");
  }

  /** Waits until everything that this client sent has been worked off, and what came of it is here:
   * asks for a save that there is not, which is answered in the lobby and in rooms alike. */
  async settled(): Promise<void> {
    const saves = () =>
      this.received.filter(({ command }) => command === "ReadGlobalSaveState").length;
    const before = saves();
    this.readGlobalSaveState(settledKey);
    const isOver = () => saves() > before || this.ending !== undefined;
    if (!await this.until(isOver)) {
      throw new Error(`no answer to the question of ${this.name} in time`);
    }
  }

  async #orRefusal(...commands: string[]): Promise<GamePacket> {
    const from = this.received.length;
    let at = this.#loginCursor;
    let found: GamePacket | undefined;
    const look = () => {
      for (; found === undefined && at < this.received.length; at++) {
        const packet = this.received[at] as GamePacket;
        if ([...commands, "ErrorDlg", "ErrorMsg"].includes(packet.command)) found = packet;
      }
      return found !== undefined || this.ending !== undefined;
    };
    await this.until(look);
    this.#loginCursor = at;
    if (found === undefined) {
      const end = this.ending === undefined ? "time was up" : `it ended by ${this.ending}`;
      const since = this.received.slice(from).map(({ command }) => command);
      throw new Error(`no ${commands.join(" or ")} from the server, ${end}; came: ${since.join()}`);
    }
    if (found.command.startsWith("Error")) throw new Error(found.text);
    return found;
  }
  #loginCursor = 0;
}

/** A save that nobody has. */
const settledKey = "freekill-gw test: settled";
