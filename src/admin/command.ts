import { unreachable } from "../base/assert.ts";

/** What an operator can order, whichever way he does it: terminal, command line, or HTTP. */
export type AdminCommand =
  /** Without a topic, the list of all. */
  | { readonly kind: "help"; readonly topic?: CommandName }
  | { readonly kind: "stat" | "gc" | "lsplayer" | "checklobby" | "reloadconf" }
  | { readonly kind: "lsroom"; readonly roomId?: number }
  | { readonly kind: "msg"; readonly text: string }
  | { readonly kind: "msgroom"; readonly roomId: number; readonly text: string }
  | { readonly kind: "kick"; readonly targets: readonly KickTarget[] }
  | {
    readonly kind: "ban" | "unban" | "banuuid" | "unbanuuid" | "unmute";
    readonly names: readonly string[];
  }
  | { readonly kind: "banip" | "unbanip"; readonly targets: readonly IpTarget[] }
  | { readonly kind: "tempban" | "tempmute"; readonly name: string; readonly seconds: number }
  | {
    readonly kind: "whitelist";
    readonly action: "add" | "rm";
    readonly names: readonly string[];
  }
  | { readonly kind: "killroom"; readonly roomId: number }
  | { readonly kind: "resetpassword"; readonly name: string }
  | { readonly kind: "install"; readonly url: string }
  | { readonly kind: "remove" | "enable" | "disable"; readonly name: string }
  /** Without a name, all packages. */
  | { readonly kind: "upgrade"; readonly name?: string }
  | { readonly kind: "pkgs" | "syncpkgs" | "quit" | "crash" };

export type CommandName = AdminCommand["kind"];

/** `#12` names an id and nothing else; a bare `12` may be an id or, as some are called so, a name. */
export type KickTarget = { readonly id: number } | { readonly name: string };

/** A player whose last address is meant, or an address itself. */
export type IpTarget = { readonly name: string } | { readonly address: string };

/** The command as a line again, without what is secret in it: for logs. */
export function describeCommand(command: AdminCommand): string {
  return [command.kind, ...argumentsOf(command)].join(" ");
}

function argumentsOf(command: AdminCommand): string[] {
  switch (command.kind) {
    case "help":
      return command.topic === undefined ? [] : [command.topic];
    case "lsroom":
      return command.roomId === undefined ? [] : [`${command.roomId}`];
    case "killroom":
      return [`${command.roomId}`];
    case "msg":
      return [command.text];
    case "msgroom":
      return [`${command.roomId}`, command.text];
    case "kick":
      return command.targets.map((target) => "id" in target ? `#${target.id}` : word(target.name));
    case "ban":
    case "unban":
    case "banuuid":
    case "unbanuuid":
    case "unmute":
      return command.names.map(word);
    case "banip":
    case "unbanip":
      return command.targets.map((target) =>
        "address" in target ? target.address : word(target.name)
      );
    case "tempban":
    case "tempmute":
      return [word(command.name), `${command.seconds / 60}m`];
    case "whitelist":
      return [command.action, ...command.names.map(word)];
    case "install":
      return [withoutCredentials(command.url)];
    case "resetpassword":
    case "remove":
    case "enable":
    case "disable":
      return [word(command.name)];
    case "upgrade":
      return command.name === undefined ? [] : [word(command.name)];
    case "stat":
    case "gc":
    case "lsplayer":
    case "checklobby":
    case "reloadconf":
    case "pkgs":
    case "syncpkgs":
    case "quit":
    case "crash":
      return [];
    default:
      return unreachable(command);
  }
}

/** Whether the command as it was typed may be kept: it holds no credentials. */
export function isHarmless(command: AdminCommand): boolean {
  return command.kind !== "install" || withoutCredentials(command.url) === command.url;
}

/** `https://user:token@host/x` as `https://…@host/x`; the query, where tokens stand too, is cut. */
export function withoutCredentials(url: string): string {
  return url.replace(/^([^/]*\/\/)?[^/]*@/, "$1…@").replace(/[?#].*$/s, "?…");
}

/** Quoted where the line would be read differently otherwise. */
function word(text: string): string {
  return /[\s"']/.test(text) ? (text.includes('"') ? `'${text}'` : `"${text}"`) : text;
}
