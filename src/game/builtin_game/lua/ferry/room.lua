-- A room as the server knows it, and what can be asked of it. Whatever waits here runs in the
-- room's `course`, a coroutine that is resumed with the reason for which the server wakes the room.
local cbor = require "server.rpc.cbor"
local call = require("server.rpc.fk").call
local Random = require "ferry.random"

local Room = {}
Room.__index = Room

Room.ONLINE, Room.RUN = 1, 3
-- Who lets so many questions in a row pass has left his machine.
local MISSES_MAX = 3
-- An answer is a crate and a word. What is longer would only fill the memory that all rooms share.
local ANSWER_BYTES_MAX = 256
-- Added to the time for an answer, in ms, for its way through the network.
local GRACE_MS = 500
-- A store that is slow must not hold up a game.
local STORE_MS = 5000
-- After a question. Wakes that were under way come before the end of this pause and are dropped in
-- it: they must not be taken for those of the next question.
local BREATH_MS = 1

local PACE_MS, PACE_MS_MAX = 900, 5000
local GOAL_MIN, GOAL_MAX = 1, 60

local function seat_from(player, number)
  return {
    number = number,
    id = player.id,
    connId = player.connId,
    name = player.screenName,
    avatar = player.avatar,
    state = player.state,
    misses = 0,
    -- The question that waits for its answer.
    question = nil,
  }
end

local function whole(value, low, high)
  return math.type(value) == "integer" and math.max(low, math.min(high, value)) or nil
end

-- The room's settings are a client's: anything may be in there. `_game` may hold
--   seed  a whole number: equal seeds and answers give equal games; everybody is told
--   pace  ms to look at what happened, 0 to 5000
--   goal  coins that end the game, 1 to 60
local function read_settings(bytes)
  local settings = cbor.decode(bytes)
  local own = type(settings) == "table" and settings._game
  if type(own) ~= "table" then own = {} end
  local mode = type(settings) == "table" and settings.gameMode
  return {
    mode = type(mode) == "string" and mode ~= "" and mode or "night_ferry",
    seed = whole(own.seed, math.mininteger, math.maxinteger),
    pace = whole(own.pace, 0, PACE_MS_MAX) or PACE_MS,
    goal = whole(own.goal, GOAL_MIN, GOAL_MAX),
  }
end

-- The room of that id; nil and the server's reason when it has none.
function Room.open(id)
  local bytes, _, reason = call("RoomThread_getRoom", id)
  if not bytes then return nil, reason end
  local facts = cbor.decode(bytes)
  local settings = read_settings(facts.settings)
  local room = setmetatable({
    id = id,
    owner = facts.ownerId,
    timeout = facts.timeout,
    settings = settings,
    random = Random.new(settings.seed or Random.fresh_seed()),
    seats = {},
    observers = {},
    is_over = false,
    course = nil,
  }, Room)
  for number, player in ipairs(facts.players) do room.seats[number] = seat_from(player, number) end
  for _, player in ipairs(facts.observers or {}) do room:add_observer(player) end
  return room
end

local function find(list, player_id)
  for at, one in ipairs(list) do
    if one.id == player_id then return one, at end
  end
end

function Room:seat_of(player_id) return (find(self.seats, player_id)) end
function Room:observer_of(player_id) return (find(self.observers, player_id)) end

function Room:add_observer(player)
  self:remove_observer(player.id)
  self.observers[#self.observers + 1] = seat_from(player)
end

function Room:remove_observer(player_id)
  local _, at = find(self.observers, player_id)
  if at then table.remove(self.observers, at) end
end

-- Whoever is told something: players, and observers, who have no number.
function Room:audience()
  local audience = {}
  for _, seat in ipairs(self.seats) do
    -- Robots have no eyes.
    if seat.id > 0 then audience[#audience + 1] = seat end
  end
  return table.move(self.observers, 1, #self.observers, #audience + 1, audience)
end

function Room:notify(seat, command, value)
  call("ServerPlayer_doNotify", seat.connId, command, cbor.encode_text(value))
end

function Room:tell(command, value)
  local data = cbor.encode_text(value)
  for _, seat in ipairs(self:audience()) do
    call("ServerPlayer_doNotify", seat.connId, command, data)
  end
end

-- Waits until the reason of a resume fits one of the patterns, and returns it.
local function wait_for(...)
  local wanted = { ... }
  repeat
    local reason = coroutine.yield()
    for _, one in ipairs(wanted) do
      if reason:find(one) then return reason end
    end
  until false
end

function Room:pause(ms)
  if ms <= 0 then return end
  call("Room_delay", self.id, ms)
  wait_for("^delay_done$")
end

-- Asks the store and waits for a resume that fits `pattern`; nil when there was none in time.
function Room:query(pattern, method, ...)
  if not call(method, ...) then return nil end
  call("Room_setRequestTimer", self.id, STORE_MS)
  local found = wait_for(pattern, "^request_timer$")
  call("Room_destroyRequestTimer", self.id)
  self:pause(BREATH_MS)
  return found ~= "request_timer" and found or nil
end

-- Questions

function Room:put_question(seat, seconds)
  local question = seat.question
  local now_ms = os.time() * 1000
  call("ServerPlayer_doRequest", seat.connId, question.command, question.data, seconds, now_ms)
end

-- Asks all of `seats` who are online at the same time, with `question`. Returns their answers by the
-- numbers of their seats: nothing from those who are not there, let the time pass, cancel, or send
-- what nobody can read.
function Room:ask(seats, command, question)
  local asked, answers = {}, {}
  for _, seat in ipairs(seats) do
    if seat.state == Room.ONLINE then asked[#asked + 1] = seat end
  end
  if #asked == 0 then return answers end
  local data = cbor.encode_text(question)
  self.asked_until = os.time() + self.timeout
  call("Room_setRequestTimer", self.id, self.timeout * 1000 + GRACE_MS)
  for _, seat in ipairs(asked) do
    seat.question = { command = command, data = data }
    self:put_question(seat, self.timeout)
    call("ServerPlayer_setThinking", seat.connId, true)
  end
  local reason
  while not self:collect(asked, answers, reason == "request_timer") do
    reason = coroutine.yield()
  end
  call("Room_destroyRequestTimer", self.id)
  self:pause(BREATH_MS)
  return answers
end

-- Takes the answers that are there; true when no more is waited for.
function Room:collect(asked, answers, is_late)
  local is_complete = true
  for _, seat in ipairs(asked) do
    local reply = seat.question and call("ServerPlayer_waitForReply", seat.connId, 0)
    if reply == "__notready" and not is_late then
      is_complete = false
    elseif seat.question then
      seat.question = nil
      call("ServerPlayer_setThinking", seat.connId, false)
      self:count_miss(seat, reply == "__notready")
      answers[seat.number] = self.read_answer(reply)
    end
  end
  return is_complete
end

function Room.read_answer(reply)
  if not reply or reply == "__cancel" or reply == "__notready" then return nil end
  if #reply > ANSWER_BYTES_MAX then return nil end
  local answer = cbor.decode(reply)
  if answer ~= "__cancel" then return answer end
end

function Room:count_miss(seat, has_missed)
  seat.misses = has_missed and seat.misses + 1 or 0
  if seat.misses < MISSES_MAX then return end
  seat.misses = 0
  call("ServerPlayer_emitKick", seat.connId)
end

-- For one who comes back with a new connection while his old one was still waited for.
function Room:repeat_question(seat)
  if not seat.question or seat.state ~= Room.ONLINE then return end
  local seconds = math.max(1, math.min(self.timeout, self.asked_until - os.time()))
  self:put_question(seat, seconds)
end

function Room:is_left_alone(seat) return seat.question ~= nil and seat.state ~= Room.ONLINE end

return Room
