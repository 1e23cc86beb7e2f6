-- What the server calls. Each takes a list of parameters and returns true and a result, or false,
-- the name of an error and its data.
local cbor = require "server.rpc.cbor"
local fk = require "server.rpc.fk"
local Room = require "ferry.room"
local play = require "ferry.play"

-- Running games by their rooms' ids.
local rooms = {}

local function room_not_found() return false, "internal_error", "Room not found" end

-- Goes on with the course of a game. An error in it costs this game alone.
local function advance(room, reason)
  local ok, fault = coroutine.resume(room.course, reason)
  if not ok then
    fk.call("qCritical", debug.traceback(room.course, tostring(fault)))
    coroutine.close(room.course)
    if not room.is_over then play.stop(room, "error") end
  end
  if room.is_over then rooms[room.id] = nil end
  return true, room.is_over
end

local function new_room(id)
  local room, reason = Room.open(id)
  if not room then return false, "internal_error", reason end
  room.course = coroutine.create(function() play.run(room) end)
  rooms[id] = room
  return advance(room)
end

-- What the server says of a player, and what he may push himself: `view`, to be told all again.
local function push(room, player_id, command)
  -- Who ran away may come back to look on: then he is both, and only his new self can hear.
  local seat, observer = room:seat_of(player_id), room:observer_of(player_id)
  if command == "reconnect" and seat then
    play.show(room, seat, "Reconnect")
    room:repeat_question(seat)
  elseif command == "observe" and observer then
    play.show(room, observer, "Observe")
  elseif command == "view" and (observer or seat) then
    play.show(room, observer or seat, "FerryView")
  end
  return true, true
end

local dispatchers = {}

function dispatchers.ping() return true, "PONG" end

function dispatchers.bye()
  fk.is_finished = true
  return true, "Goodbye"
end

-- What the server says of itself comes as from room -1; what a player pushes bears his room's id.
local SERVER = -1

-- `roomId,playerId,command,…`; `-1,<its id>,newroom` and `-1,<its id>,newtask`
function dispatchers.HandleRequest(params)
  local first, second, command = tostring(params[1]):match("^(%-?%d+),(%-?%d+),([^,]*)")
  if not first then return false, "invalid_params", "expected roomId,playerId,command" end
  local id, other_id = math.tointeger(tonumber(first)), math.tointeger(tonumber(second))
  if id == SERVER and command == "newroom" then return new_room(other_id) end
  if id == SERVER and command == "newtask" then
    -- This game has nothing to do in the lobby.
    fk.call("Task_decreaseRefCount", other_id)
    return true, true
  end
  local room = rooms[id]
  if not room then return room_not_found() end
  return push(room, other_id, command)
end

function dispatchers.ResumeRoom(params)
  local room = rooms[params[1]]
  if not room then return room_not_found() end
  if params[2] ~= "abandon" then return advance(room, tostring(params[2])) end
  coroutine.close(room.course)
  play.stop(room, "abandoned")
  rooms[room.id] = nil
  return true, true
end

function dispatchers.SetPlayerState(params)
  local room = rooms[params[1]]
  if not room then return room_not_found() end
  local seat = room:seat_of(params[2])
  if not seat then return false, "internal_error", "Player not found" end
  seat.state = params[3]
  -- Who went while his question was on its way was not thinking yet, so nothing else will tell.
  if room:is_left_alone(seat) then return advance(room, "player_state") end
  return true, true
end

function dispatchers.AddObserver(params)
  local room = rooms[params[1]]
  if not room then return room_not_found() end
  local player, reason = cbor.decode(tostring(params[2]))
  if type(player) ~= "table" then return false, "invalid_params", reason end
  room:add_observer(player)
  return true, true
end

function dispatchers.RemoveObserver(params)
  local room = rooms[params[1]]
  if not room then return room_not_found() end
  room:remove_observer(params[2])
  return true, true
end

return dispatchers
