import { rulesMethods } from "./rpc_methods.ts";

/** What the sandbox asks of its host besides the methods of the rules, which count from 1. */
export const rulesOperations = {
  unknown: 0,
  read: -1,
  kind: -2,
  list: -3,
  change: -4,
  current: -5,
  time: -6,
  compiled: -7,
};

/** The methods of the rules in the order of their numbers, from 1. */
export const rulesMethodNames: readonly string[] = [...rulesMethods.keys()];

const numbered = rulesMethodNames.map((name, at) => `${name} = ${at + 1}`).join(", ");
const { unknown, read, kind, list, change, current, time, compiled } = rulesOperations;

/**
 * The first chunk of a state that runs a core's rules. It is called with `host(number, …)` and the
 * JSON of the disabled packages, makes the state look like the interpreter that the core was written
 * for (see lua-host: `socket`, `lfs`, `io`, `os`, files), and returns `run(operation, …)`:
 *
 * - `"start"` loads the core
 * - `"call", method, …` → true, or false and why the rules refused
 * - `"begin", roomId, method, …` the same; refused too when the core has no such room afterwards
 *
 * The core's own way of calling the server, `callRpc` in `server.rpc.fk`, writes CBOR and waits for
 * an answer; it is replaced by one that calls `host`. What `host` refuses is nil, code and reason.
 */
export const rulesSandbox = String.raw`
local host, disabled_packs = ...
local globals, package, require = _G, package, require
local error, ipairs, load, pairs, pcall, select = error, ipairs, load, pairs, pcall, select
local getmetatable, setmetatable, tonumber, tostring, type = getmetatable, setmetatable, tonumber, tostring, type
local concat, pack, unpack = table.concat, table.pack, table.unpack
local byte, find, format, gmatch, gsub, match, sub =
  string.byte, string.find, string.format, string.gmatch, string.gsub, string.match, string.sub
local getupvalue, setupvalue = debug.getupvalue, debug.setupvalue
local native_os = os
local methods = { ${numbered} }
local nothing = function() end

collectgarbage("generational")

-- files

local function load_file(path, ...)
  -- Bytecode is what the server itself has made of the same file.
  local text, mode = host(${compiled}, path), "b"
  if not text then text, mode = host(${read}, path), "t" end
  if not text then return nil, "cannot open " .. path end
  if select("#", ...) > 0 then return load(text, "@" .. path, mode, (...)) end
  return load(text, "@" .. path, mode)
end

globals.load = function(chunk, name, _, ...)
  -- Bytecode can do anything to the interpreter; an environment of nil is not the same as none.
  if select("#", ...) > 0 then return load(chunk, name, "t", (...)) end
  return load(chunk, name, "t")
end
globals.loadfile = function(path, _, ...) return load_file(tostring(path), ...) end
globals.dofile = function(path)
  local chunk, fault = load_file(tostring(path))
  if not chunk then error(fault, 0) end
  return chunk()
end
string.dump = nil

local function search_path(name, templates)
  local file_name = gsub(name, "%.", "/")
  local tried = {}
  for template in gmatch(templates, "[^;]+") do
    local path = gsub(template, "%?", function() return file_name end)
    if host(${kind}, path) == "file" then return path end
    tried[#tried + 1] = "no file '" .. path .. "'"
  end
  return nil, concat(tried, "\n\t")
end

local function find_module(name)
  local path, tried = search_path(name, package.path)
  if not path then return tried end
  local chunk, fault = load_file(path)
  if not chunk then
    error(format("error loading module '%s' from file '%s':\n\t%s", name, path, fault), 0)
  end
  return chunk, path
end

-- standard libraries

local function call_host(method, ...) return host(methods[method], ...) end

local function print_line(...)
  local texts = pack(...)
  for at = 1, texts.n do texts[at] = tostring(texts[at]) end
  call_host("print", unpack(texts, 1, texts.n))
end

globals.print = print_line
globals.warn = function(...) call_host("qWarning", concat({ ... })) end

local readers = {}
function readers.a(text, at) return sub(text, at), #text + 1 end
function readers.l(text, at)
  if at > #text then return nil, at end
  local stop = find(text, "\n", at, true) or #text + 1
  return sub(text, at, stop - 1), stop + 1
end
function readers.L(text, at)
  if at > #text then return nil, at end
  local stop = find(text, "\n", at, true) or #text
  return sub(text, at, stop), stop + 1
end
function readers.n(text, at)
  local _, stop, number = find(text, "^%s*([%+%-]?[%w%.]+)", at)
  return tonumber(number), (stop or at - 1) + 1
end

local function read_one(text, at, wanted)
  if type(wanted) == "number" then
    if at > #text and (wanted > 0 or #text == 0) then return nil, at end
    return sub(text, at, at + wanted - 1), at + wanted
  end
  local reader = readers[sub(gsub(wanted, "^%*", ""), 1, 1)]
  if not reader then error("bad argument #1 to 'read' (invalid format)", 3) end
  return reader(text, at)
end

local file_methods = {}
file_methods.__index = file_methods
file_methods.__name = "FILE*"
function file_methods:read(...)
  local at, values = self.at, { n = 0 }
  for _, wanted in ipairs(select("#", ...) == 0 and { "l" } or { ... }) do
    values.n = values.n + 1
    values[values.n], at = read_one(self.text, at, wanted)
    if values[values.n] == nil then break end
  end
  self.at = at
  return unpack(values, 1, values.n)
end
function file_methods:lines(...)
  local formats = pack(...)
  return function() return self:read(unpack(formats, 1, formats.n)) end
end
function file_methods:seek(whence, offset)
  local from = whence == "set" and 0 or whence == "end" and #self.text or self.at - 1
  self.at = from + (offset or 0) + 1
  return self.at - 1
end
function file_methods:write(...)
  if not self.sink then return nil, "the file is read-only", 9 end
  call_host(self.sink, concat({ ... }))
  return self
end
function file_methods:close() return true end
file_methods.flush = function(self) return self end
file_methods.setvbuf = file_methods.close

local function file_of(text, sink)
  return setmetatable({ text = text, at = 1, sink = sink }, file_methods)
end

local function open(path, mode)
  if mode and find(mode, "[wa+]") then return nil, path .. ": Permission denied", 13 end
  local text = host(${read}, path)
  if not text then return nil, path .. ": No such file or directory", 2 end
  return file_of(text)
end

local stdin, stdout, stderr = file_of(""), file_of("", "print"), file_of("", "qWarning")
globals.io = {
  stdin = stdin, stdout = stdout, stderr = stderr,
  open = open,
  input = function() return stdin end,
  output = function() return stdout end,
  read = function(...) return stdin:read(...) end,
  write = function(...) return stdout:write(...) end,
  flush = nothing,
  close = nothing,
  lines = function(path, ...)
    local file, fault = open(path)
    if not file then error(fault, 2) end
    return file:lines(...)
  end,
  type = function(value)
    return type(value) == "table" and getmetatable(value) == file_methods and "file" or nil
  end,
}

local environment = { FK_RPC_MODE = "cbor", FK_DISABLED_PACKS = disabled_packs }
globals.os = {
  clock = native_os.clock,
  date = native_os.date,
  difftime = native_os.difftime,
  time = native_os.time,
  getenv = function(name) return environment[name] end,
}
-- The core gives every coroutine a hook of its own against endless loops; the engine has a better
-- guard, and hooks are slow.
debug.sethook, debug.gethook, debug.debug = nothing, nothing, nothing

-- modules

package.path, package.cpath = "./?.lua;./?/init.lua;", ""
package.loadlib = nil
package.searchpath = search_path
package.preload.socket = function()
  return { gettime = function() return host(${time}) end }
end
package.preload.lfs = function()
  local function missing(path) return nil, "cannot find '" .. path .. "'", 2 end
  return {
    currentdir = function() return host(${current}) end,
    chdir = function(path) if host(${change}, path) then return true end return missing(path) end,
    dir = function(path)
      local names = host(${list}, path)
      if not names then error("cannot open " .. path .. ": No such file or directory", 2) end
      return gmatch("./../" .. names, "[^/]+")
    end,
    attributes = function(path, wanted)
      local mode = host(${kind}, path)
      if not mode then return missing(path) end
      if wanted == "mode" then return mode end
      return { mode = mode, size = mode == "file" and #host(${read}, path) or 0 }
    end,
  }
end

-- the core's calls

local is_direct = false

local function call_rpc(method, params)
  local number = methods[method]
  if number then return host(number, unpack(params)) end
  return host(${unknown}, tostring(method))
end

local function make_direct(module)
  for _, member in pairs(type(module) == "table" and module or {}) do
    for at = 1, type(member) == "function" and 255 or 0 do
      local name = getupvalue(member, at)
      if name == nil then break end
      if name == "callRpc" then
        setupvalue(member, at, call_rpc)
        is_direct = true
        return
      end
    end
  end
end

package.searchers = {
  package.searchers[1],
  function(name)
    local loader, path = find_module(name)
    if name ~= "server.rpc.fk" or type(loader) ~= "function" then return loader, path end
    return function(...)
      local module = loader(...)
      make_direct(module)
      return module
    end, path
  end,
}

-- the server's calls

local dispatchers

local function start()
  local entry, fault = load_file("lua/server/rpc/entry.lua")
  if not entry then error(fault, 0) end
  -- With an argument it does not begin to read its input.
  entry("embedded")
  if not is_direct then error("its server.rpc.fk has no callRpc that could be replaced", 0) end
  dispatchers = require "server.rpc.dispatchers"
  if globals.InitScheduler then globals.InitScheduler(globals.fk.RoomThread()) end
end

local errors = {
  parse_error = "Parse error (-32700)",
  invalid_request = "Invalid request (-32600)",
  method_not_found = "Method not found (-32601)",
  invalid_params = "Invalid params (-32602)",
  internal_error = "Internal error (-32603)",
  server_error = "Server error (-32000)",
}

local function refused(name, data)
  local reason = errors[name or "invalid_params"] or errors.internal_error
  if data == nil then return false, reason end
  return false, reason .. ": " .. sub(tostring(data), 1, 200)
end

local function call(method, ...)
  local handler = dispatchers[method]
  if not handler then return refused("method_not_found") end
  local ok, done, name, data = pcall(handler, { ... })
  if not ok then return refused("internal_error", done) end
  if done == false then return refused(name, data) end
  return true
end

local function begin(room_id, ...)
  local ok, reason = call(...)
  local get_room = globals.GetRoom
  if ok and get_room and not get_room(room_id) then
    return false, "the rules could not begin; their log tells why"
  end
  return ok, reason
end

return function(operation, ...)
  if operation == "start" then return start() end
  if operation == "begin" then return begin(...) end
  return call(...)
end
`;
