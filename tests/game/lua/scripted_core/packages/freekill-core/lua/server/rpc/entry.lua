-- A stand-in for a game core: plays no rules, but does what its players order (see orders.lua).
package.path = package.path .. ";./lua/?.lua"

fk = require "server.rpc.fk"
local cbor = require "server.rpc.cbor"
local dispatchers = require "server.rpc.dispatchers"

local function answer(message)
  local ok, done, result, data = pcall(dispatchers[message[101]], message[102])
  if ok and done then return { [100] = "2.0", [104] = message[104], [105] = result } end
  local fault = { [200] = -32603, [201] = "Internal error", [202] = ok and data or done }
  return { [100] = "2.0", [104] = message[104], [103] = fault }
end

if not ... then
  io.write(cbor.encode({ [100] = "2.0", [101] = "hello", [102] = { "world" } }))
  io.flush()
  while not fk.finished do
    local message = cbor.read(function(count) return io.read(count) end)
    if not message then break end
    io.write(cbor.encode(answer(message)))
    io.flush()
  end
end
