-- The ledger's numbers, and all that changes them. Each call of the script changes them as a whole.
--
-- The first line, which the program puts before this one, names the epoch. So each epoch has a script
-- of its own. Whoever makes the numbers of an epoch loads its script once, before the first number.
-- Redis keeps no script when its process ends: a script that is not there says that this is not the
-- process, or not the memory, in which the numbers were made.
--
-- KEYS[1] is PREFIX "state", a hash: epoch, by (who made it), seq, open (how many bids reserve
-- money), building (the epoch that is being made), old (epochs whose keys are to be deleted). All other keys are under PREFIX EPOCH ":":
--   c:CAMPAIGN  a hash: s spent, r reserved, p held back from a release until its step is on the
--               topic, h held back for bids that are on no topic, hs the most that h may be, h/BIDDER
--               its parts, T and D the budgets, d the days; s, r and p of a DAY are s/DAY and so on
--   b:BID       a bid: its values in lines, see the constants below
--   u:...       a sorted set of a campaign's impressions of a user: when it was settled, or inf
--   due         a sorted set: what is to be looked at, and when: bBID, uKEY, hBIDDER \n CAMPAIGN
--   sums        a sorted set of campaigns: when their sum was last written to the topic
--
-- ARGV: operation, epoch, highest seq that the caller has seen, now in ms, first day to keep, and
-- what the operation wants. The answer is an array whose first value is ok, or lost, or deposed.
local state, op, epoch, now = KEYS[1], ARGV[1], ARGV[2], tonumber(ARGV[4])
local base = string.sub(state, 1, -6) .. epoch .. ':'
local due, sums = base .. 'due', base .. 'sums'
local seq, opened, campaigns, out = 0, 0, {}, {'ok'}

local STATE, PRICE, AT, EXPIRES, DAY, MEMBER, CAP, BID, END, ENDED, SPENT, PAID, UNCOVERED, LATE, OVER, WIN, PENDING, RESERVED, CHARGED, CALL, CAMPAIGN, USER =
  1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22

local function text(n)
  return string.format('%.0f', n)
end

local function add(...)
  for i = 1, select('#', ...) do
    out[#out + 1] = (select(i, ...))
  end
end

local function stamp()
  seq = seq + 1
  return text(seq)
end

-- campaign returns the numbers of a campaign and of one of its days. save writes them.
local function campaign(id, day)
  local c = campaigns[id]
  if c and c.days[day] then
    return c, c.days[day]
  end
  local key = base .. 'c:' .. id
  local v = redis.call('HMGET', key, 's', 'r', 'p', 'h', 'hs', 'T', 'D', 's/' .. day, 'r/' .. day, 'p/' .. day)
  if not v[1] and redis.call('ZSCORE', sums, id) then
    -- Redis has deleted a part of the numbers: none of them can be trusted
    redis.call('HSET', state, 'epoch', '', 'building', epoch)
    error('the numbers of campaign ' .. id .. ' are gone: is maxmemory-policy noeviction?')
  end
  if not c then
    c = {id = id, key = key, s = tonumber(v[1] or 0), r = tonumber(v[2] or 0), p = tonumber(v[3] or 0), h = tonumber(v[4] or 0), hs = tonumber(v[5] or 0),
      total = tonumber(v[6] or 0), daily = tonumber(v[7] or 0), known = v[1], days = {}}
    campaigns[id] = c
  end
  local d = {s = tonumber(v[8] or 0), r = tonumber(v[9] or 0), p = tonumber(v[10] or 0), known = v[8]}
  c.days[day] = d
  return c, d
end

-- keepDays notes new days of a campaign, and drops those that no notice can be about any more.
local function keepDays(c, new)
  local kept = {}
  for day in string.gmatch(redis.call('HGET', c.key, 'd') or '', '[^,]+') do
    if day >= ARGV[5] then
      kept[#kept + 1] = day
    else
      redis.call('HDEL', c.key, 's/' .. day, 'r/' .. day, 'p/' .. day)
    end
  end
  for i = 1, #new do
    kept[#kept + 1] = new[i]
  end
  redis.call('HSET', c.key, 'd', table.concat(kept, ','))
end

-- save writes the campaigns that were read. reserved: nothing but what is reserved has changed in
-- those that are known.
local function save(reserved)
  for id, c in pairs(campaigns) do
    local v, new = {'r', text(c.r)}, {}
    local short = reserved and c.known and not c.limits
    if not short then
      v = {'s', text(c.s), 'r', text(c.r), 'p', text(c.p), 'h', text(c.h), 'hs', text(c.hs)}
    end
    if c.limits then
      v[11], v[12], v[13], v[14] = 'T', text(c.total), 'D', text(c.daily)
    end
    for day, d in pairs(c.days) do
      local n = #v
      v[n + 1], v[n + 2] = 'r/' .. day, text(d.r)
      if not short or not d.known then
        v[n + 3], v[n + 4], v[n + 5], v[n + 6] = 's/' .. day, text(d.s), 'p/' .. day, text(d.p)
      end
      if not d.known then
        new[#new + 1] = day
      end
    end
    redis.call('HSET', c.key, unpack(v))
    if #new > 0 then
      keepDays(c, new)
    end
    if not c.known then
      redis.call('ZADD', sums, now, id)
    end
  end
  redis.call('HSET', state, 'seq', text(seq), 'open', text(opened))
end

local function limit(c, total, daily)
  if c.total ~= total or c.daily ~= daily then
    c.total, c.daily, c.limits = total, daily, true
  end
end

-- roomOf returns what is left of the total budget and of the day's. Without a bound it is endless.
local function roomOf(c, d)
  local held, total, daily = c.h, math.huge, math.huge
  if c.total > 0 then
    total = c.total - c.s - c.r - c.p - held
  end
  if c.daily > 0 then
    daily = c.daily - d.s - d.r - d.p - held
  end
  return total, daily
end

local function bidKey(id)
  return base .. 'b:' .. id
end

local function write(id, rec, when)
  redis.call('SET', bidKey(id), table.concat(rec, '\n'))
  redis.call('ZADD', due, when, 'b' .. id)
end

local function capName(name, user)
  return 'u:' .. #name .. ':' .. name .. ':' .. user .. ':'
end

-- capped tells whether one more impression at a time would exceed a cap. ARGV has the caps from i
-- on: most impressions, and the window in ms. own are impressions that are counted already.
local function capped(key, at, i, n, own)
  for k = i, i + 2 * n - 1, 2 do
    if redis.call('ZCOUNT', key, '(' .. text(at - tonumber(ARGV[k + 1])), '+inf') - own >= tonumber(ARGV[k]) then
      return true
    end
  end
  return false
end

-- reserve: for each call its name, its now and how many claims it has, and then these, of 10 values
-- and their caps: imp, bid, campaign, price, expires, day, total, daily, user, number of caps.
-- Claims of an imp are alternatives. The answer has a verdict for each: R and the seq, or one letter
-- and nothing. Calls that come together share what is read and written for each campaign.
local function reserve()
  local i = 6
  while ARGV[i] do
    local call, at, claims, taken = ARGV[i], ARGV[i + 1], tonumber(ARGV[i + 2]), {}
    i = i + 3
    for _ = 1, claims do
      local imp, id, name, priceText, expires, day, total, daily, user, n = unpack(ARGV, i, i + 9)
      local caps, price, number = i + 10, tonumber(priceText), tonumber(n)
      i = caps + 2 * number
      local verdict, stamped = '-', ''
      if not taken[imp] then
        local c, d = campaign(name, day)
        limit(c, tonumber(total), tonumber(daily))
        local roomTotal, roomDaily = roomOf(c, d)
        if redis.call('EXISTS', bidKey(id)) == 1 then
          verdict, taken[imp] = 'P', true
        elseif price > roomTotal then
          verdict = 'T'
        elseif price > roomDaily then
          verdict = 'D'
        elseif number > 0 and c.h > 0 then
          verdict = 'H'
        elseif number > 0 and capped(base .. capName(name, user), tonumber(at), caps, number, 0) then
          verdict = 'C'
        else
          verdict, stamped, taken[imp] = 'R', stamp(), true
          local member, window = '', '0'
          if number > 0 then
            local longest = 0
            for k = caps + 1, i - 1, 2 do
              longest = math.max(longest, tonumber(ARGV[k]))
            end
            member, window = stamped, text(longest)
            redis.call('ZADD', base .. capName(name, user), '+inf', stamped)
          end
          c.r, d.r, opened = c.r + price, d.r + price, opened + 1
          write(id, {'R', priceText, at, expires, day, member, window, stamped, '0', '0', '0', '0', '0', '0', '0', '0', '', '0', '0', call, name, user}, expires)
        end
      end
      add(verdict, stamped)
    end
  end
  save(true)
end

-- refused tells why the operation may not run, or nothing.
local function refused()
  local held = redis.call('HMGET', state, 'epoch', 'seq', 'building', 'open')
  seq, opened = tonumber(held[2] or 0), tonumber(held[4] or 0)
  if op == 'begin' then
    if held[3] and held[3] ~= '' and tonumber(held[3]) > tonumber(epoch) or held[1] and held[1] ~= '' and tonumber(held[1]) >= tonumber(epoch) then
      return 'deposed'
    end
  elseif op == 'install' or op == 'finish' then
    if held[3] ~= epoch then
      return 'deposed'
    end
  elseif held[1] ~= epoch or seq < tonumber(ARGV[3]) then
    return 'lost'
  end
end

local no = refused()
if no then
  return {no}
end
if op == 'reserve' then
  -- Lua makes the functions of a script anew in every call: most calls need none of those below
  reserve()
  return out
end

local function parse(held)
  if not held then
    return nil
  end
  local rec = {}
  for value in string.gmatch(held .. '\n', '([^\n]*)\n') do
    rec[#rec + 1] = value
  end
  return rec
end

local function read(id)
  return parse(redis.call('GET', bidKey(id)))
end

local function capKey(rec)
  return base .. capName(rec[CAMPAIGN], rec[USER])
end

-- settleCap notes that an impression was shown, and forgets those that are out of all windows.
local function settleCap(rec, at)
  local key, window = capKey(rec), tonumber(rec[CAP])
  redis.call('ZADD', key, at, rec[MEMBER])
  redis.call('ZREMRANGEBYSCORE', key, '-inf', text(at - window))
  redis.call('ZADD', due, at + window, 'u' .. string.sub(key, #base + 1))
end

local function uncap(rec)
  if rec[MEMBER] ~= '' then
    redis.call('ZREM', capKey(rec), rec[MEMBER])
  end
end

-- finish stamps the end of a bid. What it releases stays held back until its step is on the topic:
-- else a ledger that is made again could reserve it twice.
local function finish(id, rec, into, recover, c, d, charge, release)
  local price = tonumber(rec[PRICE])
  if release then
    opened = opened - 1
    c.r, d.r = c.r - price, d.r - price
    c.p, d.p = c.p + price - charge, d.p + price - charge
    rec[PENDING], rec[RESERVED] = text(price - charge), text(-price)
  else
    rec[PENDING], rec[RESERVED] = '0', '0'
  end
  c.s, d.s = c.s + charge, d.s + charge
  rec[STATE], rec[CHARGED], rec[END], rec[ENDED] = into, text(charge), stamp(), text(now)
  write(id, rec, now + recover)
end

local function isOpen(rec)
  return rec[STATE] == 'R' or rec[STATE] == 'W'
end

local operations = {}

-- hello only asks whether the epoch is served.
function operations.hello()
  add(text(seq))
end

-- unknown is the record of a bid of which the ledger has none: it was forgotten, or its bidder and
-- Redis died before its step was on the topic.
local function unknown(price, expires, day, name)
  return {'N', price, ARGV[4], expires, day, '', '0', '0', '0', '0', '0', '0', '0', '0', '0', '0', '', '0', '0', '', name, ''}
end

-- lateBill charges a bid whose reservation has ended, as far as there is room. One whose step is on
-- no topic may use what is held back for such bids.
local function lateBill(id, rec, c, d, charge, caps, n, recover)
  local expires = tonumber(rec[EXPIRES])
  local late = rec[STATE] ~= 'N' or now > expires
  local fromHeld = 0
  if not late then
    fromHeld = math.min(c.h, charge)
  end
  local roomTotal, roomDaily = roomOf(c, d)
  local covered = fromHeld + math.max(0, math.min(roomTotal, roomDaily, charge - fromHeld))
  c.h = c.h - fromHeld
  rec[LATE], rec[UNCOVERED], rec[SPENT] = late and '1' or '0', text(charge - covered), text(covered)
  if rec[MEMBER] ~= '' then
    rec[OVER] = capped(capKey(rec), now, caps, n, 0) and '1' or '0'
    settleCap(rec, now)
  end
  finish(id, rec, 'B', recover, c, d, covered, false)
end

local function bill(id, rec, c, d, paid, caps, n, recover)
  local price = tonumber(rec[PRICE])
  local charge = price
  if paid > 0 then
    charge = math.min(paid, price)
  end
  rec[PAID] = text(paid)
  if not isOpen(rec) then
    lateBill(id, rec, c, d, charge, caps, n, recover)
    return
  end
  local at = math.max(now, tonumber(rec[AT]))
  if at > tonumber(rec[EXPIRES]) then
    rec[LATE] = '1'
  end
  if rec[MEMBER] ~= '' then
    if rec[LATE] == '1' then
      rec[OVER] = capped(capKey(rec), at, caps, n, 1) and '1' or '0'
    end
    settleCap(rec, at)
  end
  rec[SPENT] = text(charge)
  finish(id, rec, 'B', recover, c, d, charge, true)
end

-- correct lowers what a bill without a price has charged, now that the price is told.
local function correct(id, rec, c, d, paid, recover)
  local back = tonumber(rec[SPENT]) - paid
  rec[PAID] = text(paid)
  rec[SPENT], rec[CHARGED], rec[RESERVED], rec[PENDING] = text(paid), text(-back), '0', text(back)
  c.s, d.s = c.s - back, d.s - back
  c.p, d.p = c.p + back, d.p + back
  rec[END], rec[ENDED] = stamp(), text(now)
  write(id, rec, now + recover)
end

-- notice: kind, bid, campaign, price, paid, expires, day (of an unknown bid), late ms, recover ms,
-- total and daily (-1: not known), number of caps, caps. The answer: what was done, the seq of the
-- step, and the bid. new: the step is to be written; again: it was stamped, and is not known to be
-- on the topic; none: there is nothing to write; busy: as again, and the notice is to be repeated
-- then; old: it comes too late.
function operations.notice()
  local kind, id, name, price, paid, expires, day = ARGV[6], ARGV[7], ARGV[8], ARGV[9], tonumber(ARGV[10]), ARGV[11], ARGV[12]
  local late, recover, total, daily, n, caps = tonumber(ARGV[13]), tonumber(ARGV[14]), tonumber(ARGV[15]), tonumber(ARGV[16]), tonumber(ARGV[17]), 18
  local rec = read(id) or unknown(price, expires, day, name)
  local told, open, pending = tonumber(rec[EXPIRES]), isOpen(rec), rec[PENDING] ~= ''
  local done, number = 'new', ''
  if not open and rec[STATE] ~= 'B' and told > 0 and now > told + late then
    add('old', '', table.concat(rec, '\n'))
    return
  end
  local c, d = campaign(rec[CAMPAIGN], rec[DAY])
  if total >= 0 and name == rec[CAMPAIGN] then
    limit(c, total, daily)
  end
  if kind == 'win' then
    if rec[WIN] ~= '0' then
      done = 'none'
    else
      number = stamp()
      rec[WIN] = number
      if rec[STATE] == 'R' then
        rec[STATE] = 'W'
      end
      if rec[STATE] == 'N' then
        write(id, rec, now + late)
      else
        redis.call('SET', bidKey(id), table.concat(rec, '\n'))
      end
    end
  elseif kind == 'loss' then
    if rec[STATE] == 'R' then
      uncap(rec)
      finish(id, rec, 'L', recover, c, d, 0, true)
    elseif rec[STATE] == 'L' and pending then
      done = 'again'
    elseif (rec[STATE] == 'X' or rec[STATE] == 'N') and not pending and rec[WIN] == '0' then
      rec[LATE] = '1'
      finish(id, rec, 'L', recover, c, d, 0, false)
    else
      done = 'none'
    end
    number = rec[END]
  else
    if rec[STATE] ~= 'B' then
      if pending then
        done = 'busy'
      else
        bill(id, rec, c, d, paid, caps, n, recover)
      end
    elseif paid > 0 and rec[PAID] == '0' and rec[UNCOVERED] == '0' then
      if pending then
        done = 'busy'
      elseif paid < tonumber(rec[SPENT]) then
        correct(id, rec, c, d, paid, recover)
      else
        done = 'none'
      end
    else
      done = pending and 'again' or 'none'
    end
    number = rec[END]
  end
  add(done, number, table.concat(rec, '\n'))
  save()
end

-- confirm: late ms, remember ms, then pairs of bid and seq whose steps are on the topic: what they
-- release is free now.
function operations.confirm()
  local late, remember = tonumber(ARGV[6]), tonumber(ARGV[7])
  for i = 8, #ARGV, 2 do
    local id = ARGV[i]
    local rec = read(id)
    if rec and rec[PENDING] ~= '' and rec[END] == ARGV[i + 1] then
      local c, d = campaign(rec[CAMPAIGN], rec[DAY])
      local free = tonumber(rec[PENDING])
      c.p, d.p = c.p - free, d.p - free
      rec[PENDING] = ''
      write(id, rec, now + (rec[STATE] == 'B' and late or remember))
    end
  end
  save()
end

-- undo: recover ms, remember ms, name of the call, then triples of bid, campaign and day: bids that
-- were not made, since the answer came too late or never. One that is still to be reserved finds a
-- mark in its place. The answer is the bid's record, or nothing where it was not reserved.
function operations.undo()
  local recover, remember, call = tonumber(ARGV[6]), tonumber(ARGV[7]), ARGV[8]
  for i = 9, #ARGV, 3 do
    local id = ARGV[i]
    local rec = read(id)
    if not rec then
      rec = unknown('0', ARGV[4], ARGV[i + 2], ARGV[i + 1])
      rec[STATE] = 'U'
      write(id, rec, now + remember)
      add('')
    elseif rec[CALL] ~= call or rec[STATE] == 'W' or rec[STATE] == 'B' then
      add('')
    else
      if rec[STATE] == 'R' then
        local c, d = campaign(rec[CAMPAIGN], rec[DAY])
        uncap(rec)
        finish(id, rec, 'L', recover, c, d, 0, true)
      end
      add(table.concat(rec, '\n'))
    end
  end
  save()
end

-- sumOf adds the spent amounts of a campaign to the answer.
local function sumOf(name)
  local v = redis.call('HMGET', base .. 'c:' .. name, 's', 'd')
  local days = {}
  for day in string.gmatch(v[2] or '', '[^,]+') do
    days[#days + 1] = day .. '=' .. (redis.call('HGET', base .. 'c:' .. name, 's/' .. day) or '0')
  end
  add('sum', name, stamp(), (v[1] or '0') .. '\n' .. table.concat(days, ','))
end

-- dropHold ends what is held back for a bidder. Numbers that save will write are changed there.
local function dropHold(name, bidder)
  local key = base .. 'c:' .. name
  local v = redis.call('HMGET', key, 'h', 'hs', 'h/' .. bidder)
  if v[3] then
    local c = campaigns[name] or {h = tonumber(v[1]), hs = tonumber(v[2])}
    c.hs = c.hs - tonumber(v[3])
    c.h = math.min(c.h, c.hs)
    redis.call('HDEL', key, 'h/' .. bidder)
    redis.call('HSET', key, 'h', text(c.h), 'hs', text(c.hs))
  end
end

-- sweep: limit, recover ms, sum ms. Ends what is due, up to the limit. The answer has four values
-- for each step that is to be written: expire, again or sum; bid or campaign; seq; record or sums.
function operations.sweep()
  local most, recover, every = tonumber(ARGV[6]), tonumber(ARGV[7]), tonumber(ARGV[8])
  local looked = 0
  for _, member in ipairs(redis.call('ZRANGEBYSCORE', due, '-inf', ARGV[4], 'LIMIT', 0, most)) do
    local kind, id = string.sub(member, 1, 1), string.sub(member, 2)
    looked = looked + 1
    if kind == 'b' then
      local rec = read(id)
      if rec and isOpen(rec) then
        local c, d = campaign(rec[CAMPAIGN], rec[DAY])
        uncap(rec)
        finish(id, rec, 'X', recover, c, d, 0, true)
        add('expire', id, rec[END], table.concat(rec, '\n'))
      elseif rec and rec[PENDING] ~= '' then
        redis.call('ZADD', due, now + recover, member)
        add('again', id, rec[END], table.concat(rec, '\n'))
      else
        redis.call('DEL', bidKey(id))
        redis.call('ZREM', due, member)
      end
    elseif kind == 'u' then
      if redis.call('ZCOUNT', base .. id, '+inf', '+inf') > 0 then
        redis.call('ZADD', due, now + recover, member)
      else
        redis.call('DEL', base .. id)
        redis.call('ZREM', due, member)
      end
    else
      local bidder, name = string.match(id, '^([^\n]*)\n(.*)$')
      dropHold(name, bidder)
      redis.call('ZREM', due, member)
    end
  end
  save()
  for _, name in ipairs(redis.call('ZRANGEBYSCORE', sums, '-inf', text(now - every), 'LIMIT', 0, most)) do
    looked = looked + 1
    redis.call('ZADD', sums, now, name)
    sumOf(name)
  end
  redis.call('HSET', state, 'seq', text(seq))
  out[1] = 'ok'
  add(text(looked))
end

-- adopt: bidder, then bids of 9 values: bid, campaign, price, at, expires, day, user, cap ms, name of
-- the call. They were made in an epoch before, and their steps are void: they are reserved in this
-- one, out of what is held back for the bidder. The answer is a seq for each; 0 for one that has
-- ended meanwhile by a notice, which did not know its user.
function operations.adopt()
  local bidder, i = ARGV[6], 7
  while ARGV[i] do
    local id, name, price, at, expires, day, user, window, call = unpack(ARGV, i, i + 8)
    i = i + 9
    local rec = read(id)
    if rec and rec[STATE] ~= 'N' then
      if rec[STATE] == 'B' and rec[BID] == '0' and rec[USER] == '' and window ~= '0' then
        rec[MEMBER], rec[CAP], rec[USER] = 'b' .. rec[END], window, user
        settleCap(rec, tonumber(rec[ENDED]))
        redis.call('SET', bidKey(id), table.concat(rec, '\n'))
      end
      add(rec[BID])
    else
      local c, d = campaign(name, day)
      local amount, number = tonumber(price), stamp()
      local won = rec and rec[WIN] or '0'
      rec = {won ~= '0' and 'W' or 'R', price, at, expires, day, '', window, number, '0', '0', '0', '0', '0', '0', '0', won, '', '0', '0', call, name, user}
      if window ~= '0' then
        rec[MEMBER] = number
        redis.call('ZADD', capKey(rec), '+inf', number)
      end
      c.r, d.r, opened = c.r + amount, d.r + amount, opened + 1
      local part = tonumber(redis.call('HGET', c.key, 'h/' .. bidder) or '0')
      local used = math.min(part, amount)
      if used > 0 then
        redis.call('HSET', c.key, 'h/' .. bidder, text(part - used))
        c.h, c.hs = math.max(0, c.h - used), c.hs - used
      end
      write(id, rec, tonumber(expires))
      add(number)
    end
  end
  save()
end

-- leave: bidder, then campaigns: nothing is held back for the bidder any more.
function operations.leave()
  for i = 7, #ARGV do
    dropHold(ARGV[i], ARGV[6])
    redis.call('ZREM', due, 'h' .. ARGV[6] .. '\n' .. ARGV[i])
  end
end

-- read: pairs of campaign and day. The answer has for each what is spent and what is reserved or held
-- back, in total and on that day; and behind all how many bids are open.
function operations.read()
  for i = 6, #ARGV, 2 do
    local c, d = campaign(ARGV[i], ARGV[i + 1])
    add(text(c.s), text(c.r + c.p + c.h), text(d.s), text(d.r + d.p))
  end
  add(text(opened))
end

-- purge: limit. Deletes keys of an epoch that has ended, up to the limit.
function operations.purge()
  local first, rest = string.match(redis.call('HGET', state, 'old') or '', '^([^,]+),?(.*)$')
  local deleted, most = 0, tonumber(ARGV[6])
  if first then
    local before = string.sub(state, 1, -6) .. first .. ':'
    for _, member in ipairs(redis.call('ZRANGEBYSCORE', before .. 'due', '-inf', '+inf', 'LIMIT', 0, most)) do
      local kind, id = string.sub(member, 1, 1), string.sub(member, 2)
      if kind == 'b' then
        local rec = parse(redis.call('GET', before .. 'b:' .. id))
        if rec and rec[MEMBER] ~= '' then
          redis.call('DEL', before .. capName(rec[CAMPAIGN], rec[USER]))
        end
        redis.call('DEL', before .. 'b:' .. id)
      elseif kind == 'u' then
        redis.call('DEL', before .. id)
      end
      redis.call('ZREM', before .. 'due', member)
      deleted = deleted + 1
    end
    for _, name in ipairs(redis.call('ZRANGEBYSCORE', before .. 'sums', '-inf', '+inf', 'LIMIT', 0, most)) do
      redis.call('DEL', before .. 'c:' .. name)
      redis.call('ZREM', before .. 'sums', name)
      deleted = deleted + 1
    end
    if deleted == 0 then
      redis.call('HSET', state, 'old', rest)
    end
  end
  add(text(deleted), first or '')
end

-- begin: who makes the epoch. Nobody is served until it is done.
function operations.begin()
  local v = redis.call('HMGET', state, 'epoch', 'building', 'old')
  local old = v[3] or ''
  for k = 1, 2 do
    if v[k] and v[k] ~= '' and v[k] ~= epoch then
      old = old .. (old == '' and '' or ',') .. v[k]
    end
  end
  redis.call('HSET', state, 'epoch', '', 'by', ARGV[6], 'seq', '0', 'building', epoch, 'old', old)
end

-- install: items of an epoch that is being made, each with its kind and its number of values.
--   c campaign, spent, reserved, budget in total and daily, days (DAY=SPENT=RESERVED, by commas)
--   b bid, record, when it is due
--   u key, member, when it was settled, or inf; and when it is out of all windows, or nothing
--   h campaign, held, most, and then bidder, part and end of each part
function operations.install()
  local i = 6
  while ARGV[i] do
    local kind, n, v = ARGV[i], tonumber(ARGV[i + 1]), i + 2
    if kind == 'c' then
      local fields, days = {'s', ARGV[v + 1], 'r', ARGV[v + 2], 'p', '0', 'h', '0', 'hs', '0', 'T', ARGV[v + 3], 'D', ARGV[v + 4]}, {}
      for day, s, r in string.gmatch(ARGV[v + 5], '([^,=]+)=([^,=]+)=([^,=]+)') do
        days[#days + 1] = day
        for _, f in ipairs({'s/' .. day, s, 'r/' .. day, r, 'p/' .. day, '0'}) do
          fields[#fields + 1] = f
        end
      end
      fields[#fields + 1], fields[#fields + 2] = 'd', table.concat(days, ',')
      redis.call('HSET', base .. 'c:' .. ARGV[v], unpack(fields))
      redis.call('ZADD', sums, 0, ARGV[v])
    elseif kind == 'b' then
      redis.call('SET', bidKey(ARGV[v]), ARGV[v + 1])
      redis.call('ZADD', due, ARGV[v + 2], 'b' .. ARGV[v])
    elseif kind == 'u' then
      redis.call('ZADD', base .. ARGV[v], ARGV[v + 2], ARGV[v + 1])
      if ARGV[v + 3] ~= '' then
        redis.call('ZADD', due, ARGV[v + 3], 'u' .. ARGV[v])
      end
    else
      redis.call('HSET', base .. 'c:' .. ARGV[v], 'h', ARGV[v + 1], 'hs', ARGV[v + 2])
      for k = v + 3, v + n - 1, 3 do
        redis.call('HSET', base .. 'c:' .. ARGV[v], 'h/' .. ARGV[k], ARGV[k + 1])
        redis.call('ZADD', due, ARGV[k + 2], 'h' .. ARGV[k] .. '\n' .. ARGV[v])
      end
    end
    i = v + n
  end
end

-- finish: how many bids are open.
function operations.finish()
  redis.call('HSET', state, 'epoch', epoch, 'building', '', 'open', ARGV[6])
end

operations[op]()
return out
