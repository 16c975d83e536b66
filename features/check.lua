-- Runs the commands of apply.lua on a key of nobody's, which expires at once, and names the first
-- one that the user may not run. A fault of another kind, such as a full memory, is none of rights.
local function try(command, ...)
  local reply = redis.pcall(command, KEYS[1], ...)
  local err = type(reply) == 'table' and type(reply.err) == 'string' and reply.err or ''
  if string.find(err, 'this command', 1, true) or string.find(err, 'run the', 1, true) then
    return "NOPERM the user may not run the '" .. string.lower(command) .. "' command in a script"
  end
  return string.find(err, 'key', 1, true) and err
end

local fault = try('TYPE') or try('HGET', '0') or try('HMGET', '0') or try('PEXPIRE', '1') or try('HSET', '0', '0') or try('HINCRBY', '0', '0') or try('HDEL', '0') or try('PEXPIRE', '1')
return fault and redis.error_reply(fault) or 'ok'
