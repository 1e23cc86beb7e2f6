/** Scripts whose greeting never gives an answer: each must end as `failed`, in bounded time, and
 * leave the bridge fit for a healthy script. The bodies are those of `runtime_hello`. */
export const hostileGreetings: Readonly<Record<string, string>> = {
  "a loop": "while true do end",
  "a loop of gotos": "goto again ::again:: goto again",
  "a loop in a coroutine": "coroutine.wrap(function() while true do end end)()",
  "coroutines without end": "while true do coroutine.wrap(function() while true do end end)() end",
  "a coroutine that yields for ever":
    "local next = coroutine.wrap(function() while true do coroutine.yield() end end)\n" +
    "while true do next() end",
  "coroutines inside coroutines":
    "local function nest() return coroutine.wrap(function() return nest() end)() end\nnest()",
  "loops caught by pcall": "while true do pcall(function() while true do end end) end",
  "errors caught by pcall": "while true do pcall(error) end",
  "pcall of wrapped loops":
    "while true do pcall(coroutine.wrap(function() while true do end end)) end",
  "nested pcall":
    "local function again() while true do pcall(again) end end\nwhile true do pcall(again) end",
  "a loop in the handler of xpcall":
    "xpcall(function() while true do end end, function() while true do end end)",
  "a loop in __gc":
    "setmetatable({}, { __gc = function() while true do end end })\ncollectgarbage()\nerror('later')",
  "many __gc that loop":
    "while true do setmetatable({}, { __gc = function() while true do end end }) end",
  "a loop in __close":
    "local held <close> = setmetatable({}, { __close = function() while true do end end })\n" +
    "error('later')",
  "a loop in __index": "return setmetatable({}, { __index = function() while true do end end }).x",
  "a loop in __index of the globals":
    "setmetatable(_G, { __index = function() while true do end end })\nreturn nothing_here",
  "a loop in __index of strings":
    "getmetatable('').__index = function() while true do end end\nreturn (''):upper()",
  "a loop in a comparison": "table.sort({ 3, 2, 1, 5, 4 }, function() while true do end end)",
  "a loop in the function of gsub": "return (('x'):gsub('x', function() while true do end end))",
  "a loop in a chunk of its own": "load('while true do end')()",
  "removing hooks": "while true do debug.sethook() end",
  "a pattern that backtracks": "return (('a'):rep(40):find(('a*'):rep(40) .. 'b'))",
  "a pattern of optional parts": "return (('a'):rep(30):find(('a?'):rep(60) .. ('a'):rep(61)))",
  "repeating nothing": "return ('').rep('', 1 << 62)",
  "a giant string": "return ('x'):rep(1 << 33)",
  "a string that doubles": "local text = 'x'\nwhile true do text = text .. text end",
  "a growing table": "local all = {}\nwhile true do all[#all + 1] = {} end",
  "a growing table under pcall":
    "local all = {}\nwhile true do pcall(function() while true do all[#all + 1] = ('x'):rep(999) end end) end",
  "big strings kept":
    "local all = {}\nwhile true do all[#all + 1] = ('x'):rep(1000000) .. #all end",
  "recursion without end": "local function deeper() return 1 + deeper() end\nreturn deeper()",
  "recursion through gsub":
    "local function deeper() return (('x'):gsub('x', deeper)) end\nreturn deeper()",
  "unpacking too much": "return select('#', table.unpack({}, 1, 100000000))",
  "an answer of 10 MB": "return ('x'):rep(10000000)",
  "an answer of a table": "return {}",
  "an answer of nothing": "",
  "an error that is a table": "error({})",
  "an error whose __tostring loops":
    "error(setmetatable({}, { __tostring = function() while true do end end }))",
  "an error of 10 MB": "error(('x'):rep(10000000))",
  "an error of several lines": "error('one\\r\\ntwo\\0three\\27[31m')",
  "leaving by os.exit": "os.exit(0)",
  "a command": "os.execute('true')",
  "a command with a pipe": "return io.popen('true'):read('a')",
  "a file": "return io.open('/etc/hostname'):read('a')",
  "the lines of a file": "for line in io.lines('/etc/hostname') do return line end",
  "a removed file": "os.remove('/nonexistent')",
  "the environment": "return os.getenv('PATH')",
  "a module": "return require('string').upper('x')",
  "a native module": "return package.loadlib('libm.so', '*')",
  "another file as code": "return dofile('/etc/hostname')",
  "another file loaded": "return loadfile('/etc/hostname')()",
  "bytecode": "return load('\\27Lua\\x54\\0', 'x', 'b')()",
  "bytecode of its own": "return load(string.dump(function() return 'x' end), 'x', 'bt')()",
  "the registry": "return debug.getregistry()[1]",
  "upvalues of others": "return debug.getupvalue(print, 1)",
};
