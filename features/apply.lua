-- Folds a part of a micro-batch into the profiles KEYS[2..], if the partition's position in KEYS[1]
-- is where the batch begins.
--
-- ARGV: partition, expected position, position to set ('' when the batch goes on), received, fence
-- field, time to live in ms (0: for ever), collectors to keep beside the position ('': keep the old
-- ones). Then for each profile: first offset, last offset, number of arguments after the next one,
-- number of fields to read, these fields, and the operations. An operation is its name, its field
-- and its own arguments; the fields to read are those of the operations that read, in their order.
--
-- Returns {'moved'}, or pairs (index of a profile from 1, fence) of the profiles that already hold a
-- part of their updates: the caller cuts that part off and sends the rest again.
--
-- Integers go to HINCRBY as text, never through Lua's doubles. Everything else that a profile needs
-- is read by one command and written by one, because an embedded Redis pays for each command.
--
-- A profile gets all of its updates and its fence, or nothing. Redis refuses a script's writes for
-- reasons of its own (no memory, no disk, a lost replica) only until one write has succeeded, and
-- for lack of memory it refuses only writes that need some. So the first write needs memory and
-- changes nothing. After it, only a key or a field with foreign content can fail: then the
-- increments are undone, and the answer names the key.
local fence, ttl = ARGV[5], ARGV[6]

local function badKey(key, what)
  return redis.error_reply('BADKEY ' .. key .. ' ' .. what)
end

-- badType is the answer to a command that failed on key: the key is no hash, or the user lacks a
-- right.
local function badType(key, failed)
  if not string.find(failed, 'WRONGTYPE', 1, true) then
    return redis.error_reply(failed)
  end
  return badKey(key, 'is a ' .. redis.call('TYPE', key).ok .. ', expected a hash')
end

local position = redis.pcall('HGET', KEYS[1], ARGV[1])
if type(position) == 'table' then
  return badType(KEYS[1], position.err)
end
if (position or '0') ~= ARGV[2] then
  return {'moved'}
end

-- below compares bytes: Lua's own comparison of strings depends on the locale.
local function below(a, b)
  for i = 1, math.min(#a, #b) do
    local x, y = string.byte(a, i), string.byte(b, i)
    if x ~= y then
      return x < y
    end
  end
  return #a < #b
end

-- The profile in hand: its key, the values that were read, the fields and values to write, the
-- increments that were made, and the first fault that was found.
local key, values, writes, increments, fault

-- noteFault says that a field holds something that no operation of its kind writes.
local function noteFault(field, expected)
  local held = redis.call('HGET', key, field) or ''
  fault = fault or 'has "' .. string.sub(held, 1, 40) .. '" in field ' .. field .. ', expected ' .. expected
end

local function set(field, value)
  writes[#writes + 1] = field
  writes[#writes + 1] = value
end

-- add increments a field. A sum that would exceed 64 bits stays as it was.
local function add(field, n)
  local reply = redis.pcall('HINCRBY', key, field, n)
  if type(reply) ~= 'table' then
    increments[#increments + 1] = field
    increments[#increments + 1] = n
  elseif not string.find(reply.err, 'overflow', 1, true) then
    noteFault(field, 'a whole number')
  end
end

local function undoIncrements()
  for i = 1, #increments, 2 do
    local n = increments[i + 1]
    redis.call('HINCRBY', key, increments[i], string.sub(n, 1, 1) == '-' and string.sub(n, 2) or '-' .. n)
  end
end

-- number is the number that was read from a field, or other when the field is empty.
local function number(place, field, other)
  local held = values[place]
  if not held then
    return other
  end
  local n = tonumber(held)
  if not n then
    noteFault(field, 'a whole number')
  end
  return n or other
end

-- operations by name: each reads its field or not, and folds its arguments from ARGV[i] on.
local operations = {}
-- OPERATIONS

-- apply does the operations from ARGV[i] on. The value of the fence was read first, then those of
-- the operations that read, in their order.
local function apply(i, stop)
  local place = 1
  while i < stop do
    local operation = operations[ARGV[i]]
    if operation.reads then
      place = place + 1
    end
    i = operation.fold(i + 2, ARGV[i + 1], place)
  end
end

if #KEYS > 1 then
  redis.call('HSET', KEYS[1], ARGV[1], ARGV[2]) -- needs memory and changes nothing, as said above
end
local partial = {}
local i = 8
for k = 2, #KEYS do
  key = KEYS[k]
  local first, last, reads = tonumber(ARGV[i]), tonumber(ARGV[i + 1]), tonumber(ARGV[i + 3])
  local stop = i + 4 + tonumber(ARGV[i + 2])
  values = redis.pcall('HMGET', key, fence, unpack(ARGV, i + 4, i + 3 + reads))
  if values.err then
    return badType(key, values.err)
  end
  fault = nil
  local held = number(1, fence, -1)
  if not fault and held < first then
    writes, increments = {fence, ARGV[i + 1]}, {}
    apply(i + 4 + reads, stop)
    if fault then
      undoIncrements()
    else
      redis.call('HSET', key, unpack(writes))
      if ttl ~= '0' then
        redis.call('PEXPIRE', key, ttl)
      end
    end
  elseif held < last then
    partial[#partial + 1] = tostring(k - 1)
    partial[#partial + 1] = string.format('%.0f', held)
  end
  if fault then
    return badKey(key, fault)
  end
  i = stop
end

if ARGV[3] ~= '' and #partial == 0 then
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
return partial
