-- Plays a seat for a robot, or for a player who is not there. It is handed a sight, which holds
-- what that seat may know and nothing else.
local Game = require "ferry.game"
local robot = {}

-- Up to so many coins of whim, so that nobody can count on it.
local WHIM = 0.9
-- What the coins of others are worth to it.
local OTHERS_WEIGHT = 0.6
-- Nobody is known at first: as if of 4.2 crates opened 3.8 had been no lie.
local HONEST_PRIOR, PRIOR = 3.8, 4.2

-- What `seat` knows of a game.
function robot.sight(game, seat)
  local holds = {}
  for at = 1, game.seats do holds[at] = #game.hands[at] end
  return {
    seat = seat,
    hand = game.hands[seat],
    skipper = game.skipper,
    said = game.said,
    coins = game.coins,
    goal = game.goal,
    habits = game.habits,
    shown = game.shown,
    holds = holds,
  }
end

local function whim(random) return (random(1000) / 1000 - 0.5) * WHIM end

-- How likely `seat` is to open a crate, going by what it did so far.
local function boldness(habits, value)
  local usual = (habits.opened + 1.5) / (habits.asked + 4)
  return math.min(0.95, usual * (0.7 + 0.15 * value))
end

-- The chance that somebody opens a crate said to be worth so much, and how many are expected to.
local function watchfulness(sight, value, but_for)
  local nobody, expected = 1, 0
  for seat, habits in ipairs(sight.habits) do
    if seat ~= sight.skipper and seat ~= but_for then
      local chance = boldness(habits, value)
      nobody, expected = nobody * (1 - chance), expected + chance
    end
  end
  return 1 - nobody, expected
end

local function worth_of_loading(sight, kind, said)
  local value = Game.VALUES[said]
  local opened, openers = watchfulness(sight, value)
  if kind == "snake" then return value + 2 * openers * OTHERS_WEIGHT - 1 end
  if kind == said then return value + opened + openers * OTHERS_WEIGHT end
  -- What could have been sold honestly is missed later.
  local waste = 0.4 * (Game.VALUES[kind] or 0)
  local loss = opened + 2 * openers * OTHERS_WEIGHT
  return (1 - opened) * value - loss - waste
end

-- The skipper's choice: a kind of crate, and what to say of it.
function robot.choose_load(sight, random)
  local best, best_kind, best_said
  for _, kind in ipairs(sight.hand) do
    for _, said in ipairs(Game.SAYINGS) do
      local worth = worth_of_loading(sight, kind, said) + whim(random)
      if not best or worth > best then best, best_kind, best_said = worth, kind, said end
    end
  end
  return best_kind, best_said
end

-- How many crates of a kind `sight` cannot account for.
local function unseen(sight, kind)
  local count = Game.COUNTS[kind] - sight.shown[kind]
  for _, held in ipairs(sight.hand) do
    if held == kind then count = count - 1 end
  end
  return count
end

-- Whether to open the crate that lies on the ferry.
function robot.choose_open(sight, random)
  local all = 0
  for _, kind in ipairs(Game.KINDS) do all = all + unseen(sight, kind) end
  -- The skipper had a choice of what is still in his hand, and of this crate.
  local choices = sight.holds[sight.skipper] + 1
  local function has(kind) return 1 - (1 - unseen(sight, kind) / math.max(1, all)) ^ choices end

  local habits, value = sight.habits[sight.skipper], Game.VALUES[sight.said]
  local honesty = (habits.checked - habits.lies + HONEST_PRIOR) / (habits.checked + PRIOR)
  local snake = 0.3 * has("snake")
  local truth = (1 - snake) * has(sight.said) ^ 0.5 * honesty
  local lie = 1 - snake - truth
  -- A skipper close to the end has to be stopped, by somebody.
  local weight = sight.coins[sight.skipper] + value >= sight.goal and 1 or OTHERS_WEIGHT
  local alone = 1 - watchfulness(sight, value, sight.seat)
  local denied = alone * weight / (#sight.habits - 1)
  local gain = lie * (2 + (value + 1) * denied)
  local risk = truth * (1 + denied) + snake * 2
  return gain - risk + whim(random) > 0
end

return robot
