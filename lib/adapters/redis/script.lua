-- SPDX-License-Identifier: MIT
--
-- All that must be atomic in a queue: one operation for each call. Scripts may not compute the names of keys, so each
-- operation is given all of them. Without memory, Redis refuses a script whose first write needs some. So the first
-- write of an operation that must succeed then needs none.
--
-- An item is `fresh` until it is handed out. An item that comes back is taken out of the group's pending entries and
-- noted in `back`, with the number of its deliveries. `ready`, `room` and `idle` have an element while a member that
-- waits for an item, for room, or for the end of all items should look again. The member that takes the element puts
-- it back if another member should look too.
if redis.replicate_commands then redis.replicate_commands() end
local call = redis.call
local state, items, large, back, ready, room, idle = unpack(KEYS)
local op, consumer = ARGV[1], ARGV[2]
local OK, NONE, GONE, DOWN = 0, 1, -1, -2
local GROUP = 'consumers'
local MOST_BYTES = 1048576

local function number(field) return tonumber(call('HGET', state, field) or 0) end
local function add(field, n) return call('HINCRBY', state, field, n) end
local function wake(list)
  if call('EXISTS', list) == 0 then call('RPUSH', list, '1') end
end

-- A consumer that has lost its lease, and has the item again, is told apart by the number of deliveries.
local function has(id, deliveries)
  local entry = call('XPENDING', items, GROUP, id, id, 1, consumer)[1]
  return entry and entry[4] == tonumber(deliveries)
end

-- Calls `act` for each pair of id and deliveries from ARGV[first] that this consumer has. Returns how many those are,
-- and the ids of the others.
local function each(first, act)
  local n, lost = 0, {}
  for i = first, #ARGV, 2 do
    if has(ARGV[i], ARGV[i + 1]) then
      act(ARGV[i], ARGV[i + 1])
      n = n + 1
    else
      lost[#lost + 1] = ARGV[i]
    end
  end
  return n, lost
end

local function remove(id)
  call('XACK', items, GROUP, id)
  call('XDEL', items, id)
  call('HDEL', large, id)
end

local function finish(n)
  if n > 0 and add('unfinished', -n) <= 0 then wake(idle) end
end

local function giveBack(push, id, deliveries)
  call('XACK', items, GROUP, id)
  call(push, back, id .. ' ' .. deliveries)
end

-- Takes back the items whose consumers have not renewed their leases. Not in each call: it looks at all leases.
local function takeBack()
  local time = call('TIME')
  local now = time[1] * 1000 + math.floor(time[2] / 1000)
  if now < number('check') then return end
  local lease = number('lease')
  local found = call('XPENDING', items, GROUP, 'IDLE', lease, '-', '+', 100)
  for _, entry in ipairs(found) do giveBack('RPUSH', entry[1], entry[4]) end
  if #found > 0 then add('expired', #found) end
  local pause = math.max(math.min(lease / 4, 1000), call('XLEN', items) / 100)
  call('HSET', state, 'check', #found == 100 and now or now + math.floor(pause))
end

-- The next item: its id, deliveries, entry in the stream, and whether it was fresh.
local function take()
  local returned = call('LPOP', back)
  while returned do
    local id, deliveries = returned:match('(%S+) (%d+)')
    local entry = call('XCLAIM', items, GROUP, consumer, 0, id, 'RETRYCOUNT', deliveries + 1, 'FORCE')[1]
    if entry then return id, deliveries + 1, entry, 0 end
    -- The entry was deleted by hand.
    finish(1)
    returned = call('LPOP', back)
  end
  local reply = call('XREADGROUP', 'GROUP', GROUP, consumer, 'COUNT', 1, 'STREAMS', items, '>')
  local entry = reply and reply[1][2][1]
  if entry then return entry[1], 1, entry, 1 end
end

local ops = {}

-- maxsize, lease and format, each empty if the member does not care. The first value given counts. Returns all of them.
-- After `expires`, how long the queue outlives the last call.
function ops.open()
  if call('EXISTS', state) == 0 then
    local made = redis.pcall('XGROUP', 'CREATE', items, GROUP, '0', 'MKSTREAM')
    if made.err and not made.err:find('BUSYGROUP') then return made end
    local length = call('XLEN', items)
    local fresh = length - call('XPENDING', items, GROUP)[1]
    call('HSET', state, 'version', 1, 'lease', ARGV[4] == '' and 30000 or ARGV[4], 'fresh', fresh, 'unfinished', length)
  end
  if ARGV[3] ~= '' then call('HSETNX', state, 'maxsize', ARGV[3]) end
  if ARGV[5] ~= '' then call('HSETNX', state, 'format', ARGV[5]) end
  if ARGV[6] and ARGV[6] ~= '' then call('HSET', state, 'expires', ARGV[6]) end
  -- What killed members leave in the group.
  for _, one in ipairs(call('XINFO', 'CONSUMERS', items, GROUP)) do
    if one[4] == 0 and one[6] > 3600000 then call('XGROUP', 'DELCONSUMER', items, GROUP, one[2]) end
  end
  return {OK, number('maxsize'), number('lease'), call('HGET', state, 'format') or ''}
end

-- For each item d or l, and its bytes. Those of l are kept apart, so that the stream stays small. Returns how many items
-- have found room.
function ops.put()
  if call('HEXISTS', state, 'down') == 1 then
    wake(room)
    return {DOWN}
  end
  local maxsize, fresh, n = number('maxsize'), number('fresh'), 0
  for i = 3, #ARGV, 2 do
    if maxsize > 0 and fresh + n >= maxsize then break end
    local apart = ARGV[i] == 'l'
    local id = call('XADD', items, '*', ARGV[i], apart and '' or ARGV[i + 1])
    if apart then call('HSET', large, id, ARGV[i + 1]) end
    n = n + 1
  end
  if n > 0 then
    add('fresh', n)
    add('unfinished', n)
    add('put', n)
    call('DEL', idle)
    wake(ready)
  end
  if maxsize > 0 and fresh + n < maxsize then wake(room) else call('DEL', room) end
  return {OK, n}
end

-- How many items; whether they are finished when they are got: '' (no), 'got' (they still count for join), or 'done'; and
-- what was received before. Returns for each item its id, its deliveries and its bytes.
function ops.get()
  finish(each(5, remove))
  takeBack()
  local down = call('HGET', state, 'down')
  local result, bytes, new, n = {OK}, 0, 0, 0
  while n < tonumber(ARGV[3]) and bytes < MOST_BYTES and down ~= 'now' do
    local id, deliveries, entry, isNew = take()
    if not id then break end
    local payload = entry[2][2]
    if entry[2][1] == 'l' then payload = call('HGET', large, id) end
    new = new + isNew
    if ARGV[4] ~= '' then remove(id) end
    bytes = bytes + #payload
    n = n + 1
    for _, part in ipairs({id, deliveries, payload}) do result[#result + 1] = part end
  end
  if n > 0 then
    add('got', n)
    if ARGV[4] == 'done' then finish(n) end
  end
  if new > 0 then
    add('fresh', -new)
    if number('maxsize') > 0 then wake(room) end
  end
  if down or number('fresh') + call('LLEN', back) > 0 then wake(ready) else call('DEL', ready) end
  if n > 0 then return result end
  if ARGV[4] == '' then call('XGROUP', 'CREATECONSUMER', items, GROUP, consumer) end
  return {down and DOWN or NONE}
end

-- As get, when a wait ends. A consumer that has left meanwhile is not in the group, and takes nothing.
function ops.await()
  if call('XGROUP', 'CREATECONSUMER', items, GROUP, consumer) == 0 then return ops.get() end
  call('XGROUP', 'DELCONSUMER', items, GROUP, consumer)
  wake(ready)
  return {GONE}
end

-- Finishes what this consumer has. Returns what it does not have.
function ops.done()
  local n, lost = each(3, remove)
  finish(n)
  return {OK, unpack(lost)}
end

-- Finishes one item that is not leased.
function ops.count()
  if number('unfinished') <= 0 then return {NONE} end
  finish(1)
  return {OK}
end

-- Gives back what this consumer has. Returns what it does not have.
function ops.release()
  local _, lost = each(3, function(id, deliveries) giveBack('RPUSH', id, deliveries) end)
  wake(ready)
  return {OK, unpack(lost)}
end

-- Gives back what has come for a call that has given up. It does not count as a delivery.
function ops.refuse()
  each(3, function(id, deliveries) giveBack('LPUSH', id, deliveries - 1) end)
  wake(ready)
  return {OK}
end

-- Renews leases. Returns what this consumer does not have any more.
function ops.renew()
  local _, lost = each(3, function(id) call('XCLAIM', items, GROUP, consumer, 0, id, 'JUSTID') end)
  return {OK, unpack(lost)}
end

-- Finishes what was received, and gives back the rest that this consumer has.
function ops.leave()
  finish(each(3, remove))
  local entries = call('XPENDING', items, GROUP, '-', '+', 1000000, consumer)
  for _, entry in ipairs(entries) do giveBack('RPUSH', entry[1], entry[4]) end
  call('XGROUP', 'DELCONSUMER', items, GROUP, consumer)
  if #entries > 0 then wake(ready) end
  return {OK}
end

-- For join and the counts. An item that is left after an immediate shutdown cannot be finished.
function ops.look()
  if number('unfinished') <= 0 or call('HEXISTS', state, 'down') == 1 then wake(idle) end
  return {OK, call('HGET', state, 'down') or '', number('unfinished'), number('fresh'), call('LLEN', back),
    call('XLEN', items), number('put'), number('got'), number('expired'), number('maxsize')}
end

-- The consumers that have items: name, number, and for how many milliseconds the oldest lease was not renewed.
function ops.report()
  local result = {OK}
  for _, one in ipairs(call('XINFO', 'CONSUMERS', items, GROUP)) do
    local oldest = call('XPENDING', items, GROUP, '-', '+', 1, one[2])[1]
    if oldest then
      for _, part in ipairs({one[2], one[4], oldest[3]}) do result[#result + 1] = part end
    end
  end
  return result
end

function ops.shutdown()
  if call('HGET', state, 'down') ~= 'now' then call('HSET', state, 'down', ARGV[3]) end
  for _, list in ipairs({ready, room, idle}) do wake(list) end
  return {OK}
end

function ops.destroy()
  call('DEL', unpack(KEYS))
  return {OK}
end

if op ~= 'open' and op ~= 'destroy' and call('EXISTS', state) == 0 then return {GONE} end
if op ~= 'open' and op ~= 'put' then call('HDEL', state, '') end
local answer = ops[op]()
local expires = call('HGET', state, 'expires')
if expires then
  for _, key in ipairs(KEYS) do call('PEXPIRE', key, expires) end
end
return answer
