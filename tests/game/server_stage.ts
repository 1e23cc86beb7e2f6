import assert from "node:assert/strict";
import { nodeZlib } from "../../src/adapters/node/zlib.ts";
import { defaultGameConfig, type GameConfig } from "../../src/config/game_config.ts";
import { BanView } from "../../src/game/accounts/ban_view.ts";
import type { BanChange } from "../../src/game/accounts/users_operations.ts";
import type { GamePeer } from "../../src/game/game_peer.ts";
import { GameServer } from "../../src/game/game_server.ts";
import { LobbyStore } from "../../src/game/lobby_store.ts";
import type { LobbyEvent } from "../../src/game/lobby_events.ts";
import type { LuaCall } from "../../src/game/lua/lua_host.ts";
import type { StoreOperation } from "../../src/game/outbox.ts";
import type { RulesHooks, RulesState } from "../../src/game/rules_pool.ts";
import type { TcpCloseReason, TcpConnection } from "../../src/ports/tcp.ts";
import { type CborInput, encodeCbor } from "../../src/wire/cbor_encode.ts";
import { encodeClientNotification } from "../../src/wire/packet.ts";
import { type GamePacket, PacketStream } from "../client/game_packet.ts";
import { fakeClock } from "../fakes/clock.ts";
import { FakeAccounts, fakeCipher, fakeCipherBytes, FakeCrypto } from "../fakes/game_accounts.ts";
import { fakeLog } from "../fakes/log.ts";
import { FakeNetwork } from "../fakes/network.ts";

/** The md5 of the packages on a `ServerStage`. */
export const stageMd5 = "0123456789abcdef0123456789abcdef";
const port = 9_527;
const serverHosts = { ipv4: "10.9.9.9", ipv6: "fd00::9" };
const limits = { outboundBytesMax: 64 * 2 ** 20, lingerMs: 1_000 };

export interface StageOptions {
  readonly config?: Partial<GameConfig>;
  readonly bans?: readonly BanChange[];
  /** As the host hands over: after silence (with `giveBack`), or with what came first. */
  readonly adopts?: "silent" | "first_bytes";
  /** Stands between lobby and store. */
  readonly perform?: (operation: StoreOperation, perform: () => void) => void;
}

/** Keeps what it is told, and ends nothing by itself. */
export class StageRules implements RulesState {
  readonly calls: LuaCall[] = [];
  readonly hooks: RulesHooks;
  load = 0;
  isClosed = false;

  constructor(hooks: RulesHooks) {
    this.hooks = hooks;
  }

  start(): void {}

  call(call: LuaCall): boolean {
    this.calls.push(call);
    if (call.kind === "new_room") this.load++;
    return true;
  }

  forget(): void {}

  /** The rules let go of a room. */
  release(roomId: number): void {
    this.load--;
    this.hooks.turnDone({ call: undefined, notices: [{ kind: "decrease_ref_count", roomId }] });
  }

  close(): Promise<void> {
    this.isClosed = true;
    return Promise.resolve();
  }
}

/** Whose a connection is: nobody's until something comes, the game's, or the host's for good. */
type Holder = GamePeer | "nobody" | "host";

/** A game server in memory: real lobby and rooms, fake network, clock, accounts and rules. */
export class ServerStage {
  readonly clock = fakeClock();
  readonly log = fakeLog();
  readonly accounts = new FakeAccounts();
  readonly crypto = new FakeCrypto();
  readonly bans: BanView;
  readonly game: GameServer;
  readonly rules: StageRules[] = [];
  /** Those whose connections are open, at the server's end. */
  readonly peers = new Set<GamePeer>();
  /** Connections that the game gave back to the host protocol, and what they had said. */
  readonly givenBack: Uint8Array[] = [];
  /** What came out of a handler: a fault that only the host would have caught. */
  readonly escaped: unknown[] = [];
  readonly #network: FakeNetwork;
  readonly #options: StageOptions;

  private constructor(options: StageOptions) {
    this.#options = options;
    this.bans = new BanView(options.bans ?? []);
    this.#network = new FakeNetwork({
      clock: this.clock,
      handlerFailed: (error) => void this.escaped.push(error),
    });
    const { clock, accounts, crypto, bans } = this;
    this.game = new GameServer({
      clock,
      zlib: nodeZlib(),
      logger: this.log.logger,
      users: accounts,
      crypto,
      keys: { publicPem: "PEM\n", modulusBytes: fakeCipherBytes, notes: [] },
      bans,
      config: { ...defaultGameConfig, ...options.config },
      packages: { md5: stageMd5, updateList: [{ name: "a", hash: "h", url: "u" }] },
      openStore: (event) => this.#openStore(event),
      makeRules: (hooks) => {
        const state = new StageRules(hooks);
        this.rules.push(state);
        return state;
      },
    });
    this.game.start();
  }

  static async open(options: StageOptions = {}): Promise<ServerStage> {
    const stage = new ServerStage(options);
    // Bun's zlib, when it fails, runs what promises wait for in the middle of the caller, unless the
    // event loop is within a turn of its own: a timer's, from here on.
    await new Promise((resolve) => setTimeout(resolve));
    await stage.#listen();
    return stage;
  }

  /** A client of that address. */
  async connect(from = "10.0.0.1"): Promise<StageClient> {
    const client = new StageClient(this);
    await this.#network.machine(from).tcp.connect({
      host: from.includes(":") ? serverHosts.ipv6 : serverHosts.ipv4,
      port,
      timeoutMs: 1_000,
      limits,
      handlers: client.handlers,
    });
    await this.settle();
    return client;
  }

  /** A client who has logged in, with the account made for him. */
  async player(name: string, from?: string): Promise<StageClient> {
    const client = await this.connect(from);
    await client.send(client.setup({ name }));
    assert.ok(client.commands.includes("EnterLobby"), `${name} is in: ${client.commands}`);
    client.forget();
    return client;
  }

  /** Until nothing is on its way any more. */
  async settle(): Promise<void> {
    for (let round = 0; round < 3; round++) {
      await this.#network.idle();
      await this.clock.advanceAsync(0);
    }
    await this.#network.idle();
  }

  async pass(ms: number): Promise<void> {
    await this.clock.advanceAsync(ms);
    await this.settle();
  }

  /** How often connections were closed for this reason. */
  disconnects(code: string): number {
    return new Map(this.game.metrics.disconnects.entries).get(code) ?? 0;
  }

  refusals(reason: string): number {
    return new Map(this.game.metrics.refusals.entries).get(reason) ?? 0;
  }

  #openStore(event: (event: LobbyEvent) => void) {
    const { accounts: store, crypto, clock } = this;
    const keepLegacyHash = () => false;
    const lobbyStore = new LobbyStore({ store, crypto, clock, keepLegacyHash, event });
    const { perform } = this.#options;
    if (perform === undefined) return lobbyStore;
    return {
      perform: (operation: StoreOperation) =>
        perform(operation, () => lobbyStore.perform(operation)),
    };
  }

  async #listen(): Promise<void> {
    const { game } = this;
    const isSilent = this.#options.adopts !== "first_bytes";
    const giveBack = (connection: TcpConnection<unknown>, bytes: Uint8Array) => {
      connection.data = "host";
      this.givenBack.push(bytes.slice());
    };
    const adopt = (connection: TcpConnection<Holder>, bytes: Uint8Array | undefined) => {
      const peer = game.adopt(connection, {
        bytes,
        giveBack: bytes === undefined ? giveBack : undefined,
      });
      connection.data = peer ?? "host";
      if (peer !== undefined) this.peers.add(peer);
    };
    const peerOf = ({ data }: TcpConnection<Holder>) => typeof data === "string" ? undefined : data;
    const machine = this.#network.machine(serverHosts.ipv4, serverHosts.ipv6);
    await machine.tcp.listen<Holder>({
      host: "::",
      port,
      limits,
      handlers: {
        open(connection) {
          connection.data = "nobody";
          if (isSilent) adopt(connection, undefined);
        },
        data(connection, bytes) {
          // Nobody may keep them: they are overwritten after the call, as a real adapter's are.
          const lent = bytes.slice();
          if (connection.data === "nobody") adopt(connection, lent);
          else peerOf(connection)?.data(lent);
          lent.fill(0xee);
        },
        end: (connection) => peerOf(connection)?.end(),
        drain: (connection) => peerOf(connection)?.drain(),
        close: (connection, reason) => {
          const peer = peerOf(connection);
          if (peer === undefined) return;
          peer.closed(reason);
          this.peers.delete(peer);
        },
      },
    });
  }
}

/** One client of a `ServerStage`. */
export class StageClient {
  readonly #stage: ServerStage;
  readonly #stream = new PacketStream();
  #socket: TcpConnection<undefined> | undefined;
  #packets: GamePacket[] = [];
  /** How it ended; undefined while it is open. */
  closed: "fin" | TcpCloseReason | undefined;

  constructor(stage: ServerStage) {
    this.#stage = stage;
  }

  readonly handlers = {
    open: (connection: TcpConnection<undefined>) => {
      this.#socket = connection;
    },
    data: (_: unknown, bytes: Uint8Array) => {
      this.#packets.push(...this.#stream.push(bytes.slice()));
    },
    end: (connection: TcpConnection<undefined>) => {
      this.closed = "fin";
      connection.end();
    },
    drain: () => {},
    close: (_: unknown, reason: TcpCloseReason) => {
      this.closed ??= reason;
    },
  };

  get socket(): TcpConnection<undefined> {
    assert.ok(this.#socket);
    return this.#socket;
  }

  get packets(): readonly GamePacket[] {
    return this.#packets;
  }

  /** Names of what came. */
  get commands(): string[] {
    return this.#packets.map(({ command }) => command);
  }

  /** What came as "Command data", in the notation of recordings. */
  get told(): string[] {
    return this.#packets.map(({ command, diag }) => `${command} ${diag}`);
  }

  /** Texts of one command. */
  texts(command: string): string[] {
    return this.#packets.filter((packet) => packet.command === command).map(({ text }) => text);
  }

  /** Forgets what came. */
  forget(): void {
    this.#packets = [];
  }

  setup(
    setup: {
      name?: string;
      password?: string | undefined;
      cipher?: Uint8Array;
      md5?: string;
      version?: string;
      device?: string;
    } = {},
  ): Uint8Array {
    const { name = "p1", password = "secret", md5 = stageMd5 } = setup;
    const { version = "0.5.20", device = `device-of-${name}` } = setup;
    const cipher = setup.cipher ?? fakeCipher(password);
    return notification("Setup", [name, cipher, md5, version, device]);
  }

  /** Writes and waits until it was seen. */
  async send(...packets: readonly Uint8Array[]): Promise<void> {
    for (const packet of packets) this.socket.write(packet);
    await this.#stage.settle();
  }

  /** A notification of ours. */
  say(command: string, data: CborInput = null): Promise<void> {
    return this.send(notification(command, data));
  }
}

export function notification(command: string, data: CborInput): Uint8Array {
  return encodeClientNotification(command, encodeCbor(data));
}

/** What was said, as this client heard it. */
export function heard(client: StageClient): string[] {
  return client.packets.filter(({ command }) => command === "Chat")
    .map(({ value }) => (value as { msg: string }).msg);
}
