import type {
  AccountChange,
  AccountOutcome,
  ChangeOutcome,
  OnlinePlayer,
  OperatedGame,
  PackageRow,
  PackagesChange,
  RoomDetails,
} from "../../src/admin/operated_game.ts";

/** A game server in memory that does what it is told and writes down what that was. */
export interface FakeOperatedGame extends OperatedGame {
  /** Everything that changed something, in order. */
  readonly orders: readonly unknown[];
  readonly online: OnlinePlayer[];
  /** Accounts by name, with what is known of them. */
  readonly accounts: Map<string, { uid: number; ip?: string; uuid?: string }>;
  readonly rooms: () => RoomDetails[];
  readonly packageRows: PackageRow[];
  /** The next change of an account, or of packages, fails with this. */
  failNext(reason: string): void;
  /** The next look at the figures throws, as only a fault of ours can. */
  breakNext(): void;
}

/** Alice is in the lobby, Bob plays in room 3, 小明 watches him there. */
export function fakeOperatedGame(): FakeOperatedGame {
  const orders: unknown[] = [];
  const online: OnlinePlayer[] = [
    player(1, "Alice"),
    { ...player(2, "Bob"), roomId: 3 },
    { ...player(12, "小明"), roomId: 3, isObserver: true, device: "phone" },
  ];
  const accounts = new Map<string, { uid: number; ip?: string; uuid?: string }>([
    ["Alice", { uid: 1, ip: "::ffff:192.0.2.1", uuid: "device-1" }],
    ["Bob", { uid: 2, ip: "192.0.2.2", uuid: "device-2" }],
    ["小明", { uid: 12, ip: "192.0.2.12", uuid: "phone" }],
    ["Newcomer", { uid: 40 }],
  ]);
  const rooms: RoomDetails[] = [{
    id: 3,
    name: "Bob's room",
    gameMode: "aaa_role_mode",
    seats: 2,
    capacity: 2,
    observers: 1,
    hasPassword: true,
    isPlaying: true,
    isOutdated: false,
    ownerId: 2,
    timeoutSeconds: 15,
    players: [
      { id: 2, name: "Bob", state: "online", isReady: true },
      { id: -2, name: "COMP--2", state: "robot", isReady: true },
    ],
    watchers: [{ id: 12, name: "小明", state: "online", isReady: false }],
  }];
  const packageRows: PackageRow[] = [{
    name: "freekill-core",
    url: "https://user:secret@example.org/freekill-core",
    hash: "0123456789abcdef",
    isEnabled: true,
  }];
  let failure: string | undefined;
  let isBroken = false;
  const failed = () => {
    const reason = failure;
    failure = undefined;
    return reason;
  };
  return {
    orders,
    online,
    accounts,
    packageRows,
    failNext: (reason) => failure = reason,
    breakNext: () => isBroken = true,
    stat() {
      if (isBroken) throw new Error("the figures are gone");
      return {
        version: "9.9.9",
        uptimeMs: 93_784_000,
        players: online.length,
        playersInLobby: online.filter(({ roomId }) => roomId === undefined).length,
        capacity: 100,
        pendingLogins: 4,
        rooms: rooms.length,
        roomsPlaying: 1,
        residentBytes: 104_857_600,
        luaStates: [{ name: "1", pid: 77, rooms: 1, bytes: 1_048_576, isOutdated: true }],
        storeQueue: 5,
        packagesMd5: "",
      };
    },
    players: () => online,
    rooms: () => rooms,
    room: (id) => rooms.find((room) => room.id === id),
    announce(text, roomId) {
      if (roomId !== undefined && !rooms.some(({ id }) => id === roomId)) return undefined;
      orders.push({ announce: text, roomId });
      return roomId === undefined ? online.length : 2;
    },
    kick(playerId) {
      const at = online.findIndex(({ id }) => id === playerId);
      if (at < 0 || online[at]?.state === "offline") return false;
      online.splice(at, 1);
      orders.push({ kick: playerId });
      return true;
    },
    killRoom(id) {
      const at = rooms.findIndex((room) => room.id === id);
      if (at < 0) return false;
      rooms.splice(at, 1);
      orders.push({ killRoom: id });
      return true;
    },
    checkLobby: () => ({ connected: 1, removed: [{ id: 9, name: "Ghost" }] }),
    async changeAccount(change: AccountChange): Promise<AccountOutcome> {
      const reason = failed();
      if (reason !== undefined) return { ok: false, reason };
      const target = "target" in change ? change.target : { name: change.name };
      const facts = "name" in target ? accounts.get(target.name) : undefined;
      orders.push(change);
      return { ok: true, value: { player: facts, changed: true } };
    },
    async resetPassword(name) {
      if (!accounts.has(name)) return { ok: false, reason: "there is no such player" };
      orders.push({ resetPassword: name });
      return { ok: true, password: "k7Wm2pQx" };
    },
    async reloadConfig() {
      orders.push("reload");
      return { ok: true, lines: ["motd taken over", "tcp_port needs a restart"] };
    },
    async packages() {
      return { ok: true, packages: packageRows };
    },
    async changePackages(
      change: PackagesChange,
      tell: (line: string) => void,
    ): Promise<ChangeOutcome> {
      const reason = failed();
      if (reason !== undefined) return { ok: false, reason };
      orders.push(change);
      tell("half way");
      return { ok: true, lines: ["done"] };
    },
    async collectGarbage() {
      return { bytesBefore: 2_097_152, bytesAfter: 1_048_576 };
    },
    quit: () => void orders.push("quit"),
    crash: () => void orders.push("crash"),
  };
}

function player(id: number, name: string): OnlinePlayer {
  return {
    id,
    name,
    state: "online",
    roomId: undefined,
    isObserver: false,
    address: `192.0.2.${id}`,
    device: `device-${id}`,
  };
}
