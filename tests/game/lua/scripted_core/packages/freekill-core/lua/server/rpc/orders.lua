-- What players can order by `PushRequest "<order>,<argument>,…"`. Texts of JSON hold commas: `rest`
-- is what stands behind so many arguments.
local cbor = require "server.rpc.cbor"
local call = require("server.rpc.fk").call
local rules = require "server.rpc.table"
local coroutine, load, os = coroutine, load, os
local results = { win = 1, lose = 2, draw = 3 }
local orders = {}

local function text(value) return cbor.encode(cbor.text(value)) end

-- `ask,<playerId or all>,<seconds>,<command>`
function orders.ask(room, _, given)
  local seconds = math.tointeger(tonumber(given[2]))
  call("Room_setRequestTimer", room.id, seconds * 1000 + 500)
  for _, seat in ipairs(room.seats) do
    if given[1] == "all" or seat.id == tonumber(given[1]) then
      local data = cbor.encode({ given[3], seconds })
      call("ServerPlayer_doRequest", seat.connId, given[3], data, seconds, 1700000000000)
      call("ServerPlayer_setThinking", seat.connId, true)
      room.asked[#room.asked + 1] = seat
    end
  end
  rules.collect(room, false)
end

function orders.notify(room, _, given)
  rules.tell(room, given[1], given[2] and text(given.rest(1)) or "")
end

function orders.delay(room, _, given)
  room.pending = "Delayed"
  call("Room_delay", room.id, math.tointeger(tonumber(given[1])))
end

function orders.save(room, seat, given)
  rules.query(room, "Saved", "ServerPlayer_saveState", seat.connId, given.rest(0))
end

function orders.load(room, seat)
  rules.query(room, "Loaded", "ServerPlayer_getSaveState", seat.connId)
end

function orders.save_global(room, seat, given)
  rules.query(room, "Saved", "ServerPlayer_saveGlobalState", seat.connId, given[1], given.rest(1))
end

function orders.load_global(room, seat, given)
  rules.query(room, "Loaded", "ServerPlayer_getGlobalSaveState", seat.connId, given[1])
end

function orders.save_room(room, _, given)
  rules.query(room, "Saved", "Room_saveGlobalState", room.id, given[1], given.rest(1))
end

function orders.load_room(room, _, given)
  rules.query(room, "Loaded", "Room_getGlobalSaveState", room.id, given[1])
end

function orders.session(room)
  local id, data = call("Room_getSessionId", room.id), call("Room_getSessionData", room.id)
  rules.tell(room, "Session", cbor.encode({ id, cbor.text(data) }))
end

function orders.set_session(room, seat, given)
  call("Room_setSessionData", room.id, given.rest(0))
  orders.session(room, seat, given)
end

function orders.died(_, seat) call("ServerPlayer_setDied", seat.connId, true) end
function orders.kick(_, seat) call("ServerPlayer_emitKick", seat.connId) end

function orders.add_npc(room)
  local facts = call("Room_addNpc", room.id)
  if not facts then return end
  local npc = rules.seat(cbor.decode(facts))
  room.seats[#room.seats + 1] = npc
  rules.tell(room, "NpcAdded", cbor.encode(npc.id))
end

function orders.remove_npc(room)
  local npc = table.remove(room.seats)
  call("Room_removeNpc", room.id, npc.connId)
end

function orders.log(_, _, given) call(given[1], given.rest(1)) end
function orders.print(_, _, given) call("print", table.unpack(given)) end

local literals = { ["true"] = true, ["false"] = false }

-- `call,<method>,<parameter>…`: whole numbers and `true` are no strings. `Called` has the answer.
function orders.call(room, _, given)
  local params = {}
  for at = 2, #given do
    local value = literals[given[at]]
    if value == nil then value = math.tointeger(tonumber(given[at])) or given[at] end
    params[at - 1] = value
  end
  local answer, code, reason = call(given[1], table.unpack(params))
  if answer == nil then answer = "!" .. code .. " " .. reason end
  rules.tell(room, "Called", text(tostring(answer)))
end

-- `end,<win, lose or draw of each seat>…`
orders["end"] = function(room, _, given)
  rules.tell(room, "GameOver", text(table.concat(given, "+")))
  for at, seat in ipairs(room.seats) do
    local result, role = results[given[at]] or 3, "seat" .. at
    if seat.id > 0 then
      call("Room_updatePlayerWinRate", room.id, seat.id, "scripted", role, result)
      call("Room_updateGeneralWinRate", room.id, "liubei", "scripted", role, result)
    end
  end
  rules.leave(room)
end

function orders.raise() error("an error of the script") end

-- `lua,<text>` is run as a game's logic is: in a coroutine, whose error ends the game.
function orders.lua(room, _, given)
  local game = coroutine.create(assert(load(given.rest(0), "=order")))
  local ok, told = coroutine.resume(game, room, rules)
  if ok and told ~= nil then return rules.tell(room, "Told", text(tostring(told))) end
  if ok then return end
  call("qCritical", tostring(told))
  rules.tell(room, "GameOver", text(""))
  rules.leave(room)
end

-- The same in the handler itself.
function orders.lua_main(room, _, given)
  local told = assert(load(given.rest(0), "=order"))(room, rules)
  if told ~= nil then rules.tell(room, "Told", text(tostring(told))) end
end

return orders
