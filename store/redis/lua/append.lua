-- Writes an entry of a room's log and what it changes, and publishes it.
--
-- KEYS  1 room  2 log  3 members  4 active members  5 messages  6 deleted seqs  7 receipts
--       8 receipt versions  9, 10 idempotency keys of even and odd days
--       11 typing  12 the bucket's public rooms  13 bucket  14 recent  15… a rate for each cost
-- ARGV  1 the request, as JSON:
--         room, kind, check  the room's id, the entry's kind and random mark
--         channel, publish   where hints go, and by which command
--         actor, target      {id, name, avatar}; target and role for the member kinds
--         expect             {room, members: {user: version}, message}: what must not have moved
--         seq                the message concerned by an edit or a deletion
--         once, fingerprint  the idempotency key and what was asked under it
--         announced          for a joining: the row's version that the user index was told of
--         publicKey          for an update: the room's place among the public ones, '' for none
--         keep               retention: {entries, bytes, maxAge, minAge}
--         costs              what the entry costs: {{spacing, depth, times}, …}
--       2 a message's constant part as JSON, an edit's content, or the settings as JSON
--       3 the actor's id and name as JSON, '' for none
-- Returns {'ok', event, room}, {'sent', types, epoch, offset, prev, at, seq} for a message, of which the
--         caller knows the rest, {'repeat', message, types}, {'missing'}, {'moved'}, {'conflict'} for
--         another fingerprint, {'announce', version} for a joining that makes another version of the row
--         than was announced, or {'limited', which, microseconds} for a cost that isn't covered; types is
--         1 if the sender is in the typing set.

local a, body = cjson.decode(ARGV[1]), ARGV[2]
local keys = {
  room = KEYS[1], log = KEYS[2], members = KEYS[3], active = KEYS[4], messages = KEYS[5], deleted = KEYS[6],
  receipts = KEYS[7], receiptVersions = KEYS[8], public = KEYS[12],
}
local at = now()
local today = math.floor(at / 86400000)
local onceToday, onceYesterday = KEYS[9 + today % 2], KEYS[10 - today % 2]
local rows = rowsOf(keys.members)
local room = loadRoom(keys.room)

local function types()
  return redis.call('HEXISTS', KEYS[11], a.actor.id)
end

local function earlier()
  local found = redis.call('HGET', onceToday, a.once) or redis.call('HGET', onceYesterday, a.once)
  if not found then
    return nil
  end
  local seq, fingerprint = string.match(found, '^(%d+) (.*)$')
  if fingerprint ~= a.fingerprint then
    return { 'conflict' }
  end
  return { 'repeat', redis.call('HGET', keys.messages, seq), types() }
end

-- turnOver empties the keys of the day before yesterday. It comes before anything else is written: where
-- a cluster is moving the slot, a key deleted can't be written again, and the script ends there.
local function turnOver()
  if redis.call('HGET', onceToday, '') ~= tostring(today) then
    redis.call('DEL', onceToday)
    redis.call('HSET', onceToday, '', today)
    redis.call('EXPIREAT', onceToday, (today + 2) * 86400)
  end
end

local function message()
  local stored = a.seq and redis.call('HGET', keys.messages, a.seq)
  return stored and cjson.decode(stored)
end

local function moved()
  if a.expect.room and a.expect.room ~= room.version then
    return true
  end
  for user, version in pairs(a.expect.members or {}) do
    if version ~= rows.version(user) then
      return true
    end
  end
  if a.kind == EDITED or a.kind == DELETED then
    local stored = message()
    return not stored or (a.expect.message or stored.version) ~= stored.version
  end
  if a.kind >= JOINED and a.kind <= ROLE_CHANGED then
    local row = rows.get(a.target.id)
    return (row and row.active or false) == (a.kind == JOINED)
  end
  return false
end

local function change(entry, field, content)
  local stored = message()
  stored.content, stored.version, stored.updated, stored[field] = content, stored.version + 1, at, at
  redis.call('HSET', keys.messages, a.seq, cjson.encode(stored))
  entry.target = a.seq
end

local apply = {
  [SENT] = function(entry)
    room.seq = room.seq + 1
    entry.seq, entry.target = room.seq, room.seq
    entry.message = '{"seq":' .. room.seq .. ',"version":1,"created":' .. at .. ',"updated":' .. at ..
      ',"sent":[' .. entry.epoch .. ',' .. entry.offset .. ',' .. entry.check .. '],' .. string.sub(body, 2)
    redis.call('HSET', keys.messages, room.seq, entry.message)
    room.lastMessage = at
    if a.once then
      redis.call('HSET', onceToday, a.once, room.seq .. ' ' .. a.fingerprint)
    end
    local row = rows.get(a.actor.id)
    if row and row.active then
      moveReceipts(keys, room, a.actor.id, room.seq, at)
    end
  end,
  [EDITED] = function(entry)
    change(entry, 'edited', body)
  end,
  [DELETED] = function(entry)
    change(entry, 'deleted', '')
    redis.call('ZADD', keys.deleted, a.seq, a.seq)
  end,
  [JOINED] = function(entry)
    join(keys, room, rows, entry, a.target, a.role)
  end,
  [LEFT] = function(entry)
    part(keys, room, rows, entry, a.target.id)
  end,
  [ROLE_CHANGED] = function()
    local row = rows.get(a.target.id)
    setRole(room, row, a.role)
    row.version = row.version + 1
    rows.put(a.target.id, row)
  end,
  [UPDATED] = function()
    redis.call('HSET', keys.room, 'settings', body, 'updated', at)
    list(keys, a.room, a.publicKey)
    room.version = room.version + 1
  end,
}
apply[REMOVED] = apply[LEFT]

if not room then
  return { 'missing' }
end
local answered = a.once and earlier()
if answered then
  return answered
end
if moved() then
  return { 'moved' }
end
if a.kind == JOINED and a.announced ~= rows.version(a.target.id) + 1 then
  return { 'announce', rows.version(a.target.id) + 1 }
end
if a.once then
  turnOver()
end
local which, wait = pay(KEYS, 15, a.costs or {}, micros())
if which then
  return { 'limited', which, wait }
end

local entry = nextEntry(room, a.kind, a.check, at)
entry.actor = ARGV[3]
entry.target = a.target and a.target.id or ''
apply[a.kind](entry)
follow(rows, a.actor, a.target and a.target.id)
store(keys, room, entry)
trim(keys, room, a.keep, at)
saveRoom(keys.room, room)
local event = hydrate(keys, entry)
notify({ bucket = KEYS[13], recent = KEYS[14], channel = a.channel, publish = a.publish, mark = a.check },
  a.room, event)
if a.kind == SENT then
  return { 'sent', types(), entry.epoch, entry.offset, entry.prev, at, entry.seq }
end
return { 'ok', event, describe(keys.room, room) }
