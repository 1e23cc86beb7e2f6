-- The course of a game of Night Ferry (its rules are in game.lua), and what its clients are told.
-- Everything is CBOR with text strings; kinds are "straw" "tea" "silk" "jade" "snake", seats count
-- from 1 in the order of play, players have the ids of their accounts, robots those below 0.
--
-- | command       | to                 | data                                                    |
-- | ------------- | ------------------ | ------------------------------------------------------- |
-- | StartGame     | all                | null                                                    |
-- | FerryBegin    | each               | the view of a seat or of an observer, see below         |
-- | FerryTurn     | all                | {round, skipper: seat}                                  |
-- | FerryLoad     | the skipper, asked | {hand: [kind], sayings: [kind]}                         |
-- |               |                    | → [kind, said]                                          |
-- | FerryLoaded   | all                | {skipper: seat, said}                                   |
-- | FerryOpen     | all others, asked  | {skipper: seat, said}                                   |
-- |               |                    | → true to open, false to let pass                       |
-- | FerryShipped  | all                | {skipper: seat, said, openers: [seat], coins: [n],      |
-- |               |                    | crates: n in stock, kind: what was in it if opened}     |
-- | FerryHand     | the skipper        | [kind]                                                  |
-- | GameOver      | all                | {reason: "goal" "empty" "abandoned" "seats" "error",    |
-- |               |                    | winners: [player id], coins: [n]}                       |
-- | Reconnect     | who came back      | his view                                                |
-- | Observe       | who looks on       | the view of an observer                                 |
-- | FerryView     | who pushed `view`  | his view                                                |
--
-- A view is {game: "night_ferry", owner: player id, timeout: s, goal, round, skipper: seat, phase:
-- "load" or "open", said?, crates: n in stock, shown: {kind: n}, seed?, seats: [{seat, id, name,
-- avatar, state, coins, crates: n held, record?: {played, won, streak, best}}]}, and for a player
-- also {you: seat, hand: [kind]}.
--
-- An answer that is missing or against the rules is replaced by the robot's choice.
local call = require("server.rpc.fk").call
local Game = require "ferry.game"
local Room = require "ferry.room"
local robot = require "ferry.robot"
local records = require "ferry.records"

local WIN, LOSE, DRAW = 1, 2, 3
local play = {}

local function view_of(room, watcher)
  local game = room.game
  local seats = {}
  for number, seat in ipairs(room.seats) do
    seats[number] = {
      seat = number,
      id = seat.id,
      name = seat.name,
      avatar = seat.avatar,
      state = seat.state,
      coins = game.coins[number],
      crates = #game.hands[number],
      record = seat.record,
    }
  end
  return {
    game = "night_ferry",
    owner = room.owner,
    timeout = room.timeout,
    goal = game.goal,
    round = game.round,
    skipper = game.skipper,
    phase = game.said and "open" or "load",
    said = game.said,
    crates = #game.crates,
    shown = game.shown,
    seed = room.settings.seed,
    seats = seats,
    you = watcher.number,
    hand = watcher.number and game.hands[watcher.number],
  }
end

-- Tells a seat or an observer all that it may know.
function play.show(room, watcher, command)
  if room.game then room:notify(watcher, command, view_of(room, watcher)) end
end

local function load_crate(room)
  local game = room.game
  local skipper = room.seats[game.skipper]
  if skipper.state ~= Room.ONLINE then room:pause(room.settings.pace) end
  local question = { hand = game.hands[skipper.number], sayings = Game.SAYINGS }
  local answers = room:ask({ skipper }, "FerryLoad", question)
  local answer = answers[skipper.number]
  local kind, said
  if type(answer) == "table" then kind, said = answer[1], answer[2] end
  if not kind or not said or not game:may_load(skipper.number, kind, said) then
    kind, said = robot.choose_load(robot.sight(game, skipper.number), room.random)
  end
  game:load(kind, said)
end

local function find_openers(room)
  local game = room.game
  local others, openers = {}, {}
  for number, seat in ipairs(room.seats) do
    if number ~= game.skipper then others[#others + 1] = seat end
  end
  local question = { skipper = game.skipper, said = game.said }
  local answers = room:ask(others, "FerryOpen", question)
  for _, seat in ipairs(others) do
    local opens = answers[seat.number]
    if type(opens) ~= "boolean" then
      opens = robot.choose_open(robot.sight(game, seat.number), room.random)
    end
    if opens then openers[#openers + 1] = seat.number end
  end
  return openers
end

-- One crate, from the skipper's hand across the river.
local function ferry_across(room)
  local game = room.game
  local skipper = game.skipper
  room:tell("FerryTurn", { round = game.round, skipper = skipper })
  load_crate(room)
  local said = game.said
  room:tell("FerryLoaded", { skipper = skipper, said = said })
  local openers = find_openers(room)
  local kind = game:ship(openers)
  room:tell("FerryShipped", {
    skipper = skipper,
    said = said,
    openers = openers,
    coins = game.coins,
    crates = #game.crates,
    kind = kind,
  })
  local owner = room.seats[skipper]
  if owner.id > 0 then room:notify(owner, "FerryHand", game.hands[skipper]) end
  room:pause(room.settings.pace)
end

-- What the end of the game is for a seat. Who ran away has lost, whatever the robot made of it.
local function result_of(seat, winners)
  if seat.state == Room.RUN then return LOSE end
  for _, number in ipairs(winners) do
    if number == seat.number then return #winners == 1 and WIN or DRAW end
  end
  return LOSE
end

-- The last words of a game, all in one turn.
local function finish(room, reason, winners)
  local ids = {}
  for at, number in ipairs(winners) do ids[at] = room.seats[number].id end
  local coins = room.game and room.game.coins or {}
  room:tell("GameOver", { reason = reason, winners = ids, coins = coins })
  for _, seat in ipairs(#winners > 0 and room.seats or {}) do
    local result = result_of(seat, winners)
    if seat.id > 0 then
      call("Room_updatePlayerWinRate", room.id, seat.id, room.settings.mode, "skipper", result)
    end
  end
  room.is_over = true
  call("Room_gameOver", room.id)
  call("Room_decreaseRefCount", room.id)
end

-- Ends a game that nobody won.
function play.stop(room, reason) finish(room, reason, {}) end

-- The whole game; runs in the room's course.
function play.run(room)
  local count = #room.seats
  if count < Game.SEATS_MIN or count > Game.SEATS_MAX then return play.stop(room, "seats") end
  local session = call("Room_getSessionId", room.id) or 0
  local goal = room.settings.goal or Game.GOAL
  room.game = Game.new(count, session % count + 1, goal, room.random)
  local game = room.game
  room:tell("StartGame", nil)
  records.load(room)
  for _, watcher in ipairs(room:audience()) do play.show(room, watcher, "FerryBegin") end

  repeat
    game.round = game.round + 1
    for _, seat in ipairs(game:order()) do
      game.skipper = seat
      if #game.hands[seat] > 0 then ferry_across(room) end
    end
  until game:is_over()

  local winners = game:leaders()
  local has_goal = game.coins[winners[1]] >= game.goal
  -- Saved before the end: afterwards the server does not know this game any more.
  records.save(room, function(seat) return result_of(seat, winners) == WIN end)
  finish(room, has_goal and "goal" or "empty", winners)
end

return play
