-- CBOR as far as the rules' contract needs it. Strings of Lua are bytes; text has to be asked for.
local cbor = {}
local pack, unpack = string.pack, string.unpack
local text_mark = {}

local function head(major, count)
  local kind = major << 5
  if count < 24 then return pack("B", kind | count) end
  if count < 0x100 then return pack(">BI1", kind | 24, count) end
  if count < 0x10000 then return pack(">BI2", kind | 25, count) end
  if count < 0x100000000 then return pack(">BI4", kind | 26, count) end
  return pack(">BI8", kind | 27, count)
end

function cbor.text(text)
  return setmetatable({ text = text }, text_mark)
end

local function encode_table(value)
  if getmetatable(value) == text_mark then return head(3, #value.text) .. value.text end
  local parts, count = {}, 0
  for _ in pairs(value) do count = count + 1 end
  if #value == count then
    for at, item in ipairs(value) do parts[at] = cbor.encode(item) end
    return head(4, count) .. table.concat(parts)
  end
  for key, item in pairs(value) do
    parts[#parts + 1] = cbor.encode(key) .. cbor.encode(item)
  end
  return head(5, count) .. table.concat(parts)
end

function cbor.encode(value)
  local kind = math.type(value) or type(value)
  if kind == "integer" then return value >= 0 and head(0, value) or head(1, -1 - value) end
  if kind == "float" then return pack(">Bd", 0xfb, value) end
  if kind == "string" then return head(2, #value) .. value end
  if kind == "boolean" then return value and "\xf5" or "\xf4" end
  if kind == "nil" then return "\xf6" end
  return encode_table(value)
end

local simple = { [20] = false, [21] = true }

-- One item; `read(count)` gives the next bytes.
function cbor.read(read)
  local first = read(1)
  if not first then return nil end
  local major, count = first:byte() >> 5, first:byte() & 31
  if major == 7 then return simple[count] end
  if count >= 24 then
    local size = 1 << (count - 24)
    count = unpack(">I" .. size, read(size))
  end
  if major == 0 then return count end
  if major == 1 then return -1 - count end
  if major == 2 or major == 3 then return count == 0 and "" or read(count) end
  local items = {}
  for at = 1, count do
    if major == 4 then
      items[at] = cbor.read(read)
    else
      local key = cbor.read(read)
      items[key] = cbor.read(read)
    end
  end
  return items
end

function cbor.decode(bytes)
  local at = 1
  return cbor.read(function(count)
    at = at + count
    return bytes:sub(at - count, at - 1)
  end)
end

return cbor
