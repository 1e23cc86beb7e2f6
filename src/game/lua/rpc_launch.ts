import type { ChildExit, ProcessPort, SpawnOptions } from "../../ports/process.ts";

/** Where a core's entry is, seen from the core's own folder. */
const entryScript = "lua/server/rpc/entry.lua";
/** The interpreter itself and its libraries, on top of what the scripts may use. */
const overheadMb = 16;
/** Exit codes of env(1) for a program that cannot be run. */
const exits = { cannotRun: 126, notFound: 127 };

/**
 * Bounds the memory ($1, KiB), forbids writing files (with an error, not the signal), and becomes the
 * rest of the arguments in an environment that holds none of the server's secrets.
 */
const launch = `trap '' XFSZ
ulimit -d "$1" 2>/dev/null; ulimit -f 0 2>/dev/null; ulimit -c 0 2>/dev/null
shift
exec env -i PATH="$PATH" FK_RPC_MODE="$FK_RPC_MODE" FK_DISABLED_PACKS="$FK_DISABLED_PACKS" \
\${HOME:+"HOME=$HOME"} \${LANG:+"LANG=$LANG"} \${TZ:+"TZ=$TZ"} \
\${LUA_PATH:+"LUA_PATH=$LUA_PATH"} \${LUA_PATH_5_4:+"LUA_PATH_5_4=$LUA_PATH_5_4"} \
\${LUA_CPATH:+"LUA_CPATH=$LUA_CPATH"} \${LUA_CPATH_5_4:+"LUA_CPATH_5_4=$LUA_CPATH_5_4"} \
\${LD_LIBRARY_PATH:+"LD_LIBRARY_PATH=$LD_LIBRARY_PATH"} "$@"`;

export interface RpcLaunchOptions {
  /** A native Lua 5.4 and its flags, split at spaces: `lua5.4`, `/usr/bin/lua5.4 -W`. */
  readonly command: string;
  /** The core's folder, `packages/freekill-core`; the child's working directory. */
  readonly directory: string;
  /** Folders of packages that the rules are to leave out. */
  readonly disabledPacks: readonly string[];
  /** Memory that the scripts may use, in MiB. */
  readonly memoryMb: number;
}

/** The program that runs a core's rules, and what to start it with. */
export function rpcLaunch(
  process: Pick<ProcessPort, "platform" | "cwd">,
  options: RpcLaunchOptions,
): { readonly program: string; readonly spawn: Pick<SpawnOptions, "args" | "env" | "cwd"> } {
  const [first = "", ...flags] = options.command.trim().split(/\s+/);
  const isRelative = first.includes("/") && !first.startsWith("/");
  // The child's working directory is another than ours.
  const lua = isRelative && process.platform !== "windows" ? `${process.cwd}/${first}` : first;
  const env = { FK_RPC_MODE: "cbor", FK_DISABLED_PACKS: JSON.stringify(options.disabledPacks) };
  const run = [lua, ...flags, entryScript];
  const common = { env, cwd: options.directory };
  if (process.platform === "windows") {
    return { program: lua, spawn: { ...common, args: run.slice(1) } };
  }
  const memoryKb = (options.memoryMb + overheadMb) * 1_024;
  return { program: "sh", spawn: { ...common, args: ["-c", launch, "sh", `${memoryKb}`, ...run] } };
}

/** Why it ended by itself, in one line; `said`: what it wrote to its error output first. */
export function explainExit(command: string, exit: ChildExit, said: string): string {
  if (exit.code === exits.notFound) return `Cannot start "${command}": there is no such program`;
  if (exit.code === exits.cannotRun) return `Cannot start "${command}": it may not be run`;
  const how = exit.signal === null ? `with code ${exit.code}` : `by ${exit.signal}`;
  return `the rules' process ended ${how}${said === "" ? "" : `: ${said}`}`;
}
