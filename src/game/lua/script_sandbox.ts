/** Sizes at the border between a script and the server. */
export const scriptLimits = {
  /** A script is read whole; more than this is not a script written by hand. */
  scriptBytesMax: 4 * 1024 * 1024,
  /** The host protocol refuses a reply over 65,536 bytes itself (`ERR_CODEC_FRAME_TOO_LARGE`), so
   * what misses that comes through to it; this bounds what a script can put into memory by it. */
  versionBytesMax: 131_072,
  /** A reason must fit a line of the log and of a probe. */
  reasonBytesMax: 512,
  /** One printed line; the rest of it is cut off. */
  printBytesMax: 1_024,
  /** Lines that one load or call may print; more are counted and dropped. */
  printLinesMax: 50,
} as const;

/**
 * The first chunk of every script's state, in the embedded Lua and in a native one alike. It is
 * called with `log(text)`, takes away what reaches outside the state, and returns
 * `dispatch(operation, …) → outcome, text`:
 *
 * - `"load", source, name` → `"ok"` | `"failed", reason`
 * - `"hello"` → `"ok", version` | `"missing", reason` | `"failed", reason`
 *
 * It keeps local what it uses, so that a script may do to its globals what it likes. There is no
 * `require`: a script is one file.
 */
export const scriptSandbox = String.raw`
local log = ...
local globals, type, tostring, select, pcall, load = _G, type, tostring, select, pcall, load
local sub, format, concat = string.sub, string.format, table.concat
local lines, dropped = 0, 0

local function emit(...)
  if lines >= ${scriptLimits.printLinesMax} then
    dropped = dropped + 1
    return
  end
  lines = lines + 1
  local parts = {}
  for index = 1, select("#", ...) do
    if index > 32 then break end
    parts[index] = sub(tostring((select(index, ...))), 1, ${scriptLimits.printBytesMax})
  end
  log(sub(concat(parts, "\t"), 1, ${scriptLimits.printBytesMax}))
end

local nothing = function() end
local native_os, native_debug = os, debug

globals.print = emit
globals.warn = emit
globals.io = { write = emit }
globals.os = {
  clock = native_os.clock,
  date = native_os.date,
  difftime = native_os.difftime,
  time = native_os.time,
}
globals.debug = { traceback = native_debug.traceback, sethook = nothing, gethook = nothing }
globals.load = function(chunk, name, _, ...)
  -- Bytecode can do anything to the interpreter; an environment of nil is not the same as none.
  if select("#", ...) > 0 then return load(chunk, name, "t", (...)) end
  return load(chunk, name, "t")
end
string.dump = nil
for _, name in ipairs({ "host", "dofile", "loadfile", "loadstring", "require", "package" }) do
  globals[name] = nil
end

local function reason_of(fault)
  local kind = type(fault)
  if kind == "string" then return sub(fault, 1, ${scriptLimits.reasonBytesMax}) end
  if kind == "number" then return fault .. "" end
  -- Its __tostring is the script's own code and might fail or never end.
  return "the error is a " .. kind .. ", not a text"
end

local function load_script(source, name)
  local chunk, fault = load(source, "=" .. name, "t")
  if not chunk then return "failed", reason_of(fault) end
  local ok, raised = pcall(chunk)
  if not ok then return "failed", reason_of(raised) end
  return "ok"
end

local function hello()
  local greet = globals.runtime_hello
  if type(greet) ~= "function" then
    return "missing", "the script has no function runtime_hello"
  end
  local version = greet()
  if type(version) == "number" then version = version .. "" end
  if type(version) ~= "string" then
    return "failed", "runtime_hello must return a text, it returned a " .. type(version)
  end
  if #version > ${scriptLimits.versionBytesMax} then
    return "failed", format("runtime_hello must return at most %d bytes, it returned %d",
      ${scriptLimits.versionBytesMax}, #version)
  end
  return "ok", version
end

return function(operation, ...)
  lines, dropped = 0, 0
  local ok, outcome, text
  if operation == "load" then
    ok, outcome, text = pcall(load_script, ...)
  else
    ok, outcome, text = pcall(hello)
  end
  if dropped > 0 then log(format("%d more lines were printed and dropped", dropped)) end
  if not ok then return "failed", reason_of(outcome) end
  return outcome, text
end
`;
