-- Folds a part of a micro-batch into the profiles KEYS[2..], if the partition's position in KEYS[1] is where the batch begins.
--
-- ARGV: partition, position expected, position to set ('' when the batch goes on), received, fence field, time to live in ms (0: for ever),
-- collectors to keep beside the position ('': those that are kept),
-- then for each profile: first offset, last offset, number of arguments after the next one; number of fields to be read, which are those of the operations but 'a',
-- in their order; the fields; the operations:
--   a field n          add n to an integer
--   m field time       keep the largest time
--   l field time value keep the value with the largest (time, value)
--   f field time value keep the value with the smallest (time, value)
--   t series keep newest n, then n times: tile add
--
-- Returns {'moved'} or pairs (index of a profile from 1, fence) of the profiles that hold a part of their updates: the caller cuts that part off and
-- sends the rest again. Integers go to HINCRBY as they came, never through Lua's doubles. What else a profile needs is read and written at once, because
-- an embedded Redis pays for each command.
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

-- The profile at hand: its key, the values that were read of it by place, and what is to be written.
local key, values, out

local function set(place, field, value)
  values[place] = value
  out[#out + 1] = field
  out[#out + 1] = value
end

local function stamp(kind, place, field, time, value)
  local held = values[place]
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
  set(place, field, time .. ' ' .. value)
end

local function tiles(place, series, keep, newest, from, n)
  local held = tonumber(values[place] or '-1')
  if newest > held then
    if held >= 0 then
      for tile = held - keep + 1, math.min(newest - keep, held) do
        redis.call('HDEL', key, series .. ':' .. string.format('%.0f', tile))
      end
    end
    held = newest
    set(place, series, string.format('%.0f', newest))
  end
  for i = from, from + 2 * n - 2, 2 do
    if tonumber(ARGV[i]) > held - keep then
      redis.pcall('HINCRBY', key, series .. ':' .. ARGV[i], ARGV[i + 1]) -- fails when 64 bits overflow: then it is not added
    end
  end
end

-- apply does the operations from argument i on; the values of those that have one were read in their order, after the fence.
local function apply(i, stop)
  local place = 1
  while i < stop do
    local kind, field = ARGV[i], ARGV[i + 1]
    if kind == 'a' then
      redis.pcall('HINCRBY', key, field, ARGV[i + 2])
      i = i + 3
    else
      place = place + 1
      if kind == 't' then
        local n = tonumber(ARGV[i + 4])
        tiles(place, field, tonumber(ARGV[i + 2]), tonumber(ARGV[i + 3]), i + 5, n)
        i = i + 5 + 2 * n
      elseif kind == 'm' then
        if tonumber(ARGV[i + 2]) > tonumber(values[place] or '-1') then
          set(place, field, ARGV[i + 2])
        end
        i = i + 3
      else
        stamp(kind, place, field, ARGV[i + 2], ARGV[i + 3])
        i = i + 4
      end
    end
  end
end

local split = {}
local i = 8
for k = 2, #KEYS do
  key = KEYS[k]
  local first, last, reads = tonumber(ARGV[i]), tonumber(ARGV[i + 1]), tonumber(ARGV[i + 3])
  local stop = i + 4 + tonumber(ARGV[i + 2])
  values = redis.call('HMGET', key, fence, unpack(ARGV, i + 4, i + 3 + reads))
  local held = tonumber(values[1] or '-1')
  if held < first then
    out = {fence, ARGV[i + 1]}
    apply(i + 4 + reads, stop)
    redis.call('HSET', key, unpack(out))
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
  if ARGV[7] ~= '' then
    redis.call('HSET', KEYS[1], ARGV[1] .. '.collectors', ARGV[7])
  end
  local received = ARGV[1] .. '.received'
  if tonumber(ARGV[4]) > tonumber(redis.call('HGET', KEYS[1], received) or '-1') then
    redis.call('HSET', KEYS[1], received, ARGV[4])
  end
end
return split
