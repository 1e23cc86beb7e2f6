-- CBOR (RFC 8949) as far as the server and clients of this game need it: integers, floats, strings,
-- booleans, null, arrays and maps of definite length.
local cbor = {}
local pack, unpack = string.pack, string.unpack
local concat, sort = table.concat, table.sort

local BYTES, TEXT, ARRAY, MAP = 2, 3, 4, 5
-- Nothing that is sent here is nested deeper, and clients must not fill the stack.
local DEPTH_MAX = 16
local FORMATS = { [24] = ">I1", [25] = ">I2", [26] = ">I4", [27] = ">I8" }
local FLOATS = { [26] = { ">f", 4 }, [27] = { ">d", 8 } }

local function head(major, count)
  local kind = major << 5
  if count < 24 then return pack("B", kind | count) end
  if count < 0x100 then return pack(">BI1", kind | 24, count) end
  if count < 0x10000 then return pack(">BI2", kind | 25, count) end
  if count < 0x100000000 then return pack(">BI4", kind | 26, count) end
  return pack(">BI8", kind | 27, count)
end

local encode

-- A table without keys, or with 1 to n alone, is an array. The keys of a map are sorted, so that
-- equal values have equal bytes.
local function encode_table(value, strings)
  local keys, parts = {}, {}
  for key in pairs(value) do keys[#keys + 1] = key end
  if #keys == #value then
    for at, item in ipairs(value) do parts[at] = encode(item, strings) end
    return head(ARRAY, #keys) .. concat(parts)
  end
  sort(keys)
  for at, key in ipairs(keys) do parts[at] = encode(key, strings) .. encode(value[key], strings) end
  return head(MAP, #keys) .. concat(parts)
end

function encode(value, strings)
  local kind = math.type(value) or type(value)
  if kind == "string" then return head(strings, #value) .. value end
  if kind == "integer" then return value >= 0 and head(0, value) or head(1, -1 - value) end
  if kind == "table" then return encode_table(value, strings) end
  if kind == "boolean" then return value and "\xf5" or "\xf4" end
  if kind == "nil" then return "\xf6" end
  if kind == "float" then return pack(">Bd", 0xfb, value) end
  error("cannot encode a " .. kind)
end

-- For the server, to which strings of Lua are bytes.
function cbor.encode(value) return encode(value, BYTES) end

-- For clients: strings are text, and have to be UTF-8.
function cbor.encode_text(value) return encode(value, TEXT) end

local function take(read, count)
  local bytes = read(count)
  if not bytes then error("the input ends within an item", 0) end
  return bytes
end

local function read_simple(read, info)
  if info == 20 or info == 21 then return info == 21 end
  if info == 22 or info == 23 then return nil end
  local float = FLOATS[info]
  if not float then error("unknown kind of simple value", 0) end
  local number = unpack(float[1], take(read, float[2]))
  return math.tointeger(number) or number
end

local function read_item(read, first, depth)
  local major, count = first:byte() >> 5, first:byte() & 31
  if major == 7 then return read_simple(read, count) end
  if depth > DEPTH_MAX then error("nested too deep", 0) end
  if count >= 24 then
    local format = FORMATS[count]
    if not format then error("unknown kind of length", 0) end
    count = unpack(format, take(read, 1 << (count - 24)))
    if count < 0 then error("a number of more than 63 bits", 0) end
  end
  if major == 0 then return count end
  if major == 1 then return -1 - count end
  if major == BYTES or major == TEXT then return take(read, count) end
  if major ~= ARRAY and major ~= MAP then error("unknown kind of item", 0) end
  local items = {}
  for at = 1, count do
    local item = read_item(read, take(read, 1), depth + 1)
    if major == ARRAY then
      items[at] = item
    elseif item == nil then
      error("a map with a key of null", 0)
    else
      items[item] = read_item(read, take(read, 1), depth + 1)
    end
  end
  return items
end

-- The next item; `read(count)` gives so many bytes, or nil where they end. Raises what is wrong.
function cbor.read(read)
  local first = read(1)
  return first and read_item(read, first, 1)
end

-- The item that `bytes` begin with; nil, too, when they are none.
function cbor.decode(bytes)
  local at = 1
  local ok, value = pcall(cbor.read, function(count)
    if count > #bytes - at + 1 then return nil end
    at = at + count
    return bytes:sub(at - count, at - 1)
  end)
  if ok then return value end
  return nil, value
end

return cbor
