-- Runs the commands of apply.lua on the key of nobody, which expires at once. It shows whether the
-- user may run them: Redis refuses a script at the first command that its user may not run.
local key = KEYS[1]
redis.call('TYPE', key)
redis.call('HGET', key, '0')
redis.call('HMGET', key, '0')
redis.call('HSET', key, '0', '0')
redis.call('HINCRBY', key, '0', '0')
redis.call('PEXPIRE', key, '1')
return 'ok'
