-- How this game and the server call each other: JSON-RPC 2.0 in CBOR maps with integer keys. A host
-- that shares its memory with Lua replaces `callRpc` and never calls `serve`.
local cbor = require "server.rpc.cbor"
local stdio = require "server.rpc.stdio"

local JSONRPC, METHOD, PARAMS, ERROR, ID, RESULT = 100, 101, 102, 103, 104, 105
local CODE, MESSAGE, DATA = 200, 201, 202
local ERRORS = {
  invalid_params = { -32602, "Invalid params" },
  method_not_found = { -32601, "Method not found" },
  internal_error = { -32603, "Internal error" },
}

local fk = { is_finished = false }
local last_id = 0

local function write(message)
  message[JSONRPC] = "2.0"
  stdio.write(cbor.encode(message))
end

local callRpc = function(method, params)
  last_id = last_id + 1
  write({ [METHOD] = method, [PARAMS] = params, [ID] = last_id })
  local answer = cbor.read(stdio.read)
  if not answer then error("the server is gone", 0) end
  if answer[ID] ~= last_id then error("the server answered another call", 0) end
  local refusal = answer[ERROR]
  if refusal then return nil, refusal[CODE], refusal[DATA] end
  return answer[RESULT]
end

-- What the server answers; nil, code and reason when it refuses, which costs nobody a game: who is
-- told something may be gone.
function fk.call(method, ...) return callRpc(method, { ... }) end

local function failure(id, name, data)
  local error = ERRORS[name] or ERRORS.internal_error
  return { [ID] = id, [ERROR] = { [CODE] = error[1], [MESSAGE] = error[2], [DATA] = data } }
end

local function answer_to(message, dispatchers)
  local handler, id = dispatchers[message[METHOD]], message[ID]
  if not handler then return failure(id, "method_not_found") end
  local ok, done, result, data = pcall(handler, message[PARAMS] or {})
  if not ok then return failure(id, "internal_error", tostring(done)) end
  if not done then return failure(id, result, data) end
  return { [ID] = id, [RESULT] = result }
end

-- Answers the server's calls until it says `bye` or its end of the pipe closes.
function fk.serve(dispatchers)
  write({ [METHOD] = "hello", [PARAMS] = { "world" } })
  while not fk.is_finished do
    local message = cbor.read(stdio.read)
    if not message then return end
    write(answer_to(message, dispatchers))
  end
end

return fk
