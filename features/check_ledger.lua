-- Runs the commands of the bidder's ledger on keys of nobody's, leaves nothing behind, and names the
-- first one that the user may not run. A fault of another kind, such as a full memory, is none of
-- rights.
local function try(command, key, ...)
  local reply = redis.pcall(command, KEYS[1] .. key, ...)
  local err = type(reply) == 'table' and type(reply.err) == 'string' and reply.err or ''
  if string.find(err, 'this command', 1, true) or string.find(err, 'run the', 1, true) then
    return "NOPERM the user may not run the '" .. string.lower(command) .. "' command in a script"
  end
  return string.find(err, 'key', 1, true) and err
end

local fault = try('SET', ':text', '0') or try('GET', ':text') or try('EXISTS', ':text') or try('HSET', ':hash', '0', '0') or try('HGET', ':hash', '0') or try('HMGET', ':hash', '0') or try('HDEL', ':hash', '0')
  or try('ZADD', ':set', '0', '0') or try('ZCOUNT', ':set', '0', '0') or try('ZRANGEBYSCORE', ':set', '0', '0') or try('ZSCORE', ':set', '0') or try('ZREM', ':set', '0') or try('ZREMRANGEBYSCORE', ':set', '0', '0') or try('DEL', ':text')
redis.pcall('HDEL', KEYS[1] .. ':hash', '0')
redis.pcall('ZREM', KEYS[1] .. ':set', '0')
redis.pcall('DEL', KEYS[1] .. ':text')
return fault and redis.error_reply(fault) or 'ok'
