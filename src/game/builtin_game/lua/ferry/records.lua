-- What is kept of a player from game to game: games played and won, the wins in a row that he is
-- on, and the most that he ever had.
local FIELDS = { "played", "won", "streak", "best" }
-- Of what is read; a count of games never gets that long.
local DIGITS_MAX = 9

local records = {}

local function parse(json)
  local record = {}
  for _, field in ipairs(FIELDS) do
    local digits = json:match('"' .. field .. '"%s*:%s*(%d+)') or "0"
    record[field] = math.tointeger(tonumber(digits:sub(1, DIGITS_MAX)))
  end
  return record
end

local function format(record)
  local parts = {}
  for at, field in ipairs(FIELDS) do parts[at] = ('"%s":%d'):format(field, record[field]) end
  return "{" .. table.concat(parts, ",") .. "}"
end

-- Fills in `record` of every seat that has an account.
function records.load(room)
  for _, seat in ipairs(room.seats) do
    if seat.id > 0 then
      local json = room:query("^[{[]", "ServerPlayer_getSaveState", seat.connId)
      seat.record = json and parse(json)
    end
  end
end

-- Who ran away does not keep his streak by it. A record that could not be read is left as it is.
function records.save(room, has_won)
  for _, seat in ipairs(room.seats) do
    local record = seat.record
    if record then
      local won = has_won(seat) and 1 or 0
      record.played, record.won = record.played + 1, record.won + won
      record.streak = won == 1 and record.streak + 1 or 0
      record.best = math.max(record.best, record.streak)
      room:query("^query_done$", "ServerPlayer_saveState", seat.connId, format(record))
    end
  end
end

return records
