import { type AdminCommand, type KickTarget, withoutCredentials } from "../admin/command.ts";
import { commandHelps } from "../admin/help_texts.ts";
import type { ChangeOutcome, OnlinePlayer, OperatedGame } from "../admin/operated_game.ts";
import { unreachable } from "../base/assert.ts";
import { visibleText } from "../base/terminal_text.ts";
import { type AdminAnswer, done, refusal } from "./admin_answer.ts";
import {
  helpLines,
  packageLines,
  playerLines,
  roomDetailLines,
  roomLines,
  showBytes,
  statLines,
} from "./admin_tables.ts";
import { changeAccounts } from "./change_accounts.ts";

/** What a command may use besides the game. */
export interface CommandSurroundings {
  /** Epoch milliseconds. */
  now(): number;
  /** Hears of the progress of long work, in visible lines. */
  tell(line: string): void;
  /** Calls when the answer has had its time to leave. */
  afterAnswer(call: () => void): void;
}

/** Does what an operator orders. Rejects only for faults of ours. */
export async function executeAdminCommand(
  command: AdminCommand,
  game: OperatedGame,
  surroundings: CommandSurroundings,
): Promise<AdminAnswer> {
  const answer = await execute(command, game, {
    ...surroundings,
    tell: (line) => surroundings.tell(visibleText(line)),
  });
  return { ...answer, lines: answer.lines.map(visibleText) };
}

async function execute(
  command: AdminCommand,
  game: OperatedGame,
  surroundings: CommandSurroundings,
): Promise<AdminAnswer> {
  switch (command.kind) {
    case "help": {
      const { topic } = command;
      const helps = commandHelps.filter(({ name }) => topic === undefined || name === topic);
      return done(helpLines(helps), helps);
    }
    case "stat": {
      const stat = game.stat();
      return done(statLines(stat), stat);
    }
    case "gc": {
      const freed = await game.collectGarbage();
      const { bytesBefore, bytesAfter } = freed;
      return done([`Memory was ${showBytes(bytesBefore)}, is ${showBytes(bytesAfter)}.`], freed);
    }
    case "lsplayer": {
      const players = game.players();
      return done(playerLines(players), players);
    }
    case "lsroom":
      return listRooms(game, command.roomId);
    case "msg":
      return announce(game, command.text, undefined);
    case "msgroom":
      return announce(game, command.text, command.roomId);
    case "kick":
      return kickAll(game, command.targets);
    case "ban":
    case "unban":
    case "banip":
    case "unbanip":
    case "banuuid":
    case "unbanuuid":
    case "tempban":
    case "tempmute":
    case "unmute":
    case "whitelist":
      return await changeAccounts(command, game, surroundings.now());
    case "killroom":
      if (!game.killRoom(command.roomId)) return refusal(noRoom(command.roomId));
      return done([`Room ${command.roomId} is closed.`]);
    case "checklobby": {
      const found = game.checkLobby();
      const removed = found.removed.map(({ id, name }) => `Removed ${name} (#${id}).`);
      return done([...removed, `${found.connected} players in the lobby are well.`], found);
    }
    case "reloadconf":
      return { ...await game.reloadConfig(), data: null };
    case "resetpassword": {
      const { name } = command;
      const outcome = await game.resetPassword(name);
      if (!outcome.ok) return refusal(`The password of ${name} is unchanged: ${outcome.reason}`);
      const { password } = outcome;
      return done([`The new password of ${name} is ${password}`], { password });
    }
    case "pkgs": {
      const outcome = await game.packages();
      if (!outcome.ok) return refusal(outcome.reason);
      const packages = outcome.packages.map((one) => ({
        ...one,
        url: withoutCredentials(one.url),
      }));
      return done(packageLines(packages), packages);
    }
    case "install":
    case "remove":
    case "enable":
    case "disable":
    case "upgrade":
      return changed(await game.changePackages(command, surroundings.tell));
    case "syncpkgs":
      return changed(await game.changePackages({ kind: "sync" }, surroundings.tell));
    case "quit":
      surroundings.afterAnswer(() => game.quit());
      return done(["The server stops."]);
    case "crash":
      surroundings.afterAnswer(() => game.crash());
      return done(["The server crashes."]);
    default:
      return unreachable(command);
  }
}

function listRooms(game: OperatedGame, roomId: number | undefined): AdminAnswer {
  if (roomId === undefined) {
    const rooms = game.rooms();
    return done(roomLines(rooms), rooms);
  }
  const room = game.room(roomId);
  return room === undefined ? refusal(noRoom(roomId)) : done(roomDetailLines(room), room);
}

function announce(game: OperatedGame, text: string, roomId: number | undefined): AdminAnswer {
  // The space at the end is the original server's (recording lobby_chat).
  const told = game.announce(`${text} `, roomId);
  if (told === undefined) return refusal(noRoom(roomId ?? 0));
  return done([`Told ${told} ${told === 1 ? "player" : "players"}.`], { told });
}

function noRoom(id: number): string {
  return `There is no room ${id}: lsroom lists those there are.`;
}

function kickAll(game: OperatedGame, targets: readonly KickTarget[]): AdminAnswer {
  const kicked: { id: number; name: string }[] = [];
  let ok = true;
  const lines = targets.map((target) => {
    const found = onlinePlayer(game, target);
    if (typeof found !== "string" && game.kick(found.id)) {
      kicked.push({ id: found.id, name: found.name });
      return `Kicked ${found.name} (#${found.id}).`;
    }
    ok = false;
    return typeof found === "string" ? found : `${found.name} (#${found.id}) has no connection.`;
  });
  return { ok, lines, data: { kicked } };
}

/** Or a line that says why there is none. */
function onlinePlayer(game: OperatedGame, target: KickTarget): OnlinePlayer | string {
  const players = game.players();
  if ("id" in target) {
    return players.find(({ id }) => id === target.id) ?? `No player #${target.id} is here.`;
  }
  const named = players.find(({ name }) => name === target.name);
  const numbered = players.find(({ id }) => `${id}` === target.name);
  if (named !== undefined && numbered !== undefined && named !== numbered) {
    return `${target.name} is the name of #${named.id} and the id of ${numbered.name}: say #${named.id} or #${numbered.id}.`;
  }
  return named ?? numbered ?? `No player ${target.name} is here: lsplayer lists those who are.`;
}

function changed(outcome: ChangeOutcome): AdminAnswer {
  return outcome.ok ? done(outcome.lines) : refusal(outcome.reason);
}
