import { type CommandHelp, usageOf } from "../admin/help_texts.ts";
import type {
  GameStat,
  OnlinePlayer,
  PackageRow,
  RoomDetails,
  RoomSummary,
} from "../admin/operated_game.ts";
import { tableLines } from "../base/terminal_text.ts";

/** The commands with what they take, in both languages. */
export function helpLines(helps: readonly CommandHelp[]): string[] {
  return tableLines(
    ["command", "", ""],
    helps.map((help) => [
      [usageOf(help), ...help.aliases.map((alias) => `(${alias})`)].join(" "),
      help.english,
      help.chinese,
    ]),
  ).slice(1);
}

/** How the server is doing, a figure a line. */
export function statLines(stat: GameStat): string[] {
  const rows: [string, string][] = [
    ["version", stat.version],
    ["uptime", showUptime(stat.uptimeMs)],
    ["players", `${stat.players} of ${stat.capacity}, ${stat.playersInLobby} in the lobby`],
    ["logins", `${stat.pendingLogins} under way`],
    ["rooms", `${stat.rooms}, ${stat.roomsPlaying} playing`],
    ["memory", showBytes(stat.residentBytes)],
    ["database", `${stat.storeQueue} waiting`],
    ["packages", stat.packagesMd5 === "" ? "none" : `md5 ${stat.packagesMd5}`],
  ];
  for (const lua of stat.luaStates) {
    const facts = [
      `${lua.rooms} rooms`,
      ...(lua.pid === undefined ? [] : [`process ${lua.pid}`]),
      ...(lua.bytes === undefined ? [] : [showBytes(lua.bytes)]),
      ...(lua.isOutdated ? ["outdated"] : []),
    ];
    rows.push([`lua ${lua.name}`, facts.join(", ")]);
  }
  return tableLines(["", ""], rows).slice(1);
}

/** Who is on the server. */
export function playerLines(players: readonly OnlinePlayer[]): string[] {
  if (players.length === 0) return ["Nobody is on the server."];
  return tableLines(
    ["id", "name", "state", "where", "address"],
    players.map(({ id, name, state, roomId, isObserver, address }) => {
      const where = roomId === undefined ? "lobby" : `room ${roomId}`;
      return [id, name, state, isObserver ? `${where}, watching` : where, address];
    }),
  );
}

/** The rooms there are. */
export function roomLines(rooms: readonly RoomSummary[]): string[] {
  if (rooms.length === 0) return ["There are no rooms."];
  return tableLines(
    ["id", "name", "mode", "seats", "watching", "state"],
    rooms.map((room) => [
      room.id,
      room.name,
      room.gameMode,
      `${room.seats}/${room.capacity}`,
      room.observers,
      roomState(room),
    ]),
  );
}

/** One room and who is in it. */
export function roomDetailLines(room: RoomDetails): string[] {
  const { id, name, gameMode, timeoutSeconds, ownerId } = room;
  const members = [
    ...room.players.map((one) => ({ ...one, role: one.id === ownerId ? "owner" : "player" })),
    ...room.watchers.map((one) => ({ ...one, role: "watching" })),
  ];
  return [
    `Room ${id}, ${name}: ${gameMode}, ${room.seats}/${room.capacity} seats, ${timeoutSeconds} s to answer, ${
      roomState(room)
    }`,
    ...tableLines(
      ["id", "name", "state", "role", "ready"],
      members.map((one) => [
        one.id,
        one.name,
        one.state,
        one.role,
        one.isReady && one.role !== "watching" ? "ready" : "",
      ]),
    ),
  ];
}

/** The packages there are. */
export function packageLines(packages: readonly PackageRow[]): string[] {
  if (packages.length === 0) return ["There are no packages."];
  return tableLines(
    ["name", "state", "commit", "from"],
    packages.map(({ name, isEnabled, hash, url }) => [
      name,
      isEnabled ? "enabled" : "disabled",
      hash.slice(0, 8),
      url,
    ]),
  );
}

/** For people: `12.3 MiB`. */
export function showBytes(bytes: number): string {
  return `${(bytes / 1_048_576).toFixed(1)} MiB`;
}

function roomState(room: RoomSummary): string {
  const facts = [room.isPlaying ? "playing" : "waiting"];
  if (room.hasPassword) facts.push("password");
  if (room.isOutdated) facts.push("outdated");
  return facts.join(", ");
}

/** `3d 04:05:06`. */
function showUptime(ms: number): string {
  const seconds = Math.floor(ms / 1_000);
  const two = (value: number) => String(value).padStart(2, "0");
  const days = Math.floor(seconds / 86_400);
  const clock = [Math.floor(seconds / 3_600) % 24, Math.floor(seconds / 60) % 60, seconds % 60];
  return `${days > 0 ? `${days}d ` : ""}${clock.map(two).join(":")}`;
}
