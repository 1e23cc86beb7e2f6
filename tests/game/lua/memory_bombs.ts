const notes = "local call = require('server.rpc.fk').call ";
const fill = "local t = {} for n = 20, 1, -1 do " +
  "pcall(function() while true do t[#t + 1] = ('x'):rep(1 << n) .. #t end end) end ";

/**
 * Scripts that use up all memory, each in its own way. They are run as a chunk that is given a room of
 * the scripted core and its `rules`.
 */
export const memoryBombs: Readonly<Record<string, string>> = {
  "a table that grows": "local t = {} while true do t[#t + 1] = ('x'):rep(9999) .. #t end",
  "tables in tables": "local t = {} while true do t = { t } end",
  "numbers without end": "local t = {} for i = 1, 1e9 do t[i] = i end",
  "a string that doubles": "local s = 'x' while true do s = s .. s end",
  "string.rep of more each time":
    "local t, n = {}, 1 while true do n = n * 2 t[#t + 1] = ('x'):rep(n) end",
  "table.concat of itself": "local t = {} for i = 1, 1000 do t[i] = ('x'):rep(1000) end " +
    "while true do t[#t + 1] = table.concat(t) end",
  "string.format that doubles": "local s = 'x' while true do s = ('%s%s'):format(s, s) end",
  "string.pack that doubles": "local s = '' while true do s = string.pack('s4s4', s .. 'x', s) end",
  "a string that doubles in __index": "local s = 'x' " +
    "local t = setmetatable({}, { __index = function(t) s = s .. s return t[s] end }) return t.x",
  "a table that grows in __index": "local all = {} local t = setmetatable({}, { __index = " +
    "function(t, k) all[#all + 1] = ('x'):rep(99999) .. #all return t[k + 1] end }) return t[1]",
  "a string that doubles in __concat": "local s, mt = 'x', {} " +
    "mt.__concat = function() s = s .. s return setmetatable({}, mt) .. s end " +
    "return setmetatable({}, mt) .. 'x'",
  "a string that doubles in __tostring": "local s, t = 'x', setmetatable({}, {}) " +
    "getmetatable(t).__tostring = function() s = s .. s return tostring(t) end return tostring(t)",
  "a table that grows in a coroutine":
    "local t = {} coroutine.wrap(function() while true do t[#t + 1] = { #t } end end)()",
  "coroutines without end": "local t = {} while true do " +
    "local c = coroutine.create(coroutine.yield) coroutine.resume(c) t[#t + 1] = c end",
  "a table that grows in __gc": "setmetatable({}, { __gc = function() " +
    "local t = {} while true do t[#t + 1] = {} end end }) collectgarbage()",
  "a table that grows in __close": "local c <close> = setmetatable({}, { __close = function() " +
    "local t = {} while true do t[#t + 1] = ('x'):rep(999) .. #t end end })",
  "a table that grows in gsub": "local t = {} " +
    "return (('x'):rep(99999):gsub('x', function() t[#t + 1] = ('x'):rep(9999) .. #t end))",
  "gsub in gsub":
    "local s = 'x' local function f() s = s .. s return (s:gsub('x', f, 1)) end return f()",
  "a table that grows in a comparison": "local t, u = {}, {} for i = 1, 100 do t[i] = i end " +
    "table.sort(t, function(a, b) for i = 1, 9999 do u[#u + 1] = { a } end return a < b end)",
  "weak keys": "local t, keep = setmetatable({}, { __mode = 'k' }), {} while true do " +
    "local k = {} keep[#keep + 1] = k t[k] = ('x'):rep(99) .. #keep end",
  "recursion": "local function f() return 1 + f() end return f()",
  "values unpacked": "local t = {} while true do t[#t + 1] = { table.unpack({}, 1, 200000) } end",
  "a source that doubles": "local s = 'x=1 ' while true do s = s .. s load(s) end",
  "errors that are caught": `${fill} error('full')`,
  "an error with a long text": `${fill} error(('x'):rep(200000))`,
  "a trace behind it":
    "local t = {} xpcall(function() while true do t[#t + 1] = ('x'):rep(999) .. #t end end, " +
    "debug.traceback) error('full')",
  "answers of the server":
    `${notes} local t = {} while true do t[#t + 1] = call('RoomThread_getRoom', 1) .. #t end`,
  "an answer into full memory": `${notes} ${fill} call('RoomThread_getRoom', 1) error('full')`,
  "notices out of full memory": `local room, rules = ... ${fill} rules.tell(room, 'N', t[1])`,
  "all of it kept in the room":
    "local room = ... room.t = {} while true do room.t[#room.t + 1] = #room.t .. '' end",
  "all of it kept until it is late":
    "local room = ... room.t = {} for i = 1, 99999 do room.t[i] = i .. '' end while true do end",
  "all of it kept for ever": "kept = {} while true do kept[#kept + 1] = {} end",
  "finalizers that take more":
    "local t = {} while true do t[#t + 1] = setmetatable({ ('x'):rep(999) .. #t }, " +
    "{ __gc = function() local u = {} for i = 1, 99 do u[i] = ('y'):rep(999) .. i end end }) end",
  "finalizers that revive": "local t, mt = {}, {} mt.__gc = function(o) setmetatable(o, mt) end " +
    "while true do t[#t + 1] = setmetatable({ ('x'):rep(999) .. #t }, mt) end",
};
