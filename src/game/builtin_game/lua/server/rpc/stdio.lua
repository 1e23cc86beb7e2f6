-- Bytes from and to the server.
local io = io

return {
  -- So many bytes; nil at the end of the input.
  read = function(count)
    -- io.read(0) would wait until there is something to read.
    if count == 0 then return "" end
    local bytes = io.read(count)
    return bytes and #bytes == count and bytes or nil
  end,
  write = function(bytes)
    io.write(bytes)
    io.flush()
  end,
}
