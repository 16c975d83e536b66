-- Folds a part of a micro-batch into the profiles KEYS[2..], if the partition's position in KEYS[1]
-- is where the batch begins.
--
-- ARGV: partition, position expected, position to set ('' when the batch goes on), received, fence
-- field, time to live in ms (0: for ever), collectors to keep beside the position ('': those that are
-- kept), then for each profile: first offset, last offset, number of arguments after the next one;
-- number of fields to be read, which are those of the operations but 'a', in their order; the fields;
-- the operations:
--   a field n          add n to an integer
--   m field time       keep the largest time
--   l field time value keep the value with the largest (time, value)
--   f field time value keep the value with the smallest (time, value)
--   t series keep newest n, then n times: tile add
--
-- Returns {'moved'} or pairs (index of a profile from 1, fence) of the profiles that hold a part of
-- their updates: the caller cuts that part off and sends the rest again. Integers go to HINCRBY as
-- they came, never through Lua's doubles. What else a profile needs is read and written at once,
-- because an embedded Redis pays for each command.
--
-- A profile gets all of its updates and its fence, or nothing. Redis refuses a script's writes for
-- reasons of its own (no memory, no disk, a lost replica) only until one of them has succeeded, and
-- for a lack of memory only those that need some: so the first write is one that needs memory and
-- changes nothing. What can fail after it is a key or a field that holds what this script never
-- wrote: increments are then taken back, and the answer names the key.
local fence, ttl = ARGV[5], ARGV[6]

local function bad(key, what)
  return redis.error_reply('BADKEY ' .. key .. ' ' .. what)
end

local function badType(key)
  return bad(key, 'is a ' .. redis.call('TYPE', key).ok .. ', expected a hash')
end

local position = redis.pcall('HGET', KEYS[1], ARGV[1])
if type(position) == 'table' then
  return badType(KEYS[1])
end
if (position or '0') ~= ARGV[2] then
  return {'moved'}
end

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

-- The profile at hand: its key, the values that were read of it by place, what is to be written, the
-- increments that were made, and what was found wrong.
local key, values, out, done, fault

-- wrong notes that a field holds what no operation of its kind writes.
local function wrong(field, expected)
  local held = redis.call('HGET', key, field) or ''
  fault = fault or 'has "' .. string.sub(held, 1, 40) .. '" in field ' .. field .. ', expected ' .. expected
end

local function set(place, field, value)
  values[place] = value
  out[#out + 1] = field
  out[#out + 1] = value
end

-- add increments a field, unless the sum exceeds 64 bits: then it is not added.
local function add(field, n)
  local reply = redis.pcall('HINCRBY', key, field, n)
  if type(reply) ~= 'table' then
    done[#done + 1] = field
    done[#done + 1] = n
  elseif not string.find(reply.err, 'overflow', 1, true) then
    wrong(field, 'a whole number')
  end
end

-- takeBack undoes the increments.
local function takeBack()
  for i = 1, #done, 2 do
    local n = done[i + 1]
    if string.sub(n, 1, 1) == '-' then
      n = string.sub(n, 2)
    else
      n = '-' .. n
    end
    redis.call('HINCRBY', key, done[i], n)
  end
end

-- number is what a field holds, or other where it holds nothing.
local function number(place, field, other)
  local held = values[place]
  if not held then
    return other
  end
  local n = tonumber(held)
  if not n then
    wrong(field, 'a whole number')
  end
  return n or other
end

local function stamp(kind, place, field, time, value)
  local held = values[place]
  if held then
    local cut = string.find(held, ' ', 1, true)
    local t = cut and tonumber(string.sub(held, 1, cut - 1))
    if not t then
      return wrong(field, 'a time and a value')
    end
    local v, at = string.sub(held, cut + 1), tonumber(time)
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
  local held = number(place, series, -1)
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
      add(series .. ':' .. ARGV[i], ARGV[i + 1])
    end
  end
end

-- apply does the operations from argument i on; the values of those that have one were read in their
-- order, after the fence.
local function apply(i, stop)
  local place = 1
  while i < stop do
    local kind, field = ARGV[i], ARGV[i + 1]
    if kind == 'a' then
      add(field, ARGV[i + 2])
      i = i + 3
    else
      place = place + 1
      if kind == 't' then
        local n = tonumber(ARGV[i + 4])
        tiles(place, field, tonumber(ARGV[i + 2]), tonumber(ARGV[i + 3]), i + 5, n)
        i = i + 5 + 2 * n
      elseif kind == 'm' then
        if tonumber(ARGV[i + 2]) > number(place, field, -1) then
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

if #KEYS > 1 then
  redis.call('HSET', KEYS[1], ARGV[1], ARGV[2]) -- see above: it needs memory and changes nothing
end
local split = {}
local i = 8
for k = 2, #KEYS do
  key = KEYS[k]
  local first, last, reads = tonumber(ARGV[i]), tonumber(ARGV[i + 1]), tonumber(ARGV[i + 3])
  local stop = i + 4 + tonumber(ARGV[i + 2])
  values = redis.pcall('HMGET', key, fence, unpack(ARGV, i + 4, i + 3 + reads))
  if values.err then
    return badType(key)
  end
  fault = nil
  local held = number(1, fence, -1)
  if not fault and held < first then
    out, done = {fence, ARGV[i + 1]}, {}
    apply(i + 4 + reads, stop)
    if fault then
      takeBack()
    else
      redis.call('HSET', key, unpack(out))
      if ttl ~= '0' then
        redis.call('PEXPIRE', key, ttl)
      end
    end
  elseif held < last then
    split[#split + 1] = tostring(k - 1)
    split[#split + 1] = string.format('%.0f', held)
  end
  if fault then
    return bad(key, fault)
  end
  i = stop
end

if ARGV[3] ~= '' and #split == 0 then
  redis.call('HSET', KEYS[1], ARGV[1], ARGV[3])
  if ARGV[7] ~= '' then
    redis.call('HSET', KEYS[1], ARGV[1] .. '.collectors', ARGV[7])
  end
  local received = ARGV[1] .. '.received'
  local before = redis.call('HGET', KEYS[1], received)
  if tonumber(ARGV[4]) > (tonumber(before or '-1') or -1) then
    redis.call('HSET', KEYS[1], received, ARGV[4])
  end
end
return split
