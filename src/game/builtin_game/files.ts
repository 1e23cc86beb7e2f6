import { type PackageTree, packageTreeOf } from "../lua/package_tree.ts";
import game from "./lua/ferry/game.lua" with { type: "text" };
import play from "./lua/ferry/play.lua" with { type: "text" };
import random from "./lua/ferry/random.lua" with { type: "text" };
import records from "./lua/ferry/records.lua" with { type: "text" };
import robot from "./lua/ferry/robot.lua" with { type: "text" };
import room from "./lua/ferry/room.lua" with { type: "text" };
import cbor from "./lua/server/rpc/cbor.lua" with { type: "text" };
import dispatchers from "./lua/server/rpc/dispatchers.lua" with { type: "text" };
import entry from "./lua/server/rpc/entry.lua" with { type: "text" };
import fk from "./lua/server/rpc/fk.lua" with { type: "text" };
import stdio from "./lua/server/rpc/stdio.lua" with { type: "text" };

/** Where the built-in game seems to be, as seen from the data directory. */
export const builtinGameDirectory = "packages/night_ferry";

/**
 * The built-in game, Night Ferry: a core of its own as the rules' host runs it, by paths below
 * `builtinGameDirectory`. Its rules are told in `lua/ferry/game.lua`, its commands in
 * `lua/ferry/play.lua`.
 */
export const builtinGameFiles: ReadonlyMap<string, string> = new Map([
  ["lua/ferry/game.lua", game],
  ["lua/ferry/play.lua", play],
  ["lua/ferry/random.lua", random],
  ["lua/ferry/records.lua", records],
  ["lua/ferry/robot.lua", robot],
  ["lua/ferry/room.lua", room],
  ["lua/server/rpc/cbor.lua", cbor],
  ["lua/server/rpc/dispatchers.lua", dispatchers],
  ["lua/server/rpc/entry.lua", entry],
  ["lua/server/rpc/fk.lua", fk],
  ["lua/server/rpc/stdio.lua", stdio],
]);

/** A data directory that holds the built-in game and nothing else, for hosts of embedded Lua. */
export function builtinGameTree(): PackageTree {
  return packageTreeOf(
    [...builtinGameFiles].map(([path, text]) => [`${builtinGameDirectory}/${path}`, text] as const),
  );
}
