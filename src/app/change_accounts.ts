import type { AdminCommand } from "../admin/command.ts";
import type {
  AccountChange,
  AccountFacts,
  OnlinePlayer,
  OperatedGame,
} from "../admin/operated_game.ts";
import { isInBlock, parseAddressBlock } from "../base/address.ts";
import { unreachable } from "../base/assert.ts";
import type { AdminAnswer } from "./admin_answer.ts";

/** All that a muted player may not: the only kind of mute there is. */
const muteType = 1;

type AccountCommand = Extract<
  AdminCommand,
  {
    kind:
      | "ban"
      | "unban"
      | "banip"
      | "unbanip"
      | "banuuid"
      | "unbanuuid"
      | "tempban"
      | "tempmute"
      | "unmute"
      | "whitelist";
  }
>;

/** One change, and how to tell of it. */
interface Step {
  readonly change: AccountChange;
  /** Whom it concerns, as the operator named him. */
  readonly name: string;
  /** `is banned`, after the name. */
  readonly done: string;
  /** When nothing was different before. */
  readonly unchanged: string;
  /** Who of those online has to go. */
  leaves?(player: OnlinePlayer, facts: AccountFacts | undefined): boolean;
  /** Whether there must be an account of the name. */
  readonly needsAccount: boolean;
}

/** Bans, mutes and the whitelist, name after name. `now` in epoch milliseconds. */
export async function changeAccounts(
  command: AccountCommand,
  game: OperatedGame,
  now: number,
): Promise<AdminAnswer> {
  const lines: string[] = [];
  const results: { name: string; ok: boolean; changed: boolean; kicked: number[] }[] = [];
  for (const step of stepsOf(command, Math.floor(now / 1_000))) {
    const { ok, changed, kicked, line } = await take(step, game);
    lines.push(line);
    results.push({ name: step.name, ok, changed, kicked });
  }
  return { ok: results.every(({ ok }) => ok), lines, data: { results } };
}

async function take(
  step: Step,
  game: OperatedGame,
): Promise<{ ok: boolean; changed: boolean; kicked: number[]; line: string }> {
  const no = (line: string) => ({ ok: false, changed: false, kicked: [], line });
  const { name } = step;
  const outcome = await game.changeAccount(step.change);
  if (!outcome.ok) return no(`${name}: ${outcome.reason}`);
  const { player, changed } = outcome.value;
  if (step.needsAccount && player === undefined) return no(`There is no player ${name}.`);
  const missing = missingFact(step.change, player);
  if (missing !== undefined) return no(`Nothing is known of the ${missing} of ${name}.`);
  const kicked = game.players()
    .filter((one) => step.leaves?.(one, player) === true && game.kick(one.id))
    .map(({ id }) => id);
  const gone = kicked.length === 0 ? "" : `; kicked ${kicked.map((id) => `#${id}`).join(", ")}`;
  return {
    ok: true,
    changed,
    kicked,
    line: `${name} ${changed ? step.done : step.unchanged}${gone}.`,
  };
}

/** What a ban would fall on and nobody knows. */
function missingFact(change: AccountChange, player: AccountFacts | undefined): string | undefined {
  switch (change.kind) {
    case "ban_ip":
    case "unban_ip":
      return "name" in change.target && player?.ip === undefined ? "address" : undefined;
    case "ban_uuid":
    case "unban_uuid":
      return player?.uuid === undefined ? "device" : undefined;
    default:
      return undefined;
  }
}

function stepsOf(command: AccountCommand, now: number): Step[] {
  const account = { needsAccount: true };
  switch (command.kind) {
    case "ban":
      return command.names.map((name) => ({
        ...account,
        ...bannedTexts(""),
        change: { kind: "ban", name },
        name,
        leaves: isAccount,
      }));
    case "tempban": {
      const { name, seconds } = command;
      const expireAt = now + seconds;
      return [{
        ...account,
        ...bannedTexts(` until ${showTime(expireAt)}`),
        change: { kind: "ban", name, expireAt },
        name,
        leaves: isAccount,
      }];
    }
    case "unban":
      return command.names.map((name) => ({
        ...account,
        change: { kind: "unban", name },
        name,
        done: "is no longer banned",
        unchanged: "was not banned",
      }));
    case "banip":
      return command.targets.map((target) => ({
        ...bannedTexts(" by address"),
        change: { kind: "ban_ip", target },
        name: "name" in target ? target.name : target.address,
        needsAccount: "name" in target,
        leaves: (player, facts) => {
          const banned = parseAddressBlock("address" in target ? target.address : facts?.ip ?? "");
          return banned !== undefined && isInBlock(player.address, banned);
        },
      }));
    case "unbanip":
      return command.targets.map((target) => ({
        change: { kind: "unban_ip", target },
        name: "name" in target ? target.name : target.address,
        needsAccount: "name" in target,
        done: "is no longer banned by address",
        unchanged: "was not banned by address",
      }));
    case "banuuid":
      return command.names.map((name) => ({
        ...account,
        ...bannedTexts(" by device"),
        change: { kind: "ban_uuid", name },
        name,
        leaves: ({ device }, facts) => device !== "" && device === facts?.uuid,
      }));
    case "unbanuuid":
      return command.names.map((name) => ({
        ...account,
        change: { kind: "unban_uuid", name },
        name,
        done: "is no longer banned by device",
        unchanged: "was not banned by device",
      }));
    case "tempmute": {
      const { name, seconds } = command;
      const expireAt = now + seconds;
      const text = `is muted until ${showTime(expireAt)}`;
      const change = { kind: "mute", name, type: muteType, expireAt } as const;
      return [{ ...account, change, name, done: text, unchanged: text }];
    }
    case "unmute":
      return command.names.map((name) => ({
        ...account,
        change: { kind: "unmute", name },
        name,
        done: "may chat again",
        unchanged: "was not muted",
      }));
    case "whitelist":
      return command.names.map((name) => whitelistStep(command.action, name));
    default:
      return unreachable(command);
  }
}

/** Names may be allowed before there is an account. */
function whitelistStep(action: "add" | "rm", name: string): Step {
  return action === "add"
    ? {
      change: { kind: "whitelist_add", name },
      name,
      needsAccount: false,
      done: "is in the whitelist",
      unchanged: "was in the whitelist already",
    }
    : {
      change: { kind: "whitelist_remove", name },
      name,
      needsAccount: false,
      done: "is no longer in the whitelist",
      unchanged: "was not in the whitelist",
    };
}

function bannedTexts(more: string): { done: string; unchanged: string } {
  return { done: `is banned${more}`, unchanged: `was banned${more} already` };
}

function isAccount(player: OnlinePlayer, facts: AccountFacts | undefined): boolean {
  return player.id === facts?.uid;
}

/** UTC, to the second: `2026-01-31 12:00:00Z`. */
function showTime(epochSeconds: number): string {
  return new Date(epochSeconds * 1_000).toISOString().replace("T", " ").replace(".000", "");
}
