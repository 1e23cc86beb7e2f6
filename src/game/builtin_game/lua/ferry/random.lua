-- Random numbers of a room's own: equal seeds give equal games. The steps are those of SplitMix64.

-- A seed that nobody can guess before the game begins.
local function fresh_seed()
  local ok, socket = pcall(require, "socket")
  local now = ok and math.floor(socket.gettime() * 1000000) or os.time()
  return math.random(0) ~ now
end

-- A function of n, for whole numbers from 1 to n.
local function new_random(seed)
  local state = seed
  return function(n)
    state = state + 0x9e3779b97f4a7c15
    local mixed = (state ~ (state >> 30)) * 0xbf58476d1ce4e5b9
    mixed = (mixed ~ (mixed >> 27)) * 0x94d049bb133111eb
    return ((mixed ~ (mixed >> 31)) >> 11) % n + 1
  end
end

return { new = new_random, fresh_seed = fresh_seed }
