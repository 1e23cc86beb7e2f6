import { renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { scriptedCore } from "../game/lua/scripted_core.ts";
import type { GameProgram, GameProgramOptions } from "../client/game_program.ts";

const rpc = join(scriptedCore.directory, "lua/server/rpc");

/**
 * The scripted core with one order more, for the embedded Lua. `trap,<callback>,<text>` has Lua text
 * run in that callback the next time that the server calls it; a callback is a method, `newroom` or
 * `newtask`.
 */
export function hostileCore(
  options: Pick<GameProgramOptions, "game"> & { readonly root: Readonly<Record<string, unknown>> },
): Omit<GameProgramOptions, "kind"> {
  return {
    game: options.game ?? {},
    core: join(scriptedCore.dataDirectory, scriptedCore.directory),
    root: { lua_command: "", ...options.root },
    prepare(directory) {
      const path = (name: string) => join(directory, rpc, name);
      renameSync(path("dispatchers.lua"), path("honest_dispatchers.lua"));
      writeFileSync(path("dispatchers.lua"), dispatchers);
    },
  };
}

/** Puts a file into the core: the packages have another md5 with it. */
export function putIntoCore(program: GameProgram, name: string, text: string): void {
  writeFileSync(corePath(program, name), text);
}

/** A file of the core. */
export function corePath({ directory }: GameProgram, name: string): string {
  return join(directory, rpc, name);
}

/** What the server tells clients of the packages that they must have. */
export async function packagesMd5(program: GameProgram): Promise<string> {
  return (await statOf(program)).packagesMd5;
}

export interface Stat {
  readonly packagesMd5: string;
  readonly rooms: number;
  readonly luaStates: readonly { readonly rooms: number; readonly isOutdated: boolean }[];
}

/** What an operator sees. */
export async function statOf(program: GameProgram): Promise<Stat> {
  const { stdout } = await program.admin("stat", "--json");
  return (JSON.parse(stdout) as { readonly data: Stat }).data;
}

const dispatchers = String.raw`
local honest = require "server.rpc.honest_dispatchers"
local orders = require "server.rpc.orders"
local call = require("server.rpc.fk").call
local traps = {}

function orders.trap(_, _, given) traps[given[1]] = assert(load(given.rest(1), "=trap")) end

local function callback_of(method, params)
  if method ~= "HandleRequest" then return method end
  return params[1]:match("^%-1,%-?%d+,(new%a+)$") or method
end

local trapped = {}
for method, handler in pairs(honest) do
  trapped[method] = function(params)
    local name = callback_of(method, params)
    local trap = traps[name]
    traps[name] = nil
    if trap then trap(params) end
    return handler(params)
  end
end
return trapped
`;
