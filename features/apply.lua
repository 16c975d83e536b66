-- Folds a part of a micro-batch into the profiles KEYS[2..], if the partition's position in KEYS[1] is where the batch begins.
--
-- ARGV: partition, position expected, position to set ('' when the batch goes on), received, fence field, time to live in ms (0: for ever),
-- then for each profile: first offset, last offset, number of arguments that follow, and its operations:
--   a field n          add n to an integer
--   m field time       keep the largest time
--   l field time value keep the value with the largest (time, value)
--   f field time value keep the value with the smallest (time, value)
--   t series keep newest n, then n times: tile add
--
-- Returns {'moved'} or pairs (index of a profile from 1, fence) of the profiles that hold a part of their updates: the caller cuts that part off and
-- sends the rest again. Integers go to HINCRBY as they came, never through Lua's doubles.
local position = redis.call('HGET', KEYS[1], ARGV[1])
if (position or '0') ~= ARGV[2] then
  return {'moved'}
end
local fence, ttl = ARGV[5], ARGV[6]

-- below compares bytes: the comparison of strings that is built in depends on the locale.
local function below(a, b)
  for i = 1, math.min(#a, #b) do
    local x, y = string.byte(a, i), string.byte(b, i)
    if x ~= y then
      return x < y
    end
  end
  return #a < #b
end

local function stamp(key, kind, field, time, value)
  local held = redis.call('HGET', key, field)
  if held then
    local cut = string.find(held, ' ', 1, true)
    local t, v = tonumber(string.sub(held, 1, cut - 1)), string.sub(held, cut + 1)
    local at = tonumber(time)
    local wins
    if kind == 'l' then
      wins = at > t or at == t and below(v, value)
    else
      wins = at < t or at == t and below(value, v)
    end
    if not wins then
      return
    end
  end
  redis.call('HSET', key, field, time .. ' ' .. value)
end

local function tiles(key, series, keep, newest, from, n)
  local held = tonumber(redis.call('HGET', key, series) or '-1')
  if newest > held then
    if held >= 0 then
      for gone = held - keep + 1, math.min(newest - keep, held) do
        redis.call('HDEL', key, series .. ':' .. string.format('%.0f', gone))
      end
    end
    redis.call('HSET', key, series, string.format('%.0f', newest))
    held = newest
  end
  for i = from, from + 2 * n - 2, 2 do
    if tonumber(ARGV[i]) > held - keep then
      redis.pcall('HINCRBY', key, series .. ':' .. ARGV[i], ARGV[i + 1]) -- fails when 64 bits overflow: then it is not added
    end
  end
end

local function apply(key, i, stop)
  while i < stop do
    local kind, field = ARGV[i], ARGV[i + 1]
    if kind == 'a' then
      redis.pcall('HINCRBY', key, field, ARGV[i + 2])
      i = i + 3
    elseif kind == 't' then
      local n = tonumber(ARGV[i + 4])
      tiles(key, field, tonumber(ARGV[i + 2]), tonumber(ARGV[i + 3]), i + 5, n)
      i = i + 5 + 2 * n
    elseif kind == 'm' then
      local held = redis.call('HGET', key, field)
      if not held or tonumber(ARGV[i + 2]) > tonumber(held) then
        redis.call('HSET', key, field, ARGV[i + 2])
      end
      i = i + 3
    else
      stamp(key, kind, field, ARGV[i + 2], ARGV[i + 3])
      i = i + 4
    end
  end
end

local split = {}
local i = 7
for k = 2, #KEYS do
  local key, first, last = KEYS[k], tonumber(ARGV[i]), tonumber(ARGV[i + 1])
  local stop = i + 3 + tonumber(ARGV[i + 2])
  local held = tonumber(redis.call('HGET', key, fence) or '-1')
  if held < first then
    apply(key, i + 3, stop)
    redis.call('HSET', key, fence, ARGV[i + 1])
    if ttl ~= '0' then
      redis.call('PEXPIRE', key, ttl)
    end
  elseif held < last then
    split[#split + 1] = tostring(k - 1)
    split[#split + 1] = string.format('%.0f', held)
  end
  i = stop
end

if ARGV[3] ~= '' and #split == 0 then
  redis.call('HSET', KEYS[1], ARGV[1], ARGV[3])
  local received = ARGV[1] .. '.received'
  if tonumber(ARGV[4]) > tonumber(redis.call('HGET', KEYS[1], received) or '-1') then
    redis.call('HSET', KEYS[1], received, ARGV[4])
  end
end
return split
