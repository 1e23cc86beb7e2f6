-- The built-in game. As a program of its own (`lua5.4 lua/server/rpc/entry.lua`, in the folder that
-- holds `lua`) it serves its standard files; with an argument it only loads, and whoever loaded it
-- calls the functions of `server.rpc.dispatchers`.
package.path = package.path .. ";./lua/?.lua"

local fk = require "server.rpc.fk"
local dispatchers = require "server.rpc.dispatchers"

if not ... then fk.serve(dispatchers) end
