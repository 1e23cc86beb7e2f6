import { codeOnly, withoutComments } from "./source_text.ts";

/** What the files of each folder of src/ may import besides their own folder. */
const mayImport: Readonly<Record<string, readonly string[]>> = {
  base: [],
  sdk: [],
  ports: ["base"],
  wire: ["base"],
  config: ["base"],
  game: ["base", "wire", "ports", "config"],
  gateway: ["base", "wire", "ports", "config"],
  host: ["base", "wire", "ports", "config"],
  admin: ["base", "wire", "ports", "config"],
  watchdog: ["base", "wire", "ports", "config"],
  check: ["base", "wire", "ports", "config"],
  app: [
    "base",
    "ports",
    "wire",
    "config",
    "game",
    "gateway",
    "host",
    "admin",
    "watchdog",
    "check",
    // As a text that is served.
    "sdk",
  ],
  // What lies directly in adapters/ is for all of them, and names no runtime and no node: module.
  adapters: ["base", "ports"],
  "adapters/node": ["base", "ports", "adapters"],
  "adapters/bun": ["base", "ports", "adapters", "adapters/node"],
  "adapters/deno": ["base", "ports", "adapters", "adapters/node"],
  "main.bun.ts": ["base", "ports", "app", "adapters/bun", "adapters/node"],
  "main.deno.ts": ["base", "ports", "app", "adapters/deno", "adapters/node"],
  "config_worker.bun.ts": ["base", "ports", "config", "adapters/node"],
  "config_worker.deno.ts": ["base", "ports", "config", "adapters/node"],
  "crypto_worker.bun.ts": ["base", "ports", "game", "adapters/node"],
  "crypto_worker.deno.ts": ["base", "ports", "game", "adapters/node"],
  "game_store_worker.bun.ts": ["base", "ports", "game", "adapters/bun", "adapters/node"],
  "game_store_worker.deno.ts": ["base", "ports", "game", "adapters/deno", "adapters/node"],
  "lua_worker.bun.ts": ["base", "ports", "game", "host", "adapters/bun", "adapters/node"],
  "lua_worker.deno.ts": ["base", "ports", "game", "host", "adapters/deno", "adapters/node"],
  "packages_worker.bun.ts": ["base", "ports", "game", "adapters/bun", "adapters/node"],
  "packages_worker.deno.ts": ["base", "ports", "game", "adapters/deno", "adapters/node"],
  "store_worker.bun.ts": ["base", "ports", "game", "host", "adapters/bun", "adapters/node"],
  "store_worker.deno.ts": ["base", "ports", "game", "host", "adapters/deno", "adapters/node"],
};

/** Who may import an npm package (path prefixes below src/): as few files as possible. */
const packageUsers: Readonly<Record<string, readonly string[]>> = {
  "@std/cli/parse-args": ["app/"],
  hono: ["app/"],
  "isomorphic-git": ["game/packages/"],
  jose: ["gateway/identity/"],
  "jsonc-parser": ["config/"],
  pino: ["adapters/node/log"],
  "prom-client": ["app/"],
  protobufjs: ["wire/"],
  wasmoon: ["game/lua/", "adapters/bun/assets.ts", "adapters/deno/assets.ts"],
  ws: ["adapters/deno/"],
  zod: ["config/"],
};

/**
 * The faults, one line each, of a source tree against the import table of the design. `files` maps
 * paths below src/ (`host/session.ts`) to texts; `others` are files outside it that may be imported
 * (`../package.json`).
 */
export function findImportFaults(
  files: ReadonlyMap<string, string>,
  others: readonly string[] = [],
): string[] {
  const faults: string[] = [];
  for (const [path, text] of files) {
    const allowed = mayImport[zoneOf(path)];
    if (allowed === undefined) {
      faults.push(`${path}: its folder is not in the import table`);
      continue;
    }
    for (const specifier of findImports(text)) {
      const fault = judgeImport({ path, specifier, allowed, files, others });
      if (fault !== undefined) faults.push(`${path}: ${fault}`);
    }
    for (const name of findForbiddenGlobals(path, text)) {
      faults.push(`${path}: uses ${name}, which only ${homeOf(name)} may`);
    }
  }
  return faults;
}

/** All that a module names in imports, exports from, import(), require() and new URL(…, import.meta.url). */
export function findImports(text: string): string[] {
  const code = withoutComments(text);
  const patterns = [
    /\b(?:import|export)\b[^"'`;()]*?\bfrom\s*["']([^"']+)["']/g,
    /\bimport\s*["']([^"']+)["']/g,
    /\b(?:import|require)\s*\(\s*["'`]([^"'`]+)["'`]/g,
    /\bnew\s+URL\s*\(\s*["'`]([^"'`]+)["'`]\s*,\s*import\.meta\.url/g,
  ];
  return patterns.flatMap((pattern) => [...code.matchAll(pattern)].map((match) => match[1] ?? ""));
}

function judgeImport(what: {
  path: string;
  specifier: string;
  allowed: readonly string[];
  files: ReadonlyMap<string, string>;
  others: readonly string[];
}): string | undefined {
  const { path, specifier, allowed } = what;
  if (specifier.startsWith("node:")) {
    return isShell(path) ? undefined : `imports ${specifier}, which only adapters and entries may`;
  }
  if (specifier === "bun" || specifier.startsWith("bun:")) {
    return isBun(path) ? undefined : `imports ${specifier}, which only Bun's adapters may`;
  }
  const inPackages = /^(?:\.\.\/)+node_modules\/(.+)$/.exec(specifier)?.[1];
  if (!specifier.startsWith(".") || inPackages !== undefined) {
    const name = packageOf(inPackages ?? specifier);
    const users = packageUsers[name];
    if (users === undefined) return `imports the package ${name}, which is not in the table`;
    if (users.some((user) => path.startsWith(user))) return undefined;
    return `imports the package ${name}, which only ${users.join(", ")} may`;
  }
  const target = resolvePath(path, specifier);
  if (what.others.includes(target)) return undefined;
  if (!what.files.has(target)) return `imports ${specifier}, which does not exist`;
  const zone = zoneOf(target);
  if (zone === zoneOf(path) || allowed.includes(zone)) return undefined;
  return `imports ${target}; ${zoneOf(path)} may import only ${allowed.join(", ") || "itself"}`;
}

/** The row of the table that a file belongs to. */
function zoneOf(path: string): string {
  const [first = "", second = "", third] = path.split("/");
  return first === "adapters" && third !== undefined ? `${first}/${second}` : first;
}

function resolvePath(from: string, specifier: string): string {
  const parts = from.split("/").slice(0, -1);
  for (const part of specifier.replace(/[?#].*$/, "").split("/")) {
    if (part === "..") {
      if (parts.length === 0 || parts.at(-1) === "..") parts.push("..");
      else parts.pop();
    } else if (part !== ".") parts.push(part);
  }
  return parts.join("/");
}

function packageOf(specifier: string): string {
  if (specifier === "@std/cli/parse-args") return specifier;
  const parts = specifier.split("/");
  return specifier.startsWith("@") ? parts.slice(0, 2).join("/") : (parts[0] ?? specifier);
}

function isBun(path: string): boolean {
  return path.startsWith("adapters/bun/") || path.endsWith(".bun.ts");
}

function isDeno(path: string): boolean {
  return path.startsWith("adapters/deno/") || path.endsWith(".deno.ts");
}

function isAdapter(path: string): boolean {
  return path.startsWith("adapters/") || isShell(path);
}

function isShell(path: string): boolean {
  return path.startsWith("adapters/node/") || isBun(path) || isDeno(path);
}

/** Lua runs in a worker, to which no port reaches, and stops by the clock in the middle of a turn. */
function mayReadClock(path: string): boolean {
  return isAdapter(path) || isSdk(path) || path.startsWith("game/lua/");
}

function mayUseGlobals(path: string): boolean {
  return isAdapter(path) || isSdk(path);
}

/** Runs elsewhere, on the globals of its runtime: no port reaches it. */
function isSdk(path: string): boolean {
  return path.startsWith("sdk/");
}

/** Names that only a runtime has, or that a port stands for. */
const globals: readonly { name: string; pattern: RegExp; mayUse(path: string): boolean }[] = [
  { name: "Bun", pattern: /(?<![.\w$])Bun\s*[.[]/, mayUse: isBun },
  { name: "Deno", pattern: /(?<![.\w$])Deno\s*[.[]/, mayUse: isDeno },
  { name: "Buffer", pattern: /(?<![.\w$])Buffer\s*[.(]/, mayUse: isShell },
  { name: "globalThis.process", pattern: /\bglobalThis\s*\.\s*process\b/, mayUse: isShell },
  { name: "Date.now", pattern: /(?<![.\w$])Date\s*\.\s*now\b/, mayUse: mayReadClock },
  {
    name: "performance.now",
    pattern: /(?<![.\w$])performance\s*\.\s*now\b/,
    mayUse: mayReadClock,
  },
  { name: "Math.random", pattern: /(?<![.\w$])Math\s*\.\s*random\b/, mayUse: mayUseGlobals },
  { name: "setTimeout", pattern: /(?<![.\w$])setTimeout\s*\(/, mayUse: mayUseGlobals },
  { name: "setInterval", pattern: /(?<![.\w$])setInterval\s*\(/, mayUse: isAdapter },
];

function findForbiddenGlobals(path: string, text: string): string[] {
  const code = codeOnly(text);
  return globals
    .filter((one) => !one.mayUse(path) && one.pattern.test(code))
    .map((one) => one.name);
}

function homeOf(name: string): string {
  if (name === "Bun") return "Bun's adapters and entries";
  if (name === "Deno") return "Deno's adapters and entries";
  return "adapters and entries";
}
