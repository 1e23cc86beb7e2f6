-- What the server calls: true and a result, or false, the error's name and its data.
local cbor = require "server.rpc.cbor"
local call = require("server.rpc.fk").call
local orders = require "server.rpc.orders"
local rules = require "server.rpc.table"
local tasks = {}

local function split(line)
  local parts, starts = {}, {}
  for start, part in line:gmatch("()([^,]*)") do
    parts[#parts + 1], starts[#starts + 1] = part, start
  end
  return parts, starts
end

local function tell_task(id, command, data)
  local player = cbor.decode(call("Task_getPlayer", id))
  call("ServerPlayer_doNotify", player.connId, command, data)
end

local function end_task(id)
  tasks[id] = nil
  call("Task_decreaseRefCount", id)
end

-- A task tells its player what it is, and waits for as many milliseconds as its data says.
local function new_task(id)
  local task, _, reason = call("Server_getTask", id)
  if not task then return false, "internal_error", reason end
  task = cbor.decode(task)
  tasks[id] = true
  tell_task(id, "TaskStarted", task.taskType)
  local ms = math.tointeger(cbor.decode(task.data))
  if ms then call("Task_delay", id, ms) else end_task(id) end
  return true, true
end

local function find_seat(room, id)
  for _, seats in ipairs({ room.seats, room.observers }) do
    for _, seat in ipairs(seats) do
      if seat.id == id then return seat end
    end
  end
end

local function handle_request(params)
  local line = params[1]
  local parts, starts = split(line)
  local id = math.tointeger(tonumber(parts[2]))
  if parts[3] == "newtask" then return new_task(id) end
  if parts[3] == "newroom" then
    local ok, reason = rules.begin(id)
    if not ok then return false, "internal_error", reason end
    return true, true
  end
  local room = rules.rooms[tonumber(parts[1])]
  if not room then return false, "internal_error", "Room not found" end
  local seat, command = find_seat(room, id), parts[3]
  if command == "reconnect" or command == "observe" then
    local name = command == "reconnect" and "Reconnect" or "Observe"
    local ids = {}
    for at, one in ipairs(room.seats) do ids[at] = one.id end
    call("ServerPlayer_doNotify", seat.connId, name, cbor.encode({ players = ids }))
  elseif orders[command] then
    local given = { table.unpack(parts, 4) }
    given.rest = function(passed) return line:sub(starts[4 + passed] or #line + 1) end
    orders[command](room, seat, given)
  end
  return true, true
end

local function resume_room(params)
  local id, reason = params[1], params[2]
  if tasks[id] then
    if reason ~= "abort" then tell_task(id, "TaskDone", reason) end
    end_task(id)
    return true, true
  end
  local room = rules.rooms[id]
  if not room then return false, "internal_error", "Room not found" end
  rules.resume(room, reason)
  return true, rules.rooms[id] == nil
end

local function of_room(run)
  return function(params)
    local room = rules.rooms[params[1]]
    if not room then return false, "internal_error", "Room not found" end
    run(room, params)
    return true, true
  end
end

return {
  ping = function() return true, "PONG" end,
  bye = function()
    fk.finished = true
    return true, "Goodbye"
  end,
  HandleRequest = handle_request,
  ResumeRoom = resume_room,
  SetPlayerState = of_room(function(room, params)
    local seat = find_seat(room, params[2])
    if seat then seat.state = params[3] end
  end),
  AddObserver = of_room(function(room, params)
    room.observers[#room.observers + 1] = rules.seat(cbor.decode(params[2]))
  end),
  RemoveObserver = of_room(function(room, params)
    for at, seat in ipairs(room.observers) do
      if seat.id == params[2] then return table.remove(room.observers, at) end
    end
  end),
}
