import type { CommandName } from "./command.ts";

/** All that help says about a command. */
export interface CommandHelp {
  readonly name: CommandName;
  readonly aliases: readonly string[];
  /** What stands after the name: `<name> <n>(m|h|d|mo)`; "" for nothing. */
  readonly takes: string;
  readonly english: string;
  readonly chinese: string;
}

/** Each command once, in the order of the help. */
export const commandHelps: readonly CommandHelp[] = [
  help("help", "[command]", "Explains the commands, or one", "显示命令帮助"),
  help("stat", "", "Shows how the server is doing", "查看服务器状态"),
  help("gc", "", "Frees memory, and tells how much", "回收内存"),
  help("lsplayer", "", "Lists the players who are on the server", "列出在线玩家"),
  help("lsroom", "[id]", "Lists the rooms, or who is in one", "列出房间，或查看某个房间"),
  help("msg", "<text>", "Tells all players something", "向所有玩家发送消息", "m"),
  help("msgroom", "<id> <text>", "Tells one room something", "向某个房间发送消息", "mr"),
  help("kick", "<name|id>…", "Closes the connection of players", "踢出玩家（名字或 id）"),
  help("ban", "<name>…", "Bans accounts for ever, and kicks them", "封禁帐号"),
  help("unban", "<name>…", "Lifts bans of accounts, their devices too", "解封帐号"),
  help("banip", "<name|address>…", "Bans the last addresses of players", "封禁玩家的 IP 地址"),
  help("unbanip", "<name|address>…", "Lifts bans of addresses", "解封 IP 地址"),
  help("banuuid", "<name>…", "Bans the last devices of players", "封禁玩家的设备"),
  help("unbanuuid", "<name>…", "Lifts bans of devices", "解封设备"),
  help("tempban", "<name> <n>(m|h|d|mo)", "Bans an account for a time", "限时封禁帐号"),
  help("tempmute", "<name> <n>(m|h|d|mo)", "Keeps a player from chatting for a time", "限时禁言"),
  help("unmute", "<name>…", "Lets players chat again", "解除禁言"),
  help("whitelist", "add|rm <name>…", "Changes who may log in", "添加或移除白名单"),
  help("killroom", "<id>", "Ends a room and the game in it", "强制关闭房间"),
  help("checklobby", "", "Removes dead players from the lobby", "清理大厅中已断线的玩家"),
  help("reloadconf", "", "Reads the configuration again", "重新读取配置", "r"),
  help("resetpassword", "<name>", "Gives a random new password, shown once", "重置密码", "rp"),
  help("install", "<url>", "Installs a package", "安装拓展包"),
  help("remove", "<package>", "Removes a package", "移除拓展包"),
  help("pkgs", "", "Lists the packages", "列出拓展包"),
  help("syncpkgs", "", "Makes list and directories of packages agree", "同步拓展包数据库"),
  help("enable", "<package>", "Enables a package", "启用拓展包"),
  help("disable", "<package>", "Disables a package", "禁用拓展包"),
  help("upgrade", "[package]", "Upgrades a package, or all", "更新拓展包", "u"),
  help("quit", "", "Stops the server in order", "关闭服务器"),
  help("crash", "", "Ends the server as a crash would", "让服务器崩溃（测试用）"),
];

/** By its name or one of its aliases. */
export function commandHelp(word: string): CommandHelp | undefined {
  return commandHelps.find(({ name, aliases }) => name === word || aliases.includes(word));
}

/** All names and aliases: what a word at the start of a line may be. */
export const commandWords: readonly string[] = commandHelps.flatMap(({ name, aliases }) => [
  name,
  ...aliases,
]);

/** `tempban <name> <n>(m|h|d|mo)`. */
export function usageOf({ name, takes }: CommandHelp): string {
  return takes === "" ? name : `${name} ${takes}`;
}

function help(
  name: CommandName,
  takes: string,
  english: string,
  chinese: string,
  ...aliases: string[]
): CommandHelp {
  return { name, aliases, takes, english, chinese };
}
