-- NIGHT FERRY. A game of bluff for 2 to 4, in 5 to 10 minutes.
--
-- There are 32 crates: 11 of straw, 7 of tea, 6 of silk, 4 of jade, and 4 with a snake. Everybody
-- holds three and has no coins. In turn each is the skipper:
-- 1. The skipper loads one crate, closed, and says what is in it: tea (1), silk (2) or jade (3).
--    That need not be true.
-- 2. Everybody else decides in secret whether to open it. Then all decisions are shown.
-- 3. Nobody opens it: the skipper gets the coins of what he said, and nobody ever sees the crate.
--    Somebody opens it, and it holds
--    - what he said: the skipper gets its coins and 1 more, and all who opened it pay 1;
--    - a snake: the skipper gets the coins of what he said, and all who opened it pay 2;
--    - anything else: the skipper pays 1, and all who opened it get 2.
--    Nobody pays more than he has. Coins come from and go to the bank.
-- 4. The skipper draws a crate while there are any.
-- The game ends after a round in which somebody has 12 coins, or when no crates are left. The most
-- coins win; those who share the first place draw.
--
-- 夜渡。二至四人的虚张声势小游戏，一局五到十分钟。
--
-- 共三十二箱：稻草十一、茶七、丝绸六、玉四、蛇四。每人手持三箱，起初没有铜钱，轮流当船家：
-- 一、船家将一箱封好装船，并报出箱中之物：茶（一文）、丝绸（二文）或玉（三文），真假随意。
-- 二、其余各人暗中决定是否开箱，再一同亮出。
-- 三、无人开箱：船家按所报之物得钱，此箱永不示人。有人开箱，则看箱中：
--    与所报相同：船家得其价并多得一文，开箱者各付一文；是蛇：船家照所报得钱，开箱者各付二文；
--    是别的：船家付一文，开箱者各得二文。付钱以手中所有为限，收付皆归银行。
-- 四、船家补一箱，补完为止。
-- 一轮结束时有人满十二文，或箱子用尽，则游戏结束。钱最多者胜，并列第一者为平局。
local Game = {}
Game.__index = Game

Game.KINDS = { "straw", "tea", "silk", "jade", "snake" }
Game.COUNTS = { straw = 11, tea = 7, silk = 6, jade = 4, snake = 4 }
-- What a skipper may say, and how many coins it is worth.
Game.SAYINGS = { "tea", "silk", "jade" }
Game.VALUES = { tea = 1, silk = 2, jade = 3 }
Game.SEATS_MIN, Game.SEATS_MAX = 2, 4
Game.GOAL = 12

local CRATES_HELD = 3
-- What the opening of a crate brings the skipper beyond its coins, and those who opened it.
local FOR_SKIPPER = { truth = 1, snake = 0 }
local FOR_OPENERS = { truth = -1, snake = -2, lie = 2 }
local LIE_FEE = 1

local function shuffled_crates(random)
  local crates = {}
  for _, kind in ipairs(Game.KINDS) do
    for _ = 1, Game.COUNTS[kind] do crates[#crates + 1] = kind end
  end
  for at = #crates, 2, -1 do
    local other = random(at)
    crates[at], crates[other] = crates[other], crates[at]
  end
  return crates
end

-- A game of `seats`, in which seat `first` is the first skipper of each round.
function Game.new(seats, first, goal, random)
  local game = setmetatable({
    seats = seats,
    first = first,
    goal = goal,
    crates = shuffled_crates(random),
    hands = {},
    coins = {},
    round = 0,
    skipper = first,
    -- The closed crate and what was said of it, from loading to its end.
    loaded = nil,
    said = nil,
    -- Crates that everybody has seen, by kind.
    shown = {},
    -- How each has played so far: crates let pass or opened, of these opened, own crates that were
    -- opened, and lies in them.
    habits = {},
  }, Game)
  for _, kind in ipairs(Game.KINDS) do game.shown[kind] = 0 end
  for seat = 1, seats do
    game.hands[seat], game.coins[seat] = {}, 0
    game.habits[seat] = { asked = 0, opened = 0, checked = 0, lies = 0 }
    for _ = 1, CRATES_HELD do game:draw(seat) end
  end
  return game
end

function Game:draw(seat)
  local hand = self.hands[seat]
  hand[#hand + 1] = table.remove(self.crates)
end

-- Where `kind` is in a hand; nil when it is not there.
function Game:find(seat, kind)
  for at, held in ipairs(self.hands[seat]) do
    if held == kind then return at end
  end
end

function Game:may_load(seat, kind, said)
  return Game.VALUES[said] ~= nil and self:find(seat, kind) ~= nil
end

-- The skipper loads a crate of that kind and says what is in it.
function Game:load(kind, said)
  table.remove(self.hands[self.skipper], self:find(self.skipper, kind))
  self.loaded, self.said = kind, said
end

function Game:pay(seat, coins)
  self.coins[seat] = math.max(0, self.coins[seat] + coins)
end

-- What opening the loaded crate shows.
function Game:outcome()
  if self.loaded == self.said then return "truth" end
  return self.loaded == "snake" and "snake" or "lie"
end

-- Opens the crate or lets it pass: `openers` are the seats that want it open. Returns what was in it
-- if it was opened.
function Game:ship(openers)
  local kind, skipper, value = self.loaded, self.skipper, Game.VALUES[self.said]
  local outcome = self:outcome()
  self:remember(openers, outcome == "lie")
  if #openers == 0 then
    self:pay(skipper, value)
  else
    self:pay(skipper, outcome == "lie" and -LIE_FEE or value + FOR_SKIPPER[outcome])
    for _, seat in ipairs(openers) do self:pay(seat, FOR_OPENERS[outcome]) end
    self.shown[kind] = self.shown[kind] + 1
  end
  self.loaded, self.said = nil, nil
  self:draw(skipper)
  return #openers > 0 and kind or nil
end

function Game:remember(openers, is_lie)
  for seat = 1, self.seats do
    if seat ~= self.skipper then self.habits[seat].asked = self.habits[seat].asked + 1 end
  end
  for _, seat in ipairs(openers) do self.habits[seat].opened = self.habits[seat].opened + 1 end
  local habits = self.habits[self.skipper]
  if #openers > 0 then habits.checked = habits.checked + 1 end
  if #openers > 0 and is_lie then habits.lies = habits.lies + 1 end
end

-- The seats in the order of their turns in a round.
function Game:order()
  local order = {}
  for at = 1, self.seats do order[at] = (self.first + at - 2) % self.seats + 1 end
  return order
end

-- Asked between rounds.
function Game:is_over()
  local held = 0
  for seat = 1, self.seats do
    if self.coins[seat] >= self.goal then return true end
    held = held + #self.hands[seat]
  end
  return held == 0
end

-- The seats with the most coins.
function Game:leaders()
  local most, leaders = math.max(table.unpack(self.coins)), {}
  for seat = 1, self.seats do
    if self.coins[seat] == most then leaders[#leaders + 1] = seat end
  end
  return leaders
end

return Game
