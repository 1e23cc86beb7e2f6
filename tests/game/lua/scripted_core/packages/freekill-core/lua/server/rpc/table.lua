-- The rooms of the scripted rules, and what is done to them in more than one place.
local cbor = require "server.rpc.cbor"
local call = require("server.rpc.fk").call
local online, misses_max = 1, 3
local M = { rooms = {} }

function M.seat(player)
  return { id = player.id, connId = player.connId, state = player.state, misses = 0 }
end

local function notify_all(seats, command, data)
  for _, seat in ipairs(seats) do call("ServerPlayer_doNotify", seat.connId, command, data) end
end

function M.tell(room, command, data)
  notify_all(room.seats, command, data)
  notify_all(room.observers, command, data)
end

-- Asks for a save; everybody gets `command` with what it resumes with.
function M.query(room, command, method, ...)
  room.pending = command
  call(method, ...)
end

-- Takes the answers that are there; those who gave none have missed it when it is over.
function M.collect(room, is_over)
  local waiting = {}
  for _, seat in ipairs(room.asked) do
    local reply = call("ServerPlayer_waitForReply", seat.connId, 0)
    if reply == "__notready" and not is_over then
      waiting[#waiting + 1] = seat
    else
      call("ServerPlayer_setThinking", seat.connId, false)
      seat.misses = reply == "__notready" and seat.state == online and seat.misses + 1 or 0
      if seat.misses >= misses_max then call("ServerPlayer_emitKick", seat.connId) end
      M.tell(room, "Answered", cbor.encode({ seat.id, reply }))
    end
  end
  room.asked = waiting
  if #waiting == 0 then call("Room_destroyRequestTimer", room.id) end
end

function M.leave(room)
  call("Room_gameOver", room.id)
  call("Room_decreaseRefCount", room.id)
  M.rooms[room.id] = nil
end

function M.begin(id)
  local facts, _, reason = call("RoomThread_getRoom", id)
  if not facts then return false, reason end
  facts = cbor.decode(facts)
  local room = { id = id, seats = {}, observers = {}, asked = {} }
  for at, player in ipairs(facts.players) do room.seats[at] = M.seat(player) end
  for at, player in ipairs(facts.observers) do room.observers[at] = M.seat(player) end
  M.rooms[id] = room
  M.tell(room, "StartGame", "")
  M.tell(room, "Settings", facts.settings)
  return true
end

function M.resume(room, reason)
  if reason == "abandon" then
    M.leave(room)
  elseif #room.asked > 0 then
    M.collect(room, reason == "request_timer")
  elseif room.pending then
    local command = room.pending
    room.pending = nil
    M.tell(room, command, cbor.encode(cbor.text(reason)))
  end
end

return M
